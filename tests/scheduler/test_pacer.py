"""Limits, brakes and connections are shared by every worker and survive every restart."""

import asyncio
import itertools
import json
import random
import subprocess
import sys
import time
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from models.pace import BreakerState, LimitScope, Measure, Throttle, Warmup
from models.states import CampaignState, Channel
from models.values import Refused, Reply
from scheduler.outages import Way
from scheduler.pacing import Pace
from store import Database, throttles
from store.deliveries import Lane
from tests.clocks import ManualClock
from tests.factories import a_campaign, an_identity
from tests.scheduler.paces import (
    BUSY,
    PATIENCE,
    TAKEN,
    a_pacer,
    an_identity_of,
    answered,
    learn,
    permit_of,
    put_off,
    set_limit,
    work,
)

ROOT = Path(__file__).parents[2]
TOO_MANY = put_off(
    "421 4.7.0 mwinf5c04 ME Trop de connexions, veuillez verifier. Too many connections. OFR_104 [104]"
)
GMAIL_RATE = put_off("421 4.7.28 Gmail has detected an unusual rate of mail originating from your IP address")
SLOW_DOWN = put_off("421 4.7.0 [TSS04] Messages temporarily deferred due to unexpected volume")
BLOCKED = put_off("450 4.7.1 SFR_IN_105 Too many messages")
SHUT_OUT = Refused(Reply(550, "5.7.1", "your IP is on a block list"))
LANES = [Lane(identity, provider) for identity in (1, 2, 3) for provider in ("gmail", "orange", "yahoo")]


def require_kept(left: list[tuple[str, int, float]], begun: float) -> None:
    """No slot was given twice, under any limit; and no bunch is larger than what a slower limit delayed."""
    by_key: dict[tuple[str, object], list[float]] = defaultdict(list)
    for provider, identity, moment in left:
        by_key["provider", provider].append(moment)
        by_key["identity", identity].append(moment)
    for (scope, subject), moments in by_key.items():
        rate = BUSY.providers[str(subject)] if scope == "provider" else BUSY.emails_per_second
        moments.sort()
        late = 2 * PATIENCE.total_seconds() + 5 / BUSY.providers["orange"]
        for place, moment in enumerate(moments):
            assert moment >= begun + place / rate - 0.001, f"{scope} {subject}: message {place} early"
            for before in range(place):
                in_a_row = place - before
                assert in_a_row <= (moment - moments[before] + late) * rate + 1, f"{scope} {subject}: a bunch"


async def test_workers_at_once_in_any_order_of_lanes_never_exceed_a_limit(
    database: Database, migrated_url: str
) -> None:
    """Each with connections of its own; on PostgreSQL several keys are locked at once by all of them."""
    begun = time.time()
    works = [work(migrated_url, LANES[shift:] + LANES[:shift], 18) for shift in (0, 2, 4, 7)]
    left = [message for part in await asyncio.gather(*works) for message in part]
    assert len(left) == 4 * sum(1 + (turn * 7) % 5 for turn in range(18))
    require_kept(left, begun)


async def test_processes_of_their_own_share_the_limits_too_and_one_that_comes_later_finds_them(
    migrated_url: str,
) -> None:
    begun = time.time()
    lanes = json.dumps([[lane.identity_id, lane.provider] for lane in LANES])
    command = [sys.executable, "-m", "tests.scheduler.paces", migrated_url, lanes, "9"]
    running = [
        await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)
    ]
    outputs = [(await process.communicate())[0] for process in running]
    left = [tuple(message) for output in outputs for message in json.loads(output)]
    left += await work(migrated_url, LANES, 9)
    assert len(left) == 3 * sum(1 + (turn * 7) % 5 for turn in range(9))
    require_kept(left, begun)


async def test_an_hours_share_is_granted_exactly_however_many_ask(
    database: Database, migrated_url: str
) -> None:
    await set_limit(database, LimitScope.PROVIDER, "gmail", Measure.PER_HOUR, 25)
    await set_limit(database, LimitScope.IDENTITY, "2", Measure.PER_DAY, 7)
    begun = time.time()
    works = [work(migrated_url, LANES[shift:] + LANES[:shift], 18) for shift in (0, 3, 6)]
    left = [message for part in await asyncio.gather(*works) for message in part]
    assert sum(provider == "gmail" for provider, _, _ in left) == 25
    assert sum(identity == 2 for _, identity, _ in left) == 7
    require_kept(left, begun)


async def test_a_used_up_share_shuts_the_lane_until_its_span_is_over(
    database: Database, clock: ManualClock
) -> None:
    await set_limit(database, LimitScope.LANE, "1:gmail", Measure.PER_HOUR, 3)
    pacer = a_pacer(database, clock)
    permit = await permit_of(pacer, "gmail")
    assert permit.batch == 3
    assert len(await pacer.reserve(permit, 5)) == 3
    assert await pacer.reserve(permit, 1) == []
    shut = await permit_of(pacer, "gmail")
    assert shut.opens_at == clock.now() + timedelta(hours=1)
    assert "3 messages" in shut.reason
    clock.advance(timedelta(hours=1))
    again = await permit_of(a_pacer(database, clock), "gmail")
    assert again.opens_at is None
    assert len(await pacer.reserve(again, 5)) == 3


async def test_in_any_stretch_of_an_hour_at_most_twice_the_hours_limit_leaves(
    database: Database, clock: ManualClock
) -> None:
    await set_limit(database, LimitScope.LANE, "1:gmail", Measure.PER_HOUR, 5)
    pacer, whims = a_pacer(database, clock, BUSY), random.Random(7)
    given: list[datetime] = []
    for minutes in [0, 59, 1, *(whims.randrange(25) for _ in range(40))]:
        clock.advance(timedelta(minutes=minutes))
        # One opens the first window, the rest of it is taken at its very end.
        wanted = whims.randrange(1, 9) if given else 1
        given += [clock.now()] * len(await pacer.reserve(await permit_of(pacer, "gmail"), wanted))
    hour = timedelta(hours=1)
    in_an_hour = [sum(begin <= moment < begin + hour for moment in given) for begin in given]
    assert max(in_an_hour) <= 10
    # That it may come to as much is why the page on the pace says so.
    assert max(in_an_hour) > 5


async def test_a_limit_a_minute_is_spread_over_the_minute_and_saves_nothing_up(
    database: Database, clock: ManualClock
) -> None:
    await set_limit(database, LimitScope.LANE, "1:gmail", Measure.PER_MINUTE, 30)
    pacer = a_pacer(database, clock, BUSY)
    for _ in range(2):
        moments = await pacer.reserve(await permit_of(pacer, "gmail"), 4)
        gaps = {(later - sooner).total_seconds() for sooner, later in itertools.pairwise(moments)}
        assert (len(moments), gaps) == (4, {2.0})
        clock.advance(timedelta(hours=1))


async def test_a_warm_up_plan_caps_the_day_of_the_installations_zone(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        plan = Warmup(
            identity_id=identity.id, provider="gmail", day=clock.now().date(), cap=5, target=100,
            started_at=clock.now(), changed_at=clock.now(),
        )  # fmt: skip
        session.add(plan)
    pacer = a_pacer(database, clock)
    permit = await permit_of(pacer, "gmail", identity=identity.id)
    assert len(await pacer.reserve(permit, 9)) == 5
    shut = await permit_of(pacer, "gmail", identity=identity.id)
    assert shut.opens_at is not None
    assert shut.opens_at.isoformat() == "2026-03-10T23:00:00+00:00"
    clock.advance(timedelta(hours=15))
    assert (await permit_of(pacer, "gmail", identity=identity.id)).opens_at is None


async def test_people_set_limits_over_settings_and_settings_over_what_a_provider_is_known_for(
    database: Database, clock: ManualClock
) -> None:
    def rates(permit: object) -> dict[str, float]:
        return {limit.key: 1_000_000 / limit.interval_us for limit in permit.limits}  # type: ignore[attr-defined]

    pacer = a_pacer(database, clock)
    assert rates(await permit_of(pacer, "gmail"))["provider:gmail"] == 4
    assert rates(await permit_of(pacer, "laposte"))["provider:laposte"] == pytest.approx(3, abs=0.001)
    await set_limit(database, LimitScope.PROVIDER, "gmail", Measure.PER_MINUTE, 30)
    await set_limit(database, LimitScope.DOMAIN, "exemple.fr:gmail", Measure.PER_SECOND, 0.25)
    await set_limit(database, LimitScope.RELAY, "email", Measure.PER_SECOND, 2)
    clock.advance(timedelta(seconds=10))
    assert rates(await permit_of(pacer, "gmail")) == {
        "domain:exemple.fr:gmail": 0.25,
        "identity:1:email": 10,
        "provider:gmail": 0.5,
        "relay:email": 2,
    }


async def test_what_nothing_limits_costs_no_reservation(database: Database, clock: ManualClock) -> None:
    free = Pace(emails_per_second=1e6, providers={"gmail": 1e6})
    pacer = a_pacer(database, clock, free)
    permit = await permit_of(pacer, "gmail")
    assert permit.limits == ()
    assert await pacer.reserve(permit, 200) == [clock.now()] * 200
    async with database.read() as session:
        assert (await session.exec(select(Throttle))).all() == []


async def test_two_connections_are_two_over_all_workers(database: Database, clock: ManualClock) -> None:
    direct = Way(Channel.EMAIL, "orange")
    first, second = a_pacer(database, clock), a_pacer(database, clock)
    assert (await permit_of(first, "orange", way=direct)).connections == 2
    shut = await permit_of(second, "orange", way=direct)
    assert shut.opens_at is not None
    assert "Other workers" in shut.reason
    await first.close()
    clock.advance(timedelta(seconds=15))
    assert (await permit_of(second, "orange", way=direct)).connections == 2
    # A worker that is not heard of any more holds nothing for ever.
    clock.advance(timedelta(seconds=61))
    assert (await permit_of(first, "orange", way=direct)).connections == 2


async def test_too_many_connections_leaves_one_for_an_hour_over_all_workers(
    database: Database, clock: ManualClock
) -> None:
    direct = Way(Channel.EMAIL, "orange")
    first, second = a_pacer(database, clock), a_pacer(database, clock)
    await permit_of(first, "orange", way=direct)
    await learn(database, first, "orange", [TOO_MANY], clock.now())
    assert (await permit_of(first, "orange", way=direct)).connections == 1
    assert (await permit_of(second, "orange", way=direct)).opens_at is not None
    clock.advance(timedelta(minutes=61))
    assert (await permit_of(first, "orange", way=direct)).connections == 2


async def test_too_fast_halves_the_lane_for_every_worker_and_clean_answers_bring_it_back(
    database: Database, clock: ManualClock
) -> None:
    first, second = a_pacer(database, clock), a_pacer(database, clock)
    await permit_of(first, "yahoo")
    await learn(database, first, "yahoo", [SLOW_DOWN, TAKEN, SLOW_DOWN], clock.now())
    permit = await permit_of(second, "yahoo")
    assert {limit.key: limit.interval_us for limit in permit.limits}["lane:1:yahoo"] == 250_000
    assert "slowed to 50 %" in permit.reason
    other = await permit_of(second, "yahoo", identity=2)
    assert "lane:2:yahoo" not in {limit.key for limit in other.limits}
    for _ in range(60):
        clock.advance(timedelta(minutes=5))
        await permit_of(second, "yahoo")
        await learn(database, second, "yahoo", [TAKEN] * 200, clock.now())
    async with database.read() as session:
        assert await throttles.list_all(session) == []


async def test_gmails_own_procedure_ten_minutes_then_one_message_finds_out(
    database: Database, clock: ManualClock
) -> None:
    direct = Way(Channel.EMAIL, "gmail")
    first, second = a_pacer(database, clock), a_pacer(database, clock)
    waiting = await permit_of(first, "gmail", way=direct)
    await learn(database, first, "gmail", [GMAIL_RATE], clock.now())
    assert await first.reserve(waiting, 10) == []
    shut = await permit_of(second, "gmail", identity=2, way=direct)
    assert shut.opens_at is not None
    assert timedelta(minutes=10) <= shut.opens_at - clock.now() <= timedelta(minutes=11)
    assert "nothing leaves until" in shut.reason
    assert "unusual rate" in shut.reason
    clock.advance(timedelta(minutes=11))
    probe = await permit_of(first, "gmail", way=direct)
    assert (probe.opens_at, probe.batch, probe.connections) == (None, 1, 1)
    assert (await permit_of(second, "gmail", identity=2, way=direct)).opens_at is not None
    assert (await permit_of(first, "gmail", way=direct)).opens_at is not None
    await learn(database, first, "gmail", [TAKEN], clock.now())
    after = await permit_of(first, "gmail", way=direct)
    assert after.opens_at is None
    assert after.connections == 1
    assert {limit.key: limit.interval_us for limit in after.limits}["provider:gmail"] == 2_500_000


async def test_a_probe_that_is_put_off_opens_the_breaker_again(
    database: Database, clock: ManualClock
) -> None:
    pacer = a_pacer(database, clock)
    await permit_of(pacer, "gmail")
    await learn(database, pacer, "gmail", [GMAIL_RATE], clock.now())
    clock.advance(timedelta(minutes=11))
    await permit_of(pacer, "gmail")
    await learn(database, pacer, "gmail", [GMAIL_RATE], clock.now())
    async with database.read() as session:
        (row,) = await throttles.list_all(session)
    assert (row.key, row.state, row.trips) == ("provider:gmail", BreakerState.OPEN, 2)


async def test_a_refusal_on_the_recipients_account_slows_nothing(
    database: Database, clock: ManualClock
) -> None:
    pacer = a_pacer(database, clock)
    unknown = Refused(Reply(550, "5.1.1", "5.1.1 The email account that you tried to reach does not exist"))
    full = put_off("452 4.2.2 The recipient's inbox is out of storage space")
    await learn(database, pacer, "gmail", [unknown, full] * 50, clock.now())
    async with database.read() as session:
        assert await throttles.list_all(session) == []


async def test_what_a_provider_refuses_for_its_content_holds_the_campaign_for_a_person(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
        campaign.state = CampaignState.SENDING
        session.add(campaign)
    pacer = a_pacer(database, clock)
    spam = Refused(Reply(550, None, "550 spam detected"))

    async def refuse(count: int) -> None:
        results = [answered("free", spam, campaign=campaign.id) for _ in range(count)]
        async with database.write() as session:
            await pacer.learn(session, Lane(1, "free"), an_identity_of(1), results, clock.now())

    async def state() -> CampaignState:
        async with database.read() as session:
            row = await session.get(type(campaign), campaign.id)
            assert row is not None
            problems.append(row.problem)
            return row.state

    problems: list[str] = []
    await refuse(4)
    assert await state() is CampaignState.SENDING
    await refuse(1)
    assert await state() is CampaignState.PAUSED
    assert "Free takes its messages ill" in problems[-1]
    assert "spam detected" in problems[-1]


async def test_connections_and_messages_on_each_can_be_set_for_a_provider(
    database: Database, clock: ManualClock
) -> None:
    direct = Way(Channel.EMAIL, "gmail")
    pacer = a_pacer(database, clock)
    usual = await permit_of(pacer, "gmail", way=direct)
    assert (usual.connections, usual.messages) == (5, None)
    await set_limit(database, LimitScope.PROVIDER, "gmail", Measure.CONNECTIONS, 3)
    await set_limit(database, LimitScope.PROVIDER, "gmail", Measure.MESSAGES_PER_CONNECTION, 7)
    clock.advance(timedelta(seconds=10))
    tight = await permit_of(pacer, "gmail", way=direct)
    assert (tight.connections, tight.messages) == (3, 7)


async def test_a_relay_that_has_too_many_of_our_connections_gets_less_mail_in_every_lane(
    database: Database, clock: ManualClock
) -> None:
    pacer = a_pacer(database, clock)
    await permit_of(pacer, "laposte")
    await learn(database, pacer, "laposte", [put_off("421 4.7.0 Too many connections")], clock.now())
    permit = await permit_of(pacer, "yahoo", identity=2)
    assert {limit.key: limit.interval_us for limit in permit.limits}["relay:email"] == 20_000
    assert "The relay for email: slowed to 50 %" in permit.reason


async def test_workers_that_learn_at_once_wait_for_each_other_in_order(
    database: Database, migrated_url: str, clock: ManualClock
) -> None:
    """Brakes of several scopes and counters of answers are held together by each of them."""
    lessons = [("gmail", GMAIL_RATE), ("yahoo", SLOW_DOWN), ("orange", TOO_MANY), ("sfr", BLOCKED)]

    async def life(number: int) -> None:
        mine = Database(migrated_url)
        pacer = a_pacer(mine, clock)
        for turn in range(12):
            provider, answer = lessons[(turn + number) % len(lessons)]
            await permit_of(pacer, provider, identity=number)
            await learn(mine, pacer, provider, [answer, TAKEN, SHUT_OUT], clock.now(), identity=number)
        await mine.close()

    await asyncio.gather(*(life(number) for number in range(1, 5)))
    async with database.read() as session:
        found = {row.key: row for row in await throttles.list_all(session)}
    assert {"provider:gmail", "provider:sfr", "relay:email", "lane:1:yahoo"} <= set(found)
    assert all(0 < row.factor <= 1 for row in found.values())
    # Each lane was told three times, and slowed once: it was one moment.
    assert found["lane:1:yahoo"].factor == 0.5
