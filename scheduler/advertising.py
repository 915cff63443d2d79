"""Whether a political campaign chooses people, or what they read, by what is known of them. Pure.

Regulation (EU) 2024/900, article 18: whoever is chosen so must have agreed to that, apart from any other
consent, and be old enough. A message to the whole list that is the same for everybody rests on subscription
alone, and is exempt (article 18(3)). In doubt a campaign counts as targeted.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from models.identity import Identity, TerritoryKind
from models.segment_tree import And, Clause, Node, Not, Or, clauses_of
from models.states import IdentityRule, Nature
from scheduler.sensitive import category_of

__all__ = ["Advertising", "Choice", "ChosenBy", "advertising_of"]

PLACE: Final = frozenset(
    {"commune", "canton", "postcode", "departement", "region", "circonscription", "polling_station"}
)
SUBSCRIPTION: Final = frozenset({"everyone", "consent.email", "consent.sms", "has.email", "has.phone"})
"""What is asked of everybody anyway: that they agreed to be written to, and can be."""
_PROTECTED: Final = ("tag", "level")
_ATTRIBUTE: Final = "attr."


class ChosenBy(StrEnum):
    """What of a campaign makes a choice by people's data.

    INCLUDED: a segment that is not the whole list. EXCLUDED: a segment that is kept out. SENDER: each
    gets the identity of where they live. MESSAGE: conditions or loops of the template.
    """

    INCLUDED = "included"
    EXCLUDED = "excluded"
    SENDER = "sender"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice, and the fields it looks at, as segments and templates call them."""

    by: ChosenBy
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Advertising:
    """What a campaign is to the rules of political advertising.

    `bound`: whether they concern it. `choices`: what makes it targeted; empty: nothing does. `sensitive`:
    parts of rules that ask for what nobody may be chosen by, agreed or not.
    """

    bound: bool = False
    choices: tuple[Choice, ...] = ()
    sensitive: tuple[str, ...] = ()

    @property
    def targeted(self) -> bool:
        """Whether it may go only to those who agreed to be chosen."""
        return self.bound and bool(self.choices)

    @property
    def exempt(self) -> bool:
        """Whether it is the same message to the whole list."""
        return self.bound and not self.choices


UNBOUND: Final = Advertising()


def advertising_of(
    *,
    nature: Nature,
    include: Sequence[Node],
    exclude: Sequence[Node],
    rule: IdentityRule,
    identities: Iterable[Identity],
    deciding: Collection[str],
    place_is_free: bool = False,
) -> Advertising:
    """What a campaign is, from its parts; what is not POLITICAL is not bound, whatever it is for.

    `deciding`: the merge fields by which some read something else than others. `place_is_free`: where people
    live is not counted as a choice.
    """
    if nature is not Nature.POLITICAL:
        return UNBOUND
    fields = {
        ChosenBy.INCLUDED: _chosen_by_any(include),
        ChosenBy.EXCLUDED: {field for tree in exclude for field in _fields_in(tree)},
        ChosenBy.SENDER: _territories(rule, identities),
        ChosenBy.MESSAGE: set(deciding),
    }
    free = PLACE if place_is_free else frozenset[str]()
    choices = ((by, tuple(sorted(found - free))) for by, found in fields.items())
    return Advertising(
        bound=True,
        choices=tuple(Choice(by, found) for by, found in choices if found),
        sensitive=tuple(_sensitive_parts([*include, *exclude], deciding)),
    )


def _chosen_by_any(trees: Sequence[Node]) -> set[str]:
    """The fields by which the people of these segments together are chosen; none: they are everybody."""
    found = [_chosen_by(tree) for tree in trees]
    return set() if any(not fields for fields in found) else set().union(*found)


def _chosen_by(tree: Node) -> set[str]:
    match tree:
        case Clause():
            return _fields_in(tree)
        case And(children):
            return set().union(*(_chosen_by(child) for child in children))
        case Or(children):
            return _chosen_by_any(children)
        case Not(child):
            return _fields_in(child)
        case _:
            assert_never(tree)


def _fields_in(tree: Node) -> set[str]:
    return {field for clause in clauses_of(tree) for field in _asked(clause)} - SUBSCRIPTION


def _asked(clause: Clause) -> Iterator[str]:
    """What a clause asks for: `has:phone` is `has.phone`, and `has:commune` asks for the commune."""
    if clause.field != "has":
        yield clause.field
        return
    for value in clause.values:
        yield f"has.{value}" if f"has.{value}" in SUBSCRIPTION else value


def _territories(rule: IdentityRule, identities: Iterable[Identity]) -> set[str]:
    """Chance, which shares people out among identities in turn, looks at nobody's data."""
    if rule is not IdentityRule.TERRITORY:
        return set()
    kinds = {identity.territory for identity in identities} - {TerritoryKind.NATIONAL}
    return {kind.value for kind in kinds}


def _sensitive_parts(trees: Iterable[Node], deciding: Collection[str]) -> Iterator[str]:
    """Each part once, as a segment writes it."""
    clauses = [clause for tree in trees for clause in clauses_of(tree)]
    parts = [part for clause in clauses for part in _parts(clause)]
    told = [*parts, *((field, field) for field in sorted(deciding))]
    yield from dict.fromkeys(shown for text, shown in told if category_of(text) is not None)


def _parts(clause: Clause) -> Iterator[tuple[str, str]]:
    """What may tell something of a person, and how it is written in the rule."""
    if clause.field == "has":
        yield from ((value, f"has:{value}") for value in clause.values if value.startswith(_ATTRIBUTE))
        return
    if clause.field.startswith(_ATTRIBUTE):
        name = clause.field.removeprefix(_ATTRIBUTE)
        yield name, clause.field
    elif clause.field not in _PROTECTED:
        return
    yield from ((value, f"{clause.field}:{value}") for value in clause.values)
