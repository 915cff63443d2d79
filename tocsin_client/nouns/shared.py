"""Shapes that several nouns have in common.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

BounceClass = Literal[
    "no_such_address",
    "inactive",
    "mailbox_full",
    "transient",
    "rate",
    "greylist",
    "block",
    "spam",
    "auth",
    "sender_invalid",
    "size_format",
    "expired",
    "opted_out",
    "held_back",
    "unknown",
]

Channel = Literal["email", "sms"]

EventType = Literal[
    "message.sent",
    "message.delivered",
    "message.deferred",
    "message.bounced",
    "message.uncertain",
    "message.resolved",
    "message.complained",
    "message.unsubscribed",
    "message.resubscribed",
    "message.replied",
    "message.opened",
    "message.clicked",
    "message.suppressed",
    "message.expired",
    "message.cancelled",
]

Fault = Literal["recipient", "identity", "content", "provider", "relay", "unknown"]

KeyMode = Literal["live", "test"]

Nature = Literal["political", "civic", "unsaid"]

Permanence = Literal["hard", "soft"]

Purpose = Literal["campaign", "transactional"]

AnswerOut = TypedDict(
    "AnswerOut",
    {
        "permanence": NotRequired[Permanence | None],
        "class": NotRequired[BounceClass | None],
        "fault": NotRequired[Fault | None],
        "code": NotRequired[int | None],
        "enhanced": NotRequired[str | None],
        "text": NotRequired[str],
    },
)


class EventOut(TypedDict):
    """One thing that happened. `message` is null for messages of campaigns."""

    id: str
    type: NotRequired[EventType]
    at: NotRequired[str]
    recorded_at: NotRequired[str]
    message: NotRequired[str | None]
    campaign: NotRequired[str | None]
    contact: NotRequired[str | None]
    external_id: NotRequired[str | None]
    identity: NotRequired[str | None]
    channel: NotRequired[Channel | None]
    to: NotRequired[str | None]
    provider: NotRequired[str]
    reference: NotRequired[str | None]
    metadata: NotRequired[dict[str, str] | None]
    answer: NotRequired[AnswerOut | None]
    link: NotRequired[str | None]
    machine: NotRequired[bool]


class FaultOut(TypedDict):
    """One part of a request that is not as it should be."""

    field: str
    code: str
    message: str
    position: NotRequired[int | None]


class IdentityRef(TypedDict):
    """Who writes."""

    id: str
    key: str


class ProblemOut(TypedDict):
    """What went wrong (RFC 9457). `code` never changes its meaning; sentences may."""

    type: str
    title: str
    status: int
    detail: str
    code: Literal[
        "bad_request",
        "call_in_flight",
        "channel_mismatch",
        "checks_in_the_way",
        "conflict",
        "contact_unreachable",
        "expires_too_soon",
        "idempotency_key_reused",
        "identity_not_allowed",
        "identity_required",
        "identity_unable",
        "internal",
        "invalid",
        "key_not_allowed_here",
        "live_key_needed",
        "method_not_allowed",
        "missing_scope",
        "missing_variables",
        "no_way_to_leave",
        "not_found",
        "rate_limited",
        "too_large",
        "unauthenticated",
        "unavailable",
        "unsupported_media_type",
        "unusable",
    ]
    request_id: str
    errors: NotRequired[list[FaultOut]]


class TemplateIn(TypedDict):
    """Which template: its id, or its name, and the version; without one its newest."""

    id: str
    version: NotRequired[int | None]


class TemplateRef(TypedDict):
    """What is said."""

    id: str
    name: str
    version: int
