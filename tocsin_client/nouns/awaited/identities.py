"""Calls about identities, awaited.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.identities import IdentitiesListQuery, IdentityOut
from tocsin_client.wire import AsyncWire, part


class AsyncIdentities:
    """Calls about identities, awaited."""

    def __init__(self, wire: AsyncWire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[IdentitiesListQuery]) -> AsyncIterator[IdentityOut]:
        """The identities that this key may write as, in the order they were made."""
        return self._wire.pages(Call("GET", "/identities", query=query))

    async def get(self, identity_id: str, /) -> IdentityOut:
        """One identity."""
        found: IdentityOut = await self._wire.make(Call("GET", f"/identities/{part(identity_id)}"))
        return found
