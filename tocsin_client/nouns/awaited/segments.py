"""Calls about segments, awaited.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.segments import (
    ExplanationOut,
    PeopleOut,
    RuleIn,
    SegmentChange,
    SegmentIn,
    SegmentOut,
    SegmentsListQuery,
)
from tocsin_client.wire import AsyncWire, part


class AsyncSegments:
    """Calls about segments, awaited."""

    def __init__(self, wire: AsyncWire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[SegmentsListQuery]) -> AsyncIterator[SegmentOut]:
        """Every segment, in the order they were made."""
        return self._wire.pages(Call("GET", "/segments", query=query))

    async def add(self, *, idempotency_key: str | None = None, **body: Unpack[SegmentIn]) -> SegmentOut:
        """Keep a rule under a name. 409 when there is one of that name."""
        found: SegmentOut = await self._wire.make(
            Call("POST", "/segments", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    async def explain(self, **body: Unpack[RuleIn]) -> ExplanationOut:
        """How many people a rule keeps, and each part of it; nothing is kept."""
        found: ExplanationOut = await self._wire.make(Call("POST", "/segments:explain", body=body))
        return found

    async def get(self, segment_id: str, /) -> SegmentOut:
        """One segment."""
        found: SegmentOut = await self._wire.make(Call("GET", f"/segments/{part(segment_id)}"))
        return found

    async def change(self, segment_id: str, /, **body: Unpack[SegmentChange]) -> SegmentOut:
        """Change its name, its rule or both. Campaigns that were launched keep the rule as it was."""
        found: SegmentOut = await self._wire.make(Call("PATCH", f"/segments/{part(segment_id)}", body=body))
        return found

    async def remove(self, segment_id: str, /) -> None:
        """Take it away. 409 while a campaign, however old, holds it."""
        await self._wire.make(Call("DELETE", f"/segments/{part(segment_id)}"))

    async def get_count(self, segment_id: str, /) -> PeopleOut:
        """How many people it keeps now."""
        found: PeopleOut = await self._wire.make(Call("GET", f"/segments/{part(segment_id)}/count"))
        return found

    async def get_explanation(self, segment_id: str, /) -> ExplanationOut:
        """How many people each part of it keeps by itself."""
        found: ExplanationOut = await self._wire.make(
            Call("GET", f"/segments/{part(segment_id)}/explanation")
        )
        return found
