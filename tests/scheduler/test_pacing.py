"""Limits hold whatever the order of the batches."""

import asyncio
import itertools
import secrets
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.pace import LimitScope, Measure, PaceLimit
from models.states import Channel
from scheduler.pacing import (
    Limit,
    Pace,
    allowance,
    batch_size,
    departures,
    from_microseconds,
    limits_of,
    provider_rate,
    scopes_of,
    slowed,
    to_microseconds,
)
from store import Database, pace
from tests.clocks import START
from tests.servers.postgresql import PostgresqlServer


@pytest.fixture(scope="module")
def a_sqlite_url(migrated_sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all the examples of a property, each with keys of its own."""
    file = tmp_path_factory.mktemp("pacing") / "tocsin.db"
    shutil.copyfile(migrated_sqlite_file, file)
    return f"sqlite:///{file}"


@pytest.fixture(scope="module")
def a_postgresql_url(postgresql: PostgresqlServer, migrated_postgresql_name: str) -> str:
    """The same on PostgreSQL."""
    return postgresql.url(postgresql.create_database(template=migrated_postgresql_name))


def test_a_moment_survives_the_trip_through_microseconds() -> None:
    assert from_microseconds(to_microseconds(START)) == START


def test_an_email_lane_obeys_its_identity_and_its_provider() -> None:
    limits = limits_of(Channel.EMAIL, 7, "gmail", None, Pace(emails_per_second=50, providers={"gmail": 4}))
    assert limits == [Limit("identity:7:email", 20_000), Limit("provider:gmail", 250_000)]


def test_an_identity_may_have_its_own_rate() -> None:
    assert limits_of(Channel.EMAIL, 7, "gmail", 2.0, Pace())[0].interval_us == 500_000


def test_a_text_message_lane_obeys_its_identity_alone() -> None:
    assert [limit.key for limit in limits_of(Channel.SMS, 7, "sms", None, Pace())] == ["identity:7:sms"]


def test_an_unlisted_provider_has_a_cautious_rate() -> None:
    assert provider_rate("exemple-inconnu", Pace()) == 5


@pytest.mark.parametrize(("per_second", "expected"), [(1000, 300), (10, 20), (0.1, 1)])
def test_a_batch_holds_what_may_leave_within_its_span(per_second: float, expected: int) -> None:
    limits = limits_of(Channel.SMS, 1, "sms", per_second, Pace())
    assert batch_size(limits, timedelta(seconds=2)) == expected


def test_each_message_waits_for_its_slowest_limit() -> None:
    start = to_microseconds(START)
    leave_at = departures([start, start + 300_000], [Limit("a", 500_000), Limit("b", 100_000)], 3)
    assert [moment - START for moment in leave_at] == [
        timedelta(milliseconds=300),
        timedelta(milliseconds=500),
        timedelta(seconds=1),
    ]


requests = st.lists(
    st.tuples(
        st.integers(0, 3_000_000),
        st.integers(1, 50),
        st.sets(st.sampled_from(["relay", "identity", "provider", "lane"]), min_size=1),
    ),
    min_size=1,
    max_size=12,
)
INTERVALS = {"relay": 10_000, "identity": 40_000, "provider": 250_000, "lane": 1_000_000}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@given(story=requests)
@settings(max_examples=25, deadline=None)
def test_slots_under_several_keys_never_come_closer_than_their_intervals(
    kind: str, story: list[tuple[int, int, set[str]]], request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"a_{kind}_url")

    async def play() -> None:
        database = Database(url)
        slots: dict[str, list[int]] = {}
        now = to_microseconds(START)
        prefix = secrets.token_hex(4)
        for wait, count, keys in story:
            now += wait
            intervals = {f"{prefix}:{key}": INTERVALS[key] for key in keys}
            async with database.write() as session:
                first = await pace.take_slots(session, intervals, now_us=now, slots=count)
            assert set(first) == set(intervals)
            for key, begin in first.items():
                assert begin >= now
                slots.setdefault(key, []).extend(begin + place * intervals[key] for place in range(count))
        await database.close()
        for key, taken in slots.items():
            gaps = [later - earlier for earlier, later in itertools.pairwise(taken)]
            assert all(gap >= INTERVALS[key.partition(":")[2]] for gap in gaps)

    asyncio.run(play())


async def test_workers_that_reserve_at_once_share_one_limit(database: Database) -> None:
    now, intervals = to_microseconds(START), {"identity:1:email": 10_000}

    async def reserve(count: int) -> list[int]:
        async with database.write() as session:
            first = await pace.take_slots(session, intervals, now_us=now, slots=count)
        return [first["identity:1:email"] + 10_000 * place for place in range(count)]

    taken = await asyncio.gather(*(reserve(count) for count in (1, 5, 3, 8, 2, 1, 4)))
    slots = sorted(slot for part in taken for slot in part)
    assert slots == [now + 10_000 * place for place in range(24)]


async def test_a_limit_that_fell_behind_starts_again_from_now(database: Database) -> None:
    async with database.write() as session:
        await pace.take_slots(session, {"k": 10}, now_us=1_000, slots=5)
        assert await pace.take_slots(session, {"k": 10}, now_us=9_000, slots=1) == {"k": 9_000}


async def test_a_way_that_is_left_alone_gets_nothing_before_the_moment(database: Database) -> None:
    async with database.write() as session:
        await pace.push_back(session, key="relay:email", until_us=50_000)
        await pace.push_back(session, key="relay:email", until_us=20_000)
        assert await pace.take_slots(session, {"relay:email": 10}, now_us=1_000, slots=1) == {
            "relay:email": 50_000
        }


def a_limit(scope: LimitScope, subject: str, measure: Measure, amount: float) -> PaceLimit:
    return PaceLimit(scope=scope, subject=subject, measure=measure, amount=amount, changed_at=START)


def test_what_people_set_counts_for_the_lanes_it_speaks_of_and_no_others() -> None:
    scopes = scopes_of(Channel.EMAIL, 3, "orange", "Exemple.fr", "relay:email")
    rows = [
        a_limit(LimitScope.RELAY, "email", Measure.PER_HOUR, 1000),
        a_limit(LimitScope.LANE, "3:orange", Measure.PER_DAY, 50),
        a_limit(LimitScope.LANE, "4:orange", Measure.PER_DAY, 1),
        a_limit(LimitScope.DOMAIN, "exemple.fr:orange", Measure.PER_MINUTE, 6),
        a_limit(LimitScope.PROVIDER, "orange", Measure.PER_SECOND, 2),
        a_limit(LimitScope.PROVIDER, "orange", Measure.PER_MINUTE, 60),
        a_limit(LimitScope.PROVIDER, "orange", Measure.CONNECTIONS, 1),
        a_limit(LimitScope.PROVIDER, "gmail", Measure.CONNECTIONS, 9),
    ]
    allowed = allowance(scopes, Channel.EMAIL, None, Pace(emails_per_second=20), rows)
    assert {limit.key: limit.interval_us for limit in allowed.limits} == {
        "identity:3:email": 50_000,
        "provider:orange": 1_000_000,
        "domain:exemple.fr:orange": 10_000_000,
    }
    assert {share.key: share.most for share in allowed.shares} == {
        "relay:email:per_hour": 1000,
        "lane:3:orange:per_day": 50,
    }
    assert (allowed.base, allowed.connections, allowed.messages_per_connection) == (0.1, 1, None)


def test_a_brake_makes_a_limit_slower_and_never_faster() -> None:
    limits = [Limit("provider:gmail", 250_000), Limit("identity:1:email", 100_000)]
    slower = slowed(limits, {"provider:gmail": 1.0, "lane:1:gmail": 0.5, "identity:1:email": 50.0})
    assert {limit.key: limit.interval_us for limit in slower} == {
        "identity:1:email": 100_000,
        "lane:1:gmail": 2_000_000,
        "provider:gmail": 1_000_000,
    }
