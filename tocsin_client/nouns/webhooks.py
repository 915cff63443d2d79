"""Calls about webhooks, and their shapes.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NotRequired, TypedDict, Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.shared import KeyMode
from tocsin_client.wire import Wire, part

NoticeState = Literal["pending", "delivered", "failed"]


class DeliveryOut(TypedDict):
    """Something that was told, or is to be: `webhook_id` is the number its receiver knows it by."""

    id: str
    webhook_id: NotRequired[str]
    type: NotRequired[str]
    state: NotRequired[NoticeState]
    attempts: NotRequired[int]
    status: NotRequired[int | None]
    problem: NotRequired[str | None]
    milliseconds: NotRequired[int | None]
    created_at: NotRequired[str]
    next_at: NotRequired[str | None]
    delivered_at: NotRequired[str | None]
    payload: NotRequired[dict[str, Any] | None]


class RedeliverIn(TypedDict):
    """Which are told again: all that were noted since a moment."""

    since: str
    failed_only: NotRequired[bool]


class RedeliveredOut(TypedDict):
    """How many are told again."""

    redelivered: int


class RotateIn(TypedDict):
    """How long the secret before signs as well, in seconds."""

    overlap: NotRequired[int]


class SecretOut(TypedDict):
    """The new secret, told this once; the one before signs as well until `overlaps_until`."""

    secret: str
    overlaps_until: str


class WebhookIn(TypedDict):
    """A new webhook."""

    url: str
    event_types: NotRequired[
        list[
            Literal[
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
                "campaign.sending",
                "campaign.paused",
                "campaign.blocked",
                "campaign.finished",
                "campaign.incomplete",
                "campaign.cancelled",
            ]
        ]
    ]
    description: NotRequired[str]


class WebhookMadeOut(TypedDict):
    """A webhook with its secret, which is told this once."""

    id: str
    url: NotRequired[str]
    description: NotRequired[str]
    event_types: NotRequired[list[str]]
    mode: NotRequired[KeyMode]
    enabled: NotRequired[bool]
    disabled_because: NotRequired[str | None]
    failing_since: NotRequired[str | None]
    worked_at: NotRequired[str | None]
    secret_overlaps_until: NotRequired[str | None]
    created_at: NotRequired[str]
    secret: NotRequired[str]


class WebhookOut(TypedDict):
    """A webhook. It hears of tests where `mode` is test, else of everything else."""

    id: str
    url: NotRequired[str]
    description: NotRequired[str]
    event_types: NotRequired[list[str]]
    mode: NotRequired[KeyMode]
    enabled: NotRequired[bool]
    disabled_because: NotRequired[str | None]
    failing_since: NotRequired[str | None]
    worked_at: NotRequired[str | None]
    secret_overlaps_until: NotRequired[str | None]
    created_at: NotRequired[str]


class WebhookPatchIn(TypedDict):
    """What is to be changed; what is left out stays. `enabled`: false disables it."""

    url: NotRequired[str | None]
    event_types: NotRequired[
        list[
            Literal[
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
                "campaign.sending",
                "campaign.paused",
                "campaign.blocked",
                "campaign.finished",
                "campaign.incomplete",
                "campaign.cancelled",
            ]
        ]
        | None
    ]
    description: NotRequired[str | None]
    enabled: NotRequired[bool | None]


class WebhooksListQuery(TypedDict):
    """What `list` may be asked."""

    limit: NotRequired[int]
    fields: NotRequired[str | None]


class WebhooksListDeliveriesQuery(TypedDict):
    """What `list_deliveries` may be asked."""

    state: NotRequired[NoticeState | None]
    limit: NotRequired[int]
    fields: NotRequired[str | None]


class Webhooks:
    """Calls about webhooks."""

    def __init__(self, wire: Wire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[WebhooksListQuery]) -> Iterator[WebhookOut]:
        """The webhooks of this key's mode, oldest first."""
        return self._wire.pages(Call("GET", "/webhooks", query=query))

    def add(self, **body: Unpack[WebhookIn]) -> WebhookMadeOut:
        """Have events posted to an address, signed as Standard Webhooks has it."""
        found: WebhookMadeOut = self._wire.make(Call("POST", "/webhooks", body=body))
        return found

    def get(self, webhook_id: str, /) -> WebhookOut:
        """One webhook, and whether it works."""
        found: WebhookOut = self._wire.make(Call("GET", f"/webhooks/{part(webhook_id)}"))
        return found

    def change(self, webhook_id: str, /, **body: Unpack[WebhookPatchIn]) -> WebhookOut:
        """Change what is given. What waits to be told goes to the new address."""
        found: WebhookOut = self._wire.make(Call("PATCH", f"/webhooks/{part(webhook_id)}", body=body))
        return found

    def remove(self, webhook_id: str, /) -> None:
        """Post nothing there any more; its log goes with it."""
        self._wire.make(Call("DELETE", f"/webhooks/{part(webhook_id)}"))

    def rotate_secret(self, webhook_id: str, /, **body: Unpack[RotateIn]) -> SecretOut:
        """A new secret, told this once. For a while, a day unless you say otherwise."""
        found: SecretOut = self._wire.make(
            Call("POST", f"/webhooks/{part(webhook_id)}:rotate-secret", body=body)
        )
        return found

    def ping(self, webhook_id: str, /) -> DeliveryOut:
        """Have `webhook.ping` posted, which means nothing, to see whether it arrives."""
        found: DeliveryOut = self._wire.make(Call("POST", f"/webhooks/{part(webhook_id)}:ping"))
        return found

    def list_deliveries(
        self, webhook_id: str, /, **query: Unpack[WebhooksListDeliveriesQuery]
    ) -> Iterator[DeliveryOut]:
        """What was posted there in the last thirty days, or waits to be, the latest first."""
        return self._wire.pages(Call("GET", f"/webhooks/{part(webhook_id)}/deliveries", query=query))

    def get_delivery(self, webhook_id: str, delivery_id: str, /) -> DeliveryOut:
        """One of them, with what is posted."""
        found: DeliveryOut = self._wire.make(
            Call("GET", f"/webhooks/{part(webhook_id)}/deliveries/{part(delivery_id)}")
        )
        return found

    def redeliver_delivery(self, webhook_id: str, delivery_id: str, /) -> RedeliveredOut:
        """Post one again, at once, under the same `webhook-id`. 0: it is just being posted."""
        found: RedeliveredOut = self._wire.make(
            Call("POST", f"/webhooks/{part(webhook_id)}/deliveries/{part(delivery_id)}:redeliver")
        )
        return found

    def redeliver(self, webhook_id: str, /, **body: Unpack[RedeliverIn]) -> RedeliveredOut:
        """Post again, at once, all that were noted since a moment, each under the same `webhook-id`."""
        found: RedeliveredOut = self._wire.make(
            Call("POST", f"/webhooks/{part(webhook_id)}:redeliver", body=body)
        )
        return found
