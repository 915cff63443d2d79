"""Calls about webhooks, awaited.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.webhooks import (
    DeliveryOut,
    RedeliveredOut,
    RedeliverIn,
    RotateIn,
    SecretOut,
    WebhookIn,
    WebhookMadeOut,
    WebhookOut,
    WebhookPatchIn,
    WebhooksListDeliveriesQuery,
    WebhooksListQuery,
)
from tocsin_client.wire import AsyncWire, part


class AsyncWebhooks:
    """Calls about webhooks, awaited."""

    def __init__(self, wire: AsyncWire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[WebhooksListQuery]) -> AsyncIterator[WebhookOut]:
        """The webhooks of this key's mode, oldest first."""
        return self._wire.pages(Call("GET", "/webhooks", query=query))

    async def add(self, **body: Unpack[WebhookIn]) -> WebhookMadeOut:
        """Have events posted to an address, signed as Standard Webhooks has it."""
        found: WebhookMadeOut = await self._wire.make(Call("POST", "/webhooks", body=body))
        return found

    async def get(self, webhook_id: str, /) -> WebhookOut:
        """One webhook, and whether it works."""
        found: WebhookOut = await self._wire.make(Call("GET", f"/webhooks/{part(webhook_id)}"))
        return found

    async def change(self, webhook_id: str, /, **body: Unpack[WebhookPatchIn]) -> WebhookOut:
        """Change what is given. What waits to be told goes to the new address."""
        found: WebhookOut = await self._wire.make(Call("PATCH", f"/webhooks/{part(webhook_id)}", body=body))
        return found

    async def remove(self, webhook_id: str, /) -> None:
        """Post nothing there any more; its log goes with it."""
        await self._wire.make(Call("DELETE", f"/webhooks/{part(webhook_id)}"))

    async def rotate_secret(self, webhook_id: str, /, **body: Unpack[RotateIn]) -> SecretOut:
        """A new secret, told this once. For a while, a day unless you say otherwise."""
        found: SecretOut = await self._wire.make(
            Call("POST", f"/webhooks/{part(webhook_id)}:rotate-secret", body=body)
        )
        return found

    async def ping(self, webhook_id: str, /) -> DeliveryOut:
        """Have `webhook.ping` posted, which means nothing, to see whether it arrives."""
        found: DeliveryOut = await self._wire.make(Call("POST", f"/webhooks/{part(webhook_id)}:ping"))
        return found

    def list_deliveries(
        self, webhook_id: str, /, **query: Unpack[WebhooksListDeliveriesQuery]
    ) -> AsyncIterator[DeliveryOut]:
        """What was posted there in the last thirty days, or waits to be, the latest first."""
        return self._wire.pages(Call("GET", f"/webhooks/{part(webhook_id)}/deliveries", query=query))

    async def get_delivery(self, webhook_id: str, delivery_id: str, /) -> DeliveryOut:
        """One of them, with what is posted."""
        found: DeliveryOut = await self._wire.make(
            Call("GET", f"/webhooks/{part(webhook_id)}/deliveries/{part(delivery_id)}")
        )
        return found

    async def redeliver_delivery(self, webhook_id: str, delivery_id: str, /) -> RedeliveredOut:
        """Post one again, at once, under the same `webhook-id`. 0: it is just being posted."""
        found: RedeliveredOut = await self._wire.make(
            Call("POST", f"/webhooks/{part(webhook_id)}/deliveries/{part(delivery_id)}:redeliver")
        )
        return found

    async def redeliver(self, webhook_id: str, /, **body: Unpack[RedeliverIn]) -> RedeliveredOut:
        """Post again, at once, all that were noted since a moment, each under the same `webhook-id`."""
        found: RedeliveredOut = await self._wire.make(
            Call("POST", f"/webhooks/{part(webhook_id)}:redeliver", body=body)
        )
        return found
