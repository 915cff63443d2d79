"""One thread for all the reading, and another in its place while it does not come back from a piece.

Not the event loop's own threads: as many as there are mails would want Python's one lock at the same time,
and take it from the loop, and from one another, more often than they read. And a mail that is read for ever
would hold one of those that everything else needs.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

ResultT = TypeVar("ResultT")
PATIENCE_S = 1.0
"""After so long with one piece another thread goes on with those that wait."""
MOST_THREADS = 6
IDLE_S = 30.0
"""After so long without work the thread ends."""


@dataclass(slots=True)
class _Piece:
    work: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None

    def do(self) -> None:
        try:
            self.result = self.work()
        except BaseException as error:  # noqa: BLE001 - whoever asked is told
            self.error = error

    def tell(self) -> None:
        """In the loop: to one who is there still."""
        if self.answer.done():
            return
        if self.error is not None:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.result)


@dataclass(slots=True, eq=False)
class _Hand:
    """A thread, and since when (monotonic) it is at one piece; None while it waits for the next."""

    since: float | None = None

    def is_stuck(self) -> bool:
        return self.since is not None and time.monotonic() - self.since > PATIENCE_S


@dataclass(slots=True)
class OneThread:
    """Does pieces of work in the order in which they are asked for."""

    _waiting: deque[_Piece] = field(default_factory=deque)
    _news: threading.Condition = field(default_factory=threading.Condition)
    _hands: list[_Hand] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many threads there are at present."""
        return len(self._hands)

    async def do(self, work: Callable[[], ResultT]) -> ResultT:
        """What `work` returns or raises; a piece nobody waits for any more is left out, or ends by itself."""
        loop = asyncio.get_running_loop()
        piece = _Piece(work, loop, loop.create_future())
        try:
            with self._news:
                self._waiting.append(piece)
                self._news.notify()
            self._see_to_hands()
            while not (await asyncio.wait({piece.answer}, timeout=PATIENCE_S))[0]:
                self._see_to_hands()
            return cast("ResultT", piece.answer.result())
        finally:
            piece.answer.cancel()

    def _see_to_hands(self) -> None:
        """Somebody must be there who is not stuck."""
        with self._news:
            if len(self._hands) < MOST_THREADS and all(hand.is_stuck() for hand in self._hands):
                hand = _Hand()
                self._hands.append(hand)
                # It ends with the process, also one that does not come back.
                threading.Thread(target=self._work, args=(hand,), name="reading", daemon=True).start()

    def _work(self, hand: _Hand) -> None:
        while (piece := self._next(hand)) is not None:
            if not piece.answer.done():
                piece.do()
                with suppress(RuntimeError):  # the loop has ended, and nobody waits
                    piece.loop.call_soon_threadsafe(piece.tell)

    def _next(self, hand: _Hand) -> _Piece | None:
        """The next piece; None when this thread is to end, since there is none, or another is there."""
        with self._news:
            hand.since = None
            # Before it waits: what is told to two is heard by one of them.
            is_needed = all(other.is_stuck() for other in self._hands if other is not hand)
            if is_needed and not self._waiting:
                self._news.wait(IDLE_S)
            if not is_needed or not self._waiting:
                self._hands.remove(hand)
                return None
            hand.since = time.monotonic()
            return self._waiting.popleft()
