"""A plan's days: what it allowed, what was sent, and today as the pacer counts it."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from deliverability.volume import PlanDay, volume_of
from models.pace import Warmup, WarmupState
from models.states import Channel
from scheduler.pacing import day_share, scopes_of
from store import Database, limits, warmups
from tests.clocks import START
from tests.deliverability.rows import an_identity

ZONE = ZoneInfo("Europe/Paris")
TODAY = START.astimezone(ZONE).date()


def a_day(ago: int, cap: int, sent: int, light: str = "green", reason: str = "clean") -> dict[str, object]:
    day = (TODAY - timedelta(days=ago)).isoformat()
    return {"day": day, "cap": cap, "sent": sent, "light": light, "reason": reason, "next": cap}


async def some_plans(database: Database) -> int:
    """Of an identity that gets known at three providers: under way, done, and under way the largest."""
    async with database.write() as session:
        identity_id = (await an_identity(session)).id
        plans = [
            Warmup(
                identity_id=identity_id,
                provider=provider,
                state=state,
                day=TODAY,
                cap=450,
                target=target,
                history=history,
                started_at=START,
                changed_at=START,
            )
            for provider, state, target, history in (
                (
                    "orange",
                    WarmupState.RISING,
                    5000,
                    [a_day(2, 200, 190), a_day(1, 300, 310, "amber", "slow")],
                ),
                ("free", WarmupState.DONE, 800, [a_day(40, 800, 700)]),
                ("gmail", WarmupState.HOLDING, 9000, [a_day(5, 200, 100), a_day(4, 300, 900)]),
            )
        ]
        await warmups.add_plans(session, plans)
    return identity_id


async def test_each_day_stands_beside_what_was_allowed(database: Database) -> None:
    identity_id = await some_plans(database)
    async with database.read() as session:
        gmail, orange, free = await volume_of(session, identity_id, START - timedelta(days=30), START, ZONE)
    assert [gmail.provider, orange.provider, free.provider] == ["gmail", "orange", "free"]
    assert [(one.cap, one.sent, one.light, one.is_over) for one in orange.days] == [
        (200, 190, "green", False),
        (300, 310, "amber", True),
        (450, 0, "", False),
    ]
    assert orange.days[-1].day == TODAY
    assert (free.days, free.under_way) == ((), False)


async def test_days_nobody_looked_in_between_are_told_together(database: Database) -> None:
    identity_id = await some_plans(database)
    async with database.read() as session:
        gmail, *_ = await volume_of(session, identity_id, START - timedelta(days=30), START, ZONE)
    assert [(one.days, one.is_over) for one in gmail.days] == [(1, False), (4, False), (1, False)]
    assert PlanDay(date(2026, 3, 1), 300, 900, days=2).is_over


async def test_today_is_what_the_pacer_has_let_through(database: Database) -> None:
    identity_id = await some_plans(database)
    scopes = scopes_of(Channel.EMAIL, identity_id, "orange", "parti.example", "relay:email")
    share = day_share(scopes, 450, START, ZONE)
    async with database.write() as session:
        assert await limits.take_share(session, {share.key: (450, share.span)}, count=37, now=START) == 37
    async with database.read() as session:
        plans = await volume_of(session, identity_id, START - timedelta(days=1), START, ZONE)
        tomorrow = await volume_of(session, identity_id, START, START + timedelta(days=1), ZONE)
    assert {one.provider: [day.sent for day in one.days] for one in plans} == {
        "gmail": [0],
        "orange": [310, 37],
        "free": [],
    }
    assert [day.sent for day in tomorrow[1].days] == [0]


async def test_a_plan_begun_today_has_today_alone(database: Database) -> None:
    identity_id = await some_plans(database)
    async with database.write() as session:
        (plan, *_) = await warmups.list_plans(session, identity_id=identity_id)
        plan.history, plan.state = [], WarmupState.RISING
        session.add(plan)
    async with database.read() as session:
        plans = {one.provider: one for one in await volume_of(session, identity_id, START, START, ZONE)}
    assert [(one.day, one.cap, one.light) for one in plans[plan.provider].days] == [(TODAY, 450, "")]


async def test_without_a_plan_there_is_nothing_to_tell(database: Database) -> None:
    async with database.write() as session:
        identity_id = (await an_identity(session)).id
    async with database.read() as session:
        assert await volume_of(session, identity_id, START, START, ZONE) == ()
