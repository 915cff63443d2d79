"""Calls about messages, and their shapes.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NotRequired, TypedDict, Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.shared import (
    Channel,
    EventOut,
    IdentityRef,
    Nature,
    ProblemOut,
    Purpose,
    TemplateIn,
    TemplateRef,
)
from tocsin_client.wire import Wire, part

MessageStatus = Literal[
    "accepted",
    "scheduled",
    "queued",
    "submitting",
    "sent",
    "delivered",
    "deferred",
    "bounced",
    "rejected",
    "complained",
    "unsubscribed",
    "suppressed",
    "expired",
    "cancelled",
    "held",
    "unknown",
]


class BatchIn(TypedDict):
    """Up to 500 messages."""

    messages: list[MessageIn]


class BatchOut(TypedDict):
    """One result a message, in the order in which they were sent."""

    accepted: int
    refused: int
    results: list[ResultOut]


class ContentIn(TypedDict):
    """What is said, in place of a template: an e-mail by `subject` and `html` or `mjml`."""

    subject: NotRequired[str | None]
    html: NotRequired[str | None]
    mjml: NotRequired[str | None]
    text: NotRequired[str | None]
    nature: NotRequired[Nature | None]


class LinksOut(TypedDict):
    """Where to go on."""

    self: str
    events: str


class MessageIn(TypedDict):
    """One message to one person, said by a `template` or as `content`."""

    to: RecipientIn
    template: NotRequired[TemplateIn | None]
    content: NotRequired[ContentIn | None]
    identity: NotRequired[str]
    variables: NotRequired[dict[str, str | int | float | bool | None]]
    purpose: NotRequired[Purpose]
    send_at: NotRequired[str | None]
    expires_at: NotRequired[str | None]
    respect_quiet_hours: NotRequired[bool | None]
    metadata: NotRequired[dict[str, str]]
    reference: NotRequired[str]


class MessageOut(TypedDict):
    """A message that is on record. `reason`: why it is suppressed, or what its last refusal said."""

    id: str
    status: MessageStatus
    reason: NotRequired[str | None]
    channel: Channel
    to: str
    test: bool
    purpose: Purpose
    identity: IdentityRef
    template: TemplateRef
    segments: NotRequired[int | None]
    estimated_cost: NotRequired[str | None]
    reference: NotRequired[str | None]
    metadata: NotRequired[dict[str, str] | None]
    send_at: str
    created_at: NotRequired[str | None]
    notes: NotRequired[list[str] | None]
    links: LinksOut


class MessageRow(TypedDict):
    """A message in a list, of which some parts may be asked for."""

    id: str
    status: NotRequired[MessageStatus]
    reason: NotRequired[str | None]
    channel: NotRequired[Channel]
    to: NotRequired[str]
    test: NotRequired[bool]
    purpose: NotRequired[Purpose]
    identity: NotRequired[IdentityRef]
    template: NotRequired[TemplateRef]
    segments: NotRequired[int | None]
    estimated_cost: NotRequired[str | None]
    reference: NotRequired[str | None]
    metadata: NotRequired[dict[str, str] | None]
    send_at: NotRequired[str]
    created_at: NotRequired[str | None]
    notes: NotRequired[list[str] | None]
    links: NotRequired[LinksOut]


class RecipientIn(TypedDict):
    """Whom to write to: one of these. The channel is that of the address."""

    email: NotRequired[str | None]
    phone: NotRequired[str | None]
    contact: NotRequired[str | None]
    external_id: NotRequired[str | None]


class ResultOut(TypedDict):
    """What came of one message of a batch: `message` where it is on record, else the `problem`."""

    status: Literal[202, 403, 404, 409, 422]
    message: NotRequired[MessageOut | None]
    problem: NotRequired[ProblemOut | None]


class MessagesListQuery(TypedDict):
    """What `list` may be asked."""

    reference: NotRequired[str]
    status: NotRequired[MessageStatus | None]
    to: NotRequired[str]
    template: NotRequired[str]
    since: NotRequired[str | None]
    until: NotRequired[str | None]
    limit: NotRequired[int]
    fields: NotRequired[str | None]


class MessagesListEventsQuery(TypedDict):
    """What `list_events` may be asked."""

    limit: NotRequired[int]
    fields: NotRequired[str | None]


class Messages:
    """Calls about messages."""

    def __init__(self, wire: Wire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[MessagesListQuery]) -> Iterator[MessageRow]:
        """Messages that programs handed over, the newest first. Those of campaigns are not among them."""
        return self._wire.pages(Call("GET", "/messages", query=query))

    def send(self, *, idempotency_key: str | None = None, **body: Unpack[MessageIn]) -> MessageOut:
        """Hand over one message."""
        found: MessageOut = self._wire.make(
            Call("POST", "/messages", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    def send_many(self, *, idempotency_key: str | None = None, **body: Unpack[BatchIn]) -> BatchOut:
        """Hand over up to 500 messages at once; one result each, in their order."""
        found: BatchOut = self._wire.make(
            Call("POST", "/messages/batch", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    def get(self, message_id: str, /) -> MessageOut:
        """One message and where it stands."""
        found: MessageOut = self._wire.make(Call("GET", f"/messages/{part(message_id)}"))
        return found

    def list_events(self, message_id: str, /, **query: Unpack[MessagesListEventsQuery]) -> Iterator[EventOut]:
        """What happened to one message, from its beginning."""
        return self._wire.pages(Call("GET", f"/messages/{part(message_id)}/events", query=query))

    def cancel(self, message_id: str, /) -> MessageOut:
        """Take back one that has not left; 409 once it has, or while it is leaving."""
        found: MessageOut = self._wire.make(Call("POST", f"/messages/{part(message_id)}:cancel"))
        return found
