"""A sending process among others: its number, its heartbeat, and who of the others is gone.

The number begins every claim token this process gives out, so that whoever finds a claim can tell whose it
is. The heartbeat is a row, not a connection: it survives the loss of a connection, and anybody can read it.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from importlib import metadata

from models.clock import Clock
from models.errors import StoreError
from models.worker import Worker
from store import Database, workers

ID_BYTES = 6
_UPTIME: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

Told = tuple[int, str, str, str]
"""An identity, a channel, what kept it from sending there (nothing: it sent), and when it was last tried."""


def draw_worker_id() -> str:
    """A number nobody else has: 12 hexadecimal digits."""
    return secrets.token_hex(ID_BYTES)


class Presence:
    """One worker's place in the registry."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        worker_id: str,
        *,
        role: str = "worker",
        uptime: Callable[[], float] = lambda: time.clock_gettime(_UPTIME),
    ) -> None:
        """`role`: what the process is, in a word for people: serve, worker.

        `uptime`: seconds that also pass while the machine sleeps, and that nobody sets.
        """
        self._database = database
        self._clock = clock
        now = clock.now()
        self._worker = Worker(
            id=worker_id,
            host=socket.gethostname()[:253],
            pid=os.getpid(),
            role=role,
            version=_version(),
            started_at=now,
            seen_at=now,
        )
        self._heard_since: datetime | None = None
        self._last_beat: datetime | None = None
        self._uptime = uptime
        self._last_uptime = 0.0

    @property
    def worker_id(self) -> str:
        """The number under which this process works."""
        return self._worker.id

    async def silence(self) -> datetime | None:
        """Since when no worker at all has been heard of, this one included; None when somebody was lately.

        To be asked before a beat, which ends it. A clock that is set forward is no silence.
        """
        silence = workers.SILENCE.total_seconds()
        if self._last_beat is not None and self._uptime() - self._last_uptime <= silence:
            return None
        async with self._database.read() as session:
            last = await workers.last_heard(session)
        return last if last is not None and self._clock.now() - last > workers.SILENCE else None

    async def beat(self, obstacles: Sequence[Told] = ()) -> None:
        """Say once that this worker is there, and what it met; StoreError when the database is away."""
        now = self._clock.now()
        self._worker.obstacles = [list(obstacle) for obstacle in obstacles]
        # Counted anew after a gap: for as long as it lasted nobody could be heard.
        if self._last_beat is None or not workers.HEARTBEAT * 0 <= now - self._last_beat <= workers.SILENCE:
            self._heard_since = now
        async with self._database.write() as session:
            await workers.beat(session, self._worker, now)
        self._last_beat, self._last_uptime = now, self._uptime()

    async def sign_off(self) -> None:
        """Say that this worker has ended; where that fails, silence will say it."""
        with suppress(StoreError):
            async with self._database.write() as session:
                await workers.sign_off(session, self._worker.id, self._clock.now())

    async def gone(self) -> set[str]:
        """Numbers of workers that have ended or are taken for dead; of nobody while that cannot be told."""
        now = self._clock.now()
        if self._heard_since is None or now - self._heard_since < workers.SILENCE:
            return set()
        async with self._database.read() as session:
            return await workers.gone(session, now) - {self._worker.id}


def _version() -> str:
    try:
        return metadata.version("tocsin")
    except metadata.PackageNotFoundError:
        return ""
