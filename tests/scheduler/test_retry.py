"""When to try again."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from models.values import Deferred, Reply
from scheduler.retry import RetryPolicy, next_attempt
from tests.clocks import START

BUSY = Deferred(Reply(451, "4.3.2", "later"))
POLICY = RetryPolicy(first=timedelta(minutes=1), ceiling=timedelta(hours=4), give_up=timedelta(days=5))


def test_the_wait_doubles() -> None:
    waits = [next_attempt(BUSY, attempt, START, START, POLICY) for attempt in (1, 2, 3)]
    assert waits == [START + timedelta(minutes=minutes) for minutes in (1, 2, 4)]


def test_the_wait_never_exceeds_its_ceiling() -> None:
    assert next_attempt(BUSY, 40, START, START, POLICY) == START + timedelta(hours=4)


def test_a_server_that_names_its_wait_is_not_asked_earlier() -> None:
    slow = Deferred(BUSY.reply, retry_after=timedelta(minutes=30))
    assert next_attempt(slow, 1, START, START, POLICY) == START + timedelta(minutes=30)


def test_it_gives_up_five_days_after_the_first_attempt() -> None:
    assert next_attempt(BUSY, 9, START, START + timedelta(days=5), POLICY) is None


@given(st.integers(1, 500), st.timedeltas(timedelta(0), timedelta(days=6)))
def test_the_next_attempt_is_always_later_than_now_and_before_the_end(attempt: int, age: timedelta) -> None:
    now = START + age
    again = next_attempt(BUSY, attempt, START, now, POLICY)
    assert again is None or now < again <= START + POLICY.give_up
