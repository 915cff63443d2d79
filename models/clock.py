"""Time comes in from outside, so that a test can hold it still or make it jump."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits. Every moment is aware and in UTC."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...

    async def sleep(self, span: timedelta) -> None:
        """Come back once `span` has gone by; at once when it is not positive."""
        ...


def is_fresh(until: datetime | None, life: timedelta, now: datetime) -> bool:
    """Whether what was learnt for a `life` that ends at `until` still holds.

    It does not where the clock was set back meanwhile: old knowledge would last for as long as it was set.
    """
    return until is not None and until - life <= now < until


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return datetime.now(UTC)  # the one place that asks the machine

    async def sleep(self, span: timedelta) -> None:
        """Come back once `span` has gone by; at once when it is not positive."""
        await asyncio.sleep(max(0.0, span.total_seconds()))
