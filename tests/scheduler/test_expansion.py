"""A segment becomes deliveries: the right ones, once, or none at all."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from models.campaign import Campaign, LeftOut
from models.contact import Contact
from models.delivery import Delivery
from models.errors import StoreError
from models.identity import TerritoryKind
from models.states import (
    CampaignState,
    Channel,
    ConsentStatus,
    IdentityRule,
    LeftOutReason,
    SuppressionReason,
)
from models.suppression import address_hash
from models.template import TemplateVersion
from scheduler import expansion
from scheduler.campaigns import pause, resume, schedule, unschedule
from scheduler.expansion import launch
from store import Database, audiences, campaigns, freezing, suppressions
from tests.clocks import START
from tests.factories import a_campaign, a_contact, a_seed, a_segment, a_template, an_identity


async def scheduled(database: Database, campaign: Campaign) -> int:
    async with database.write() as session:
        await schedule(session, campaign.id, START.replace(tzinfo=None), "UTC", START)
    return campaign.id


async def launched(database: Database, campaign: Campaign) -> Campaign:
    campaign_id = await scheduled(database, campaign)
    await launch(database, campaign_id, START, language="fr")
    async with database.read() as session:
        return await campaigns.get_campaign(session, campaign_id)


async def deliveries_of(database: Database, campaign_id: int) -> list[Delivery]:
    async with database.read() as session:
        wanted = select(Delivery).where(Delivery.campaign_id == campaign_id).order_by(col(Delivery.id))
        return list((await session.exec(wanted)).all())


async def left_out_of(database: Database, campaign_id: int) -> dict[int, LeftOutReason]:
    async with database.read() as session:
        rows = (await session.exec(select(LeftOut).where(LeftOut.campaign_id == campaign_id))).all()
        return {row.contact_id: row.reason for row in rows}


async def test_everybody_who_agreed_gets_one_delivery(database: Database) -> None:
    async with database.write() as session:
        people = [await a_contact(session) for _ in range(5)]
        campaign = await a_campaign(session)
    done = await launched(database, campaign)
    rows = await deliveries_of(database, campaign.id)
    assert {row.contact_id for row in rows} == {person.id for person in people}
    assert (done.state, done.frozen, done.targeted) == (CampaignState.SENDING, 5, 5)


async def test_each_reason_to_be_left_out_is_recorded(database: Database) -> None:
    async with database.write() as session:
        silent = await a_contact(session, email_consent=ConsentStatus.UNKNOWN)
        gone = await a_contact(session, email_consent=ConsentStatus.WITHDRAWN)
        unreachable = await a_contact(session, email=None)
        bounced = await a_contact(session)
        excluded = await a_contact(session, commune="Lyon")
        reached = await a_contact(session)
        await suppressions.suppress(
            session,
            channel=Channel.EMAIL,
            address_hash=address_hash(Channel.EMAIL, bounced.email or ""),
            reason=SuppressionReason.HARD_BOUNCE,
            evidence="",
            event_id=None,
            now=START,
        )
        campaign = await a_campaign(session, exclude=[await a_segment(session, "commune:Lyon")])
    done = await launched(database, campaign)
    assert await left_out_of(database, campaign.id) == {
        silent.id: LeftOutReason.NO_CONSENT,
        gone.id: LeftOutReason.WITHDRAWN,
        unreachable.id: LeftOutReason.NO_ADDRESS,
        bounced.id: LeftOutReason.SUPPRESSED,
        excluded.id: LeftOutReason.EXCLUDED,
    }
    assert [row.contact_id for row in await deliveries_of(database, campaign.id)] == [reached.id]
    assert done.targeted == 6


async def test_a_missing_value_stops_the_campaign_before_anything_is_queued(database: Database) -> None:
    async with database.write() as session:
        await a_contact(session)
        nameless = await a_contact(session, first_name=None, email="sans.prenom@exemple.fr")
        campaign = await a_campaign(session)
    done = await launched(database, campaign)
    assert done.state is CampaignState.BLOCKED
    assert "sans.prenom@exemple.fr (first_name)" in done.problem
    assert done.problem_contacts == [nameless.id]
    assert await deliveries_of(database, campaign.id) == []


async def test_a_declared_fallback_lets_it_go(database: Database) -> None:
    async with database.write() as session:
        await a_contact(session, first_name=None)
        campaign = await a_campaign(
            session, version=await a_template(session, fallbacks={"first_name": "chère amie, cher ami"})
        )
    assert (await launched(database, campaign)).state is CampaignState.SENDING


async def test_a_blocked_campaign_goes_once_it_is_mended(database: Database) -> None:
    async with database.write() as session:
        nameless = await a_contact(session, first_name=None)
        campaign = await a_campaign(session)
    await launched(database, campaign)
    async with database.write() as session:
        nameless.first_name = "Dominique"
        session.add(nameless)
    done = await launched(database, campaign)
    assert (done.state, done.problem, done.frozen) == (CampaignState.SENDING, "", 1)


async def test_who_lacks_a_value_but_is_left_out_stops_nothing(database: Database) -> None:
    async with database.write() as session:
        await a_contact(session)
        await a_contact(session, first_name=None, email_consent=ConsentStatus.UNKNOWN)
        campaign = await a_campaign(session)
    assert (await launched(database, campaign)).state is CampaignState.SENDING


async def test_the_sender_is_the_smallest_territory_around_the_person(database: Database) -> None:
    async with database.write() as session:
        national = await an_identity(session, key="national")
        south = await an_identity(session, key="paca", territory=TerritoryKind.REGION, territory_value="93")
        mouth = await an_identity(
            session, key="bdr", territory=TerritoryKind.DEPARTEMENT, territory_value="13"
        )
        marseillais = await a_contact(session)
        nicois = await a_contact(session, commune="Nice", departement="06")
        breton = await a_contact(session, commune="Brest", departement="29", region="53")
        campaign = await a_campaign(session, senders=[national, south, mouth], rule=IdentityRule.TERRITORY)
    await launched(database, campaign)
    chosen = {row.contact_id: row.identity_id for row in await deliveries_of(database, campaign.id)}
    assert chosen == {marseillais.id: mouth.id, nicois.id: south.id, breton.id: national.id}


async def test_a_person_no_identity_speaks_for_is_left_out(database: Database) -> None:
    async with database.write() as session:
        south = await an_identity(session, key="paca", territory=TerritoryKind.REGION, territory_value="93")
        breton = await a_contact(session, departement="29", region="53")
        campaign = await a_campaign(session, senders=[south], rule=IdentityRule.TERRITORY)
    await launched(database, campaign)
    assert await left_out_of(database, campaign.id) == {breton.id: LeftOutReason.NO_IDENTITY}


async def test_in_a_rotation_the_same_person_always_gets_the_same_sender(database: Database) -> None:
    async with database.write() as session:
        senders = [await an_identity(session, key=key) for key in ("a", "b", "c")]
        for _ in range(60):
            await a_contact(session)
        first = await a_campaign(session, senders=senders, rule=IdentityRule.ROTATE)
        second = await a_campaign(
            session,
            senders=senders[::-1],
            rule=IdentityRule.ROTATE,
            include=[await a_segment(session, "tous")],
        )
    choices = []
    for campaign in (first, second):
        await launched(database, campaign)
        choices.append(
            {row.contact_id: row.identity_id for row in await deliveries_of(database, campaign.id)}
        )
    assert choices[0] == choices[1]
    assert len(set(choices[0].values())) == 3


async def test_each_seed_gets_the_campaign_from_each_identity(database: Database) -> None:
    async with database.write() as session:
        senders = [await an_identity(session, key=key) for key in ("a", "b")]
        await a_contact(session)
        await a_seed(session, address="seed@gmail.com")
        await a_seed(session, address="seed@orange.fr", provider="orange")
        campaign = await a_campaign(session, senders=senders, rule=IdentityRule.ROTATE)
    done = await launched(database, campaign)
    seeds = [row for row in await deliveries_of(database, campaign.id) if row.seed_id is not None]
    assert len(seeds) == 4
    assert done.frozen == 1


@pytest.mark.parametrize("batches_before", [0, 1, 2])
async def test_an_interrupted_launch_goes_on_and_nobody_is_doubled_or_lost(
    database: Database, monkeypatch: pytest.MonkeyPatch, batches_before: int
) -> None:
    monkeypatch.setattr(expansion, "BATCH", 4)
    async with database.write() as session:
        for place in range(11):
            await a_contact(
                session, email_consent=ConsentStatus.GRANTED if place % 3 else ConsentStatus.UNKNOWN
            )
        campaign = await a_campaign(session)
    campaign_id = await scheduled(database, campaign)
    written = 0
    real = freezing.freeze

    async def interrupted(*args: Any) -> bool:
        nonlocal written
        if written == batches_before:
            raise KeyboardInterrupt
        written += 1
        return bool(await real(*args))

    with monkeypatch.context() as patch:
        patch.setattr(freezing, "freeze", interrupted)
        with pytest.raises(KeyboardInterrupt):
            await launch(database, campaign_id, START, language="fr")
    await launch(database, campaign_id, START + timedelta(minutes=5), language="fr")
    rows = await deliveries_of(database, campaign_id)
    left_out = await left_out_of(database, campaign_id)
    assert len(rows) == len({row.contact_id for row in rows}) == 7
    assert len(left_out) == 4
    assert not {row.contact_id for row in rows} & left_out.keys()


async def test_a_pause_before_the_launch_keeps_it_from_launching(database: Database) -> None:
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session)
    campaign_id = await scheduled(database, campaign)
    async with database.write() as session:
        await pause(session, campaign_id, START)
    await launch(database, campaign_id, START, language="fr")
    assert await deliveries_of(database, campaign_id) == []
    async with database.write() as session:
        assert (await resume(session, campaign_id, START)).state is CampaignState.SCHEDULED


async def test_a_segment_edited_after_the_launch_changes_nothing(database: Database) -> None:
    async with database.write() as session:
        await a_contact(session)
        segment = await a_segment(session, "commune:Marseille", name="cible")
        campaign = await a_campaign(session, include=[segment])
    await launched(database, campaign)
    async with database.write() as session:
        await a_segment(session, "commune:Lyon", name="cible")
    async with database.read() as session:
        ((_, tie),) = await campaigns.audience_of(session, campaign.id)
    assert tie.frozen_text == "commune:Marseille"


async def test_a_launch_that_finds_no_database_is_tried_again_and_not_blocked(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session)
    campaign_id = await scheduled(database, campaign)

    async def away(*_: Any, **__: Any) -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("gone"))

    with monkeypatch.context() as patch:
        patch.setattr(audiences, "count_targeted", away)
        with pytest.raises(StoreError):
            await launch(database, campaign_id, START, language="fr")
    await launch(database, campaign_id, START, language="fr")
    assert len(await deliveries_of(database, campaign_id)) == 1


async def test_a_campaign_put_off_since_its_launch_was_asked_for_waits(database: Database) -> None:
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session)
    campaign_id = await scheduled(database, campaign)
    async with database.write() as session:
        await unschedule(session, campaign_id, START)
        await schedule(session, campaign_id, START.replace(tzinfo=None) + timedelta(days=7), "UTC", START)
    await launch(database, campaign_id, START, language="fr")
    assert await deliveries_of(database, campaign_id) == []
    await launch(database, campaign_id, START + timedelta(days=7), language="fr")
    assert len(await deliveries_of(database, campaign_id)) == 1


async def test_seeds_are_spread_over_the_whole_audience(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expansion, "BATCH", 1)
    async with database.write() as session:
        for number in range(40):
            await a_contact(session, email=f"p{number}@gmail.com")
        for number in range(20):
            await a_seed(session, address=f"seed{number}@gmail.com")
        campaign = await a_campaign(session)
    await launched(database, campaign)
    rows = await deliveries_of(database, campaign.id)
    places = [place for place, row in enumerate(rows) if row.seed_id is not None]
    assert len(places) == 20
    # By chance alone none would be in the first half once in a million runs.
    assert places[0] < 20


async def test_a_template_that_compiles_no_more_blocks_the_launch(database: Database) -> None:
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session)
        await session.exec(sa.update(TemplateVersion).values(body="<mjml><mj-body>"))
    done = await launched(database, campaign)
    assert (done.state, done.launched_at) == (CampaignState.BLOCKED, None)
    assert done.problem


async def test_a_pause_in_the_midst_of_a_launch_stops_it_and_resuming_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expansion, "BATCH", 4)
    async with database.write() as session:
        for _ in range(10):
            await a_contact(session)
        campaign = await a_campaign(session)
    campaign_id = await scheduled(database, campaign)
    real = freezing.freeze

    async def pause_after(session: Any, *args: Any) -> bool:
        written = bool(await real(session, *args))
        if written:
            await pause(session, campaign_id, START)
        return written

    with monkeypatch.context() as patch:
        patch.setattr(freezing, "freeze", pause_after)
        await launch(database, campaign_id, START, language="fr")
    assert len(await deliveries_of(database, campaign_id)) == 4
    async with database.write() as session:
        assert (await resume(session, campaign_id, START)).state is CampaignState.LAUNCHING
    await launch(database, campaign_id, START, language="fr")
    assert len(await deliveries_of(database, campaign_id)) == 10
    async with database.read() as session:
        assert (await campaigns.get_campaign(session, campaign_id)).frozen == 10


async def test_who_is_erased_during_a_launch_is_counted_and_nobody_else_is_lost(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expansion, "BATCH", 4)
    async with database.write() as session:
        people = [
            (
                await a_contact(
                    session, email_consent=ConsentStatus.GRANTED if place % 3 else ConsentStatus.UNKNOWN
                )
            ).id
            for place in range(12)
        ]
        campaign = await a_campaign(session)
    campaign_id = await scheduled(database, campaign)
    real, written = freezing.freeze, 0

    async def interrupted(session: Any, *args: Any) -> bool:
        nonlocal written
        written += 1
        if written == 2:
            # One of a batch that is written and one of the batch that was read, of each kind.
            gone = [people[0], people[1], people[6], people[7]]
            await session.exec(sa.delete(Contact).where(col(Contact.id).in_(gone)))
        if written == 3:
            raise KeyboardInterrupt
        return bool(await real(session, *args))

    with monkeypatch.context() as patch:
        patch.setattr(freezing, "freeze", interrupted)
        with pytest.raises(KeyboardInterrupt):
            await launch(database, campaign_id, START, language="fr")
    async with database.write() as session:
        await session.exec(sa.delete(Contact).where(col(Contact.id) == people[5]))
    await launch(database, campaign_id, START + timedelta(minutes=5), language="fr")
    rows, left_out = await deliveries_of(database, campaign_id), await left_out_of(database, campaign_id)
    async with database.read() as session:
        done = await campaigns.get_campaign(session, campaign_id)
        states = await campaigns.count_states(session, campaign_id)
    assert (done.state, done.frozen, done.targeted) == (CampaignState.SENDING, 8, 12)
    assert (len(rows), sum(states.values()), len(left_out)) == (8, 8, 4)
    remaining = {row.contact_id for row in rows if row.address} | {
        number for number in left_out if number > 0
    }
    assert remaining >= set(people) - {people[0], people[1], people[5], people[6], people[7]}
