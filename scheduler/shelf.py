"""Where scribes lay finished letters: memory that both processes see, so that nobody has to carry them.

A letter that goes through a socket is copied four times before it is on the wire; one that lies here is
written once and sent from where it lies. Places have one size and are lent with an order; where none is
free, or a letter is too long for one, it goes through the socket after all.
"""

import ctypes
import mmap
import os
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

PLACES = 512
PLACE_OCTETS = 1 << 18
"""Of addresses, not of memory: what no letter has touched takes none."""
_Place = ctypes.c_char * PLACE_OCTETS


class _Mark(weakref.ref[Any]):
    """Told when a letter is not held any more; `place`: where it lay."""

    __slots__ = ("place",)
    place: int


class Shelf:
    """The places of one scribe, as the process that started it sees them."""

    def __init__(self) -> None:
        """OSError where the system has no such memory."""
        self.file = os.memfd_create("letters")
        try:
            os.ftruncate(self.file, PLACES * PLACE_OCTETS)
            self._memory = mmap.mmap(self.file, PLACES * PLACE_OCTETS)
        except OSError:
            self.close()
            raise
        # The last one given back is lent first: it is in the processor's cache, and memory already.
        self._free = list(range(PLACES))
        self._taken: dict[int, _Mark] = {}

    @property
    def free(self) -> int:
        """How many places there are to be lent."""
        return len(self._free)

    def lend(self, count: int) -> list[int]:
        """Up to `count` places, for a scribe to lay letters on."""
        # One by one: a letter may be let go of between any two steps, also by another thread.
        return [self._free.pop() for _ in range(min(count, len(self._free)))][::-1]

    def take(self, place: int, octets: int) -> memoryview:
        """The letter on a place, which is free again once nobody holds the letter or a part of it."""
        # An object of its own for each letter, which every view of a part of it keeps alive.
        whole = _Place.from_buffer(self._memory, place * PLACE_OCTETS)
        mark = self._taken[place] = _Mark(whole, self._let_go)
        mark.place = place
        return memoryview(whole).cast("B")[:octets]

    def give_back(self, places: Iterable[int]) -> None:
        """Places on which there lies nothing."""
        self._free.extend(places)

    def _let_go(self, mark: "_Mark") -> None:
        del self._taken[mark.place]
        self._free.append(mark.place)

    def close(self) -> None:
        """Let no scribe have it any more; letters that were taken stay for those who hold them."""
        if self.file >= 0:
            os.close(self.file)
            self.file = -1


class Counter:
    """The same places as the scribe sees them."""

    def __init__(self, file: int) -> None:
        """`file`: the number of the shelf's, as the scribe was given it."""
        self._memory = memoryview(mmap.mmap(file, PLACES * PLACE_OCTETS))
        self._lent: list[int] = []

    def lend(self, places: Sequence[int]) -> None:
        """Only these may be used from now on."""
        self._lent = list(places)

    def lay(self, octets: bytes) -> tuple[int, int] | None:
        """On which place it lies and how long it is; None when it has to be carried."""
        if not self._lent or len(octets) > PLACE_OCTETS:
            return None
        place = self._lent.pop()
        start = place * PLACE_OCTETS
        self._memory[start : start + len(octets)] = octets
        return place, len(octets)
