"""Calls about contacts, awaited.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.contacts import (
    ContactIn,
    ContactOut,
    ContactsGetByExternalIdQuery,
    ContactsGetQuery,
    ContactsListQuery,
    StatementIn,
    StatementsOut,
    TagsIn,
    TagsOut,
)
from tocsin_client.wire import AsyncWire, part


class AsyncContacts:
    """Calls about contacts, awaited."""

    def __init__(self, wire: AsyncWire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    async def get_by_external_id(
        self, external_id: str, /, **query: Unpack[ContactsGetByExternalIdQuery]
    ) -> ContactOut:
        """One person, by your own id."""
        found: ContactOut = await self._wire.make(
            Call("GET", f"/contacts/by-external-id/{part(external_id)}", query=query)
        )
        return found

    async def put_by_external_id(
        self, external_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[ContactIn]
    ) -> ContactOut:
        """Write a person under your own id: made (201) or changed (200)."""
        found: ContactOut = await self._wire.make(
            Call(
                "PUT",
                f"/contacts/by-external-id/{part(external_id)}",
                body=body,
                takes_key=True,
                key=idempotency_key,
            )
        )
        return found

    def list(self, **query: Unpack[ContactsListQuery]) -> AsyncIterator[ContactOut]:
        """People, in the order in which they came."""
        return self._wire.pages(Call("GET", "/contacts", query=query))

    async def add(self, *, idempotency_key: str | None = None, **body: Unpack[ContactIn]) -> ContactOut:
        """Add somebody new; 409 when their address, number or external id is known already."""
        found: ContactOut = await self._wire.make(
            Call("POST", "/contacts", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    async def get(self, contact_id: str, /, **query: Unpack[ContactsGetQuery]) -> ContactOut:
        """One person."""
        found: ContactOut = await self._wire.make(Call("GET", f"/contacts/{part(contact_id)}", query=query))
        return found

    async def change(
        self, contact_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[ContactIn]
    ) -> ContactOut:
        """Change what is named; null empties it."""
        found: ContactOut = await self._wire.make(
            Call("PATCH", f"/contacts/{part(contact_id)}", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    async def remove(self, contact_id: str, /) -> None:
        """Erase a person, with everything that names them; what was sent still counts, for nobody."""
        await self._wire.make(Call("DELETE", f"/contacts/{part(contact_id)}"))

    async def list_tags(self, contact_id: str, /) -> TagsOut:
        """The tags a person wears."""
        found: TagsOut = await self._wire.make(Call("GET", f"/contacts/{part(contact_id)}/tags"))
        return found

    async def add_tags(self, contact_id: str, /, **body: Unpack[TagsIn]) -> TagsOut:
        """Put tags on and take tags off, in that order. Safe to repeat."""
        found: TagsOut = await self._wire.make(Call("POST", f"/contacts/{part(contact_id)}/tags", body=body))
        return found

    async def list_consents(self, contact_id: str, /) -> StatementsOut:
        """Everything a person said of consent, the newest first, and what holds."""
        found: StatementsOut = await self._wire.make(Call("GET", f"/contacts/{part(contact_id)}/consents"))
        return found

    async def add_consents(
        self, contact_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[StatementIn]
    ) -> StatementsOut:
        """Keep one statement as proof. Nothing is ever taken back."""
        found: StatementsOut = await self._wire.make(
            Call(
                "POST",
                f"/contacts/{part(contact_id)}/consents",
                body=body,
                takes_key=True,
                key=idempotency_key,
            )
        )
        return found
