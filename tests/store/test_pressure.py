"""How often people are written to is what going through the ledger one by one says, on both databases."""

import random
from collections import Counter
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.delivery import Delivery
from models.event import event_about
from models.identity import Identity
from models.states import Channel, DeliveryState, EventKind, Purpose
from store import Database, events, pressure
from store.pressure import EVERYBODY, WEEK
from tests.clocks import START
from tests.deliverability.rows import a_contact, a_delivery, a_launched_campaign, a_seed, an_identity

LEFT = {DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN}
HOUR = timedelta(hours=1)


async def sent(
    session: AsyncSession,
    campaign: Campaign,
    identity: Identity,
    contact_id: int,
    at: datetime,
    *,
    state: DeliveryState = DeliveryState.ACCEPTED,
    channel: Channel = Channel.EMAIL,
    exempt: bool = False,
) -> Delivery:
    row = Delivery(
        campaign_id=campaign.id,
        contact_id=contact_id,
        channel=channel,
        identity_id=identity.id,
        provider="other",
        address="x@y.fr",
        state=state,
        due_at=at,
        settled_at=at,
        exempt=exempt,
    )
    session.add(row)
    await session.flush()
    return row


async def a_busy_ledger(session: AsyncSession) -> list[Delivery]:
    """Twelve people, two senders and eight campaigns over three weeks, drawn by lot."""
    draw = random.Random(5)
    people = [(await a_contact(session)).id for _ in range(12)]
    senders = [await an_identity(session, name) for name in ("Rhône", "Loire")]
    rows = []
    for number in range(8):
        channel = Channel.SMS if number == 3 else Channel.EMAIL
        campaign = await a_launched_campaign(session, channel=channel)
        # By the week exactly, too: on its edge a message counts on one side alone.
        at = START - WEEK + timedelta(days=draw.choice([-12, -7, -3, 0, 2, 5]))
        for contact_id in people:
            if draw.random() < 0.7:
                state = draw.choice(
                    [DeliveryState.ACCEPTED] * 4 + [DeliveryState.UNCERTAIN, DeliveryState.REFUSED]
                )
                moment = at + draw.choice([0, 0, 1, 30]) * HOUR
                rows.append(
                    await sent(
                        session, campaign, draw.choice(senders), contact_id, moment,
                        state=state, channel=channel, exempt=draw.random() < 0.1,
                    )
                )  # fmt: skip
        seed = await a_seed(session)
        await a_delivery(session, campaign=campaign, identity=senders[0], seed=seed, channel=channel)
    return rows


def by_hand(rows: list[Delivery], since: datetime, until: datetime) -> Counter[tuple[int, int]]:
    counted = [
        row
        for row in rows
        if row.state in LEFT
        and not row.exempt
        and row.settled_at is not None
        and since < row.settled_at <= until
    ]
    each = Counter((row.contact_id, row.identity_id) for row in counted)
    people = Counter(row.contact_id for row in counted)
    found = Counter((identity_id, number) for (_, identity_id), number in each.items())
    return found + Counter((EVERYBODY, number) for number in people.values())


async def test_people_are_counted_by_what_they_got_in_the_week(database: Database) -> None:
    async with database.write() as session:
        rows = await a_busy_ledger(session)
    async with database.read() as session:
        for until in (START, START - timedelta(days=3)):
            found = await pressure.received(
                session, after_id=0, up_to_id=None, since=until - WEEK, until=until
            )
            expected = by_hand(rows, until - WEEK, until)
            assert len({identity for identity, _ in expected}) == 3
            assert found == dict(expected)


async def test_stretches_of_people_add_up_to_all_of_them(database: Database) -> None:
    async with database.write() as session:
        rows = await a_busy_ledger(session)
    people: Counter[tuple[int, int]] = Counter()
    stretches = 0
    async with database.read() as session:
        after: int | None = 0
        while after is not None:
            up_to = await pressure.next_stretch(session, after, 5)
            people.update(
                await pressure.received(
                    session, after_id=after, up_to_id=up_to, since=START - WEEK, until=START
                )
            )
            after = up_to
            stretches += 1
        assert await pressure.people_listed(session) == 12
    assert stretches == 3
    assert people == by_hand(rows, START - WEEK, START)


async def test_messages_are_counted_by_what_came_in_the_week_before_them(database: Database) -> None:
    async with database.write() as session:
        rows = await a_busy_ledger(session)
    campaigns = sorted({row.campaign_id for row in rows})
    seen = set()
    async with database.read() as session:
        for campaign_id in campaigns:
            expected = Counter(
                (row.identity_id, had_by_hand(row, rows))
                for row in rows
                if row.campaign_id == campaign_id and row.state is DeliveryState.ACCEPTED
            )
            parts: Counter[tuple[int, int]] = Counter()
            after: int | None = 0
            while after is not None:
                up_to = await pressure.next_recipients(session, campaign_id, after, 4)
                parts.update(await pressure.had_before(session, campaign_id, after_id=after, up_to_id=up_to))
                after = up_to
            assert parts == expected
            seen |= {before for _, before in expected}
    assert seen >= {0, 1, 2}


def had_by_hand(row: Delivery, rows: list[Delivery]) -> int:
    assert row.settled_at is not None
    return sum(
        other.contact_id == row.contact_id
        and other.state in LEFT
        and not other.exempt
        and other.settled_at is not None
        and row.settled_at - WEEK < other.settled_at < row.settled_at
        for other in rows
    )


async def test_a_message_a_week_before_to_the_second_and_an_exempt_one_are_not_before(
    database: Database,
) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        campaigns = [await a_launched_campaign(session) for _ in range(4)]
        people = [(await a_contact(session)).id for _ in range(3)]
        second = timedelta(seconds=1)
        for campaign, at, exempt in (
            (campaigns[0], START - WEEK, False),
            (campaigns[1], START - HOUR, True),
        ):
            for contact_id in people[:2]:
                await sent(session, campaign, identity, contact_id, at, exempt=exempt)
        await sent(session, campaigns[2], identity, people[1], START - WEEK + second)
        for contact_id in people:
            await sent(session, campaigns[3], identity, contact_id, START)
    async with database.read() as session:
        found = await pressure.had_before(session, campaigns[3].id, after_id=0, up_to_id=None)
    assert found == {(identity.id, 0): 2, (identity.id, 1): 1}


async def test_reactions_count_once_a_message_and_never_for_machines_or_seeds(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        earlier, campaign = await a_launched_campaign(session), await a_launched_campaign(session)
        people = [(await a_contact(session)).id for _ in range(4)]
        for contact_id in people[:3]:
            await sent(session, earlier, identity, contact_id, START - timedelta(days=2))
        rows = [await sent(session, campaign, identity, contact_id, START) for contact_id in people]
        seed = await a_delivery(session, campaign=campaign, identity=identity, seed=await a_seed(session))
        for number, (row, details) in enumerate(
            [(rows[0], {}), (rows[0], {}), (rows[1], {"machine": "agent"}), (rows[3], {}), (seed, {})]
        ):
            news = event_about(row, EventKind.CLICKED, source="t", source_id=str(number), at=START, now=START)
            news.details = details
            assert await events.append(session, news)
    async with database.read() as session:
        found = await pressure.reacted(session, campaign.id, EventKind.CLICKED)
        assert found == {(identity.id, 1): 1, (identity.id, 0): 1}
        assert await pressure.reacted(session, campaign.id, EventKind.COMPLAINED) == {}


async def test_only_mailings_by_e_mail_are_counted_for_fatigue(database: Database) -> None:
    async with database.write() as session:
        wanted = await a_launched_campaign(session)
        text = await a_launched_campaign(session, channel=Channel.SMS)
        receipt = await a_launched_campaign(session)
        receipt.purpose = Purpose.TRANSACTIONAL
        for one in (wanted, text, receipt):
            one.launched_at = START
            session.add(one)
    async with database.read() as session:
        found = await pressure.to_count(session, START - HOUR)
        assert [(one.campaign_id, one.counted_at) for one in found] == [(wanted.id, None)]
        assert await pressure.to_count(session, START) == []
