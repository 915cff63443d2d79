"""The rule of a segment as a typed tree: what the text means, what the database keeps, what SQL is made from.

The tree, and not the text, crosses the rooms: `audience.segments` reads and writes the text,
`store.segment_sql` makes the condition, and both agree on the fields and operators listed here.
The JSON form has a version number, so that a rule saved today can be read after the language has grown.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, assert_never

from models.errors import SegmentError
from models.states import ConsentStatus

VERSION: Final = 1
MAXIMUM_DEPTH: Final = 50
MAXIMUM_CLAUSES: Final = 500
MAXIMUM_VALUES: Final = 1000
MAXIMUM_VALUE_LENGTH: Final = 200
MAXIMUM_AGE: Final = 150
LONG_LIST: Final = "Put a tag on the people of a long list."
TOO_DEEP: Final = f"A segment is nested at most {MAXIMUM_DEPTH} deep."


class Operator(StrEnum):
    """How a clause compares. Several values mean: any of them.

    IS: equals. STARTS: begins with. BELOW, AT_MOST, ABOVE, AT_LEAST: order. WITHIN and BEYOND: nearer
    and further in the past than a span of days. EVER: the bare word, with no value.
    """

    IS = "is"
    STARTS = "starts"
    BELOW = "below"
    AT_MOST = "at_most"
    ABOVE = "above"
    AT_LEAST = "at_least"
    WITHIN = "within"
    BEYOND = "beyond"
    EVER = "ever"


_O = Operator
_ORDER: Final = frozenset({_O.BELOW, _O.AT_MOST, _O.ABOVE, _O.AT_LEAST})


class FieldKind(StrEnum):
    """What a field holds, and so how its values are read and compared."""

    TAG = "tag"
    FOLDED = "folded"  # compared without accents, case and hyphens
    CODE = "code"  # compared as it is; the reader of the text brings it to its normal form
    DATE = "date"
    AGE = "age"
    MOMENT = "moment"
    ATTRIBUTE = "attribute"
    PRESENCE = "presence"
    CONSENT = "consent"
    ENGAGEMENT = "engagement"
    INTERACTION = "interaction"
    EVERYONE = "everyone"


OPERATORS: Final[Mapping[FieldKind, frozenset[Operator]]] = MappingProxyType(
    {
        FieldKind.TAG: frozenset({_O.IS, _O.STARTS}),
        FieldKind.FOLDED: frozenset({_O.IS, _O.STARTS}),
        FieldKind.CODE: frozenset({_O.IS, _O.STARTS}),
        FieldKind.DATE: _ORDER | {_O.IS},
        FieldKind.AGE: _ORDER | {_O.IS},
        FieldKind.MOMENT: _ORDER | {_O.WITHIN, _O.BEYOND},
        FieldKind.ATTRIBUTE: _ORDER | {_O.IS, _O.STARTS},
        FieldKind.PRESENCE: frozenset({_O.IS}),
        FieldKind.CONSENT: frozenset({_O.IS}),
        FieldKind.ENGAGEMENT: frozenset({_O.EVER, _O.IS, _O.WITHIN}),
        FieldKind.INTERACTION: frozenset({_O.EVER, _O.IS, _O.STARTS, _O.WITHIN}),
        FieldKind.EVERYONE: frozenset({_O.EVER}),
    }
)

_WAYS: Final = {
    Operator.EVER: "",
    Operator.IS: ":value",
    Operator.STARTS: ":val*",
    Operator.BELOW: "<value",
    Operator.ABOVE: ">value",
    Operator.WITHIN: "<30d",
    Operator.BEYOND: ">30d",
}

_K = FieldKind
FIELDS: Final[Mapping[str, FieldKind]] = MappingProxyType(
    {
        "tag": _K.TAG,
        **dict.fromkeys(("level", "commune", "canton"), _K.FOLDED),
        **dict.fromkeys(("postcode", "departement", "region", "circonscription", "polling_station"), _K.CODE),
        **dict.fromkeys(("language", "email", "phone", "external_id"), _K.CODE),
        "birth_date": _K.DATE,
        "age": _K.AGE,
        **dict.fromkeys(("created", "updated"), _K.MOMENT),
        "has": _K.PRESENCE,
        **dict.fromkeys(("consent.email", "consent.sms", "consent.targeting"), _K.CONSENT),
        **dict.fromkeys(
            ("received", "opened", "clicked", "replied", "bounced", "complained", "unsubscribed"),
            _K.ENGAGEMENT,
        ),
        "interaction": _K.INTERACTION,
        "everyone": _K.EVERYONE,
    }
)
"""Every field but the free attributes, called `attr.NAME`, and what people did, `interaction.KIND`."""

ATTRIBUTE_PREFIX: Final = "attr."
INTERACTION_PREFIX: Final = "interaction."
PRESENCE_FIELDS: Final = frozenset(
    {"tag", "level", "commune", "canton", "postcode", "departement", "region", "circonscription"}
    | {
        "polling_station",
        "email",
        "phone",
        "external_id",
        "birth_date",
        "first_name",
        "last_name",
        "civility",
    }
)
"""What `has:` may ask for, besides `attr.NAME`."""

_ATTRIBUTE_NAME = re.compile(r"attr\.\w{1,100}\Z")
_INTERACTION_NAME = re.compile(r"interaction\.\w{1,60}\Z")
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?\Z")


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition: any of `values` will do; `field` is one of `FIELDS`, `attr.NAME` or `interaction.KIND`.

    Values are text: dates and moments ISO 8601 dates, spans `30d`, numbers with a point.
    """

    field: str
    operator: Operator
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more."""

    children: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more."""

    children: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """Everybody else, those for whom nothing is known included."""

    child: "Node"


Node = And | Or | Not | Clause


def kind_of(field: str) -> FieldKind:
    """What the field holds; SegmentError for a name that is no field."""
    if field in FIELDS:
        return FIELDS[field]
    if _ATTRIBUTE_NAME.match(field):
        return FieldKind.ATTRIBUTE
    if _INTERACTION_NAME.match(field):
        return FieldKind.INTERACTION
    raise SegmentError(f"A segment knows no field “{field}”.")


def clauses_of(node: Node) -> Iterator[Clause]:
    """Every clause of the tree, from left to right."""
    match node:
        case Clause():
            yield node
        case Not(child):
            yield from clauses_of(child)
        case And(children) | Or(children):
            for child in children:
                yield from clauses_of(child)
        case _:
            assert_never(node)


def check_tree(node: Node) -> None:
    """Raise SegmentError unless the tree is well formed and within the limits of size and depth."""
    _check_depth(node, 1)
    count = values = 0
    for clause in clauses_of(node):
        check_clause(clause)
        count += 1
        values += len(clause.values)
    if count > MAXIMUM_CLAUSES:
        raise SegmentError(
            f"A segment has at most {MAXIMUM_CLAUSES} conditions.", "Use a tag for a long list."
        )
    if values > MAXIMUM_VALUES:
        raise SegmentError(f"A segment has at most {MAXIMUM_VALUES} values.", LONG_LIST)


def _check_depth(node: Node, depth: int) -> None:
    if depth > MAXIMUM_DEPTH:
        raise SegmentError(
            f"A segment is nested at most {MAXIMUM_DEPTH} deep.", "Take some parentheses away."
        )
    match node:
        case Clause():
            return
        case Not(child):
            _check_depth(child, depth + 1)
        case And(children) | Or(children):
            if len(children) < 2:
                raise SegmentError("“and” and “or” join two conditions or more.")
            for child in children:
                _check_depth(child, depth + 1)
        case _:
            assert_never(node)


def check_clause(clause: Clause) -> None:
    """Raise SegmentError unless field, operator and values go together."""
    kind = kind_of(clause.field)
    if clause.operator not in OPERATORS[kind]:
        ways = [way for operator, way in _WAYS.items() if operator in OPERATORS[kind]]
        raise SegmentError(
            f"“{clause.field}” cannot be compared in this way.",
            f"Write {' or '.join(f'{clause.field}{way}' for way in ways)}.",
        )
    if clause.field.startswith(INTERACTION_PREFIX) and clause.operator in {_O.IS, _O.STARTS}:
        raise SegmentError(
            f"“{clause.field}” says already what was done.", f"Write {clause.field} or {clause.field}<30d."
        )
    if (clause.operator is Operator.EVER) != (not clause.values):
        raise SegmentError(f"“{clause.field}” lacks a value, or has one too many.")
    if clause.operator not in {Operator.IS, Operator.STARTS, Operator.EVER} and len(clause.values) != 1:
        raise SegmentError(f"“{clause.field}” is compared with one value at a time.")
    for value in clause.values:
        _check_value(clause, kind, value)


def _check_value(clause: Clause, kind: FieldKind, value: str) -> None:
    if not value.strip() or len(value) > MAXIMUM_VALUE_LENGTH or "\0" in value:
        raise SegmentError(f"“{clause.field}” has a value that is empty or too long.")
    if clause.operator in {Operator.WITHIN, Operator.BEYOND}:
        read_span(value)
    elif kind in {FieldKind.DATE, FieldKind.MOMENT}:
        read_date(value)
    elif kind is FieldKind.ATTRIBUTE and clause.operator in _ORDER and not _NUMBER.match(value):
        raise SegmentError(f"“{value}” is no number.", "Free attributes are put in order by number.")
    elif kind in _WORDS:
        _check_word(kind, value)


_WORDS: Final = frozenset({FieldKind.AGE, FieldKind.PRESENCE, FieldKind.CONSENT})


def _check_word(kind: FieldKind, value: str) -> None:
    if kind is FieldKind.AGE and (not re.fullmatch(r"[0-9]{1,3}", value) or int(value) > MAXIMUM_AGE):
        raise SegmentError(f"“{value}” is no age.", f"Write whole years, up to {MAXIMUM_AGE}.")
    if kind is FieldKind.CONSENT and value not in set(ConsentStatus):
        raise SegmentError(f"“{value}” is no consent.", "Say granted, withdrawn or unknown.")
    if kind is FieldKind.PRESENCE and value not in PRESENCE_FIELDS and not _ATTRIBUTE_NAME.match(value):
        raise SegmentError(f"“has” cannot ask for “{value}”.")


def read_date(value: str) -> date:
    """The day written `2026-03-15`; SegmentError otherwise."""
    try:
        if len(value) == 10:
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise SegmentError(f"“{value}” is no date.", "Write it year-month-day, as in 2026-03-15.")


def read_span(value: str) -> timedelta:
    """The span written `30d`, at most 9,999 days; SegmentError otherwise."""
    if not re.fullmatch(r"[0-9]{1,4}d", value, re.ASCII):
        raise SegmentError(f"“{value}” is no number of days.", "Write it as in 30d.")
    return timedelta(days=int(value[:-1]))


def day_years_before(now: datetime, years: int) -> date:
    """The last birthday, on or before today, of who is `years` old today; 29 February counts as the 28th."""
    today = now.date()
    try:
        return today.replace(year=today.year - years)
    except ValueError:
        return today.replace(year=today.year - years, day=28)


def tree_to_json(node: Node) -> dict[str, Any]:
    """The tree as a JSON document with its version."""
    return {"version": VERSION, "rule": _to_json(node)}


def _to_json(node: Node) -> dict[str, Any]:
    match node:
        case And(children):
            return {"and": [_to_json(child) for child in children]}
        case Or(children):
            return {"or": [_to_json(child) for child in children]}
        case Not(child):
            return {"not": _to_json(child)}
        case Clause(field, operator, values):
            return {"field": field, "operator": operator.value, "values": list(values)}
        case _:
            assert_never(node)


def tree_from_json(document: Mapping[str, Any]) -> Node:
    """The tree a document holds, checked; SegmentError when it is of another version or not well formed."""
    if document.get("version") != VERSION:
        raise SegmentError(f"The segment's tree has version {document.get('version')!r}, not {VERSION}.")
    node = _from_json(document.get("rule"), 1)
    check_tree(node)
    return node


def _from_json(rule: object, depth: int) -> Node:
    if depth > MAXIMUM_DEPTH:
        raise SegmentError(TOO_DEEP)
    match rule:
        case {"and": [*children], **rest} if not rest:
            return And(tuple(_from_json(child, depth + 1) for child in children))
        case {"or": [*children], **rest} if not rest:
            return Or(tuple(_from_json(child, depth + 1) for child in children))
        case {"not": child, **rest} if not rest:
            return Not(_from_json(child, depth + 1))
        case {"field": str(field), "operator": str(operator), "values": [*values], **rest} if not rest:
            return Clause(field, _operator(operator), _texts(values))
        case _:
            raise SegmentError("The segment's tree cannot be read.", "Write its text again.")


def _operator(word: str) -> Operator:
    try:
        return Operator(word)
    except ValueError as error:
        raise SegmentError(f"A segment knows no comparison “{word}”.") from error


def _texts(values: Sequence[object]) -> tuple[str, ...]:
    texts = tuple(value for value in values if isinstance(value, str))
    if len(texts) != len(values):
        raise SegmentError("The values of a segment are texts.")
    return texts
