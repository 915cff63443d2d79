"""Numbers for people whom a file may name, drawn before its rows are made ready.

PostgreSQL's numbers may be drawn at any time, and what is drawn and not used is missed by nobody. So rows
have theirs before they are written, and can be copied to their tables as they come. To a process beside they
are sent ahead: it shall never wait for them while the batch before is written.
"""

import marshal
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

__all__ = ["Ahead", "Draw", "Given", "Take"]

Draw = Callable[[int], Awaitable[Sequence[int]]]
"""Asks the database for so many numbers: they rise, and are higher than all that were drawn before."""
Take = Callable[[int], Sequence[int]]
"""The next so many of them."""
BATCHES_AHEAD: Final = 2
"""The one that is waited for, and the one that is made ready while that one is written."""


class Ahead:
    """What numbers another process has been given, seen from the one that gives."""

    def __init__(self, draw: Draw, rows_a_batch: int) -> None:
        """No batch has more rows than `rows_a_batch`."""
        self._draw = draw
        self._enough = BATCHES_AHEAD * rows_a_batch
        self._spare = 0

    async def more(self) -> bytes:
        """Numbers to send before the next batch is waited for, packed; none: empty."""
        wanted = self._enough - self._spare
        if wanted <= 0:
            return b""
        numbers = await self._draw(wanted)
        self._spare += wanted
        return marshal.dumps(list(numbers))

    def used(self, count: int) -> None:
        """A batch has come that had so many rows."""
        self._spare -= count


class Given:
    """The same numbers, where they are used."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        """`receive` waits for what `Ahead.more` has packed; it raises when there will be no more."""
        self._receive = receive
        self._stock: deque[int] = deque()

    def take(self, count: int) -> list[int]:
        """The next so many."""
        while len(self._stock) < count:
            self._stock.extend(marshal.loads(self._receive()))  # noqa: S302 - packed by the same program
        return [self._stock.popleft() for _ in range(count)]
