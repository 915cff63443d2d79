"""What would have followed from the answers of the past by other rules: how often a scope had been slowed.

The answers are those that mail servers gave to us; what came back later slows nobody. Counted is how often
each reaction had begun: one that is in force is not begun again. What the answers would have been after that,
nobody knows; and a reaction that depends on a share of the answers, or on how slow it is already, is counted
as if that were so (`at_most`).
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from deliverability.rulebook import Deed, Reaction, RuleBook, Scope, as_it_can_be_done
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

EVERYWHERE: Final = frozenset({Scope.RELAY, Scope.IDENTITY})
"""What is not one provider's: whichever calls for it first, it holds for all."""
PERMANENT: Final = 500
"""From this code on a server's answer is final (RFC 5321, 4.2.1)."""


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
class Call:
    """What one kind of answer calls for: a reaction by a rule, for answers of a provider, upon `whom`."""

    provider: str
    reaction: Reaction
    rule: str
    whom: str = ""

    @property
    def place(self) -> tuple[object, ...]:
        """What is in force for all calls that have it in common."""
        one = self.reaction
        everywhere = one.scope in EVERYWHERE and one.deed is not Deed.HOLD_CAMPAIGN
        return one.deed, one.scope, self.whom, "" if everywhere else self.provider


@dataclass(slots=True)
class Consequences:
    """Takes note of answers, newest first, and says what followed by two sets of rules.

    `domains`: what each identity signs with, by its number. `routes`: the providers that have a server of
    their own in place of the relay.
    """

    so_far: RuleBook
    book: RuleBook
    domains: Mapping[int, str]
    routes: Collection[str] = ()
    _moments: "tuple[dict[Call, array[float]], dict[Call, array[float]]]" = field(
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
            for reaction in self._carried_out(book.reactions_to(verdict), said):
                moments[Call(said.provider, reaction, rule, self._whom(reaction, said))].append(
                    said.at.timestamp()
                )

    def changes(self) -> tuple[Consequence, ...]:
        """What would follow more often or less often, the gravest differences first."""
        before, after = (_by_place(begun(moments)) for moments in self._moments)
        found = []
        for place in before.keys() | after.keys():
            old, new = sum(before[place].values()), sum(after[place].values())
            if old == new:
                continue
            calls = (before[place] | after[place]).most_common()
            names = tuple(dict.fromkeys(call.rule for call, _ in calls))
            open_ones = any(call.reaction.share or call.reaction.below < 1.0 for call, _ in calls)
            found.append(Consequence(*place, old, new, names, open_ones))
        return tuple(sorted(found, key=lambda one: (-abs(one.after - one.before), one.provider, one.deed)))

    def _carried_out(self, reactions: Iterable[Reaction], said: Said) -> Iterator[Reaction]:
        """Those of an answer's reactions that come to something: as the sender carries them out."""
        final = said.code is not None and said.code >= PERMANENT
        settled = False
        for reaction in reactions:
            if reaction.deed not in OF_ONE_MESSAGE:
                yield as_it_can_be_done(reaction, shares_relay=said.provider not in self.routes)
            elif not (final or settled) and (reaction.deed is Deed.REFUSE or reaction.span is not None):
                settled = True
                yield reaction

    def _whom(self, reaction: Reaction, said: Said) -> str:
        """What tells the scopes of one kind from each other, beside the provider."""
        if reaction.deed in OF_ONE_MESSAGE:
            return ""
        if reaction.deed is Deed.HOLD_CAMPAIGN:
            return f"campaign:{said.campaign_id}"
        match reaction.scope:
            case Scope.LANE | Scope.IDENTITY:
                return f"{said.identity_id}"
            case Scope.DOMAIN:
                return self.domains.get(said.identity_id or 0, "") or f"{said.identity_id}"
            case Scope.PROVIDER | Scope.RELAY:
                return said.channel.value


_Place = tuple[str, Deed, Scope, timedelta | None]


def _by_place(found: Mapping[Call, int]) -> defaultdict[_Place, Counter[Call]]:
    """As they are told: by provider, deed, scope and time."""
    told: defaultdict[_Place, Counter[Call]] = defaultdict(Counter)
    for call, count in found.items():
        one = call.reaction
        told[call.provider, one.deed, one.scope, one.span][call] = count
    return told


def begun(moments: Mapping[Call, Iterable[float]]) -> Counter[Call]:
    """How often each was begun, when it was called for at these moments (seconds, in any order).

    What is in force is not begun again, whichever rule or provider calls for it.
    """
    found: Counter[Call] = Counter()
    together: defaultdict[tuple[object, ...], list[tuple[float, Call]]] = defaultdict(list)
    for call, times in moments.items():
        if call.reaction.deed in OF_ONE_MESSAGE:
            found[call] = sum(1 for _ in times)
        else:
            together[call.place] += [(at, call) for at in times]
    for calls in together.values():
        found += _begun_at_one_place(sorted(calls, key=lambda one: one[0]))
    return found


def _begun_at_one_place(calls: Iterable[tuple[float, Call]]) -> Counter[Call]:
    found: Counter[Call] = Counter()
    seen: dict[Call, tuple[float, int]] = {}
    busy_until = float("-inf")
    for at, call in calls:
        if at < busy_until:
            continue
        since, count = seen.get(call, (at, 0))
        if at - since >= call.reaction.within.total_seconds():
            since, count = at, 0
        seen[call] = since, count + 1
        if count + 1 >= call.reaction.after:
            found[call] += 1
            busy_until = at + _lasts(call.reaction)
    return found


def _lasts(reaction: Reaction) -> float:
    match reaction.deed:
        case Deed.HOLD_CAMPAIGN:
            return float("inf")
        case Deed.SLOW:
            return A_PACE.total_seconds()
        case _:
            return (reaction.span or FIRST_REST).total_seconds()
