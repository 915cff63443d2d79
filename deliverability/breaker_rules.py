"""The breakers as data: what is measured over what, from which share on, and what is done then.

Shipped in `rules/breakers.toml`; an installation's own file of that name in its data directory changes
single keys of shipped breakers, adds others, or switches one off. Apart from `deliverability.rulebook`,
which says what follows from one answer: here it is many that tell.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from deliverability.rulebook import RulesError, read_span, stamp_of

OWN_BREAKERS = "breakers.toml"
"""The installation's own file, in its data directory."""
WordT = TypeVar("WordT", bound=StrEnum)


class Measured(StrEnum):
    """What is counted; see `rules/breakers.toml`."""

    HARD = "hard"
    COMPLAINTS = "complaints"
    DEFERRALS = "deferrals"
    BLOCKS = "blocks"
    SEEDS = "seeds"


COUNTED = frozenset({Measured.BLOCKS, Measured.SEEDS})
"""Measures whose thresholds are counts and not shares."""


class Over(StrEnum):
    """Whose messages are counted together."""

    LANE = "lane"
    CAMPAIGN = "campaign"
    CAMPAIGN_LANE = "campaign_lane"


class Answer(StrEnum):
    """What is done."""

    TELL = "tell"
    SLOW = "slow"
    REST = "rest"
    HALT = "halt"
    PAUSE = "pause"


POSSIBLE: Mapping[Over, frozenset[Answer]] = {
    Over.LANE: frozenset({Answer.TELL, Answer.SLOW, Answer.REST}),
    Over.CAMPAIGN: frozenset({Answer.TELL, Answer.PAUSE}),
    Over.CAMPAIGN_LANE: frozenset(Answer),
}
"""What can be done to whom."""
WHAT_FITS: Mapping[Measured, frozenset[Over]] = {
    Measured.HARD: frozenset(Over),
    Measured.COMPLAINTS: frozenset(Over),
    Measured.DEFERRALS: frozenset(Over),
    Measured.BLOCKS: frozenset(Over),
    Measured.SEEDS: frozenset({Over.CAMPAIGN_LANE}),
}


@dataclass(frozen=True, slots=True)
class Step:
    """What is done, and for how long; `span` None: until a person lets it go on."""

    answer: Answer
    span: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Breaker:
    """One line of the table."""

    name: str
    measure: Measured
    over: Over
    amber: float
    red: float
    when_amber: Step
    when_red: Step
    within: timedelta = timedelta(days=1)
    last: int = 0
    fewest: int = 1
    volume: int = 1
    floor: int = 1
    red_share: float = 0.0
    at_once: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class BreakerTable:
    """All breakers, and what concerns them all."""

    breakers: tuple[Breaker, ...]
    tell_only: frozenset[str]
    tell_rests_from: timedelta
    version: str

    @property
    def longest(self) -> timedelta:
        """How far back any of them looks."""
        return max((one.within for one in self.breakers), default=timedelta(0))


class _InForce:
    table: BreakerTable | None = None
    file: Path | None = None
    stamp: tuple[int, int] | None = None


def breakers_in_force() -> BreakerTable:
    """The breakers of this process."""
    return _InForce.table or shipped_breakers()


def use_breakers(file: Path | None) -> None:
    """Follow an installation's own file over the shipped one; RulesError when it is wrong."""
    _InForce.file, _InForce.stamp, _InForce.table = file, None, None
    refresh_breakers()


def refresh_breakers() -> bool:
    """Read the own file again if it changed; whether it did. RulesError once for each wrong change."""
    file = _InForce.file
    stamp = stamp_of(file) if file is not None else None
    if stamp == _InForce.stamp:
        return False
    _InForce.stamp = stamp
    _InForce.table = read_breakers(file) if file is not None and stamp is not None else None
    return True


@cache
def shipped_breakers() -> BreakerTable:
    """The breakers as they come with this version."""
    return _table(_shipped())


def _shipped() -> dict[str, Any]:
    text = (resources.files("deliverability") / "rules" / OWN_BREAKERS).read_text(encoding="utf-8")
    return tomllib.loads(text)


def read_breakers(file: Path) -> BreakerTable:
    """The shipped breakers with an installation's own over them; RulesError says in a line what is wrong."""
    try:
        own = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RulesError(f"{file}: {error}.", "Mend it; until then the breakers before it hold.") from error
    try:
        return _table(_laid_over(_shipped(), own))
    except RulesError as error:
        raise RulesError(f"{file}: {error.problem}", error.advice) from error


def _laid_over(table: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    if unknown := set(own) - set(table):
        raise RulesError(f"unknown: {', '.join(sorted(unknown))}.", f"Known: {', '.join(sorted(table))}.")
    rows = {row["id"]: row for row in table["breakers"]}
    changes = own.get("breakers", [])
    if not isinstance(changes, list):
        raise RulesError("breakers is no list.", "Write [[breakers]], once for each.")
    for row in changes:
        name = row.get("id") if isinstance(row, dict) else None
        if not isinstance(name, str):
            raise RulesError("a breaker without an id.", "Give it a name of its own, or a shipped one's.")
        if row.get("off") is True:
            rows.pop(name, None)
        else:
            rows[name] = {**rows.get(name, {}), **row}
    version = f"{table['version']}+{own.get('version', 'own')}"
    return {**table, **own, "breakers": list(rows.values()), "version": version}


def _table(table: Mapping[str, Any]) -> BreakerTable:
    breakers = tuple(_breaker(row) for row in table["breakers"])
    seen: dict[tuple[Measured, Over], str] = {}
    for one in breakers:
        if (other := seen.setdefault((one.measure, one.over), one.name)) != one.name:
            raise RulesError(
                f"{one.name} and {other} both measure {one.measure} over a {one.over}.", "Keep one of them."
            )
    try:
        rests = read_span(table["tell_rests_from"])
    except ValueError as error:
        raise RulesError(f"tell_rests_from: {error}.") from error
    tell_only = table["tell_only"]
    if not isinstance(tell_only, list) or not all(isinstance(one, str) for one in tell_only):
        raise RulesError("tell_only is no list of providers.", 'Write ["other"].')
    return BreakerTable(breakers, frozenset(tell_only), rests, str(table["version"]))


_KEYS = frozenset(
    {"id", "off", "measure", "over", "last", "within", "amber", "red", "red_share", "fewest", "volume"}
    | {"floor", "at_once", "when_amber", "when_red"}
)


def _breaker(row: Mapping[str, Any]) -> Breaker:
    where = f"breaker {row.get('id')}"
    if unknown := set(row) - _KEYS:
        raise RulesError(
            f"{where}: unknown: {', '.join(sorted(unknown))}.", f"Known: {', '.join(sorted(_KEYS))}."
        )
    try:
        read = Breaker(
            name=row["id"],
            measure=_one_of(Measured, row["measure"]),
            over=_one_of(Over, row["over"]),
            amber=float(row["amber"]),
            red=float(row["red"]),
            when_amber=_step(row["when_amber"]),
            when_red=_step(row["when_red"]),
            within=read_span(row.get("within", "1d")),
            last=_count(row, "last", 0),
            fewest=_count(row, "fewest", 1),
            volume=_count(row, "volume", 1),
            floor=_count(row, "floor", row.get("volume", 1)),
            red_share=float(row.get("red_share", 0.0)),
            at_once=re.compile(row["at_once"]) if "at_once" in row else None,
        )
        _require_sense(read)
    except KeyError as error:
        raise RulesError(f"{where}: {error.args[0]} is missing.") from error
    except re.error as error:
        raise RulesError(f"{where}: at_once is no pattern: {error}.") from error
    except (ValueError, TypeError) as error:
        raise RulesError(f"{where}: {error}.") from error
    return read


def _require_sense(read: Breaker) -> None:
    """ValueError for what could never work."""
    if read.over not in WHAT_FITS[read.measure]:
        raise ValueError(f"{read.measure} cannot be measured over a {read.over}")
    for step in (read.when_amber, read.when_red):
        if step.answer not in POSSIBLE[read.over]:
            raise ValueError(f"{step.answer} cannot be done to a {read.over}")
    if not 0 < read.amber <= read.red:
        raise ValueError(f"amber {read.amber:g} and red {read.red:g}: amber is above 0 and not above red")
    if read.measure not in COUNTED and read.red > 1:
        raise ValueError(f"red {read.red:g} is no share: write 0.05 for 5 %")
    if read.last and (read.over is not Over.CAMPAIGN or read.measure in COUNTED):
        raise ValueError("last is for shares of a campaign")


def _step(row: Any) -> Step:
    if not isinstance(row, dict) or "do" not in row or set(row) - {"do", "for"}:
        raise ValueError(f'{row!r} says not what to do: write {{ do = "rest", for = "12h" }}')
    answer = _one_of(Answer, row["do"])
    if answer is Answer.REST and "for" not in row:
        raise ValueError("a rest needs its time: for")
    if answer in {Answer.TELL, Answer.SLOW, Answer.PAUSE} and "for" in row:
        raise ValueError(f"{answer} takes no time")
    return Step(answer, read_span(row["for"]) if "for" in row else None)


def _count(row: Mapping[str, Any], key: str, default: int) -> int:
    value = row.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{key} {value!r} is no number of messages")
    return value


def _one_of(words: type[WordT], word: Any) -> WordT:
    if word not in set(words):
        raise ValueError(f"{word!r} is none of {', '.join(words)}")
    return words(word)
