"""Calls about events, awaited.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.events import EventsListQuery
from tocsin_client.nouns.shared import EventOut
from tocsin_client.wire import AsyncWire


class AsyncEvents:
    """Calls about events, awaited."""

    def __init__(self, wire: AsyncWire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[EventsListQuery]) -> AsyncIterator[EventOut]:
        """What happened to messages, the latest first. A test key sees what became of tests."""
        return self._wire.pages(Call("GET", "/events", query=query))
