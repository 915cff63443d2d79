"""What a segment means, in plain Python, for one person: the other way of answering, to hold SQL against."""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from models.contact import Contact
from models.segment_tree import And, Clause, FieldKind, Node, Not, Operator, Or, kind_of
from models.states import EventKind
from models.text import fold


@dataclass
class Witness:
    """A person, what they wear, and what happened to them: kind, campaign's name, moment.

    `deeds` are what they did elsewhere: as it was called, and when.
    """

    contact: Contact
    tags: set[str] = field(default_factory=set)
    events: list[tuple[EventKind, str, datetime]] = field(default_factory=list)
    deeds: list[tuple[str, datetime]] = field(default_factory=list)


def keeps(node: Node, who: Witness, now: datetime) -> bool:
    match node:
        case And(children):
            return all(keeps(child, who, now) for child in children)
        case Or(children):
            return any(keeps(child, who, now) for child in children)
        case Not(child):
            return not keeps(child, who, now)
        case Clause():
            return _holds(node, who, now)


def _holds(clause: Clause, who: Witness, now: datetime) -> bool:  # noqa: PLR0911 - one case a kind of field
    contact, values = who.contact, clause.values
    match kind_of(clause.field):
        case FieldKind.EVERYONE:
            return True
        case FieldKind.TAG:
            return any(_says(clause.operator, fold(tag), fold(v)) for tag in who.tags for v in values)
        case FieldKind.FOLDED:
            known = getattr(contact, clause.field)
            return known is not None and any(_says(clause.operator, fold(known), fold(v)) for v in values)
        case FieldKind.CODE:
            known = getattr(contact, clause.field)
            return known is not None and any(_says(clause.operator, known, v) for v in values)
        case FieldKind.DATE:
            born = contact.birth_date
            return born is not None and any(
                _compare(clause.operator, born, date.fromisoformat(v)) for v in values
            )
        case FieldKind.AGE:
            age = _age(contact.birth_date, now.date())
            return age is not None and any(_compare(clause.operator, age, int(v)) for v in values)
        case FieldKind.MOMENT:
            return _moment(clause, getattr(contact, f"{clause.field}_at"), now)
        case FieldKind.ATTRIBUTE:
            return _attribute(clause, contact.attributes.get(clause.field.removeprefix("attr.")))
        case FieldKind.PRESENCE:
            return any(_present(name, who) for name in values)
        case FieldKind.CONSENT:
            return getattr(contact, f"{clause.field.removeprefix('consent.')}_consent").value in values
        case FieldKind.ENGAGEMENT:
            return any(_engaged(clause, *event, now) for event in who.events)
        case FieldKind.INTERACTION:
            return any(_did(clause, *deed, now) for deed in who.deeds)


def _says(operator: Operator, known: str, value: str) -> bool:
    return known.startswith(value) if operator is Operator.STARTS else known == value


def _compare(operator: Operator, known: Any, value: Any) -> bool:
    match operator:
        case Operator.BELOW:
            return bool(known < value)
        case Operator.AT_MOST:
            return bool(known <= value)
        case Operator.ABOVE:
            return bool(known > value)
        case Operator.AT_LEAST:
            return bool(known >= value)
        case _:
            return bool(known == value)


def _age(born: date | None, today: date) -> int | None:
    if born is None:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _moment(clause: Clause, moment: datetime, now: datetime) -> bool:
    value = clause.values[0]
    if clause.operator in {Operator.WITHIN, Operator.BEYOND}:
        recent = moment >= now - timedelta(days=int(value[:-1]))
        return recent == (clause.operator is Operator.WITHIN)
    start = datetime.combine(date.fromisoformat(value), time.min, UTC)
    if clause.operator in {Operator.AT_MOST, Operator.ABOVE}:
        return (moment < start + timedelta(days=1)) == (clause.operator is Operator.AT_MOST)
    return (moment < start) == (clause.operator is Operator.BELOW)


def _attribute(clause: Clause, known: str | None) -> bool:
    if known is None:
        return False
    if clause.operator in {Operator.IS, Operator.STARTS}:
        return any(_says(clause.operator, fold(known), fold(value)) for value in clause.values)
    if not re.fullmatch(r"-?[0-9]{1,15}([.,][0-9]{1,15})?", known):
        return False
    return _compare(clause.operator, float(known.replace(",", ".")), float(clause.values[0]))


def _present(name: str, who: Witness) -> bool:
    if name == "tag":
        return bool(who.tags)
    if name.startswith("attr."):
        return name.removeprefix("attr.") in who.contact.attributes
    return getattr(who.contact, name) is not None


def _engaged(clause: Clause, kind: EventKind, campaign: str, at: datetime, now: datetime) -> bool:
    wanted = {
        "received": {EventKind.ACCEPTED, EventKind.DELIVERED},
        "opened": {EventKind.OPENED},
        "clicked": {EventKind.CLICKED},
        "replied": {EventKind.REPLIED},
        "bounced": {EventKind.BOUNCED},
        "complained": {EventKind.COMPLAINED},
        "unsubscribed": {EventKind.UNSUBSCRIBED},
    }
    if kind not in wanted[clause.field]:
        return False
    if clause.operator is Operator.IS:
        return campaign in clause.values
    if clause.operator is Operator.WITHIN:
        return at >= now - timedelta(days=int(clause.values[0][:-1]))
    return True


def _did(clause: Clause, label: str, at: datetime, now: datetime) -> bool:
    _, dot, kind = clause.field.partition(".")
    if dot and fold(label) != kind.replace("_", " "):
        return False
    if clause.operator in {Operator.IS, Operator.STARTS}:
        return any(_says(clause.operator, fold(label), fold(value)) for value in clause.values)
    return clause.operator is Operator.EVER or at >= now - timedelta(days=int(clause.values[0][:-1]))
