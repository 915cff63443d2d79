"""Webhooks as JSON: what callers send and are told of them, and of what was posted to each."""

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from models.api import KeyMode
from models.webhook import EndpointState, NoticeState, WebhookEndpoint, WebhookNotice
from models.webhook_types import PING, TYPES
from scheduler.endpoints import LONGEST_OVERLAP, LONGEST_URL, OVERLAP
from web.api.ids import Ids, Kind
from web.api.paging import Pickable
from web.api.schemas import Given, Line, Moment, Told


def _known(name: str) -> str:
    if name not in TYPES:
        raise ValueError(f"is no event type; there are {', '.join(TYPES)}")
    return name


EventTypeName = Annotated[
    str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": list(TYPES)})
]
Url = Annotated[
    Line,
    Field(
        max_length=LONGEST_URL,
        examples=["https://crm.example.org/hooks/tocsin"],
        description="With https, leading to the public internet.",
    ),
]
Types = Annotated[
    list[EventTypeName],
    Field(
        max_length=len(TYPES) * 2,
        description="What it hears of; empty: everything, also what is added later.",
        examples=[["message.bounced", "message.unsubscribed"]],
    ),
]
Words = Annotated[Line, Field(max_length=200)]


class WebhookIn(Given):
    """A new webhook."""

    url: Url
    event_types: Types = Field(default=[])
    description: Words = ""


class WebhookPatchIn(Given):
    """What is to be changed; what is left out stays. `enabled`: false disables it, true enables it again."""

    url: Url | None = None
    event_types: Types | None = None
    description: Words | None = None
    enabled: bool | None = None


class RotateIn(Given):
    """How long the secret before signs as well, in seconds."""

    overlap: int = Field(
        default=int(OVERLAP.total_seconds()), ge=0, le=int(LONGEST_OVERLAP.total_seconds()), examples=[86400]
    )


class RedeliverIn(Given):
    """Which are told again: all that were noted since a moment, or of these those that did not arrive."""

    since: Moment
    failed_only: bool = False


class WebhookOut(Pickable):
    """A webhook. It hears of tests where `mode` is test, else of everything else.

    `disabled_because`: the name of who disabled it, `webhook_gone` (it answered 410) or `webhook_given_up`
    (nothing arrived for five days). `failing_since`: the first failure since it last worked.
    `secret_overlaps_until`: the secret before signs as well until then.
    """

    url: str
    description: str
    event_types: list[str]
    mode: KeyMode
    enabled: bool
    disabled_because: str | None = None
    failing_since: datetime | None = None
    worked_at: datetime | None = None
    secret_overlaps_until: datetime | None = None
    created_at: datetime


class WebhookMadeOut(WebhookOut):
    """A webhook with its secret, which is told this once."""

    secret: str = Field(examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"])


class SecretOut(Told):
    """The new secret, told this once; the one before signs as well until `overlaps_until`."""

    secret: str
    overlaps_until: datetime


class DeliveryOut(Pickable):
    """Something that was told, or is to be: `webhook_id` is the number its receiver knows it by.

    `state`: pending until it is delivered, failed once every try was in vain; `next_at`: when it is tried
    (again). `status`, `problem` and `milliseconds` are of the last try.
    """

    webhook_id: str
    type: str = Field(examples=["message.bounced", PING])
    state: NoticeState
    attempts: int
    status: int | None = None
    problem: str | None = None
    milliseconds: int | None = None
    created_at: datetime
    next_at: datetime | None = None
    delivered_at: datetime | None = None
    payload: dict[str, Any] | None = Field(default=None, description="What is posted; not in lists.")


class RedeliveredOut(Told):
    """How many are told again."""

    redelivered: int


def told_webhook(ids: Ids, one: WebhookEndpoint, now: datetime) -> WebhookOut:
    """A webhook as programs are told it."""
    return WebhookOut(**parts_of(ids, one, now))


def parts_of(ids: Ids, one: WebhookEndpoint, now: datetime) -> dict[str, Any]:
    """What is told of a webhook, by name."""
    overlaps = one.before_until is not None and one.before_until > now
    return {
        "id": ids.write(Kind.WEBHOOK, one.id),
        "url": one.url,
        "description": one.description,
        "event_types": one.event_types,
        "mode": one.mode,
        "enabled": one.state is EndpointState.ENABLED,
        "disabled_because": one.reason or None,
        "failing_since": one.failing_since,
        "worked_at": one.worked_at,
        "secret_overlaps_until": one.before_until if overlaps else None,
        "created_at": one.created_at,
    }


def told_delivery(ids: Ids, one: WebhookNotice, *, whole: bool = False) -> DeliveryOut:
    """A notice as programs are told it; `whole`: with what is posted."""
    return DeliveryOut(
        id=ids.write(Kind.NOTICE, one.id),
        webhook_id=one.webhook_id,
        type=one.event_type,
        state=one.state,
        attempts=one.attempts,
        status=one.status,
        problem=one.problem or None,
        milliseconds=one.milliseconds,
        created_at=one.created_at,
        next_at=one.next_at if one.state is NoticeState.PENDING else None,
        delivered_at=one.delivered_at,
        payload=json.loads(one.body) if whole else None,
    )
