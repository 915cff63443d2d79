"""What outside sources will tell of messages, and what must stand in the tables once all of it took effect.

A story a message: handed on, delivered, opened, or bounced, complained of, left. Told by the way of a
webhook (SendGrid's arrays, Amazon SES's single notifications through SNS) or as mails of mail servers. Each
story is known by its place alone, so what was posted and what must follow from it are two readings of one
table, and nothing is counted by what the product says.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from models.states import BounceClass, EventKind, SuppressionReason

K = EventKind
HARD, FULL, BLOCKED = BounceClass.NO_SUCH_ADDRESS, BounceClass.MAILBOX_FULL, BounceClass.BLOCK


class Way(StrEnum):
    """How news comes: SendGrid, a hundred events a post; SES, one a post; bounces by SMTP and by LMTP."""

    SENDGRID = "sendgrid"
    SES = "amazon_ses"
    SMTP = "smtp"
    LMTP = "lmtp"


HOOKS = (Way.SENDGRID, Way.SES)
EVENTS_A_POST = 100
REPEATED_EVERY = 10
"""One piece of news in so many is told a second time."""
STRANGER_EVERY = 100
"""One call in so many is about a message nobody here has sent."""
FORGED = 5
"""Calls of a run that the provider has not signed."""
UNCERTAIN_EVERY = 50
"""One message in so many is uncertain, until the news proves that it left."""
LATER = 40
"""So many messages begin before the next chapter of a story is told."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was handed over, as the ledger has it; `uncertain`: it does not know yet."""

    delivery_id: int
    contact_id: int
    address: str
    token: str
    return_path: str
    uncertain: bool = False

    @property
    def number(self) -> str:
        """By which the provider knows it."""
        return f"0102-{self.delivery_id}"


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of news; `place` is the message's, `bounce_class` how it is to be read."""

    message: Message
    place: int
    kind: EventKind
    bounce_class: BounceClass | None = None

    @property
    def name(self) -> str:
        """By which its source names it."""
        return f"{self.message.delivery_id}-{self.kind.value}"


def pieces_of(way: Way, messages: Sequence[Message]) -> list[Piece]:
    """Everything that is told, in the order in which it happened."""
    told = [
        (place + step * LATER, Piece(message, place, kind, bounce_class))
        for place, message in enumerate(messages)
        for step, (kind, bounce_class) in enumerate(_story(way, place))
    ]
    return [piece for _, piece in sorted(told, key=lambda one: one[0])]


def _story(way: Way, place: int) -> list[tuple[EventKind, BounceClass | None]]:
    if way not in HOOKS:
        return [_mail(place % 20)]
    told: list[tuple[EventKind, BounceClass | None]] = [(K.RELAYED, None)]
    if place % 25 == 0:
        return [*told, (K.BOUNCED, HARD)]
    if place % 25 == 1:
        told.append((K.DEFERRED, None))
    told.append((K.DELIVERED, None))
    if place % 2 or place % 10 == 2:
        told.append((K.OPENED, None))
    if place % 10 == 5:
        told.append((K.CLICKED, None))
    if place % 200 == 7:
        told.append((K.COMPLAINED, None))
    # Amazon has no word for it.
    if place % 100 == 3 and way is Way.SENDGRID:
        told.append((K.UNSUBSCRIBED, None))
    return told


def _mail(part: int) -> tuple[EventKind, BounceClass | None]:
    """Of twenty mails ten say that nobody is there, four that there is no room, two that we are blocked."""
    if part < 16:
        return K.BOUNCED, HARD if part < 10 else FULL if part < 14 else BLOCKED
    return {16: K.DEFERRED, 17: K.COMPLAINED}.get(part, K.AUTORESPONDED), None


Evidence = tuple[str, int, str, str]
"""Source ("mail" for every mail), delivery, kind, class; no message is told the same twice by intention."""
SUPPRESSING = {
    K.COMPLAINED: SuppressionReason.COMPLAINT,
    K.UNSUBSCRIBED: SuppressionReason.UNSUBSCRIBE,
}


@dataclass(slots=True)
class Expected:
    """What must be in the tables, no less and no more, when everything took effect."""

    events: Counter[Evidence] = field(default_factory=Counter)
    suppressions: Counter[tuple[str, str]] = field(default_factory=Counter)
    withdrawn: set[int] = field(default_factory=set)
    originals: int = 0
    applied: int = 0
    waiting: int = 0
    messages: Counter[EventKind] = field(default_factory=Counter)
    hard: int = 0

    def add(self, way: Way, pieces: Iterable[Piece]) -> None:
        """Everything told in one way."""
        for piece in pieces:
            number, kind = piece.message.delivery_id, piece.kind
            read = piece.bounce_class.value if piece.bounce_class is not None else ""
            self.events[way.value if way in HOOKS else "mail", number, kind.value, read] += 1
            self.originals += 1
            self.applied += way in HOOKS
            self.messages[kind] += 1
            # For good, and not for the person's fault, is what a block list says, too.
            self.hard += piece.bounce_class in {HARD, BLOCKED}
            if piece.message.uncertain:
                # Any number of proofs settle it once.
                self.events["evidence", number, K.ACCEPTED.value, ""] = 1
            reason = SUPPRESSING.get(kind)
            if piece.bounce_class is HARD:
                reason = SuppressionReason.HARD_BOUNCE
            if reason is not None:
                self.suppressions[piece.message.address, reason.value] = 1
            if kind in SUPPRESSING:
                self.withdrawn.add(piece.message.contact_id)
