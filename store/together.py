"""Work of the same kind that many ask for at once, done in one transaction for all who wait.

A commit costs as much for one row as for a hundred. What is asked for while one transaction is under way
makes up the next.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import StoreError
from store.session import Database

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
MOST = 100
"""So many at once; more would keep rows locked for long."""


@dataclass(slots=True)
class _Wish(Generic[ItemT, ResultT]):
    item: ItemT
    answer: asyncio.Future[ResultT]

    def answer_with(self, result: ResultT) -> None:
        if not self.answer.done():
            self.answer.set_result(result)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Together(Generic[ItemT, ResultT]):
    """Wishes for one kind of work on one database."""

    def __init__(
        self,
        work: Callable[[AsyncSession, Sequence[ItemT]], Awaitable[Sequence[ResultT]]],
        *,
        gather_s: float = 0.0,
    ) -> None:
        """`work` does everything it is given within a session, and answers each, in their order.

        `gather_s`: so long at most those are waited for who are on their way (`expecting`).
        """
        self._gather_s = gather_s
        self._work = work
        self._wishes: deque[_Wish[ItemT, ResultT]] = deque()
        self._working: asyncio.Task[None] | None = None
        self._coming = 0
        self._all_here = asyncio.Event()

    @contextmanager
    def expecting(self) -> Iterator[None]:
        """Within this block somebody is about to ask; who waits for their answer is on the way no more."""
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1
            if not self._coming:
                self._all_here.set()

    async def do(self, database: Database, item: ItemT) -> ResultT:
        """The answer for one, once it is committed; what it raises when it is tried alone, or StoreError.

        Where some cannot be done together, each half of them is tried, down to one: no other is lost for it.
        """
        loop = asyncio.get_running_loop()
        wish = _Wish[ItemT, ResultT](item, loop.create_future())
        self._wishes.append(wish)
        if len(self._wishes) >= MOST:
            self._all_here.set()
        if self._working is None or self._working.done():
            self._working = loop.create_task(self._work_off(database), name="together")
        return await wish.answer

    async def _work_off(self, database: Database) -> None:
        while self._wishes:
            await self._gather()
            some = [self._wishes.popleft() for _ in range(min(MOST, len(self._wishes)))]
            try:
                await self._try(database, some)
            finally:
                for wish in some:
                    wish.answer.cancel()  # unless it is answered: this task was cancelled

    async def _gather(self) -> None:
        if not self._gather_s:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._gather_s):
                while self._coming and len(self._wishes) < MOST:
                    self._all_here.clear()
                    await self._all_here.wait()

    async def _try(self, database: Database, wishes: Sequence[_Wish[ItemT, ResultT]]) -> None:
        # Whoever gave up waiting meanwhile will ask again.
        wishes = [wish for wish in wishes if not wish.answer.done()]
        if not wishes:
            return
        try:
            async with database.write() as session:
                results = await self._work(session, [wish.item for wish in wishes])
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            if len(wishes) == 1 or (isinstance(error, StoreError) and await self._is_away(database, wishes)):
                for wish in wishes:
                    wish.fail(error)
                return
            middle = len(wishes) // 2
            await self._try(database, wishes[:middle])
            await self._try(database, wishes[middle:])
        else:
            for wish, result in zip(wishes, results, strict=True):
                wish.answer_with(result)

    async def _is_away(self, database: Database, wishes: Sequence[_Wish[ItemT, ResultT]]) -> bool:
        """Whether the first alone fails as well: then it is the database, and nobody else need wait."""
        await self._try(database, wishes[:1])
        answer = wishes[0].answer
        return not answer.cancelled() and isinstance(answer.exception(), StoreError)
