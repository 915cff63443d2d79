"""Which keys a file has named already, told in a memory that does not grow with it.

A row about somebody of an earlier batch has to be laid over what that row has left; all others may be
inserted at one go, without a look at each. So the reader marks those rows, by a filter of two bits a key
(Bloom, 1970): it forgets none, and takes one new key in a thousand for known, which costs time alone.
"""

from collections.abc import Sequence
from typing import Final

__all__ = ["KeysSeen"]

BITS_A_BYTE: Final = 2
"""Of the file: a line of a hundred bytes names two or three keys."""
LEAST: Final = 1 << 16
MOST: Final = 1 << 29
_APART: Final = 30


class KeysSeen:
    """The keys of one file, of any kind."""

    def __init__(self, file_size: int) -> None:
        """`file_size` in bytes."""
        bits = min(max(1 << (BITS_A_BYTE * file_size).bit_length(), LEAST), MOST)
        self._mask = bits - 1
        self._bits = bytearray(bits >> 3)

    def add(self, keys: Sequence[str | None]) -> list[int]:
        """Remember the keys; the places of those that may have been here before."""
        bits, mask = self._bits, self._mask
        known = []
        for place, key in enumerate(keys):
            if key is None:
                continue
            digest = hash(key)
            one, other = digest & mask, digest >> _APART & mask
            first, second = 1 << (one & 7), 1 << (other & 7)
            if bits[one >> 3] & first and bits[other >> 3] & second:
                known.append(place)
                continue
            bits[one >> 3] |= first
            bits[other >> 3] |= second
        return known
