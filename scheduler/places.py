"""Connections that this process may open, where all workers together may open only so many."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from models.clock import is_fresh
from store import Database, slots

LEASE: Final = timedelta(seconds=60)
"""How long a connection is held for a worker that is not heard of."""
REFUSED: Final = timedelta(seconds=5)
"""How long a lane that found no free connection does not ask for one."""


@dataclass(frozen=True, slots=True)
class _Held:
    """`count` places of `most`, known until `ask_again`; `in_parts`: this worker's part and no more."""

    count: int
    most: int
    in_parts: bool
    ask_again: datetime


class Places:
    """The places one process holds, by key. The rows are asked seldom: what they said is kept."""

    def __init__(self, database: Database) -> None:
        """Holds nothing yet."""
        self._database = database
        self._holder = secrets.token_hex(6)
        self._held: dict[str, _Held] = {}

    async def hold(
        self, key: str, most: int, now: datetime, *, anew: bool = False, in_parts: bool = False
    ) -> int:
        """Take or keep places; the rows are asked once a third of the lease is over, or for other numbers.

        `in_parts`: as many as fall to this worker when all who use them share alike; else all there are.
        """
        held = self._held.get(key)
        if held is not None and not anew and held.most == most and is_fresh(held.ask_again, LEASE / 3, now):
            return held.count
        until = now + LEASE
        wanted: int | None = None
        async with self._database.write() as session:
            if in_parts:
                wanted = await slots.part_of(
                    session, key=key, holder=self._holder, most=most, now=now, until=until
                )
            count = await slots.hold(
                session, key=key, holder=self._holder, most=most, now=now, until=until, wanted=wanted
            )
        # Where there was no place, the sweep need not ask each second.
        ask_again = now + (LEASE / 3 if count else REFUSED)
        self._held[key] = _Held(count, most, in_parts, ask_again)
        return count

    async def keep(self, key: str, now: datetime) -> None:
        """Hold on to the places there are under a key while messages are under way on them."""
        held = self._held.get(key)
        if held is not None and held.count:
            await self.hold(key, held.most, now, in_parts=held.in_parts)

    async def close(self) -> None:
        """Let go of everything that is held."""
        if self._held:
            self._held.clear()
            async with self._database.write() as session:
                await slots.free(session, holder=self._holder)
