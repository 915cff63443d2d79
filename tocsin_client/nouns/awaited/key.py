"""Calls about key, awaited.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from tocsin_client.conversation import Call
from tocsin_client.nouns.key import KeyOut
from tocsin_client.wire import AsyncWire


class AsyncKey:
    """Calls about key, awaited."""

    def __init__(self, wire: AsyncWire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    async def get(self) -> KeyOut:
        """The key this call was made with."""
        found: KeyOut = await self._wire.make(Call("GET", "/key"))
        return found
