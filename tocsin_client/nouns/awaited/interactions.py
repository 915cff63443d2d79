"""Calls about interactions, awaited.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.interactions import (
    InteractionBatchOut,
    InteractionIn,
    InteractionOut,
    InteractionsGetQuery,
    InteractionsIn,
    InteractionsListQuery,
)
from tocsin_client.wire import AsyncWire, part


class AsyncInteractions:
    """Calls about interactions, awaited."""

    def __init__(self, wire: AsyncWire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[InteractionsListQuery]) -> AsyncIterator[InteractionOut]:
        """What was told, the last first."""
        return self._wire.pages(Call("GET", "/interactions", query=query))

    async def add(
        self, *, idempotency_key: str | None = None, **body: Unpack[InteractionIn]
    ) -> InteractionOut:
        """Tell of one thing a person did: made (201)."""
        found: InteractionOut = await self._wire.make(
            Call("POST", "/interactions", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    async def add_many(
        self, *, idempotency_key: str | None = None, **body: Unpack[InteractionsIn]
    ) -> InteractionBatchOut:
        """Tell of up to 500 at once; what is wrong with one keeps no other."""
        found: InteractionBatchOut = await self._wire.make(
            Call("POST", "/interactions/batch", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    async def get(self, interaction_id: str, /, **query: Unpack[InteractionsGetQuery]) -> InteractionOut:
        """One of them."""
        found: InteractionOut = await self._wire.make(
            Call("GET", f"/interactions/{part(interaction_id)}", query=query)
        )
        return found

    async def remove(self, interaction_id: str, /) -> None:
        """Take one back that was told by mistake."""
        await self._wire.make(Call("DELETE", f"/interactions/{part(interaction_id)}"))
