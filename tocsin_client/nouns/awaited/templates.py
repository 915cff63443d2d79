"""Calls about templates, awaited.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.templates import (
    TemplateOut,
    TemplatesListQuery,
    TemplatesListVersionsQuery,
    VersionOut,
    VersionRow,
)
from tocsin_client.wire import AsyncWire, part


class AsyncTemplates:
    """Calls about templates, awaited."""

    def __init__(self, wire: AsyncWire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[TemplatesListQuery]) -> AsyncIterator[TemplateOut]:
        """Every template, in the order they were made."""
        return self._wire.pages(Call("GET", "/templates", query=query))

    async def get(self, template_id: str, /) -> TemplateOut:
        """One template."""
        found: TemplateOut = await self._wire.make(Call("GET", f"/templates/{part(template_id)}"))
        return found

    def list_versions(
        self, template_id: str, /, **query: Unpack[TemplatesListVersionsQuery]
    ) -> AsyncIterator[VersionRow]:
        """Its versions, the newest first."""
        return self._wire.pages(Call("GET", f"/templates/{part(template_id)}/versions", query=query))

    async def get_version(self, template_id: str, number: int, /) -> VersionOut:
        """One version: what it says, which variables it asks for, where its links lead."""
        found: VersionOut = await self._wire.make(
            Call("GET", f"/templates/{part(template_id)}/versions/{part(number)}")
        )
        return found
