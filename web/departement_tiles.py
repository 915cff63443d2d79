"""Where the square of each département lies: a map without outlines, on which Paris is as large as Gironde.

An arrangement of our own, as text: each two signs a code, dots where nothing lies. Neighbours lie side by
side as far as squares can, the sea is left free at the Gulf of Lion, and Corsica stands off the coast.
Overseas is a column beside it, by oceans from west to east, each from north to south.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

_MAINLAND: Final = """
.. .. .. .. .. .. 62 59 .. .. .. ..
.. .. .. .. .. 76 80 02 08 .. .. ..
.. .. 50 14 27 95 60 51 55 57 .. ..
29 22 35 61 78 92 75 93 10 54 67 ..
.. 56 53 72 28 91 94 77 52 88 68 ..
.. .. 44 49 37 41 45 89 21 70 90 ..
.. .. 85 79 86 36 18 58 71 39 25 ..
.. .. .. 17 16 87 23 03 69 01 74 ..
.. .. .. 33 24 19 63 42 38 73 .. ..
.. .. .. 40 47 46 15 43 07 26 05 ..
.. .. 64 32 82 12 48 30 84 04 06 ..
.. .. .. 65 31 81 34 .. 13 83 .. ..
.. .. .. .. 09 11 .. .. .. .. .. 2B
.. .. .. .. .. 66 .. .. .. .. .. 2A
"""
_OVERSEAS: Final = (("975", "978", "977", "971", "972", "973"), ("976", "974"), ("986", "987", "988"))
"""Atlantic, Indian Ocean, Pacific."""
BESIDE: Final = 1.4
"""How far the mainland stands off the column of overseas, in squares."""
BETWEEN: Final = 0.5
"""And the oceans from each other."""


@dataclass(frozen=True, slots=True)
class Tile:
    """The upper left corner of a square, in squares from the upper left corner of the map."""

    x: float
    y: float


def _arrange() -> Mapping[str, Tile]:
    tiles: dict[str, Tile] = {}
    y = 0.0
    for ocean in _OVERSEAS:
        for code in ocean:
            tiles[code] = Tile(0, y)
            y += 1
        y += BETWEEN
    for row, line in enumerate(_MAINLAND.split("\n")[1:-1]):
        for column, code in enumerate(line.split()):
            if code != "..":
                tiles[code] = Tile(BESIDE + column, row)
    return MappingProxyType(tiles)


TILES: Final = _arrange()
WIDTH: Final = max(tile.x for tile in TILES.values()) + 1
HEIGHT: Final = max(tile.y for tile in TILES.values()) + 1
