"""Calls about events, and their shapes.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NotRequired, TypedDict, Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.shared import EventOut, EventType
from tocsin_client.wire import Wire


class EventsListQuery(TypedDict):
    """What `list` may be asked."""

    message: NotRequired[str | None]
    campaign: NotRequired[str | None]
    contact: NotRequired[str | None]
    type: NotRequired[list[EventType] | None]
    since: NotRequired[str | None]
    until: NotRequired[str | None]
    oldest_first: NotRequired[bool]
    limit: NotRequired[int]
    fields: NotRequired[str | None]


class Events:
    """Calls about events."""

    def __init__(self, wire: Wire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[EventsListQuery]) -> Iterator[EventOut]:
        """What happened to messages, the latest first. A test key sees what became of tests."""
        return self._wire.pages(Call("GET", "/events", query=query))
