"""Parcels that wait for a free worker: some of them are carried at once, the rest in the order they came."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast

from models.values import Outcome, Reply, Uncertain
from sender.transport import CLOSED, Parcel

CUT_SHORT = Uncertain(Reply(None, None, "The service stopped before the answer came."))


class ParcelQueue:
    """Carries parcels, so many at a time, each in turn; for transports whose messages are single requests."""

    def __init__(self, carry: Callable[[Parcel], Awaitable[Outcome]], *, workers: int) -> None:
        """`carry` hands one parcel over and tells what came of it; it must not raise."""
        self._carry = carry
        self._configured = self._allowed = workers
        self._waiting: deque[Parcel] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._closed = False

    def offer(self, parcel: Parcel) -> None:
        """Queue a parcel; one that comes after the end is deferred."""
        if self._closed:
            parcel.done(CLOSED)
            return
        self._waiting.append(parcel)
        self._hire()

    def withdraw(self) -> None:
        """Give back what nobody carries yet."""
        waiting, self._waiting = self._waiting, deque()
        for parcel in waiting:
            parcel.done(None)

    def allow(self, workers: int | None) -> None:
        """From now on at most so many at a time; None: as many as it was made with."""
        self._allowed = self._configured if workers is None else max(1, workers)
        self._hire()

    async def close(self) -> None:
        """Give back what waits, and wait for what is under way."""
        self._closed = True
        self.withdraw()
        while self._workers:
            await asyncio.wait(self._workers)

    def _hire(self) -> None:
        while self._waiting and len(self._workers) < self._allowed:
            worker = asyncio.get_running_loop().create_task(self._work(self._waiting.popleft()))
            self._workers.add(worker)

    async def _work(self, parcel: Parcel | None) -> None:
        try:
            while parcel is not None:
                outcome: Outcome = CUT_SHORT
                try:
                    outcome = await self._carry(parcel)
                finally:
                    parcel.done(outcome)
                few_enough = len(self._workers) <= self._allowed
                parcel = self._waiting.popleft() if self._waiting and few_enough else None
        finally:
            # At once, not when the task is over: a parcel offered in between must find its worker.
            self._workers.discard(cast("asyncio.Task[None]", asyncio.current_task()))
