"""How many messages may be in the making and on their way at once in a process: what bounds its memory."""

import asyncio
from collections import deque


class Room:
    """Places for messages, given out in the order in which they were asked for."""

    def __init__(self, places: int) -> None:
        """`places`: how many there are."""
        self._free = self._places = places
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, count: int) -> int:
        """Wait for `count` places, or all there are; how many were taken, to be given back."""
        count = min(count, self._places)
        if self._waiting or self._free < count:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((count, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.give(count)
                raise
        else:
            self._free -= count
        return count

    def give(self, count: int) -> None:
        """Give places back."""
        self._free += count
        while self._waiting:
            wanted, turn = self._waiting[0]
            if turn.cancelled():
                self._waiting.popleft()
            elif wanted <= self._free:
                self._waiting.popleft()
                self._free -= wanted
                turn.set_result(None)
            else:
                return
