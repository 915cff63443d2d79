"""Messages that passed the gates and then wait for a connection: what was decided meanwhile still counts."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from models.campaign import Campaign
from models.states import Channel, DeliveryState, SuppressionReason
from models.suppression import address_hash
from scheduler import handover
from scheduler.calendar import read_sending_windows, windows_to_rows
from scheduler.campaigns import cancel, pause, resume
from store import Database, people, suppressions
from tests.clocks import ManualClock
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all
from tests.scheduler.ledgers import a_running_campaign, rows

S = DeliveryState
SECOND = timedelta(seconds=1)
LEASE = 60 * SECOND
FIRST, OTHER, LAST = "a@gmail.com", "b@gmail.com", "c@gmail.com"
Change = Callable[[Database, ManualClock, int], Awaitable[None]]


@pytest.fixture(autouse=True)
def _looked_at_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is the tests', and a worker that waits looks at it twenty times a second, not once."""
    monkeypatch.setattr(handover, "RECORD_EVERY_S", 0.05)


async def is_paused(database: Database, clock: ManualClock, campaign_id: int) -> None:
    async with database.write() as session:
        await pause(session, campaign_id, clock.now())


async def is_cancelled(database: Database, clock: ManualClock, campaign_id: int) -> None:
    async with database.write() as session:
        await cancel(session, campaign_id, clock.now())


async def is_suppressed(database: Database, clock: ManualClock, campaign_id: int) -> None:
    assert campaign_id
    for address in (OTHER, LAST):
        async with database.write() as session:
            await suppressions.suppress(
                session,
                channel=Channel.EMAIL,
                address_hash=address_hash(Channel.EMAIL, address),
                reason=SuppressionReason.UNSUBSCRIBE,
                evidence="asked for it",
                event_id=None,
                now=clock.now(),
            )


async def others_wait(transport: ScriptedTransport) -> None:
    """Until the two others are offered, and no connection is free for them."""
    async with asyncio.timeout(60):
        while len(transport.waiting) < 2:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("change", "states"),
    [
        (is_paused, {S.DEFERRED}),
        (is_cancelled, {S.CANCELLED, S.DEFERRED}),
        (is_suppressed, {S.SUPPRESSED}),
    ],
)
async def test_what_is_decided_while_a_message_waits_for_a_slow_server_is_honoured(
    database: Database, clock: ManualClock, change: Change, states: set[DeliveryState]
) -> None:
    campaign_id = await a_running_campaign(database, FIRST, OTHER, LAST)

    transport = ScriptedTransport(connections=1)

    async def take_time(recipient: str) -> None:
        if recipient == FIRST:
            await others_wait(transport)
            clock.advance(61 * SECOND)
            await change(database, clock, campaign_id)

    transport.before = take_time
    await drain_all(database, a_dispatcher(database, transport, clock, lease=LEASE), clock.now())
    assert transport.recipients == [FIRST]
    found = await rows(database)
    assert found.pop(FIRST).state is S.ACCEPTED
    assert {row.state for row in found.values()} <= states
    assert {row.attempts for row in found.values()} == {0}


async def test_what_waited_too_long_passes_the_gates_again_and_leaves_once_as_a_first_attempt(
    database: Database, clock: ManualClock
) -> None:
    await a_running_campaign(database, FIRST, OTHER, LAST)
    due = {address: row.due_at for address, row in (await rows(database)).items()}

    transport = ScriptedTransport(connections=1)

    async def take_time(recipient: str) -> None:
        if recipient == FIRST:
            await others_wait(transport)
            clock.advance(61 * SECOND)

    transport.before = take_time
    await drain_all(database, a_dispatcher(database, transport, clock, lease=LEASE), clock.now())
    assert sorted(transport.recipients) == [FIRST, OTHER, LAST]
    found = await rows(database)
    assert {row.state for row in found.values()} == {S.ACCEPTED}
    assert {row.attempts for row in found.values()} == {1}
    assert {address: row.due_at for address, row in found.items()} == due


async def test_messages_to_a_server_that_is_always_slow_do_not_go_round_in_circles(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_running_campaign(database, FIRST, OTHER, LAST)
    asked: list[int] = []
    real = people.hold_still

    async def count(session: object, numbers: list[int]) -> object:
        asked.append(len(numbers))
        return await real(session, numbers)  # type: ignore[arg-type]

    monkeypatch.setattr(people, "hold_still", count)

    transport = ScriptedTransport(connections=1)

    async def take_time(recipient: str) -> None:
        if recipient == FIRST:
            await others_wait(transport)
        # A minute and a half a message, and the gates are asked again meanwhile.
        for _ in range(4):
            before = len(asked)
            clock.advance(21 * SECOND)
            async with asyncio.timeout(60):
                while len(asked) == before and recipient != LAST:
                    await asyncio.sleep(0.02)

    transport.before = take_time
    await drain_all(database, a_dispatcher(database, transport, clock, lease=LEASE), clock.now())
    assert transport.recipients == [FIRST, OTHER, LAST]
    # Three at the gates, then those that still waited.
    assert asked == [3, 2, 2, 2, 2, 1, 1, 1, 1]


@pytest.mark.parametrize("change", [is_paused, is_suppressed])
async def test_a_message_that_may_not_leave_any_more_is_settled_before_its_connection_comes(
    database: Database, clock: ManualClock, change: Change
) -> None:
    campaign_id = await a_running_campaign(database, FIRST, OTHER, LAST)

    transport = ScriptedTransport(connections=1)

    async def hang(recipient: str) -> None:
        if recipient != FIRST:
            return
        await others_wait(transport)
        await change(database, clock, campaign_id)
        clock.advance(21 * SECOND)
        async with asyncio.timeout(60):
            while (await rows(database))[OTHER].state not in {S.DEFERRED, S.SUPPRESSED}:
                await asyncio.sleep(0.05)

    transport.before = hang
    dispatcher = a_dispatcher(database, transport, clock, lease=LEASE)
    await drain_all(database, dispatcher, clock.now())
    assert transport.recipients == [FIRST]
    if change is is_paused:
        async with database.write() as session:
            await resume(session, campaign_id, clock.now())
        transport.before = None
        await drain_all(database, dispatcher, clock.now())
        assert sorted(transport.recipients) == [FIRST, OTHER, LAST]


async def test_hours_that_end_while_a_message_waits_are_kept(database: Database, clock: ManualClock) -> None:
    campaign_id = await a_running_campaign(database, FIRST, OTHER, LAST)
    hours = windows_to_rows(read_sending_windows("daily 08:00-10:01"))
    async with database.write() as session:
        await session.exec(sa.update(Campaign).where(sa.column("id") == campaign_id).values(windows=hours))

    transport = ScriptedTransport(connections=1)

    async def take_time(recipient: str) -> None:
        if recipient != FIRST:
            return
        await others_wait(transport)
        clock.advance(62 * SECOND)

    transport.before = take_time
    await drain_all(database, a_dispatcher(database, transport, clock, lease=LEASE), clock.now())
    assert transport.recipients == [FIRST]
    assert {row.state for row in (await rows(database)).values()} == {S.ACCEPTED, S.QUEUED}
