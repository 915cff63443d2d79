"""The clock is set back by an hour: what was learnt, given out or shut by the old one holds nobody up."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import select

from models.clock import is_fresh
from models.delivery import Delivery
from models.pace import LimitScope, Measure, PaceRow
from models.states import Channel
from models.values import Deferred, Reply, Uncertain
from scheduler import handover
from scheduler.campaigns import pause
from scheduler.flights import Load
from scheduler.outages import Outages, Way
from scheduler.pacing import to_microseconds
from store import Database, claims, pace
from tests.clocks import START, ManualClock
from tests.factories import a_campaign, a_contact
from tests.scheduler.desks import FAST, ScriptedTransport, a_dispatcher, drain_all, launched
from tests.scheduler.paces import a_pacer, permit_of, put_off, set_limit
from tests.scheduler.paces import learn as teach

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def test_knowledge_lasts_for_its_life_and_not_for_as_long_as_the_clock_was_set_back() -> None:
    until, life = START + 10 * SECOND, 10 * SECOND
    assert [is_fresh(until, life, START + n * SECOND) for n in (-3600, -1, 0, 9, 10)] == [
        *(False, False, True, True, False)
    ]
    assert not is_fresh(None, life, START)


async def test_a_lane_is_open_again_at_once_and_keeps_its_pace(
    database: Database, clock: ManualClock
) -> None:
    pacer = a_pacer(database, clock)
    await pacer.reserve(await permit_of(pacer, "orange"), 4)
    clock.advance(-HOUR)
    permit = await permit_of(pacer, "orange")
    assert permit.opens_at is None
    moments = await pacer.reserve(permit, 3, latest=clock.now() + 10 * SECOND)
    assert [moment - clock.now() for moment in moments] == [n * SECOND / 2 for n in range(3)]
    # From here on it counts as it always did.
    assert (await permit_of(pacer, "orange")).opens_at == clock.now() + 1.5 * SECOND


async def test_a_slow_limit_is_no_clock_set_back(database: Database, clock: ManualClock) -> None:
    await set_limit(database, LimitScope.PROVIDER, "orange", Measure.PER_MINUTE, 1 / 45)
    first, second = a_pacer(database, clock), a_pacer(database, clock)
    assert len(await first.reserve(await permit_of(first, "orange"), 1)) == 1
    shut = await permit_of(second, "orange")
    assert shut.opens_at == clock.now() + timedelta(minutes=45)
    assert await second.reserve(shut, 1, latest=clock.now() + 10 * SECOND) == []
    # What was taken in vain is given back, to the microsecond.
    assert (await permit_of(second, "orange")).opens_at == shut.opens_at


async def test_a_brake_far_slower_than_its_limit_is_none_either(
    database: Database, clock: ManualClock
) -> None:
    pacer = a_pacer(database, clock)
    await permit_of(pacer, "gmail")
    for _ in range(40):
        await teach(database, pacer, "gmail", [put_off("421 4.7.28 unusual rate of mail")], clock.now())
        clock.advance(timedelta(minutes=11))
        permit = await permit_of(pacer, "gmail")
    (slowest,) = [limit for limit in permit.limits if limit.key == "provider:gmail"]
    taken = await pacer.reserve(permit, 1)
    if taken:
        opens_at = (await permit_of(pacer, "gmail")).opens_at
        assert opens_at is not None
        assert opens_at >= taken[0] + timedelta(microseconds=slowest.interval_us)


async def test_rows_up_to_ten_minutes_ahead_are_believed(database: Database, clock: ManualClock) -> None:
    now_us, minute_us = to_microseconds(clock.now()), 60_000_000

    async def opens(minutes: float) -> tuple[int, int]:
        async with database.write() as session:
            row = PaceRow(key=f"k{minutes}", arrival_us=now_us + int(minutes * minute_us))
            session.add(row)
            await session.flush()
            seen = await pace.opens_at(session, {row.key: 1000}, now_us=now_us)
            given = await pace.take_slots(session, {row.key: 1000}, now_us=now_us, slots=1)
        return seen, given[row.key]

    assert await opens(10) == (now_us + 10 * minute_us, now_us + 10 * minute_us)
    assert await opens(11) == (0, now_us)


@pytest.mark.parametrize(
    "outcome",
    [Deferred(Reply(None, None, "refused"), unreached=True), Uncertain(Reply(None, None, "dropped"))],
)
def test_a_way_that_was_shut_is_tried_again(outcome: Deferred | Uncertain) -> None:
    outages, way = Outages(), Way(Channel.EMAIL)
    for _ in range(5):
        outages.learn(way, outcome, 1, START)
    assert outages.is_shut(way, START + SECOND)
    assert not outages.is_shut(way, START - HOUR)
    assert outages.enter(way, START - HOUR)
    # Still shut: from now on it rests by the new clock, and not until the old one's moment.
    outages.learn(way, outcome, 1, START - HOUR)
    again = outages.reopens_at(way)
    assert again is not None
    assert START - HOUR < again <= START - HOUR + timedelta(minutes=5)
    assert outages.is_shut(way, START - HOUR + SECOND)


async def test_messages_that_wait_for_their_moment_leave_when_it_would_have_come(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        for number in range(6):
            await a_contact(session, email=f"p{number}@gmail.com")
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    async with database.write() as session:
        # Long due: what is due at nine is not due at eight, whatever the clock said before.
        await session.exec(sa.update(Delivery).values(due_at=clock.now() - 2 * HOUR))
    await set_limit(database, LimitScope.LANE, "1:gmail", Measure.PER_SECOND, 1)
    begun = clock.now()
    transport = ScriptedTransport(clock=clock)

    async def set_back(recipient: str) -> None:
        assert recipient
        if len(transport.sent) == 1:
            clock.advance(-HOUR)

    transport.before = set_back
    dispatcher = a_dispatcher(database, transport, clock, pace=FAST, span=timedelta(seconds=5))
    for _ in range(6):
        await drain_all(database, dispatcher, clock.now())
    assert len(set(transport.recipients)) == len(transport.recipients) == 6
    # Seconds, not an hour, have gone by.
    assert clock.now() < begun - HOUR + timedelta(minutes=1)
    await dispatcher.close()
    async with database.read() as session:
        rows = (await session.exec(select(PaceRow.arrival_us))).all()
    assert max(rows) < to_microseconds(begun)


def test_small_steps_of_the_clock_move_no_moment() -> None:
    load = Load(*["", None, None, [], {}, {}, [], START, START + HOUR, START])  # type: ignore[arg-type]
    at = START + 8 * SECOND
    for told in (START, START + 5 * SECOND, START + SECOND):
        assert load.wait_for(at, told) == at - told
    load.look(START + HOUR)
    assert load.wait_for(at + HOUR, START) == 8 * SECOND


async def test_a_worker_that_died_before_it_was_set_back_holds_no_connection_for_that_long(
    database: Database, clock: ManualClock
) -> None:
    await set_limit(database, LimitScope.RELAY, "email", Measure.CONNECTIONS, 2)
    dead = a_pacer(database, clock)
    assert (await permit_of(dead, "gmail")).connections == 2
    clock.advance(-HOUR)
    permit = await permit_of(a_pacer(database, clock), "gmail")
    assert (permit.opens_at, permit.connections) == (None, 2)


async def test_a_pause_reaches_what_waits_for_a_connection_all_the_same(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "RECORD_EVERY_S", 0.05)
    renewed = asyncio.Event()
    real = claims.extend_lease

    async def extend(*args: object, **how: object) -> int:
        found = await real(*args, **how)  # type: ignore[arg-type]
        renewed.set()
        return found

    monkeypatch.setattr(claims, "extend_lease", extend)
    async with database.write() as session:
        for number in range(6):
            await a_contact(session, email=f"p{number}@gmail.com")
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    async with database.write() as session:
        await session.exec(sa.update(Delivery).values(due_at=clock.now() - 2 * HOUR))
    transport = ScriptedTransport(clock=clock, connections=1)

    async def pause_in_the_midst(recipient: str) -> None:
        assert recipient
        if not renewed.is_set():
            clock.advance(-HOUR)
            async with database.write() as session:
                await pause(session, campaign.id, clock.now())
            async with asyncio.timeout(60):
                await renewed.wait()
            await asyncio.sleep(0.5)

    transport.before = pause_in_the_midst
    dispatcher = a_dispatcher(database, transport, clock, pace=FAST)
    await drain_all(database, dispatcher, clock.now())
    assert len(transport.sent) == 1
    await dispatcher.close()
