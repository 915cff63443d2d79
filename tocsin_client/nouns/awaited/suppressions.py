"""Calls about suppressions, awaited.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.suppressions import (
    AddressIn,
    DecidedOut,
    DecisionIn,
    LookedUpOut,
    SuppressionOut,
    SuppressionsListQuery,
    WhyIn,
)
from tocsin_client.wire import AsyncWire, part


class AsyncSuppressions:
    """Calls about suppressions, awaited."""

    def __init__(self, wire: AsyncWire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[SuppressionsListQuery]) -> AsyncIterator[SuppressionOut]:
        """What is in force, the last first."""
        return self._wire.pages(Call("GET", "/suppressions", query=query))

    async def add(self, *, idempotency_key: str | None = None, **body: Unpack[DecisionIn]) -> DecidedOut:
        """Write to an address no more. Safe to repeat."""
        found: DecidedOut = await self._wire.make(
            Call("POST", "/suppressions", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    async def look(self, **body: Unpack[AddressIn]) -> LookedUpOut:
        """Whether an address may be written to, and the history of it."""
        found: LookedUpOut = await self._wire.make(Call("POST", "/suppressions:look", body=body))
        return found

    async def lift_address(
        self, *, idempotency_key: str | None = None, **body: Unpack[DecisionIn]
    ) -> DecidedOut:
        """End every suppression of an address; they stay on record, with who lifted them and why."""
        found: DecidedOut = await self._wire.make(
            Call("POST", "/suppressions:lift", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    async def lift(self, suppression_id: str, /, **body: Unpack[WhyIn]) -> DecidedOut:
        """End one suppression, the others of its address stay; 404 when it has ended already."""
        found: DecidedOut = await self._wire.make(
            Call("POST", f"/suppressions/{part(suppression_id)}:lift", body=body)
        )
        return found
