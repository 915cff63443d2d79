"""Where the mail lands: of a provider by its seeds, of a whole list by all providers together.

An estimate for a list weighs each provider by its share of this list, not of the seeds. Its interval is
put together from Wilson's limits of each provider, continuity-corrected (MOVER, the method of variance
estimates recovery, of Zou and Donner): the usual sum of variances is zero where all seeds agree, which is
no certainty but a small number. `python -m benchmarks.worlds` tells how often it holds the truth. What no
seed was at is unknown, between none and all of it in the inbox, and stands beside what was measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, sqrt

from deliverability.assessment.intervals import corrected_clustered_interval
from deliverability.assessment.limits import limits


@dataclass(frozen=True, slots=True)
class PlacementPart:
    """One provider of a list: its `share` of the people, and `inbox` (tabs included) of `n` seeds there.

    `share` may be a count: shares are taken of their sum. `cluster`: parts of one name share their error,
    as those of several identities at one provider do; "" shares it with none.
    """

    share: float
    inbox: int
    n: int
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class ListEstimate:
    """How much of a list's mail is in the inbox. All shares between 0 and 1.

    `low` to `high`: of the whole list, the untested part taken as all lost and all arrived. `measured_low`
    to `measured_high`, with `measured` between: of the tested part alone, None when nothing was tested;
    `measured_share` and `unknown_share` are how large these parts are. `seeds`: how many were counted.
    `assessable`: whether enough of the list was tested.
    """

    low: float
    high: float
    measured_share: float
    unknown_share: float
    measured: float | None
    measured_low: float | None
    measured_high: float | None
    seeds: int
    assessable: bool


def list_estimate(parts: Sequence[PlacementPart], correlation: float | None = None) -> ListEstimate:
    """The inbox placement of a list, with a 95 % interval; total, for whatever parts.

    `correlation`: of the seeds at one provider, by default that of the limits.
    """
    rho = limits().seeds.correlation if correlation is None else correlation
    parts = _by_the_largest(parts)
    whole = sum(part.share for part in parts)
    tested = [part for part in parts if part.n > 0]
    share = sum(part.share for part in tested) / whole if tested else 0.0
    seeds = sum(part.n for part in tested)
    if not tested:
        return ListEstimate(0.0, 1.0, 0.0, 1.0, None, None, None, 0, assessable=False)
    measured, low, high = _measured(tested, rho)
    unknown = max(0.0, 1.0 - share)
    return ListEstimate(
        low=share * low,
        high=min(1.0, share * high + unknown),
        measured_share=share,
        unknown_share=unknown,
        measured=measured,
        measured_low=low,
        measured_high=high,
        seeds=seeds,
        assessable=share >= limits().seeds.fewest_measured,
    )


def _by_the_largest(parts: Sequence[PlacementPart]) -> list[PlacementPart]:
    """Those with a share, as parts of the largest: whatever they were counted in, they can be added up."""
    sound = [part for part in parts if isfinite(part.share) and part.share > 0]
    largest = max((part.share for part in sound), default=1.0)
    scaled = [replace(part, share=part.share / largest) for part in sound]
    return [part for part in scaled if part.share > 0]


def _measured(tested: Sequence[PlacementPart], rho: float) -> tuple[float, float, float]:
    """The weighted mean of the tested parts, and its limits."""
    whole = sum(part.share for part in tested)
    middle = 0.0
    below: dict[str, float] = {}
    above: dict[str, float] = {}
    for place, part in enumerate(tested):
        inbox = min(max(part.inbox, 0), part.n)
        weight, found = part.share / whole, inbox / part.n
        low, high = corrected_clustered_interval(inbox, part.n, rho) or (0.0, 1.0)
        middle += weight * found
        # Errors of one cluster add up, those of different ones do not: the sum of squares.
        name = part.cluster or f"#{place}"
        below[name] = below.get(name, 0.0) + weight * (found - low)
        above[name] = above.get(name, 0.0) + weight * (high - found)
    spread_below = sqrt(sum(each**2 for each in below.values()))
    spread_above = sqrt(sum(each**2 for each in above.values()))
    return middle, max(0.0, middle - spread_below), min(1.0, middle + spread_above)
