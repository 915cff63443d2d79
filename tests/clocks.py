"""A clock that tests hold in their hands."""

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)


class ManualClock:
    """Stands still until told to move; `sleep` comes back at once, the clock moved by the span asked for."""

    def __init__(self, now: datetime = START) -> None:
        """`now`: the first moment it tells."""
        self._now = now

    def now(self) -> datetime:
        """The moment it stands at."""
        return self._now

    async def sleep(self, span: timedelta) -> None:
        """Jump instead of waiting; other tasks get their turn."""
        self.advance(max(span, timedelta(0)))
        await asyncio.sleep(0)

    def advance(self, span: timedelta) -> None:
        """Move forward, or back, by `span`."""
        self._now += span
