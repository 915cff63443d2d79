"""What would have followed from the answers of the past by other rules: how often a scope had been slowed.

The answers are those that mail servers gave to us; what came back later slows nobody. Counted is how often
each reaction had begun: one that is in force is not begun again. What the answers would have been after that,
nobody knows; and a reaction that depends on a share of the answers, or on how slow it is already, is counted
as if that were so (`at_most`).
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from deliverability.rulebook import Deed, Reaction, RuleBook, Scope
from models.states import Fault
from models.values import Verdict
from store.outcomes import SOURCE
from store.replies import Said

FIRST_REST: Final = timedelta(minutes=15)
"""A rest that no rule measures, the first time; each further one is longer."""
A_PACE: Final = timedelta(seconds=10)
"""Answers so close to one another were given to messages that left at one pace: it is halved once."""
OF_ONE_MESSAGE: Final = frozenset({Deed.WAIT, Deed.REFUSE})
WITHOUT_SCOPE: Final = OF_ONE_MESSAGE | {Deed.HOLD_CAMPAIGN}
"""Whose scope says nothing: they are about a message, or a campaign."""


@dataclass(frozen=True, slots=True)
class Consequence:
    """How often a `deed` had been done to a `scope` for answers of a provider: `before`, and `after`.

    `span`: for so long, None where it grows or has no end. Of WAIT and REFUSE messages are counted.
    `rules`: by which most of them. `at_most`: some depend on what is not known any more.
    """

    provider: str
    deed: Deed
    scope: Scope
    span: timedelta | None
    before: int
    after: int
    rules: tuple[str, ...]
    at_most: bool = False


@dataclass(frozen=True, slots=True)
class _Kind:
    provider: str
    reaction: Reaction
    rule: str
    key: str


@dataclass(slots=True)
class Consequences:
    """Takes note of answers, newest first, and says what followed by two sets of rules.

    `domains`: what each identity signs with, by its number.
    """

    so_far: RuleBook
    book: RuleBook
    domains: Mapping[int, str]
    _moments: "tuple[dict[_Kind, array[float]], dict[_Kind, array[float]]]" = field(
        default_factory=lambda: (defaultdict(lambda: array("d")), defaultdict(lambda: array("d")))
    )

    def note(self, said: Said, before: Verdict, after: Verdict) -> None:
        """One answer, as it was read and as it would be."""
        if said.source != SOURCE:
            return
        for moments, book, verdict in zip(
            self._moments, (self.so_far, self.book), (before, after), strict=True
        ):
            if verdict.fault is Fault.RELAY:
                continue
            rule = verdict.rule or verdict.bounce_class.value
            for reaction in book.reactions_to(verdict):
                kind = _Kind(said.provider, reaction, rule, self._whom(reaction, said))
                moments[kind].append(said.at.timestamp())

    def changes(self) -> tuple[Consequence, ...]:
        """What would follow more often or less often, the gravest differences first."""
        before, after = (_count(moments) for moments in self._moments)
        found = []
        for place in before.keys() | after.keys():
            old, new = sum(before[place].values()), sum(after[place].values())
            if old == new:
                continue
            rules = (before[place] | after[place]).most_common()
            names = tuple(dict.fromkeys(kind.rule for kind, _ in rules))
            open_ones = any(kind.reaction.share or kind.reaction.below < 1.0 for kind, _ in rules)
            found.append(Consequence(*place, old, new, names, open_ones))
        return tuple(sorted(found, key=lambda one: (-abs(one.after - one.before), one.provider, one.deed)))

    def _whom(self, reaction: Reaction, said: Said) -> str:
        """What tells scopes of one kind from each other; of one provider's, since those are told apart."""
        if reaction.deed in OF_ONE_MESSAGE:
            return ""
        if reaction.deed is Deed.HOLD_CAMPAIGN:
            return f"campaign:{said.campaign_id}"
        match reaction.scope:
            case Scope.LANE | Scope.IDENTITY:
                return f"{said.identity_id}"
            case Scope.DOMAIN:
                return self.domains.get(said.identity_id or 0, "")
            case Scope.PROVIDER | Scope.RELAY:
                return ""


_Place = tuple[str, Deed, Scope, timedelta | None]


def _count(moments: Mapping[_Kind, Iterable[float]]) -> defaultdict[_Place, Counter[_Kind]]:
    """How often each reaction had begun."""
    found: defaultdict[_Place, Counter[_Kind]] = defaultdict(Counter)
    for kind, times in moments.items():
        begun = begins(kind.reaction, sorted(times))
        if begun:
            one = kind.reaction
            found[kind.provider, one.deed, one.scope, one.span][kind] = begun
    return found


def begins(reaction: Reaction, times: Iterable[float]) -> int:
    """How often a reaction begins when it is called for at these moments (seconds, in order)."""
    if reaction.deed in OF_ONE_MESSAGE:
        return sum(1 for _ in times)
    lasts, within = _lasts(reaction), reaction.within.total_seconds()
    begun, seen = 0, 0
    since, busy_until = float("-inf"), float("-inf")
    for at in times:
        if at < busy_until:
            continue
        if at - since >= within:
            since, seen = at, 0
        seen += 1
        if seen >= reaction.after:
            begun += 1
            busy_until = at + lasts
    return begun


def _lasts(reaction: Reaction) -> float:
    match reaction.deed:
        case Deed.HOLD_CAMPAIGN:
            return float("inf")
        case Deed.SLOW:
            return A_PACE.total_seconds()
        case _:
            return (reaction.span or FIRST_REST).total_seconds()
