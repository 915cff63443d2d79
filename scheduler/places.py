"""Connections that this process may open, where all workers together may open only so many."""

import asyncio
import secrets
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from models.clock import is_fresh
from store import Database, slots

LEASE: Final = timedelta(seconds=60)
"""How long a connection is held for a worker that is not heard of."""
REFUSED: Final = timedelta(seconds=5)
"""How long a lane that found no free connection does not ask for one."""


@dataclass(frozen=True, slots=True)
class _Held:
    """`count` places of `most`, until a moment, and known until `ask_again`."""

    count: int
    most: int
    ask_again: datetime
    until: datetime


class Places:
    """The places one process holds, by key. The rows are asked seldom: what they said is kept."""

    def __init__(self, database: Database) -> None:
        """Holds nothing yet."""
        self._database = database
        self._holder = secrets.token_hex(6)
        self._held: dict[str, _Held] = {}
        # Two lanes of one process would take each other's rows for another worker's.
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def count(self, key: str) -> int:
        """How many are held under a key, as far as is known."""
        held = self._held.get(key)
        return 0 if held is None else held.count

    async def hold(
        self, key: str, most: int, now: datetime, *, anew: bool = False, in_parts: bool = False
    ) -> int:
        """Take or keep places; the rows are asked once a third of the lease is over, or for other numbers.

        `in_parts`: as many as fall to this worker when all who use them share alike; else all there are.
        """
        async with self._asking[key]:
            held = self._held.get(key)
            if (
                held is not None
                and not anew
                and held.most == most
                and is_fresh(held.ask_again, LEASE / 3, now)
            ):
                return held.count
            until = now + LEASE
            wanted: int | None = None
            async with self._database.write() as session:
                if in_parts:
                    wanted = await slots.part_of(
                        session, key=key, holder=self._holder, most=most, now=now, until=until
                    )
                count = await self._take(session, key, most, wanted, now)
            # Where there was no place, the sweep need not ask each second.
            self._held[key] = _Held(count, most, now + (LEASE / 3 if count else REFUSED), until)
        return count

    async def keep(self, key: str, now: datetime) -> None:
        """Hold on to the places there are under a key while messages are under way on them.

        As many as there are: who lets go of some must be told, and is when he asks for a permit.
        """
        if self._is_kept(key, now):
            return
        async with self._asking[key]:
            if self._is_kept(key, now):
                return
            held = self._held[key]
            async with self._database.write() as session:
                await self._take(session, key, held.most, held.count, now)
            if key in self._held:  # it may have been forgotten meanwhile
                self._held[key] = replace(held, until=now + LEASE)

    def _is_kept(self, key: str, now: datetime) -> bool:
        """Whether there is nothing to hold on to, or it was done a moment ago."""
        held = self._held.get(key)
        return held is None or not held.count or is_fresh(held.until, LEASE, now + LEASE * 2 / 3)

    def forget(self, key: str) -> None:
        """Places nobody counts any more: they lapse."""
        self._held.pop(key, None)

    async def close(self) -> None:
        """Let go of everything that is held."""
        if self._held:
            self._held.clear()
            async with self._database.write() as session:
                await slots.free(session, holder=self._holder)

    async def _take(
        self, session: AsyncSession, key: str, most: int, wanted: int | None, now: datetime
    ) -> int:
        return await slots.hold(
            session, key=key, holder=self._holder, most=most, now=now, until=now + LEASE, wanted=wanted
        )
