"""Limits hold whatever the order of the batches."""

import asyncio
import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.states import Channel
from scheduler.pacing import (
    Limit,
    Pace,
    batch_size,
    departures,
    from_microseconds,
    limits_of,
    provider_rate,
    to_microseconds,
)
from store import Database, pace
from tests.clocks import START


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


@pytest.mark.parametrize(("per_second", "expected"), [(1000, 200), (10, 20), (0.1, 1)])
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


@given(st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(1, 50)), min_size=1, max_size=12))
def test_slots_never_come_closer_than_their_interval(requests: list[tuple[int, int]]) -> None:
    """The arithmetic of `store.pace.reserve`, replayed with requests at growing moments."""
    interval, arrival, now = 40_000, 0, 0
    slots: list[int] = []
    for wait, count in requests:
        now += wait
        first = max(arrival, now)
        arrival = first + interval * count
        slots += [first + interval * place for place in range(count)]
    assert all(later - earlier >= interval for earlier, later in itertools.pairwise(slots))


async def test_workers_that_reserve_at_once_share_one_limit(database: Database) -> None:
    now, interval = to_microseconds(START), 10_000

    async def reserve(count: int) -> list[int]:
        async with database.write() as session:
            first = await pace.reserve(
                session, key="identity:1:email", now_us=now, interval_us=interval, slots=count
            )
        return [first + interval * place for place in range(count)]

    taken = await asyncio.gather(*(reserve(count) for count in (1, 5, 3, 8, 2, 1, 4)))
    slots = sorted(slot for part in taken for slot in part)
    assert slots == [now + interval * place for place in range(24)]


async def test_a_limit_that_fell_behind_starts_again_from_now(database: Database) -> None:
    async with database.write() as session:
        await pace.reserve(session, key="k", now_us=1_000, interval_us=10, slots=5)
        assert await pace.reserve(session, key="k", now_us=9_000, interval_us=10, slots=1) == 9_000


async def test_a_provider_that_is_left_alone_gets_nothing_before_the_moment(database: Database) -> None:
    async with database.write() as session:
        await pace.push_back(session, key="provider:gmail", until_us=50_000)
        await pace.push_back(session, key="provider:gmail", until_us=20_000)
        first = await pace.reserve(session, key="provider:gmail", now_us=1_000, interval_us=10, slots=1)
    assert first == 50_000
