"""When to try again."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from models.values import Deferred, Reply
from scheduler.retry import RetryPolicy, next_attempt
from tests.clocks import START

BUSY = Deferred(Reply(451, "4.3.2", "later"))
POLICY = RetryPolicy()


def waits(*, greylisted: bool) -> list[float]:
    """The first eight waits, in minutes."""
    moments = [
        next_attempt(BUSY, attempt, START, START, POLICY, greylisted=greylisted) for attempt in range(1, 9)
    ]
    return [(moment - START).total_seconds() / 60 for moment in moments if moment is not None]


def test_it_waits_a_quarter_of_an_hour_then_one_hour_and_twice_as_long_each_time() -> None:
    assert waits(greylisted=False) == [15, 60, 120, 240, 480, 960, 960, 960]


def test_a_greylisting_server_is_asked_again_sooner_at_first() -> None:
    assert waits(greylisted=True) == [5, 15, 60, 120, 240, 480, 960, 960]


def test_a_rehearsal_in_a_hurry_waits_no_longer_for_a_greylisting_server() -> None:
    quick = RetryPolicy(first=timedelta(seconds=4), ceiling=timedelta(seconds=5))
    assert next_attempt(BUSY, 1, START, START, quick, greylisted=True) == START + timedelta(seconds=4)


def test_the_wait_never_exceeds_its_ceiling() -> None:
    assert next_attempt(BUSY, 40, START, START, POLICY) == START + timedelta(hours=16)


def test_a_server_that_names_its_wait_is_not_asked_earlier() -> None:
    slow = Deferred(BUSY.reply, retry_after=timedelta(minutes=50))
    assert next_attempt(slow, 1, START, START, POLICY) == START + timedelta(minutes=50)


def test_it_gives_up_five_days_after_the_first_attempt() -> None:
    assert next_attempt(BUSY, 9, START, START + timedelta(days=5), POLICY) is None


@given(st.integers(1, 500), st.timedeltas(timedelta(0), timedelta(days=6)), st.booleans())
def test_the_next_attempt_is_always_later_than_now_and_before_the_end(
    attempt: int, age: timedelta, greylisted: bool
) -> None:
    now = START + age
    again = next_attempt(BUSY, attempt, START, now, POLICY, greylisted=greylisted)
    assert again is None or now < again <= START + POLICY.give_up
