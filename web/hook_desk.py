"""What the webhooks of providers share between requests."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.hook_fetch import Fetch, Remembered, fetch
from deliverability.signals.hooks import is_certificate
from models.errors import StoreError
from models.values import Signal
from store import Database, news
from store.news import Called
from store.together import Together

log = logging.getLogger(__name__)

MOST_AT_ONCE = 4
"""Calls read at the same time: a body may hold megabytes."""
COUNTED_EVERY_S = 1.0
"""Calls are counted in the database so often: whoever forges them must not have us write for each."""


Told = tuple[Sequence[Signal], datetime]
"""What one call told, and when."""


async def _keep(session: AsyncSession, calls: Sequence[Told]) -> list[None]:
    await news.keep(session, [signal for signals, _ in calls for signal in signals], calls[-1][1])
    return [None] * len(calls)


@dataclass
class HookDesk:
    """What is open at once, the certificates read so far, and the calls not yet counted in the database.

    Nothing here has to survive a restart; a process that is killed forgets the calls of its last second.
    """

    fetch: Fetch = fetch
    reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_AT_ONCE))
    certificates: Remembered = field(init=False)
    _called: dict[str, Called] = field(default_factory=dict, init=False)
    _keeping: Together[Told, None] = field(default_factory=lambda: Together(_keep), init=False)
    _counting: asyncio.Task[None] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Remember what is fetched."""
        self.certificates = Remembered(self.fetch, is_certificate)

    async def keep(self, database: Database, signals: Sequence[Signal], now: datetime) -> None:
        """Store what was told; committed when this returns, together with what others tell meanwhile."""
        await self._keeping.do(database, (signals, now))

    def count_told(self, database: Database, provider: str, now: datetime, told: int) -> None:
        """Take note of a call that was the provider's own, and of how much it told."""
        called = self._called_by(database, provider)
        called.told += told
        called.told_at = now

    def count_refused(self, database: Database, provider: str, now: datetime, *, stale: bool) -> None:
        """Take note of a call that was not."""
        called = self._called_by(database, provider)
        called.stale += stale
        called.forged += not stale
        called.refused_at = now

    async def write_down(self, database: Database) -> None:
        """Put into the database what was taken note of."""
        called, self._called = self._called, {}
        try:
            async with database.write() as session:
                for provider in sorted(called):
                    await news.count(session, provider, called[provider])
        except StoreError:
            log.warning("calls of webhooks not counted")

    def _called_by(self, database: Database, provider: str) -> Called:
        if self._counting is None or self._counting.done():
            self._counting = asyncio.create_task(self._write_down_soon(database))
        return self._called.setdefault(provider, Called())

    async def _write_down_soon(self, database: Database) -> None:
        await asyncio.sleep(COUNTED_EVERY_S)
        await self.write_down(database)
