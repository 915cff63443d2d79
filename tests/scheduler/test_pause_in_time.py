"""A pause, while messages that have passed the gates wait for moments that were given out seconds ahead."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlmodel import col, func, select

from models.delivery import Delivery
from models.pace import LimitScope, Measure
from models.states import DeliveryState
from scheduler.campaigns import cancel, pause, resume
from store import Database
from tests.clocks import ManualClock
from tests.factories import a_campaign, a_contact
from tests.scheduler.desks import FAST, ScriptedTransport, a_dispatcher, drain_all, launched
from tests.scheduler.paces import set_limit

SECOND = timedelta(seconds=1)
PEOPLE = 8


class WaitingClock(ManualClock):
    """Jumps as the other one does, but not before something has happened."""

    def __init__(self) -> None:
        """It waits until `happened` is set."""
        super().__init__()
        self.happened = asyncio.Event()

    async def sleep(self, span: timedelta) -> None:
        """Wait for it, then jump."""
        await self.happened.wait()
        await super().sleep(span)


async def states(database: Database) -> dict[DeliveryState, int]:
    async with database.read() as session:
        found = await session.exec(select(Delivery.state, func.count()).group_by(col(Delivery.state)))
        return {DeliveryState(state): count for state, count in found.all()}


@pytest.mark.parametrize("stop", [pause, cancel])
async def test_two_seconds_after_it_nothing_leaves_any_more(
    database: Database, stop: Callable[..., Awaitable[object]]
) -> None:
    clock = WaitingClock()
    async with database.write() as session:
        for number in range(PEOPLE):
            await a_contact(session, email=f"p{number}@gmail.com")
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    await set_limit(database, LimitScope.LANE, "1:gmail", Measure.PER_SECOND, 1)
    transport = ScriptedTransport(clock=clock)

    async def stop_it(recipient: str) -> None:
        assert recipient
        if not clock.happened.is_set():
            async with database.write() as session:
                await stop(session, campaign.id, clock.now())
            clock.happened.set()

    transport.before = stop_it
    # All of them are claimed, written and let through at once, with a moment each second.
    dispatcher = a_dispatcher(database, transport, clock, pace=FAST, span=PEOPLE * SECOND)
    begun = clock.now()
    await drain_all(database, dispatcher, clock.now())
    assert 1 <= len(transport.sent) <= 3
    assert max(transport.moments) <= begun + 2 * SECOND
    assert await states(database) == {
        DeliveryState.ACCEPTED: len(transport.sent),
        # They had been marked, and wait again: no attempt of theirs is counted.
        DeliveryState.DEFERRED: PEOPLE - len(transport.sent),
    }
    if stop is pause:
        async with database.write() as session:
            await resume(session, campaign.id, clock.now())
        for _ in range(3):
            await drain_all(database, dispatcher, clock.now())
        assert sorted(transport.recipients) == [f"p{number}@gmail.com" for number in range(PEOPLE)]
    await dispatcher.close()
