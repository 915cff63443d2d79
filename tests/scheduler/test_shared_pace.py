"""Many lanes under one limit: each message of the rate is somebody's, none is lost among those who wait."""

from datetime import timedelta

from models.pace import LimitScope, Measure
from models.states import Channel
from scheduler.outages import Way
from scheduler.pacer import Pacer
from store import Database, limits
from store.deliveries import Lane
from tests.clocks import ManualClock
from tests.scheduler.paces import a_pacer, an_identity_of

WAIT = timedelta(seconds=10)


async def test_what_a_lane_cannot_wait_for_is_left_to_the_others(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        await limits.set_limit(
            session,
            scope=LimitScope.IDENTITY,
            subject="1",
            measure=Measure.PER_SECOND,
            amount=1,
            now=clock.now(),
        )
        await limits.set_limit(
            session,
            scope=LimitScope.IDENTITY,
            subject="1",
            measure=Measure.PER_DAY,
            amount=15,
            now=clock.now(),
        )
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
