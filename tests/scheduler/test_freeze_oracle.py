"""What a launch writes down for a small world drawn by lot, held against the rules said plainly in Python."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from audience.territory import zone_of
from models.campaign import Campaign, CampaignLane, LeftOut
from models.contact import Contact
from models.delivery import Delivery
from models.event import Event
from models.identity import Identity, TerritoryKind
from models.providers import provider_of
from models.states import (
    CampaignState,
    Channel,
    ConsentStatus,
    DeliveryState,
    EventKind,
    IdentityRule,
    IdentityState,
    LeftOutReason,
    SuppressionReason,
)
from models.suppression import address_hash
from scheduler import expansion
from scheduler.calendar import UsualWindows, opens, read_sending_windows
from scheduler.campaigns import schedule
from scheduler.expansion import launch
from scheduler.frequency import USUAL, next_eligible
from scheduler.rhythm import Rhythm
from scheduler.senders import choose_identity
from store import Database, suppressions
from store.tally_triggers import DELIVERIES_COUNTED, LEFT_OUT_COUNTED
from tests.clocks import START
from tests.factories import a_campaign, a_contact, a_segment, an_identity

WINDOWS = read_sending_windows("mon-fri 14:00-18:00")
RHYTHM = Rhythm(USUAL, UsualWindows(email=WINDOWS), "Europe/Paris")
PEOPLE = 40
LEFT = {DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN}


@dataclass
class World:
    """What the oracle knows besides the rows: who is suppressed, who is kept out, who was sent what."""

    people: list[Contact] = field(default_factory=list)
    identities: list[Identity] = field(default_factory=list)
    suppressed: set[int] = field(default_factory=set)
    touches: dict[int, list[tuple[Channel, datetime]]] = field(default_factory=dict)


async def _drawn(session: AsyncSession, lots: random.Random) -> World:
    world = World()
    world.identities = [await an_identity(session, key="national")]
    for value in ("93", "53"):
        world.identities.append(
            await an_identity(session, key=value, territory=TerritoryKind.REGION, territory_value=value)
        )
    if lots.random() < 0.5:
        del world.identities[0]
    for number in range(PEOPLE):
        domain = lots.choice(["gmail.com", "orange.fr", "exemple.fr"])
        departement, region = lots.choice([("13", "93"), ("29", "53"), ("75", "11"), ("974", "04")])
        world.people.append(
            await a_contact(
                session,
                email=f"p{number}@{domain}" if lots.random() < 0.9 else None,
                commune=lots.choice(["Lyon", "Marseille"]),
                departement=departement,
                region=region,
                email_consent=lots.choice([ConsentStatus.GRANTED] * 4 + list(ConsentStatus)),
            )
        )
    for person in world.people:
        if person.email and lots.random() < 0.15:
            world.suppressed.add(person.id)
            await suppressions.suppress(
                session,
                channel=Channel.EMAIL,
                address_hash=address_hash(Channel.EMAIL, person.email),
                reason=SuppressionReason.COMPLAINT,
                evidence="",
                event_id=None,
                now=START,
            )
    await _send_before(session, lots, world)
    return world


async def _send_before(session: AsyncSession, lots: random.Random, world: World) -> None:
    """Earlier campaigns: some ended, some going on, one paused; what they sent or still have queued."""
    segment = await a_segment(session, "everyone")
    for state in (
        CampaignState.FINISHED,
        CampaignState.FINISHED,
        CampaignState.SENDING,
        CampaignState.PAUSED,
    ):
        campaign = await a_campaign(session, senders=world.identities[:1], include=[segment])
        campaign.state = state
        session.add(campaign)
        for person in world.people:
            if lots.random() < 0.6:
                continue
            _add_delivery(session, lots, world, campaign, person)
    await session.flush()


def _add_delivery(
    session: AsyncSession, lots: random.Random, world: World, campaign: Campaign, person: Contact
) -> None:
    ended = campaign.state is CampaignState.FINISHED
    state = lots.choice(
        [DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN, DeliveryState.REFUSED]
        if ended
        else [DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.SENDING, DeliveryState.ACCEPTED]
    )
    settled_at = START - timedelta(hours=lots.randrange(1, 24 * 35)) if state in LEFT else None
    due_at = START + timedelta(hours=lots.choice([-2, 0, 5, 50]))
    channel, exempt = lots.choice(list(Channel)), lots.random() < 0.1
    session.add(
        Delivery(
            campaign_id=campaign.id,
            contact_id=person.id,
            channel=channel,
            identity_id=world.identities[0].id,
            provider="other",
            address="x",
            state=state,
            due_at=due_at,
            settled_at=settled_at,
            exempt=exempt,
        )
    )
    to_come = state in {DeliveryState.QUEUED, DeliveryState.DEFERRED}
    if exempt or state is DeliveryState.REFUSED or (to_come and campaign.state is CampaignState.PAUSED):
        return
    moment = settled_at or (max(due_at, START) if to_come else START)
    world.touches.setdefault(person.id, []).append((channel, moment))


def _expected(world: World, rule: IdentityRule) -> dict[int, object]:
    """By person: why left out and until when, or from whom, by which provider and when."""
    found: dict[int, object] = {}
    for person in world.people:
        again = None
        if person.commune == "Lyon":
            reason: LeftOutReason | None = LeftOutReason.EXCLUDED
        elif person.email is None:
            reason = LeftOutReason.NO_ADDRESS
        elif person.id in world.suppressed:
            reason = LeftOutReason.SUPPRESSED
        elif person.email_consent is ConsentStatus.WITHDRAWN:
            reason = LeftOutReason.WITHDRAWN
        elif person.email_consent is not ConsentStatus.GRANTED:
            reason = LeftOutReason.NO_CONSENT
        else:
            again = next_eligible(world.touches.get(person.id, []), Channel.EMAIL, START, USUAL)
            reason = LeftOutReason.CAPPED if again else None
        sender = choose_identity(rule, world.identities, person, Channel.EMAIL) if reason is None else None
        if sender is None:
            found[person.id] = (reason or LeftOutReason.NO_IDENTITY, again)
            continue
        zone = zone_of(person.departement, person.postcode, person.phone, default="Europe/Paris")
        found[person.id] = (
            sender.id,
            provider_of(person.email or ""),
            opens(WINDOWS, zone, START),
            person.email,
        )
    return found


async def _written(database: Database, campaign_id: int) -> dict[int, object]:
    async with database.read() as session:
        rows = (await session.exec(select(Delivery).where(Delivery.campaign_id == campaign_id))).all()
        left_out = (await session.exec(select(LeftOut).where(LeftOut.campaign_id == campaign_id))).all()
        lanes = (
            await session.exec(select(CampaignLane).where(CampaignLane.campaign_id == campaign_id))
        ).all()
    assert {(lane.identity_id, lane.provider) for lane in lanes} == {
        (row.identity_id, row.provider) for row in rows
    }
    found: dict[int, object] = {row.contact_id: (row.reason, row.next_at) for row in left_out}
    for row in rows:
        assert row.contact_id not in found
        assert (row.state, row.attempts, row.exempt, row.reason) == (DeliveryState.QUEUED, 0, False, "")
        found[row.contact_id or 0] = (row.identity_id, row.provider, row.due_at, row.address)
    return found


async def _assert_counters_are_right(database: Database) -> None:
    async with database.read() as session:
        connection = await session.connection()
        kept = await connection.exec_driver_sql(
            "SELECT campaign_id, account, identity_id, provider, word, sum(count) FROM tally"
            " WHERE account IN ('state', 'left_out') GROUP BY 1, 2, 3, 4, 5"
        )
        counters = {row[:5]: int(row[5]) for row in map(tuple, kept.all()) if row[5]}
        counted = {}
        for question in (DELIVERIES_COUNTED, LEFT_OUT_COUNTED):
            for row in map(tuple, (await connection.exec_driver_sql(question)).all()):
                counted[row[:5]] = int(row[6])
    assert counters == counted


@pytest.mark.parametrize("seed", range(8))
async def test_a_launch_writes_down_what_the_rules_say(
    database: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    lots = random.Random(seed)
    monkeypatch.setattr(expansion, "BATCH", lots.choice([3, 7, 1000]))
    rule = lots.choice([IdentityRule.ONE, IdentityRule.TERRITORY, IdentityRule.ROTATE])
    async with database.write() as session:
        world = await _drawn(session, lots)
        campaign = await a_campaign(
            session,
            senders=world.identities,
            include=[await a_segment(session, "everyone")],
            exclude=[await a_segment(session, "commune:Lyon")],
            rule=rule,
        )
        await schedule(session, campaign.id, START.replace(tzinfo=None), "UTC", START)
    await launch(database, campaign.id, START, language="fr", rhythm=RHYTHM)
    expected = _expected(world, rule)
    assert await _written(database, campaign.id) == expected
    await _assert_counters_are_right(database)
    # Were it to begin anew, nobody would be written down a second time.
    async with database.write() as session:
        await session.exec(
            sa.update(Campaign).where(col(Campaign.id) == campaign.id).values(state=CampaignState.LAUNCHING)
        )
    await launch(database, campaign.id, START, language="fr", rhythm=RHYTHM)
    assert await _written(database, campaign.id) == expected
    await _assert_counters_are_right(database)


async def test_of_two_launches_the_second_sees_what_the_first_has_queued(database: Database) -> None:
    async with database.write() as session:
        person = await a_contact(session)
        identity = await an_identity(session)
        numbers = []
        for _ in range(2):
            campaign = await a_campaign(
                session, senders=[identity], include=[await a_segment(session, "everyone")]
            )
            await schedule(session, campaign.id, START.replace(tzinfo=None), "UTC", START)
            numbers.append(campaign.id)
    rhythm = Rhythm(USUAL)
    for number in numbers:
        await launch(database, number, START, language="fr", rhythm=rhythm)
    async with database.read() as session:
        [capped] = (await session.exec(select(LeftOut))).all()
    assert (capped.campaign_id, capped.contact_id) == (numbers[1], person.id)
    assert (capped.reason, capped.next_at) == (LeftOutReason.CAPPED, START + timedelta(days=1))


async def test_people_who_show_signs_of_life_go_first_while_the_sender_warms_up(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session, state=IdentityState.WARMING)
        silent, lately, long_ago = [await a_contact(session) for _ in range(3)]
        for person, days in ((lately, 2), (long_ago, 100)):
            at = START - timedelta(days=days)
            session.add(
                Event(
                    contact_id=person.id,
                    kind=EventKind.CLICKED,
                    source="test",
                    source_id=str(person.id),
                    at=at,
                    recorded_at=at,
                )
            )
        campaign = await a_campaign(
            session, senders=[identity], include=[await a_segment(session, "everyone")]
        )
        await schedule(session, campaign.id, START.replace(tzinfo=None), "UTC", START)
    await launch(database, campaign.id, START, language="fr")
    async with database.read() as session:
        rows = (await session.exec(select(Delivery).order_by(col(Delivery.due_at)))).all()
    assert [row.contact_id for row in rows] == [lately.id, long_ago.id, silent.id]
    assert rows[-1].due_at - START < timedelta(seconds=1)
