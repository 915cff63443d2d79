"""The limits an assessment goes by: data (`rules/assessment.toml`), read once."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import inf
from typing import Any

from deliverability.assessment.values import Figure, Status, Word
from models.declared import DeclaredSource


@dataclass(frozen=True, slots=True)
class Limit:
    """Shares above `amber` are to be looked at, above `red` providers react; fewer than `fewest` say nothing.

    `surely`: the whole of the 95 % interval must be above.
    """

    amber: float
    red: float
    fewest: int
    surely: bool

    def status(self, figure: Figure) -> Status:
        """How grave a share is; GREY where there is too little of it."""
        if not figure.assessable or figure.value is None or figure.low is None:
            return Status.GREY
        least = figure.low if self.surely else figure.value
        if least > self.red:
            return Status.RED
        return Status.AMBER if least > self.amber else Status.GREEN


@dataclass(frozen=True, slots=True)
class SeedLimits:
    """What seeds prove; see `rules/assessment.toml`."""

    correlation: float
    fewest: int
    amber_spam: int
    inbox_from: float
    fewest_measured: float


@dataclass(frozen=True, slots=True)
class ClickLimits:
    """What a change of clicks proves; see `rules/assessment.toml`."""

    campaigns: int
    fewest_campaigns: int
    fewest_delivered: int
    fewest_expected: float
    ratio: float
    p: float
    settled_hours: int


@dataclass(frozen=True, slots=True)
class CampaignLimits:
    """From which shares of the list on a whole is green, amber or red; see `rules/assessment.toml`."""

    red_share: float
    worth: float
    green_share: float


@dataclass(frozen=True, slots=True)
class DeclaredLimit:
    """From when on a provider's own figure is bad news, and at which providers it counts."""

    source: DeclaredSource
    metric: str
    providers: frozenset[str]
    word: Word
    amber: float = inf
    red: float = inf
    amber_words: frozenset[str] = frozenset()
    red_words: frozenset[str] = frozenset()

    def status(self, value: float | None, words: str) -> Status:
        """How grave a figure is, by its value or its word."""
        said, share = words.strip().lower(), -inf if value is None else value
        if said in self.red_words or share >= self.red:
            return Status.RED
        return Status.AMBER if said in self.amber_words or share >= self.amber else Status.GREEN


@dataclass(frozen=True, slots=True)
class Feeds:
    """Who tells of complaints, and of what; see `rules/assessment.toml`."""

    none: frozenset[str]
    signal_spam: frozenset[str]
    inbox_only: frozenset[DeclaredSource]


@dataclass(frozen=True, slots=True)
class Limits:
    """All of them. `shares`: by the key of the figure they are for."""

    version: str
    seeds: SeedLimits
    clicks: ClickLimits
    campaign: CampaignLimits
    complaints_near_zero: float
    shares: Mapping[str, Limit]
    declared: tuple[DeclaredLimit, ...]
    feeds: Feeds


@cache
def limits() -> Limits:
    """The limits as they come with this version."""
    text = (resources.files("deliverability") / "rules" / "assessment.toml").read_text(encoding="utf-8")
    return read_limits(tomllib.loads(text))


def read_limits(table: Mapping[str, Any]) -> Limits:
    """From the words of the file; a TypeError or KeyError tells what is missing or unknown."""
    return Limits(
        version=str(table["version"]),
        seeds=SeedLimits(**table["seeds"]),
        clicks=ClickLimits(**table["clicks"]),
        campaign=CampaignLimits(**table["campaign"]),
        complaints_near_zero=float(table["complaints"]["near_zero"]),
        shares={key: Limit(**row) for key, row in table["limits"].items()},
        declared=tuple(_declared(row) for row in table["declared"]),
        feeds=Feeds(
            none=frozenset(table["feeds"]["none"]),
            signal_spam=frozenset(table["feeds"]["signal_spam"]),
            inbox_only=frozenset(DeclaredSource(word) for word in table["feeds"]["inbox_only"]),
        ),
    )


def _declared(row: Mapping[str, Any]) -> DeclaredLimit:
    known = {"source", "metric", "providers", "word", "amber", "red", "amber_words", "red_words"}
    if unknown := set(row) - known:
        raise TypeError(f"unknown: {', '.join(sorted(unknown))}")
    return DeclaredLimit(
        source=DeclaredSource(row["source"]),
        metric=str(row["metric"]),
        providers=frozenset(row["providers"]),
        word=Word(row["word"]),
        amber=float(row.get("amber", inf)),
        red=float(row.get("red", inf)),
        amber_words=frozenset(row.get("amber_words", ())),
        red_words=frozenset(row.get("red_words", ())),
    )
