"""Many lanes and workers under one limit: nothing of it is lost among those who wait, and none exceeds it."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlmodel import func, select

from models.clock import SystemClock
from models.pace import ConnectionSlot, LimitScope, Measure
from models.states import Channel
from scheduler import places
from scheduler.outages import Way
from scheduler.pacer import Pacer
from store import Database
from store.deliveries import Lane
from tests.clocks import ManualClock
from tests.factories import a_campaign, a_contact
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all, launched
from tests.scheduler.paces import a_pacer, an_identity_of, set_limit

WAIT = timedelta(seconds=10)


async def test_what_a_lane_cannot_wait_for_is_left_to_the_others(
    database: Database, clock: ManualClock
) -> None:
    await set_limit(database, LimitScope.IDENTITY, "1", Measure.PER_SECOND, 1)
    await set_limit(database, LimitScope.IDENTITY, "1", Measure.PER_DAY, 15)
    pacer: Pacer = a_pacer(database, clock)
    lanes = [Lane(1, f"mx:host{number}.exemple.fr") for number in range(8)]
    # All of them look at the same moment, and find it open.
    permits = [
        await pacer.permit(lane, an_identity_of(1), Channel.EMAIL, Way(Channel.EMAIL)) for lane in lanes
    ]
    latest = clock.now() + WAIT
    moments = [moment for permit in permits for moment in await pacer.reserve(permit, 3, latest=latest)]
    assert moments == [clock.now() + timedelta(seconds=second) for second in range(11)]
    clock.advance(timedelta(seconds=11))
    later = await pacer.reserve(permits[0], 9, latest=clock.now() + WAIT)
    # The next second is free at once, and the day's share lost nothing to those who went without.
    assert later == [clock.now() + timedelta(seconds=second) for second in range(4)]


async def test_connections_are_held_for_as_long_as_a_message_is_under_way_on_them(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "LEASE", timedelta(seconds=6))
    clock, answer = SystemClock(), asyncio.Event()
    async with database.write() as session:
        await a_contact(session, email="slow@orange.fr")
        campaign = await a_campaign(session)
    await launched(database, campaign.id)

    async def take_time(recipient: str) -> None:
        assert recipient
        await answer.wait()

    async def held_until() -> datetime | None:
        async with database.read() as session:
            found = await session.exec(select(func.max(ConnectionSlot.leased_until)))
            return found.one()

    transport = ScriptedTransport(before=take_time, routes=frozenset({"orange"}))
    dispatcher = a_dispatcher(database, transport, clock, lease=timedelta(seconds=1.5))
    draining = asyncio.create_task(drain_all(database, dispatcher, clock.now()))
    async with asyncio.timeout(60):
        while (first := await held_until()) is None:
            await asyncio.sleep(0.05)
        # No chunk begins meanwhile, and another worker must not take the place of the one in use.
        while (await held_until() or first) <= first:
            await asyncio.sleep(0.1)
    answer.set()
    await draining
    assert transport.recipients == ["slow@orange.fr"]
    await dispatcher.close()
