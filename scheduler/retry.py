"""When to try again, and when to stop trying. Pure arithmetic."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from models.values import Deferred


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The first wait, the longest wait, and how long after the first attempt to give up.

    A quarter of an hour, then 1, 2, 4, 8 and 16 hours. RFC 5321 section 4.5.4.1: a sender should go on for
    at least four to five days. A greylisting server opens after a few minutes: `greylisted` comes first
    for those who say that they are one, and is not longer than `first`.
    """

    first: timedelta = timedelta(minutes=15)
    ceiling: timedelta = timedelta(hours=16)
    give_up: timedelta = timedelta(days=5)
    greylisted: timedelta = timedelta(minutes=5)


def next_attempt(
    outcome: Deferred,
    attempt: int,
    first_at: datetime,
    now: datetime,
    policy: RetryPolicy,
    *,
    greylisted: bool = False,
) -> datetime | None:
    """When to try again, or None when it is time to give up.

    Never earlier than the other side asked. `attempt` counts from 1: the one that was just deferred.
    """
    if greylisted:
        wait = min(policy.greylisted, policy.first) if attempt == 1 else _wait(attempt - 1, policy)
    else:
        wait = _wait(attempt, policy)
    if outcome.retry_after is not None:
        wait = max(wait, outcome.retry_after)
    again = now + wait
    return None if again > first_at + policy.give_up else again


def _wait(attempt: int, policy: RetryPolicy) -> timedelta:
    if attempt == 1:
        return min(policy.first, policy.ceiling)
    return min(policy.first * (4 << min(attempt - 2, 30)), policy.ceiling)
