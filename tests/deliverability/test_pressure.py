"""How often people are written to: counted in the background as often as is worth it, read at once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability import pressure
from deliverability.assessment.pressure import Band, Reaction
from deliverability.pressure import (
    FIRST,
    SETTLED,
    count_campaign,
    count_pressure,
    count_week,
    is_due,
    pressure_of,
)
from models.campaign import Campaign
from models.delivery import Delivery
from models.event import event_about
from models.states import DeliveryState, EventKind
from store import Database, events
from store.pressure import Counted, to_count
from tests.clocks import START
from tests.deliverability.rows import a_contact, a_delivery, a_launched_campaign, an_identity

DAY = timedelta(days=1)


async def mailing(
    session: AsyncSession, identity_id: int, contact_ids: Sequence[int], at: datetime
) -> list[Delivery]:
    """An accepted message to each of them."""
    campaign = await a_launched_campaign(session)
    campaign.launched_at = at
    session.add(campaign)
    rows = [
        Delivery(
            campaign_id=campaign.id,
            contact_id=contact_id,
            channel=campaign.channel,
            identity_id=identity_id,
            provider="other",
            address="x@y.fr",
            state=DeliveryState.ACCEPTED,
            due_at=at,
            settled_at=at,
        )
        for contact_id in contact_ids
    ]
    session.add_all(rows)
    await session.flush()
    return rows


async def react(session: AsyncSession, rows: Sequence[Delivery], kind: EventKind, at: datetime) -> None:
    for row in rows:
        news = event_about(row, kind, source="t", source_id=f"{row.id}/{kind}", at=at, now=at)
        assert await events.append(session, news)


async def two_mailings(database: Database) -> tuple[int, int]:
    """The numbers of a sender who wrote to forty of sixty people, and of one who wrote to twenty of them."""
    async with database.write() as session:
        mine, other = (await an_identity(session)).id, (await an_identity(session)).id
        people = [(await a_contact(session)).id for _ in range(60)]
        await mailing(session, other, people[:20], START - 3 * DAY)
        rows = await mailing(session, mine, people[:40], START - DAY)
        await react(session, rows[:2], EventKind.CLICKED, START - DAY)
        await react(session, rows[20:30], EventKind.CLICKED, START - DAY)
        await react(session, rows[:1], EventKind.COMPLAINED, START - DAY)
        await react(session, rows[:4], EventKind.UNSUBSCRIBED, START - DAY)
    return mine, other


async def test_what_was_counted_is_told_of_the_sender_and_of_all(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pressure, "A_STRETCH", 7)
    mine, other = await two_mailings(database)
    await count_pressure(database, START)
    async with database.read() as session:
        found = await pressure_of(session, mine, START - 7 * DAY, START)
        others = await pressure_of(session, other, START - 7 * DAY, START)
    assert found.counted_at == START
    assert found.own.people == {0: 20, 1: 40}
    assert found.all.people == {0: 20, 1: 20, 2: 20}
    assert (found.all.quantile(0.5), found.all.quantile(0.95)) == (1, 2)
    assert others.own.people == {0: 40, 1: 20}
    none, one = found.fatigue.lines[:2]
    assert (none.band, none.messages, none.rates[Reaction.CLICKED].part) == (Band(0, 0), 20, 10)
    assert (one.band, one.messages, one.rates[Reaction.CLICKED].part) == (Band(1, 1), 20, 2)
    assert (one.rates[Reaction.COMPLAINED].part, one.rates[Reaction.UNSUBSCRIBED].part) == (1, 4)
    assert found.fatigue.clicks is not None
    assert found.fatigue.clicks.value == pytest.approx(0.2)
    assert [line.messages for line in others.fatigue.lines] == [20, 0, 0, 0, 0, 0]


async def test_counting_again_puts_the_new_in_place_of_the_old(database: Database) -> None:
    mine, _ = await two_mailings(database)
    for now in (START, START + 4 * DAY, START + 30 * DAY):
        await count_pressure(database, now)
    async with database.read() as session:
        found = await pressure_of(session, mine, START - 7 * DAY, START)
    assert found.counted_at == START + 30 * DAY
    assert found.own.people == {0: 60}
    assert not found.own.shown
    assert found.fatigue.messages == 40


async def test_before_anything_is_counted_nothing_is_told(database: Database) -> None:
    mine, _ = await two_mailings(database)
    async with database.read() as session:
        found = await pressure_of(session, mine, START - 7 * DAY, START)
    assert found.counted_at is None
    assert not found.all.shown
    assert found.fatigue.lines == ()


async def test_the_curve_is_of_the_campaigns_of_the_period(database: Database) -> None:
    mine, other = await two_mailings(database)
    await count_pressure(database, START)
    async with database.read() as session:
        assert (await pressure_of(session, other, START - 2 * DAY, START)).fatigue.messages == 0
        assert (await pressure_of(session, mine, START - 2 * DAY, START)).fatigue.messages == 40


async def test_a_campaign_nobody_accepted_is_counted_once(database: Database) -> None:
    """Without a row of its own it would be counted again at every turn."""
    async with database.write() as session:
        campaign = await a_launched_campaign(session)
        await a_delivery(session, campaign=campaign, state=DeliveryState.REFUSED)
    await count_campaign(database, campaign.id, START)
    async with database.write() as session:
        row = await session.get(Campaign, campaign.id)
        assert row is not None
        row.launched_at = START - DAY
        session.add(row)
    async with database.read() as session:
        (found,) = await to_count(session, START - 2 * DAY)
    assert found.counted_at == START


async def test_the_week_is_counted_where_nobody_is_listed(database: Database) -> None:
    await count_week(database, START)
    async with database.read() as session:
        found = await pressure_of(session, 1, START, START)
    assert found.counted_at == START
    assert found.all.people == {0: 0}


def test_a_campaign_is_counted_ever_more_seldom_until_its_news_has_come_in() -> None:
    launched, ended = START, START + timedelta(hours=2)
    counted: datetime | None = None
    moments = []
    now = START
    while now < START + 60 * DAY:
        now += timedelta(minutes=1)
        if is_due(Counted(1, launched, ended if now > ended else None, counted), now):
            counted = now
            moments.append(now)
    assert moments[0] == START + FIRST
    assert len(moments) < 12
    assert moments[-1] == ended + SETTLED
    waits = [later - sooner for sooner, later in pairwise(moments)]
    assert waits[:-1] == sorted(waits[:-1])


def test_one_that_goes_on_for_weeks_is_counted_at_least_every_fortnight() -> None:
    counted = START + 20 * DAY
    assert not is_due(Counted(1, START, None, counted), counted + 13 * DAY)
    assert is_due(Counted(1, START, None, counted), counted + SETTLED)
    assert is_due(Counted(1, START, counted + 15 * DAY, counted), counted + 16 * DAY)


async def test_a_round_that_takes_long_leaves_the_older_campaigns_to_the_next(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = await two_mailings(database)
    monkeypatch.setattr(pressure, "A_ROUND_S", -1.0)
    await count_pressure(database, START)
    async with database.read() as session:
        assert (await pressure_of(session, mine, START - 7 * DAY, START)).fatigue.messages == 0
    monkeypatch.setattr(pressure, "A_ROUND_S", 10.0)
    await count_pressure(database, START)
    async with database.read() as session:
        assert (await pressure_of(session, mine, START - 7 * DAY, START)).fatigue.messages == 40
        assert (await pressure_of(session, other, START - 7 * DAY, START)).fatigue.messages == 20
