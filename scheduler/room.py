"""How much may be in the making and on its way at once in a process: what bounds its memory.

Counted in octets, not in messages: nine hundred newsletters are forty megabytes, as many receipts are two.
"""

import asyncio
from collections import deque


class Room:
    """Places, given out in the order in which they were asked for."""

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
                # Whoever waited behind may find room for less.
                self.give(count if turn.done() and not turn.cancelled() else 0)
                raise
        else:
            self._free -= count
        return count

    def give(self, count: int) -> None:
        """Give places back; fewer than none: something has turned out to be larger than was asked for."""
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


class Share:
    """What messages of about the same size take up of a room, given back one by one."""

    def __init__(self, room: Room, taken: int, count: int) -> None:
        """`taken`: places for `count` messages, at least one."""
        self._room = room
        self._held, self._count = taken, count

    def keep(self, count: int) -> None:
        """Only so many are left, if there were more."""
        if count < self._count:
            rest = self._held * count // self._count
            self._room.give(self._held - rest)
            self._held, self._count = rest, count

    def leave(self) -> None:
        """One has left."""
        self.keep(max(0, self._count - 1))

    def weigh(self, octets: int) -> None:
        """What they turned out to be, each."""
        if self._count:
            self._room.give(self._held - octets * self._count)
            self._held = octets * self._count
