"""Intervals of proportions, honest for few observations and for observations that are not independent.

Wilson's score interval rather than the textbook one: that has no width at all where nobody, or everybody,
was seen, which with five seeds is the usual case.
"""

from math import isfinite, sqrt

NORMAL_95 = 1.959964
"""The two-sided 95 % quantile of the normal distribution."""


def wilson_interval(part: float, whole: float, quantile: float = NORMAL_95) -> tuple[float, float] | None:
    """The 95 % interval of a proportion by Wilson's score; None when `whole` is 0.

    `whole` may be a number of effective observations, with a fraction. `quantile`: another, two-sided, of
    the normal distribution, for another certainty.
    """
    if whole <= 0:
        return None
    share = part / whole
    square = quantile**2
    middle = share + square / (2 * whole)
    spread = quantile * sqrt(share * (1 - share) / whole + square / (4 * whole**2))
    scale = 1 + square / whole
    # Exactly so at the ends: rounding must not shut out what nothing speaks against.
    low = 0.0 if share <= 0 else max(0.0, min(share, (middle - spread) / scale))
    high = 1.0 if share >= 1 else min(1.0, max(share, (middle + spread) / scale))
    return low, high


def effective_number(whole: int, correlation: float) -> float:
    """How many independent observations `whole` correlated ones are worth (Kish: n / (1 + (n - 1) rho)).

    `correlation` 0: all of them; 1: one.
    """
    if whole <= 1:
        return float(max(whole, 0))
    if not isfinite(correlation):
        correlation = 1.0
    return whole / (1 + (whole - 1) * min(1.0, max(0.0, correlation)))


def corrected_interval(part: float, whole: float) -> tuple[float, float] | None:
    """Wilson's 95 % interval with the continuity correction: wider, and close to exact; None of nothing.

    What is to be added to others must not be a little too narrow now and then, as the plain one is near 0
    and 1: too narrow on one side everywhere, a sum of many would be so always.
    """
    if whole <= 0:
        return None
    share, square = part / whole, NORMAL_95**2
    scale = 2 * (whole + square)
    middle = 2 * part + square
    inner = square - 1 / whole + 4 * part * (1 - share)
    below = NORMAL_95 * sqrt(max(0.0, inner + (4 * share - 2))) + 1
    above = NORMAL_95 * sqrt(max(0.0, inner - (4 * share - 2))) + 1
    low = 0.0 if share <= 0 else max(0.0, min(share, (middle - below) / scale))
    high = 1.0 if share >= 1 else min(1.0, max(share, (middle + above) / scale))
    return low, high


def clustered_interval(part: int, whole: int, correlation: float) -> tuple[float, float] | None:
    """Wilson's interval of `part` in `whole` observations of one cluster; None when there are none."""
    if whole <= 0:
        return None
    number = effective_number(whole, correlation)
    return wilson_interval(part / whole * number, number)


def corrected_clustered_interval(part: int, whole: int, correlation: float) -> tuple[float, float] | None:
    """The same with the continuity correction."""
    if whole <= 0:
        return None
    number = effective_number(whole, correlation)
    return corrected_interval(part / whole * number, number)


def difference_interval(
    before: tuple[float, float], now: tuple[float, float], quantile: float = NORMAL_95
) -> tuple[float, float] | None:
    """By how much a share rose between two samples, each (part, whole): Newcombe's hybrid score interval.

    Made of both Wilson intervals, so that it holds for few observations and near 0 and 1, where the textbook
    one finds a difference in nothing. Negative: it fell. None where either sample is empty.
    """
    first, second = wilson_interval(*before, quantile), wilson_interval(*now, quantile)
    if first is None or second is None:
        return None
    share, later = before[0] / before[1], now[0] / now[1]
    rise = later - share
    below = sqrt((later - second[0]) ** 2 + (first[1] - share) ** 2)
    above = sqrt((second[1] - later) ** 2 + (share - first[0]) ** 2)
    return rise - below, rise + above
