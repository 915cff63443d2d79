"""The pace as people see it."""

from datetime import timedelta

import pytest

from models.errors import BadInputError, NotFoundError
from models.pace import BreakerState, LimitScope, Measure, PaceLimit, PaceWindow
from scheduler import pace_desk
from scheduler.pacing import Pace
from store import Database
from tests.clocks import START, ManualClock
from tests.scheduler.paces import a_pacer, learn, permit_of, put_off, set_limit

RATE = put_off("421 4.7.28 Gmail has detected an unusual rate of mail originating from your IP address")
SFR = put_off("450 4.7.1 SFR_IN_105 Too many messages")


async def test_everything_that_is_slowed_is_told_with_its_answer(
    database: Database, clock: ManualClock
) -> None:
    pacer = a_pacer(database, clock)
    for provider, answer in (("gmail", RATE), ("sfr", SFR)):
        await permit_of(pacer, provider)
        await learn(database, pacer, provider, [answer], clock.now())
    async with database.read() as session:
        everything = await pace_desk.overview(session, pace=Pace(), now=clock.now(), zone="Europe/Paris")
    gmail, sfr = sorted(everything.slowed, key=lambda one: one.key)
    assert (gmail.key, sfr.key) == ("provider:gmail", "provider:sfr")
    assert gmail.state is BreakerState.OPEN
    assert "nothing leaves until 10/03 10:" in gmail.told


async def test_what_a_person_resets_goes_at_full_pace_for_every_worker(
    database: Database, clock: ManualClock
) -> None:
    pacer = a_pacer(database, clock)
    await permit_of(pacer, "sfr")
    await learn(database, pacer, "sfr", [SFR], clock.now())
    assert (await permit_of(pacer, "sfr")).opens_at is not None
    async with database.write() as session:
        assert await pace_desk.reset(session, "provider:sfr", clock.now()) == "SFR"
    assert (await permit_of(pacer, "sfr")).opens_at is None


@pytest.mark.parametrize(
    ("scope", "subject", "key"),
    [(LimitScope.LANE, "1:sfr", "lane:1:sfr"), (LimitScope.PROVIDER, "sfr", "provider:sfr")],
)
@pytest.mark.parametrize(
    ("measure", "amount"), [(Measure.PER_MINUTE, 1), (Measure.PER_HOUR, 2), (Measure.PER_DAY, 2)]
)
async def test_a_reset_has_an_effect_at_once(
    database: Database,
    clock: ManualClock,
    scope: LimitScope,
    subject: str,
    key: str,
    *,
    measure: Measure,
    amount: int,
) -> None:
    await set_limit(database, scope, subject, measure, amount)
    pacer = a_pacer(database, clock)
    assert await pacer.reserve(await permit_of(pacer, "sfr"), amount)
    clock.advance(timedelta(seconds=1))
    shut = await permit_of(pacer, "sfr")
    assert shut.opens_at is not None
    assert shut.opens_at > clock.now() + timedelta(seconds=10)
    async with database.write() as session:
        await pace_desk.reset(session, key, clock.now())
    permit = await permit_of(pacer, "sfr")
    assert permit.opens_at is None
    assert len(await pacer.reserve(permit, amount)) == amount


async def test_a_reset_leaves_the_day_of_a_warm_up_plan_counted(
    database: Database, clock: ManualClock
) -> None:
    day = "lane:1:sfr:day:2026-03-10"
    async with database.write() as session:
        session.add(PaceWindow(key=day, started_at=clock.now(), used=200))
    with pytest.raises(NotFoundError):
        async with database.write() as session:
            await pace_desk.reset(session, "lane:1:sfr", clock.now())
    async with database.read() as session:
        assert await session.get(PaceWindow, day) is not None


async def test_counters_of_last_week_are_forgotten(database: Database, clock: ManualClock) -> None:
    await set_limit(database, LimitScope.LANE, "1:sfr", Measure.PER_DAY, 5)
    pacer = a_pacer(database, clock)
    await pacer.reserve(await permit_of(pacer, "sfr"), 1)
    clock.advance(timedelta(days=9))
    other = await permit_of(pacer, "gmail")
    await pacer.reserve(other, 1)
    async with database.read() as session:
        assert await session.get(PaceWindow, "lane:1:sfr:per_day") is None


@pytest.mark.parametrize("amount", [0, -1, float("inf"), float("nan"), 1e8, 0.5])
async def test_what_is_no_number_to_pace_by_is_refused(database: Database, amount: float) -> None:
    limit = PaceLimit(
        scope=LimitScope.RELAY,
        subject="email",
        measure=Measure.PER_HOUR,
        amount=amount,
        changed_at=START,
    )
    with pytest.raises(BadInputError, match="is no limit"):
        async with database.write() as session:
            await pace_desk.set_limit(session, limit)
