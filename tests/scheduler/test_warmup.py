"""The plan by which a provider gets to know a sender."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.pace import WarmupState
from scheduler.warmup import (
    FLOOR,
    Day,
    Light,
    cap_on,
    engagement_band,
    first_cap,
    judge,
    next_step,
    planned_cap,
    warm_on,
)
from tests.clocks import START


@pytest.mark.parametrize(("people", "cap"), [(100_000, 200), (5_000, 100), (300, FLOOR), (0, FLOOR)])
def test_the_first_day_is_two_hundred_or_two_percent(people: int, cap: int) -> None:
    assert first_cap(people) == cap


@pytest.mark.parametrize(
    ("day", "light"),
    [
        (Day(sent=1000), Light.GREEN),
        (Day(sent=1000, deferred=49, hard=19), Light.GREEN),
        (Day(sent=1000, deferred=50), Light.AMBER),
        (Day(sent=1000, hard=20), Light.AMBER),
        (Day(sent=10_000, complaints=8), Light.AMBER),
        (Day(sent=1000, deferred=300), Light.RED),
        (Day(sent=1000, hard=50), Light.RED),
        (Day(sent=10_000, complaints=20), Light.RED),
        (Day(sent=1000, blocks=1), Light.RED),
        (Day(sent=200, complaints=1, hard=2, deferred=4), Light.GREEN),
        (Day(sent=50, hard=2), Light.GREEN),
        (Day(), Light.GREEN),
        # Most complaints and late bounces come the day after: a day without messages judges them, too.
        (Day(sent=0, complaints=10, before=1000), Light.RED),
        (Day(sent=0, hard=30, before=1000), Light.AMBER),
        (Day(sent=0, complaints=1, before=100), Light.GREEN),
        (Day(sent=1000, complaints=2, before=10), Light.RED),
    ],
)
def test_a_day_is_judged_by_shares_and_never_by_chance(day: Day, light: Light) -> None:
    assert judge(day)[0] is light


def test_a_clean_day_steps_up_by_half() -> None:
    step = next_step(200, 10_000, Day(sent=200))
    assert (step.cap, step.state) == (300, WarmupState.RISING)


def test_an_amber_day_stays() -> None:
    step = next_step(300, 10_000, Day(sent=300, deferred=30))
    assert (step.cap, step.state, step.reason) == (300, WarmupState.HOLDING, "10.00% put off")


def test_a_red_day_steps_back_by_half_and_never_below_the_floor() -> None:
    step = next_step(300, 10_000, Day(sent=300, blocks=2))
    assert (step.cap, step.state, step.reason) == (150, WarmupState.FALLING, "shut out 2 times")
    assert next_step(FLOOR, 10_000, Day(sent=20, blocks=1)).cap == FLOOR


def test_until_the_day_before_is_judged_no_more_leaves_than_after_a_bad_one() -> None:
    today = date(2026, 3, 11)
    assert cap_on(today, 300, today) == 300
    assert cap_on(today, 300, date(2026, 3, 10)) == 150
    assert cap_on(today, FLOOR, date(2026, 3, 1)) == FLOOR


def test_a_day_that_sent_little_proves_nothing() -> None:
    assert next_step(300, 10_000, Day(sent=149)).state is WarmupState.HOLDING
    assert next_step(300, 10_000, Day(sent=300), days=3).cap == 300
    assert next_step(300, 10_000, Day(sent=150)).state is WarmupState.RISING


def test_the_plan_ends_after_a_clean_day_at_its_target() -> None:
    assert next_step(9_000, 10_000, Day(sent=9_000)).cap == 10_000
    assert next_step(10_000, 10_000, Day(sent=9_000)).state is WarmupState.DONE
    assert next_step(10_000, 10_000, Day(sent=9_000, blocks=1)).state is WarmupState.FALLING


@given(
    st.integers(FLOOR, 10**6),
    st.integers(FLOOR, 10**6),
    st.builds(Day, *[st.integers(0, 10**5)] * 5),
    st.integers(1, 40),
)
def test_no_step_is_larger_than_half_as_much_again(cap: int, target: int, day: Day, days: int) -> None:
    step = next_step(cap, target, day, days=days)
    assert FLOOR <= step.cap <= max(cap, target)
    assert step.cap <= cap * 1.5 + 1
    if step.light is not Light.GREEN:
        assert step.cap <= cap
        assert step.state is not WarmupState.DONE


def test_what_the_coming_days_allow_can_be_told() -> None:
    assert [planned_cap(200, 600, ahead) for ahead in range(6)] == [200, 300, 450, 600, None, None]
    today = date(2026, 3, 10)
    assert warm_on(200, 600, today, 200) == today
    assert warm_on(200, 600, today, 450) == today + timedelta(days=2)
    assert warm_on(200, 600, today, 601) == today + timedelta(days=4)


@given(st.integers(FLOOR, 5000), st.integers(FLOOR, 10**6), st.integers(1, 2 * 10**6))
def test_the_day_told_is_the_first_that_is_wide_enough(cap: int, target: int, wanted: int) -> None:
    today = date(2026, 3, 10)
    ahead = (warm_on(cap, target, today, wanted) - today).days
    enough = [planned_cap(cap, target, days) for days in range(ahead + 1)]
    assert enough[-1] is None or enough[-1] >= wanted
    assert all(known is not None and known < wanted for known in enough[:-1])


@pytest.mark.parametrize(
    ("days", "band"), [(0, 0), (7, 0), (8, 1), (30, 2), (31, 3), (89, 4), (366, 7), (2000, 8), (None, 9)]
)
def test_who_gave_a_sign_lately_goes_first(days: int | None, band: int) -> None:
    last = None if days is None else START - timedelta(days=days)
    assert engagement_band(last, START) == band
