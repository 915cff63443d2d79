"""Calls that come while others are being put on record go on record together, in the next transaction.

Whoever calls alone waits for nobody. When many call at once, what a transaction costs by itself (the lock,
the questions, the commit) is paid once for all of them: the more there are, the less each one costs, so a
rush is worked off instead of piling up.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final

from models.errors import StoreError
from scheduler.accepting import Acceptor
from scheduler.asked import Ask
from store.idempotency import Known
from store.imports import may_pass

log = logging.getLogger(__name__)
MOST: Final = 100
"""Calls in one transaction: none of them waits for more than so many others."""
RUSH_S: Final = 0.01
"""How much longer the next group is waited for, once several came together."""
ATTEMPTS: Final = 4
"""How often a call is begun when others write the same rows at the same moment."""
_Waiting = tuple[Ask, asyncio.Future[Known]]


@dataclass(slots=True)
class Gathering:
    """Where calls of one process meet, on one event loop."""

    acceptor: Acceptor
    _waiting: list[_Waiting] = field(default_factory=list)
    _work: asyncio.Task[None] | None = None

    async def accept(self, ask: Ask) -> Known:
        """As `Acceptor.accept`, together with whoever calls meanwhile: what is wrong with one is its own."""
        told: asyncio.Future[Known] = asyncio.get_running_loop().create_future()
        self._waiting.append((ask, told))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._work_off())
        return await told

    async def _work_off(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            try:
                outcomes = await self._take([ask for ask, _ in group])
            except BaseException:
                for _, told in group:
                    told.cancel()
                raise
            for (_, told), outcome in zip(group, outcomes, strict=True):
                # Whoever has hung up is on record all the same, and asks again under the same key.
                if told.done():
                    continue
                if isinstance(outcome, Exception):
                    told.set_exception(outcome)
                else:
                    told.set_result(outcome)
            if len(group) > 1:
                await asyncio.sleep(RUSH_S)

    async def _take(self, asks: list[Ask]) -> list[Known | Exception]:
        """One outcome a call; together, or each by itself when one of them stands in the others' way."""
        if len(asks) > 1:
            try:
                return await self.acceptor.accept_all(asks)
            except Exception as error:  # noqa: BLE001 - told to each, or met again by whose it is
                if isinstance(error, StoreError) and not may_pass(error):
                    return [error] * len(asks)
                because = type(error).__name__
                log.info("calls taken on one by one", extra={"calls": len(asks), "because": because})
        return [await self._alone(ask) for ask in asks]

    async def _alone(self, ask: Ask) -> Known | Exception:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return (await self.acceptor.accept_all([ask]))[0]
            except Exception as error:  # noqa: BLE001 - told to whoever called
                if attempt == ATTEMPTS or not may_pass(error):
                    return error
        raise AssertionError
