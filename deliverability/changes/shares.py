"""Shares that moved beyond chance, and by enough to matter. Pure.

A hundred thousand messages make a difference of a hair certain, a hundred make one of ten points chance: so
both are asked. As many shares as are compared at once are as many chances of a false alarm, and the
certainty of each is raised accordingly (Bonferroni). Seeds are no such share: a dozen that agree with one
another prove nothing at that certainty, and the verdicts say what they show.
"""

import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import inf
from statistics import NormalDist

from deliverability.assessment.intervals import difference_interval
from deliverability.changes.values import Change, ChangeCode, Turn
from deliverability.report_values import Counts, Share

RATES: Mapping[str, str] = {
    "delivery": "delivery_rate",
    "hard": "hard_rate",
    "deferral": "deferral_rate",
    "complaint": "complaint_rate",
    "unsubscribe": "unsubscribe_rate",
    "click": "click_rate",
}
"""What a share is called here → the share of `Counts`."""
DEEDS = frozenset({"complaint", "unsubscribe", "click"})
"""What people do: they need some hours for it."""
MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class ShareRule:
    """When a share that moved is news; see `rules/changes.toml`."""

    better: str
    points: float
    ratio: float
    fewest: int


@dataclass(frozen=True, slots=True)
class ChangeRules:
    """All of them; `silence`: hours by kind of feed."""

    certainty: float
    shares: Mapping[str, ShareRule]
    silence: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Moved:
    """A share that moved; `low`, `high`: by how much, for certain."""

    key: str
    provider: str
    before: Share
    now: Share
    low: float
    high: float

    @property
    def rose(self) -> bool:
        """Whether there is more of it now."""
        return self.low > 0


ByProvider = Mapping[str, Counts]


@cache
def rules() -> ChangeRules:
    """As they come with this version."""
    text = (resources.files("deliverability") / "rules" / "changes.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    return ChangeRules(
        certainty=float(table["certainty"]),
        shares={key: ShareRule(**row) for key, row in table["shares"].items()},
        silence={key: int(hours) for key, hours in table["silence"].items()},
    )


def share_changes(
    before: ByProvider, now: ByProvider, keys: Collection[str] = tuple(RATES)
) -> Iterator[Change]:
    """What moved of the whole, with where most of it did; then what moved at a provider against the whole.

    `keys`: which shares are compared.
    """
    moved = list(moved_shares(before, now, keys))
    whole = {one.key: one for one in moved if not one.provider}
    for one in whole.values():
        # Bounces for good and what arrived are two sides of one thing: told once.
        if one.key == "delivery" and "hard" in whole and whole["hard"].rose is not one.rose:
            continue
        alike = [each for each in moved if each.provider and each.key == one.key and each.rose is one.rose]
        yield _change(one, alike)
    for one in moved:
        same = whole.get(one.key)
        if one.provider and one.key != "delivery" and (same is None or same.rose is not one.rose):
            yield _change(one, ())


def moved_shares(before: ByProvider, now: ByProvider, keys: Collection[str]) -> Iterator[Moved]:
    """Every share of the whole ("") and of each provider that moved."""
    places = {"": (_sum(before.values()), _sum(now.values()))}
    # With one provider the whole says it all.
    if len({*before, *now}) > 1:
        places |= {name: (before[name], now[name]) for name in sorted({*before} & {*now})}
    pairs = [
        (key, place, getattr(first, RATES[key]), getattr(second, RATES[key]))
        for place, (first, second) in places.items()
        for key in RATES
        if key in keys
    ]
    told = [pair for pair in pairs if min(pair[2].whole, pair[3].whole) >= rules().shares[pair[0]].fewest]
    quantile = NormalDist().inv_cdf(1 - (1 - rules().certainty) / 2 / max(1, len(told)))
    for key, place, first, second in told:
        found = _moved(key, place, first, second, quantile)
        if found is not None:
            yield found


def _moved(key: str, place: str, before: Share, now: Share, quantile: float) -> Moved | None:
    rule = rules().shares[key]
    interval = difference_interval((before.part, before.whole), (now.part, now.whole), quantile)
    if interval is None or interval[0] <= 0 <= interval[1]:
        return None
    first, second = before.part / before.whole, now.part / now.whole
    least, most = sorted((first, second))
    if most - least < rule.points or (most / least if least else inf) < rule.ratio:
        return None
    return Moved(key, place, before, now, *interval)


def _change(one: Moved, alike: Sequence[Moved]) -> Change:
    good = rules().shares[one.key].better == ("up" if one.rose else "down")
    largest = sorted(alike, key=lambda each: -abs(_rise(each)))[:MOST_NAMED]
    return Change(
        code=ChangeCode.SHARE,
        turn=Turn.BETTER if good else Turn.WORSE,
        provider=one.provider,
        values={
            "key": one.key,
            "before": one.before.part / one.before.whole,
            "now": one.now.part / one.now.whole,
            "before_part": one.before.part,
            "before_whole": one.before.whole,
            "part": one.now.part,
            "whole": one.now.whole,
            "low": round(one.low, 6),
            "high": round(one.high, 6),
            "providers": ",".join(each.provider for each in largest),
        },
    )


def _rise(one: Moved) -> float:
    return one.now.part / one.now.whole - one.before.part / one.before.whole


def _sum(counts: Iterable[Counts]) -> Counts:
    return sum(counts, Counts())
