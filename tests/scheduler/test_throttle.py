"""How a scope is slowed and comes back, whatever it is answered and in which order."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.pace import BreakerState
from scheduler import throttle
from scheduler.throttle import Brake, Cause
from tests.clocks import START

FREE = Brake(changed_at=START)
CAUSE = Cause("some-rule", "too fast")
BASE = 20.0
MINUTE = timedelta(minutes=1)


def grown(brake: Brake, minutes: int, *, base: float = BASE, connections: int = 5) -> Brake:
    """A brake after so many minutes of clean answers at the pace it leaves."""
    for minute in range(minutes):
        now = brake.changed_at + (minute + 1) * MINUTE
        brake = throttle.grow(
            brake, now, round(base * brake.factor * 60) or 1, base=base, connections=connections
        )
    return brake


def test_too_fast_halves_the_pace_once_for_all_that_was_on_its_way() -> None:
    once = throttle.slow(FREE, START, CAUSE, base=BASE)
    assert once.factor == 0.5
    again = throttle.slow(once, START + timedelta(seconds=5), CAUSE, base=BASE)
    assert again.factor == 0.5
    assert throttle.slow(once, START + timedelta(seconds=11), CAUSE, base=BASE).factor == 0.25


def test_the_pace_never_falls_below_one_message_a_minute() -> None:
    brake = FREE
    for step in range(40):
        brake = throttle.slow(brake, START + step * MINUTE, CAUSE, base=BASE)
    assert brake.factor * BASE == pytest.approx(1 / 60)


def test_what_was_found_too_much_is_neared_quickly_and_not_tried_again_at_once() -> None:
    slowed = throttle.slow(replace(FREE, factor=0.5, ceiling=0.9), START + MINUTE, CAUSE, base=BASE)
    assert (slowed.factor, slowed.ceiling) == (0.25, 0.5)
    assert grown(slowed, 2).factor == pytest.approx(0.45)
    assert grown(slowed, 9).factor == pytest.approx(0.45)
    assert 0.45 < grown(slowed, 14).factor < 0.5
    assert grown(slowed, 600).is_free


def test_the_dearer_the_punishment_the_longer_it_is_not_risked_again() -> None:
    tripped = throttle.trip(FREE, START, CAUSE, base=BASE, span=timedelta(hours=2), jitter=0.0, too_fast=True)
    assert tripped.hold_until == START + timedelta(hours=48)
    assert (tripped.factor, tripped.ceiling) == (0.1, 1.0)


def test_a_breaker_opens_for_its_time_and_one_message_closes_it() -> None:
    opened = throttle.trip(FREE, START, CAUSE, base=BASE, span=15 * MINUTE, jitter=0.5, too_fast=False)
    assert opened.state is BreakerState.OPEN
    assert opened.opens_at == START + 15.75 * MINUTE
    late_answers = throttle.grow(opened, START + MINUTE, 50, base=BASE, connections=5)
    assert late_answers == opened
    assert (
        throttle.trip(opened, START + MINUTE, CAUSE, base=BASE, span=MINUTE, jitter=0, too_fast=True)
        == opened
    )
    half = throttle.at(opened, START + 16 * MINUTE)
    assert half.state is BreakerState.HALF_OPEN
    closed = throttle.grow(half, START + 16 * MINUTE, 1, base=BASE, connections=5)
    assert closed.state is BreakerState.CLOSED
    assert closed.is_free


def test_rests_without_a_measure_grow_up_to_four_hours() -> None:
    brake, now, rests = FREE, START, []
    for _ in range(7):
        span = throttle.growing_rest(brake)
        brake = throttle.trip(brake, now, CAUSE, base=BASE, span=span, jitter=0.0, too_fast=False)
        rests.append(span // MINUTE)
        now = (brake.opens_at or now) + MINUTE
    assert rests == [15, 30, 60, 120, 240, 240, 240]


def test_connections_come_back_one_at_a_time_where_the_provider_wants_it_so() -> None:
    brake = throttle.trip(
        FREE, START, CAUSE, base=BASE, span=10 * MINUTE, jitter=0.0, too_fast=True, step_up=True
    )
    now = START + 11 * MINUTE
    brake = throttle.grow(brake, now, 1, base=BASE, connections=4)
    seen = [brake.connections]
    for _ in range(40):
        now += timedelta(seconds=10)
        brake = throttle.grow(brake, now, 50, base=BASE, connections=4)
        seen.append(brake.connections)
    assert [count for place, count in enumerate(seen) if place == 0 or seen[place - 1] != count] == [
        1,
        2,
        3,
        None,
    ]


def test_one_connection_holds_for_its_time_and_leaves_the_pace_alone() -> None:
    brake = throttle.one_connection(FREE, START, CAUSE, 60 * MINUTE)
    assert (brake.connections, brake.factor) == (1, 1.0)
    assert throttle.grow(brake, START + 59 * MINUTE, 500, base=BASE, connections=2).connections == 1
    assert throttle.at(brake, START + 60 * MINUTE).is_free


def test_crawling_lasts_its_time_however_clean_the_answers() -> None:
    brake = throttle.crawl(FREE, START, CAUSE, base=BASE, per_minute=1, span=90 * MINUTE)
    assert brake.factor * BASE == pytest.approx(1 / 60)
    assert throttle.grow(brake, START + 89 * MINUTE, 500, base=BASE, connections=5).factor == brake.factor
    after = throttle.grow(brake, START + 91 * MINUTE, 500, base=BASE, connections=5)
    assert after.factor > 0.1
    assert after.connections is None


news = st.one_of(
    st.tuples(st.just("slow"), st.just(0)),
    st.tuples(st.just("trip"), st.integers(1, 300)),
    st.tuples(st.just("crawl"), st.integers(1, 120)),
    st.tuples(st.just("one"), st.integers(1, 120)),
    st.tuples(st.just("grow"), st.integers(1, 5000)),
)


@given(
    st.lists(st.tuples(news, st.integers(0, 7200)), max_size=60),
    st.floats(0.01, 500, allow_nan=False),
    st.booleans(),
)
def test_whatever_comes_a_brake_stays_within_its_bounds_and_always_lets_go(
    story: list[tuple[tuple[str, int], int]], base: float, flag: bool
) -> None:
    brake, now = replace(FREE, changed_at=START - MINUTE), START
    for (kind, number), seconds in story:
        now += timedelta(seconds=seconds)
        match kind:
            case "slow":
                brake = throttle.slow(brake, now, CAUSE, base=base)
            case "trip":
                brake = throttle.trip(
                    brake,
                    now,
                    CAUSE,
                    base=base,
                    span=number * MINUTE,
                    jitter=0.3,
                    too_fast=flag,
                    step_up=flag,
                )
            case "crawl":
                brake = throttle.crawl(brake, now, CAUSE, base=base, per_minute=1, span=number * MINUTE)
            case "one":
                brake = throttle.one_connection(brake, now, CAUSE, number * MINUTE)
            case _:
                brake = throttle.grow(brake, now, number, base=base, connections=5)
        assert min(1.0, throttle.SLOWEST / base) * 0.999 <= brake.factor <= 1.0
        assert 0 < brake.ceiling <= 1.0
        assert brake.connections is None or 1 <= brake.connections < 5
        assert brake.state is not BreakerState.OPEN or (brake.opens_at is not None)
    for _ in range(400):
        now += timedelta(days=1)
        brake = throttle.grow(brake, now, 100_000, base=base, connections=5)
    assert throttle.at(brake, now).is_free
