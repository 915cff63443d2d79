"""When to try again, and when to stop trying. Pure arithmetic."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from models.values import Deferred


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The first wait, the longest wait, and how long after the first attempt to give up.

    RFC 5321 section 4.5.4.1: a sender should go on for at least four to five days. The first wait is
    shorter than its half hour because greylisting servers open after a few minutes.
    """

    first: timedelta = timedelta(minutes=5)
    ceiling: timedelta = timedelta(hours=4)
    give_up: timedelta = timedelta(days=5)


def next_attempt(
    outcome: Deferred, attempt: int, first_at: datetime, now: datetime, policy: RetryPolicy
) -> datetime | None:
    """When to try again, or None when it is time to give up.

    Doubles from `policy.first` to `policy.ceiling`, never earlier than the other side asked. `attempt`
    counts from 1: the one that was just deferred.
    """
    doublings = min(attempt - 1, 30)
    wait = min(policy.first * 2**doublings, policy.ceiling)
    if outcome.retry_after is not None:
        wait = max(wait, outcome.retry_after)
    again = now + wait
    return None if again > first_at + policy.give_up else again
