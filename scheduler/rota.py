"""Whose turn it is: no two workers do the same work at once, and one that has died is replaced.

Within this process by a set, between processes by rows that hold as long as their worker is heard of. Who
takes a turn twice loses nothing but time: expansion is safe to repeat, claims are exclusive.
"""

import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from models.clock import Clock
from models.errors import StoreError
from store import Database, turns

log = logging.getLogger(__name__)


class Rota:
    """The turns of one worker."""

    def __init__(self, database: Database, clock: Clock, worker_id: str, *, alone: bool) -> None:
        """`alone`: there are no other workers, and no rows are needed."""
        self._database = database
        self._clock = clock
        self._worker_id = worker_id
        self._alone = alone
        self._mine: set[str] = set()

    @property
    def mine(self) -> Collection[str]:
        """What this worker is at."""
        return self._mine

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[bool]:
        """Whether the block may do the work of `key`: nobody else is at it."""
        if key in self._mine:
            yield False
            return
        self._mine.add(key)
        try:
            taken = self._alone or await self._take(key)
            try:
                yield taken
            finally:
                if taken and not self._alone:
                    await self._give_back(key)
        finally:
            self._mine.discard(key)

    async def taken(self) -> Collection[str]:
        """What is being done at present, here and elsewhere."""
        if self._alone:
            return self._mine
        async with self._database.read() as session:
            return {*self._mine, *await turns.held(session, self._clock.now())}

    async def tidy(self) -> None:
        """Give back what could not be given back at its time; StoreError when it still cannot."""
        if not self._alone:
            async with self._database.write() as session:
                await turns.keep_only(session, self._mine, worker_id=self._worker_id)

    async def _take(self, key: str) -> bool:
        async with self._database.write() as session:
            return await turns.take(session, key, worker_id=self._worker_id, now=self._clock.now())

    async def _give_back(self, key: str) -> None:
        try:
            async with self._database.write() as session:
                await turns.give_back(session, key, worker_id=self._worker_id)
        except StoreError as error:
            log.warning("turn not given back yet", extra={"turn": key, "problem": error.problem})
