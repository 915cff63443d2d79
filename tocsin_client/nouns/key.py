"""Calls about key, and their shapes.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from tocsin_client.conversation import Call
from tocsin_client.nouns.shared import KeyMode
from tocsin_client.wire import Wire

Scope = Literal[
    "messages:send",
    "messages:read",
    "contacts:read",
    "contacts:write",
    "segments:read",
    "segments:write",
    "templates:read",
    "identities:read",
    "campaigns:read",
    "campaigns:write",
    "campaigns:override",
    "events:read",
    "suppressions:read",
    "suppressions:write",
    "interactions:read",
    "interactions:write",
    "webhooks:read",
    "webhooks:write",
]


class KeyOut(TypedDict):
    """A key and what it may. `identities`: ids of those it may write as; empty: any."""

    id: str
    name: str
    mode: KeyMode
    scopes: list[Scope]
    identities: list[str]
    networks: list[str]
    per_minute: int
    expires_at: str | None


class Key:
    """Calls about key."""

    def __init__(self, wire: Wire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def get(self) -> KeyOut:
        """The key this call was made with."""
        found: KeyOut = self._wire.make(Call("GET", "/key"))
        return found
