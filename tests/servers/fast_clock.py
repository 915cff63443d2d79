"""A clock for a whole process: it may begin elsewhere in time, run faster, and be set while it runs."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

LOOK_S = 0.02


class FastClock:
    """Begins at `start`, runs `speed` times as fast; the file `offset`, if there, holds seconds to add.

    Writing another number into the file is what somebody does who sets the machine's clock.
    """

    def __init__(self, start: datetime, speed: float, offset: Path) -> None:
        """It begins to run at once."""
        self._start, self._speed, self._offset = start, speed, offset
        self._begun = self._looked = time.monotonic()
        self._added = timedelta(0)

    def now(self) -> datetime:
        """The moment it tells."""
        real = time.monotonic()
        if real > self._looked + LOOK_S:
            self._looked = real
            text = self._offset.read_text() if self._offset.exists() else ""
            self._added = timedelta(seconds=float(text)) if text else timedelta(0)
        return (
            self._start.astimezone(UTC) + timedelta(seconds=(real - self._begun) * self._speed) + self._added
        )

    async def sleep(self, span: timedelta) -> None:
        """Wait as long as the span takes on this clock."""
        await asyncio.sleep(max(0.0, span.total_seconds() / self._speed))
