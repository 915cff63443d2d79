"""Calls about messages, awaited.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.messages import (
    BatchIn,
    BatchOut,
    MessageIn,
    MessageOut,
    MessageRow,
    MessagesListEventsQuery,
    MessagesListQuery,
)
from tocsin_client.nouns.shared import EventOut
from tocsin_client.wire import AsyncWire, part


class AsyncMessages:
    """Calls about messages, awaited."""

    def __init__(self, wire: AsyncWire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[MessagesListQuery]) -> AsyncIterator[MessageRow]:
        """Messages that programs handed over, the newest first. Those of campaigns are not among them."""
        return self._wire.pages(Call("GET", "/messages", query=query))

    async def send(self, *, idempotency_key: str | None = None, **body: Unpack[MessageIn]) -> MessageOut:
        """Hand over one message."""
        found: MessageOut = await self._wire.make(
            Call("POST", "/messages", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    async def send_many(self, *, idempotency_key: str | None = None, **body: Unpack[BatchIn]) -> BatchOut:
        """Hand over up to 500 messages at once; one result each, in their order."""
        found: BatchOut = await self._wire.make(
            Call("POST", "/messages/batch", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    async def get(self, message_id: str, /) -> MessageOut:
        """One message and where it stands."""
        found: MessageOut = await self._wire.make(Call("GET", f"/messages/{part(message_id)}"))
        return found

    def list_events(
        self, message_id: str, /, **query: Unpack[MessagesListEventsQuery]
    ) -> AsyncIterator[EventOut]:
        """What happened to one message, from its beginning."""
        return self._wire.pages(Call("GET", f"/messages/{part(message_id)}/events", query=query))

    async def cancel(self, message_id: str, /) -> MessageOut:
        """Take back one that has not left; 409 once it has, or while it is leaving."""
        found: MessageOut = await self._wire.make(Call("POST", f"/messages/{part(message_id)}:cancel"))
        return found
