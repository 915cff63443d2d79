"""What a spam filter says of a message, in one form for both filters."""

from dataclasses import dataclass
from typing import Protocol

from models.errors import TocsinError

MOST_REPLY_OCTETS = 1_000_000
"""A longer answer is no answer of a spam filter."""
LONGEST_WORD = 80
LONGEST_SENTENCE = 200


class FilterError(TocsinError):
    """The spam filter cannot be asked, or its answer cannot be read."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """One rule that spoke: its points (negative ones speak for the message) and what it means."""

    name: str
    points: float
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class SpamScore:
    """A score, and from which on the filter acts.

    `mark`: from there on mail is put into spam; `delay`: from there on it is greylisted, `reject`: refused;
    None where this filter does neither. `symbols`: those with the most points first.
    """

    filter: str
    score: float
    mark: float
    delay: float | None
    reject: float | None
    symbols: tuple[Symbol, ...]

    @property
    def against(self) -> tuple[Symbol, ...]:
        """The rules that speak against the message, the gravest first."""
        return tuple(symbol for symbol in self.symbols if symbol.points > 0)


class SpamFilter(Protocol):
    """Can be asked about a message."""

    async def score(self, message: bytes, *, sender: str, recipient: str) -> SpamScore:
        """What it thinks of `message`, sent from `sender` (the return path) to `recipient`.

        FilterError when it cannot be asked, in time, or does not answer as such a filter does.
        """
        ...


def in_order(symbols: list[Symbol]) -> tuple[Symbol, ...]:
    """The gravest first; those of equal weight by name, so that the same message reads the same."""
    return tuple(sorted(symbols, key=lambda symbol: (-symbol.points, symbol.name)))
