"""Five shades for many values: where one ends and the next begins, in round numbers.

Shares are cut in equal steps, up to what all but the last twentieth of the people lie under: one small
place that went wild must not take the shades from all others. Numbers of messages, which are seldom alike,
are cut so that about as many places fall into each shade.
"""

from collections.abc import Iterable, Sequence
from math import ceil, floor, log10
from typing import Final

SHADES: Final = 5
_ROUND: Final = (1, 2, 5, 10)
_USUAL: Final = 0.95


def cuts_of_shares(shares: Iterable[tuple[float, int]]) -> tuple[float, ...]:
    """Where the shades of shares begin, ascending, nought left out; each share with how many people it is of.

    Empty where there is nothing but nought.
    """
    ordered = sorted((share, people) for share, people in shares if share > 0)
    under = _USUAL * sum(people for _, people in ordered)
    top, people = 0.0, 0
    for share, more in ordered:
        top, people = share, people + more
        if people >= under:
            break
    if not top:
        return ()
    step = rounded_up(top / SHADES)
    cuts = tuple(round(step * number, 10) for number in range(1, SHADES))
    highest = ordered[-1][0]
    return tuple(cut for cut in cuts if cut <= highest)


def cuts_of_counts(counts: Iterable[int]) -> tuple[float, ...]:
    """Where the shades of numbers begin, ascending, each in two figures at most."""
    ordered = sorted(count for count in counts if count > 0)
    if not ordered:
        return ()
    wanted = (ordered[len(ordered) * number // SHADES] for number in range(1, SHADES))
    cuts = sorted({_two_figures(count) for count in wanted})
    return tuple(float(cut) for cut in cuts if ordered[0] < cut <= ordered[-1])


def shade_of(value: float, cuts: Sequence[float]) -> int:
    """From 1 to `SHADES`, darker the more; 0 of nought. With fewer cuts the middle shades are left out."""
    if value <= 0:
        return 0
    return shades_for(cuts)[sum(value >= cut for cut in cuts)]


def shades_for(cuts: Sequence[float]) -> tuple[int, ...]:
    """The shades that so many cuts need, from the palest to the darkest."""
    if not cuts:
        return (3,)
    return tuple(1 + round(number * (SHADES - 1) / len(cuts)) for number in range(len(cuts) + 1))


def rounded_up(step: float) -> float:
    """The next 1, 2 or 5 with noughts; `step` above nought."""
    power: float = 10.0 ** floor(log10(step))
    # A hair's breadth over a round number is that number: 0.05 / 5 is not quite 0.01.
    return next(power * number for number in _ROUND if step <= power * number * (1 + 1e-9))


def digits_for(cuts: Sequence[float]) -> int:
    """Digits after the point that percentages of these shares need."""
    return max(0, -floor(log10(cuts[0] * 100) + 1e-9)) if cuts else 0


def _two_figures(count: int) -> int:
    power = int(10 ** max(0, len(str(count)) - 2))
    return ceil(count / power) * power
