"""Abuse reports (RFC 5965): somebody pressed "this is spam", and their provider tells us."""

from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from types import MappingProxyType

from deliverability.signals.mime import children_of, content_type, header, moment_in, parts_of
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
    # The parser takes the fields of any message/* part for the headers of a mail inside it.
    fields = next(iter(children_of(part)), part)
    feedback_type = header(fields, "Feedback-Type").lower()
    details = {name.lower(): header(fields, name)[:200] for name in DETAIL_FIELDS}
    return Complaint(
        kind=KIND_BY_FEEDBACK_TYPE.get(feedback_type, EventKind.UNKNOWN),
        feedback_type=feedback_type[:60],
        arrived_at=moment_in(
            header(fields, "Arrival-Date") or header(fields, "Received-Date") or header(mail, "Date"), now
        ),
        details={name: value for name, value in details.items() if value},
    )
