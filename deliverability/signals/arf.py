"""Abuse reports (RFC 5965): somebody pressed "this is spam", and their provider tells us."""

from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from types import MappingProxyType

from deliverability.signals.mime import (
    body_text,
    children_of,
    clean,
    content_type,
    header,
    moment_in,
    parts_of,
)
from models.states import EventKind

KIND_BY_FEEDBACK_TYPE = MappingProxyType(
    {
        "abuse": EventKind.COMPLAINED,
        "fraud": EventKind.COMPLAINED,
        "virus": EventKind.COMPLAINED,
        "other": EventKind.COMPLAINED,
        "opt-out": EventKind.UNSUBSCRIBED,
        "opt-out-list": EventKind.UNSUBSCRIBED,
        # A person took the message out of the spam folder (RFC 6430), or a server could not
        # authenticate it (RFC 6591): neither is a complaint.
        "not-spam": EventKind.UNKNOWN,
        "auth-failure": EventKind.UNKNOWN,
    }
)
DETAIL_FIELDS = ("User-Agent", "Source-IP", "Reported-Domain", "Authentication-Results")


@dataclass(frozen=True, slots=True)
class Complaint:
    """What the report says. `details` holds a few fields for the operator, none that names the person."""

    kind: EventKind
    feedback_type: str
    arrived_at: datetime
    details: dict[str, str]


def read_complaint(mail: Message, now: datetime) -> Complaint | None:
    """The report in `mail`, or None when it is not one. An unknown feedback type gives kind UNKNOWN."""
    part = next((part for part in parts_of(mail) if content_type(part) == "message/feedback-report"), None)
    if part is None:
        return None
    fields = _fields(part)
    feedback_type = fields.get("feedback-type", "").lower()
    details = {name.lower(): fields[name.lower()][:200] for name in DETAIL_FIELDS if fields.get(name.lower())}
    return Complaint(
        kind=KIND_BY_FEEDBACK_TYPE.get(feedback_type, EventKind.UNKNOWN),
        feedback_type=feedback_type[:60],
        arrived_at=moment_in(
            fields.get("arrival-date") or fields.get("received-date") or header(mail, "Date"), now
        ),
        details=details,
    )


def _fields(part: Message) -> dict[str, str]:
    inside = children_of(part)
    if inside:
        return {name.lower(): header(inside[0], name) for name in inside[0].keys()}  # noqa: SIM118 - a Message iterates otherwise
    lines = body_text(part).splitlines()
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip().lower(): clean(value) for name, _, value in pairs}
