"""The tree of a segment as a condition over contacts, the same on both databases.

Every clause is two-valued: a column that may be NULL is first asked whether it is known. So a negation
keeps those for whom nothing is known, wherever the caller puts it, and the comparison itself can still
be served by the column's index. Who wears a tag is read once, from the index, and then looked up in
memory: far quicker than a search for each of a million contacts. Events are asked by EXISTS: there may be
ten times as many of them as of people.
"""

import operator as order
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, TypeGuard, assert_never, cast

import sqlalchemy as sa
from sqlmodel import col

from models.campaign import Campaign
from models.contact import Contact, ContactTag
from models.event import Event
from models.interaction import Interaction, kind_key
from models.segment_tree import (
    ATTRIBUTE_PREFIX,
    INTERACTION_PREFIX,
    And,
    Clause,
    FieldKind,
    Node,
    Not,
    Operator,
    Or,
    day_years_before,
    kind_of,
    read_date,
    read_span,
)
from models.states import ConsentStatus, EventKind
from models.text import fold
from store.engine import OnlyCompared

__all__ = ["leads_in", "matching"]

Condition = sa.ColumnElement[bool]

_KINDS_BY_FIELD: Final = {
    "received": (EventKind.ACCEPTED, EventKind.DELIVERED),
    "opened": (EventKind.OPENED,),
    "clicked": (EventKind.CLICKED,),
    "replied": (EventKind.REPLIED,),
    "bounced": (EventKind.BOUNCED,),
    "complained": (EventKind.COMPLAINED,),
    "unsubscribed": (EventKind.UNSUBSCRIBED,),
}
_NUMBER_PATTERN: Final = r"\A-?[0-9]{1,15}([.,][0-9]{1,15})?\Z"


def matching(tree: Node, *, now: datetime) -> Condition:
    """Who is in the segment, as a condition over `Contact`; it is true or false, never NULL.

    Served by the index of each column it names, by the key of contact_tag and by the indexes of
    event.contact_id and interaction.contact_id.
    """
    match tree:
        case And(children):
            conditions = [matching(child, now=now) for child in children]
            if any(map(leads_in, children)):
                # The few whom a column's index gives are held against the tags, not the other way round.
                conditions = [
                    _wears(child, now, OnlyCompared(col(Contact.id))) if _is_tag(child) else condition
                    for child, condition in zip(children, conditions, strict=True)
                ]
            return sa.and_(*conditions)
        case Or(children):
            return sa.or_(*(matching(child, now=now) for child in children))
        case Not(child):
            return sa.not_(matching(child, now=now))
        case Clause():
            return _MAKERS[kind_of(tree.field)](tree, now)
        case _:
            assert_never(tree)


def _column(name: str) -> sa.ColumnElement[Any]:
    return cast("sa.ColumnElement[Any]", getattr(Contact, name))


def _everyone(_clause: Clause, _now: datetime) -> Condition:
    return col(Contact.id).is_not(None)


def _folded_text(clause: Clause, _now: datetime) -> Condition:
    column = _column(f"{clause.field}_key")
    return _known(column, _text(column, clause.operator, _folded(clause.values)))


def _code(clause: Clause, _now: datetime) -> Condition:
    column = _column(clause.field)
    return _known(column, _text(column, clause.operator, clause.values))


def _day(clause: Clause, _now: datetime) -> Condition:
    column = _column(clause.field)
    return _known(column, _ordered(column, clause.operator, [read_date(value) for value in clause.values]))


def _consent(clause: Clause, _now: datetime) -> Condition:
    column = _column(f"{clause.field.removeprefix('consent.')}_consent")
    return column.in_([ConsentStatus(value) for value in clause.values])


def _known(column: sa.ColumnElement[Any], condition: Condition) -> Condition:
    return sa.and_(column.is_not(None), condition)


def _folded(values: Sequence[str]) -> list[str]:
    return [fold(value) for value in values]


def _text(column: sa.ColumnElement[Any], operator: Operator, values: Sequence[str]) -> Condition:
    if operator is Operator.STARTS:
        return sa.or_(*(column.startswith(value, autoescape=True) for value in values))
    return column == values[0] if len(values) == 1 else column.in_(values)


def _ordered(column: sa.ColumnElement[Any], operator: Operator, values: Sequence[Any]) -> Condition:
    if operator is Operator.IS:
        return column.in_(values)
    return cast("Condition", _COMPARISONS[operator](column, values[0]))


_COMPARISONS: Final = {
    Operator.BELOW: order.lt,
    Operator.AT_MOST: order.le,
    Operator.ABOVE: order.gt,
    Operator.AT_LEAST: order.ge,
}


def _wears(clause: Clause, _now: datetime, number: sa.ColumnElement[Any] | None = None) -> Condition:
    key = _text(_tag_key(), clause.operator, _folded(clause.values))
    person = cast("sa.ColumnElement[Any]", Contact.id) if number is None else number
    return person.in_(sa.select(col(ContactTag.contact_id)).where(key))


def _is_tag(node: Node) -> TypeGuard[Clause]:
    return isinstance(node, Clause) and kind_of(node.field) is FieldKind.TAG


def leads_in(node: Node) -> bool:
    """Whether an index of contacts gives those whom a part of a rule keeps, or a few more."""
    if isinstance(node, And):
        return any(map(leads_in, node.children))
    return (
        isinstance(node, Clause)
        and kind_of(node.field) in {FieldKind.FOLDED, FieldKind.CODE}
        and node.operator is Operator.IS
    )


def _tag_key() -> sa.ColumnElement[Any]:
    return cast("sa.ColumnElement[Any]", ContactTag.tag_key)


def _aged(clause: Clause, now: datetime) -> Condition:
    """Ages as ranges of birth dates: at least 18 means born on or before the day 18 years ago."""
    born = col(Contact.birth_date)

    def at_least(years: int) -> Condition:
        return born <= day_years_before(now, years)

    years = [int(value) for value in clause.values]
    match clause.operator:
        case Operator.AT_LEAST:
            condition = at_least(years[0])
        case Operator.ABOVE:
            condition = at_least(years[0] + 1)
        case Operator.BELOW:
            condition = sa.not_(at_least(years[0]))
        case Operator.AT_MOST:
            condition = sa.not_(at_least(years[0] + 1))
        case _:
            condition = sa.or_(*(sa.and_(at_least(n), sa.not_(at_least(n + 1))) for n in years))
    return sa.and_(born.is_not(None), condition)


def _moment(clause: Clause, now: datetime) -> Condition:
    """Dates stand for whole days in UTC: after the 3rd means from the 4th at midnight on."""
    column: sa.ColumnElement[datetime] = _column(f"{clause.field}_at")
    value = clause.values[0]
    if clause.operator is Operator.WITHIN:
        return column >= now - read_span(value)
    if clause.operator is Operator.BEYOND:
        return column < now - read_span(value)
    start = datetime.combine(read_date(value), time.min, UTC)
    next_day = start + timedelta(days=1)
    match clause.operator:
        case Operator.BELOW:
            return column < start
        case Operator.AT_MOST:
            return column < next_day
        case Operator.ABOVE:
            return column >= next_day
        case _:
            return column >= start


def _attribute(clause: Clause, _now: datetime) -> Condition:
    """Words by the folded twin of the attributes; order by number, where the attribute is one."""
    name = clause.field.removeprefix(ATTRIBUTE_PREFIX)
    if clause.operator in {Operator.IS, Operator.STARTS}:
        text = col(Contact.attributes_key)[name].as_string()
        return _known(text, _text(text, clause.operator, _folded(clause.values)))
    written = col(Contact.attributes)[name].as_string()
    number = sa.case(
        (written.regexp_match(_NUMBER_PATTERN), sa.cast(sa.func.replace(written, ",", "."), sa.Double)),
        else_=None,
    )
    return _known(number, _ordered(number, clause.operator, [float(value) for value in clause.values]))


def _presence(clause: Clause, _now: datetime) -> Condition:
    return sa.or_(*(_present(value) for value in clause.values))


def _present(name: str) -> Condition:
    if name == "tag":
        return sa.exists().where(col(ContactTag.contact_id) == col(Contact.id))
    if name.startswith(ATTRIBUTE_PREFIX):
        key = name.removeprefix(ATTRIBUTE_PREFIX)
        return cast("Condition", col(Contact.attributes)[key].as_string().is_not(None))
    return _column(name).is_not(None)


def _engaged(clause: Clause, now: datetime) -> Condition:
    conditions: list[Condition] = [
        col(Event.contact_id) == col(Contact.id),
        col(Event.kind).in_(_KINDS_BY_FIELD[clause.field]),
    ]
    if clause.operator is Operator.WITHIN:
        conditions.append(col(Event.at) >= now - read_span(clause.values[0]))
    elif clause.operator is Operator.IS:
        named = sa.select(col(Campaign.id)).where(col(Campaign.name).in_(clause.values))
        conditions.append(col(Event.campaign_id).in_(named))
    return sa.exists().where(*conditions)


def _did(clause: Clause, now: datetime) -> Condition:
    """Who did something, of a kind or of any, ever or lately; served by ix_interaction_contact_id."""
    conditions: list[Condition] = [col(Interaction.contact_id) == col(Contact.id)]
    kind = cast("sa.ColumnElement[Any]", Interaction.kind)
    if clause.field.startswith(INTERACTION_PREFIX):
        conditions.append(kind == kind_key(clause.field.removeprefix(INTERACTION_PREFIX)))
    if clause.operator is Operator.WITHIN:
        conditions.append(col(Interaction.at) >= now - read_span(clause.values[0]))
    elif clause.operator in {Operator.IS, Operator.STARTS}:
        conditions.append(_text(kind, clause.operator, [kind_key(value) for value in clause.values]))
    return sa.exists().where(*conditions)


_MAKERS: Final[Mapping[FieldKind, Callable[[Clause, datetime], Condition]]] = {
    FieldKind.EVERYONE: _everyone,
    FieldKind.TAG: _wears,
    FieldKind.FOLDED: _folded_text,
    FieldKind.CODE: _code,
    FieldKind.DATE: _day,
    FieldKind.AGE: _aged,
    FieldKind.MOMENT: _moment,
    FieldKind.ATTRIBUTE: _attribute,
    FieldKind.PRESENCE: _presence,
    FieldKind.CONSENT: _consent,
    FieldKind.ENGAGEMENT: _engaged,
    FieldKind.INTERACTION: _did,
}
