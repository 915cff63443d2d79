"""The table by which replies are read and what follows from each: data, shipped and one's own.

The shipped files (`rules/*.toml`) are asked in the order of `RULE_FILES`: what a provider's own words mean
comes before what its status would mean anywhere else. An installation's own file comes before all of
them. A rule in it that has the name of a shipped one takes its place; with `reactions` alone it changes
what follows and leaves the reading as it is. `rules/reactions.toml` says what follows by class, for rules
that say nothing themselves.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from models.errors import BadInputError
from models.states import BounceClass, Channel, Fault, Permanence
from models.values import Reply, Verdict

RULE_FILES = ("twilio", "france", "webmail", "words", "status")
OWN_FILE = "rules.toml"
"""The installation's own file, in its data directory."""
WordT = TypeVar("WordT", bound=StrEnum)
_LONGEST_TEXT = 2000
_CAPITAL = re.compile(r"(?<!\\)(?:\\\\)*[^\W\d_a-z]+")
_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_RULE_KEYS = frozenset(
    {"id", "class", "fault", "permanence", "channel", "providers", "codes", "code_range", "enhanced"}
    | {"not_enhanced", "text", "temporary", "proven", "reactions"}
)
_REACTION_KEYS = frozenset(
    {"do", "scope", "for", "after", "within", "share", "per_minute", "step_up", "below"}
)


class RulesError(BadInputError):
    """A rule that cannot be used, in one line."""


class Deed(StrEnum):
    """What a reply makes us do.

    WAIT: this message alone. SLOW: half the rate. CRAWL: `per_minute` messages over one connection.
    ONE_CONNECTION for a time. SUSPEND: nothing leaves; then one connection finds out, and with `step_up`
    connections are added one at a time. HOLD_CAMPAIGN: it waits for a person. REFUSE: not tried again.
    """

    WAIT = "wait"
    SLOW = "slow"
    CRAWL = "crawl"
    ONE_CONNECTION = "one_connection"
    SUSPEND = "suspend"
    HOLD_CAMPAIGN = "hold_campaign"
    REFUSE = "refuse"


class Scope(StrEnum):
    """Whom it concerns. LANE: this identity at this provider; DOMAIN: its DKIM domain at this provider."""

    LANE = "lane"
    PROVIDER = "provider"
    IDENTITY = "identity"
    DOMAIN = "domain"
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Reaction:
    """One thing that follows. `span` None: a growing time (SUSPEND), or until somebody acts.

    It happens at the `after`-th such reply `within` a time; `share`: and only when at least that part of
    the campaign's messages to the provider met with it; `below`: and only when the pace is already
    slowed to less than that part: slowing does not help.
    """

    deed: Deed
    scope: Scope = Scope.LANE
    span: timedelta | None = None
    after: int = 1
    within: timedelta = timedelta(hours=1)
    share: float = 0.0
    per_minute: float = 1.0
    step_up: bool = False
    below: float = 1.0


def as_it_can_be_done(reaction: Reaction, *, shares_relay: bool) -> Reaction:
    """A relay's connections carry mail for all: where one has too many of ours it gets less mail instead."""
    if reaction.deed is Deed.ONE_CONNECTION and shares_relay:
        return Reaction(Deed.SLOW, Scope.RELAY)
    return reaction


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table: every condition that is set must hold.

    `text` is searched without regard to case, `enhanced` must match the whole status; `not_enhanced` is
    a status that speaks louder than the words. `temporary`: only for replies that may be tried again.
    `reactions` None: those of its class.
    """

    name: str
    verdict_class: BounceClass
    fault: Fault
    permanence: Permanence | None
    channel: Channel
    providers: frozenset[str]
    codes: frozenset[int]
    code_range: tuple[int, int] | None
    enhanced: re.Pattern[str] | None
    not_enhanced: re.Pattern[str] | None
    text: re.Pattern[str] | None
    temporary: bool
    proven: bool
    reactions: tuple[Reaction, ...] | None = None

    def fits(self, reply: Reply, words: str, *, provider: str, channel: Channel, permanent: bool) -> bool:
        """Whether this rule speaks of such a reply; `words`: its text as rules are held against it."""
        status = reply.enhanced or ""
        return (
            self.channel is channel
            and (not self.providers or provider in self.providers)
            and (not self.codes or reply.code in self.codes)
            and (self.code_range is None or _within(reply.code, self.code_range))
            and not (self.temporary and permanent)
            and (self.enhanced is None or self.enhanced.fullmatch(status) is not None)
            and (self.not_enhanced is None or self.not_enhanced.fullmatch(status) is None)
            and (self.text is None or self.text.search(words) is not None)
        )


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Every rule in the order in which it is asked, and what follows from each class."""

    rules: tuple[Rule, ...]
    by_class: Mapping[BounceClass, tuple[Reaction, ...]]
    version: str

    def reactions_to(self, verdict: Verdict) -> tuple[Reaction, ...]:
        """What follows from a reply that was read so."""
        rule = self.find(verdict.rule)
        if rule is not None and rule.reactions is not None:
            return rule.reactions
        return self.by_class.get(verdict.bounce_class, ())

    def rule_for(self, reply: Reply, *, provider: str, channel: Channel, permanent: bool) -> Rule | None:
        """The first rule that speaks of such a reply."""
        words = reply.text[:_LONGEST_TEXT].lower()
        for rule in self.rules:
            if rule.fits(reply, words, provider=provider, channel=channel, permanent=permanent):
                return rule
        return None

    def find(self, name: str) -> Rule | None:
        """The rule of that name."""
        return next((rule for rule in self.rules if rule.name == name), None) if name else None


@cache
def shipped() -> RuleBook:
    """The table as it comes with this version."""
    rows = _shipped_rows()
    reactions = tomllib.loads(_shipped_text("reactions"))
    by_class = {
        BounceClass(row["class"]): _reactions(row["reactions"], f"class {row['class']}")
        for row in reactions["classes"]
    }
    return RuleBook(tuple(_rule(row) for row in rows), by_class, str(reactions["version"]))


def stamp_of(file: Path) -> tuple[int, int] | None:
    """What tells an own file that was changed from one that was not; None when it is not there."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def read_rules(file: Path) -> RuleBook:
    """The shipped table with an installation's own rules over it. RulesError says which one is wrong."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RulesError(f"There is no file {file}.", "Look where it is, and name it anew.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RulesError(f"{file}: {error}.", "Mend it; until then the rules before it hold.") from error
    base = shipped()
    if unknown := set(table) - {"rules", "classes", "version"}:
        raise RulesError(f"{file}: unknown: {', '.join(sorted(unknown))}.", "Write [[rules]] or [[classes]].")
    try:
        own, amended = _own_rules(table.get("rules", []), base)
        by_class = dict(base.by_class)
        for row in table.get("classes", []):
            by_class[_one_of(BounceClass, row["class"])] = _reactions(
                row["reactions"], f"class {row['class']}"
            )
    except RulesError as error:
        raise RulesError(f"{file}: {error.problem}", error.advice) from error
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise RulesError(f"{file}: a [[classes]] entry cannot be read: {error}.") from error
    replaced = {rule.name for rule in own}
    rest = [amended.get(rule.name, rule) for rule in base.rules if rule.name not in replaced]
    return RuleBook((*own, *rest), by_class, f"{base.version}+{table.get('version', 'own')}")


def _own_rules(rows: Sequence[dict[str, Any]], base: RuleBook) -> tuple[list[Rule], dict[str, Rule]]:
    """New rules in their order, and shipped ones whose reactions change."""
    shipped_rows = {row["id"]: row for row in _shipped_rows()}
    own: list[Rule] = []
    amended: dict[str, Rule] = {}
    for place, row in enumerate(rows, start=1):
        name = row.get("id", "")
        if set(row) == {"id", "reactions"} and base.find(name) is not None:
            amended[name] = _rule({**shipped_rows[name], "reactions": row["reactions"]})
        else:
            own.append(_rule(row, place))
    return own, amended


def _shipped_text(name: str) -> str:
    return (resources.files("deliverability") / "rules" / f"{name}.toml").read_text(encoding="utf-8")


@cache
def _shipped_rows() -> tuple[dict[str, Any], ...]:
    return tuple(row for name in RULE_FILES for row in tomllib.loads(_shipped_text(name))["rules"])


def _rule(row: dict[str, Any], place: int = 0) -> Rule:
    """One row of a file as a rule; RulesError says what is wrong with which."""
    where = f"rule {place} ({row.get('id', 'without an id')})" if place else f"rule {row.get('id')}"
    if unknown := set(row) - _RULE_KEYS:
        raise RulesError(f"{where}: unknown: {', '.join(sorted(unknown))}.", _known(_RULE_KEYS))
    try:
        code_range = row.get("code_range")
        return Rule(
            name=row["id"],
            verdict_class=_one_of(BounceClass, row["class"]),
            fault=_one_of(Fault, row["fault"]),
            permanence=_one_of(Permanence, row["permanence"]) if "permanence" in row else None,
            channel=Channel(row.get("channel", "email")),
            providers=frozenset(row.get("providers", ())),
            codes=frozenset(row.get("codes", ())),
            code_range=(code_range[0], code_range[1]) if code_range else None,
            enhanced=_pattern(row.get("enhanced")),
            not_enhanced=_pattern(row.get("not_enhanced")),
            text=_lower_pattern(row.get("text")),
            temporary=row.get("temporary", False),
            proven=row.get("proven", False),
            reactions=_reactions(row["reactions"], where) if "reactions" in row else None,
        )
    except KeyError as error:
        raise RulesError(f"{where}: {error.args[0]} is missing.") from error
    except re.error as error:
        raise RulesError(f"{where}: a pattern cannot be read: {error}.") from error
    except (ValueError, TypeError) as error:
        raise RulesError(f"{where}: {error}.") from error


def _one_of(words: type[WordT], word: Any) -> WordT:
    if word not in set(words):
        raise ValueError(f"{word!r} is none of {', '.join(words)}")
    return words(word)


def _reactions(rows: Sequence[dict[str, Any]], where: str) -> tuple[Reaction, ...]:
    return tuple(_reaction(row, where) for row in rows)


def _reaction(row: dict[str, Any], where: str) -> Reaction:
    if unknown := set(row) - _REACTION_KEYS:
        raise RulesError(
            f"{where}: unknown in a reaction: {', '.join(sorted(unknown))}.", _known(_REACTION_KEYS)
        )
    try:
        return Reaction(
            deed=_one_of(Deed, row["do"]),
            scope=_one_of(Scope, row.get("scope", "lane")),
            span=read_span(row["for"]) if "for" in row else None,
            after=int(row.get("after", 1)),
            within=read_span(row.get("within", "1h")),
            share=float(row.get("share", 0.0)),
            per_minute=float(row.get("per_minute", 1.0)),
            step_up=bool(row.get("step_up", False)),
            below=float(row.get("below", 1.0)),
        )
    except KeyError as error:
        raise RulesError(f"{where}: a reaction without `do`.") from error
    except (ValueError, TypeError) as error:
        raise RulesError(f"{where}: {error}.") from error


def read_span(text: str) -> timedelta:
    """`90m`, `2h5m`, `1d` as a time. ValueError for anything else."""
    found = _SPAN.fullmatch(str(text))
    if found is None or not any(found.groups()):
        raise ValueError(f"{text!r} is no time: write it like 90m, 2h5m or 1d")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def write_span(span: timedelta) -> str:
    """A time as `read_span` reads it: `1h30m`."""
    seconds, parts = int(span.total_seconds()), ""
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        parts += f"{count}{unit}" if count else ""
    return parts or "0s"


def _known(keys: frozenset[str]) -> str:
    return f"Known: {', '.join(sorted(keys))}."


def _pattern(text: str | None) -> re.Pattern[str] | None:
    return None if text is None else re.compile(text, re.IGNORECASE)


def _lower_pattern(text: str | None) -> re.Pattern[str] | None:
    """A pattern for text in lower case: searched three times as fast as one that ignores case."""
    if text is None:
        return None
    re.compile(text)  # what is wrong with it is told in the words it was written in
    return re.compile(_CAPITAL.sub(lambda found: found[0].lower(), text))


def _within(code: int | None, bounds: tuple[int, int]) -> bool:
    return code is not None and bounds[0] <= code <= bounds[1]
