"""Calls about imports, awaited.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.imports import (
    ImportOut,
    ImportsAddQuery,
    ImportsGetQuery,
    ImportsGetReportQuery,
    ImportsListQuery,
    ReportLineOut,
)
from tocsin_client.wire import AsyncWire, part


class AsyncImports:
    """Calls about imports, awaited."""

    def __init__(self, wire: AsyncWire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[ImportsListQuery]) -> AsyncIterator[ImportOut]:
        """The files handed over with this key, the last first; with any key."""
        return self._wire.pages(Call("GET", "/contacts/imports", query=query))

    async def add(
        self, content: bytes, /, *, idempotency_key: str | None = None, **query: Unpack[ImportsAddQuery]
    ) -> ImportOut:
        """Hand over a file of people, up to 256 MiB: CSV, or one JSON object a line."""
        found: ImportOut = await self._wire.make(
            Call(
                "POST",
                "/contacts/imports",
                body=content,
                content_type="text/csv",
                query=query,
                takes_key=True,
                key=idempotency_key,
            )
        )
        return found

    async def get(self, import_id: str, /, **query: Unpack[ImportsGetQuery]) -> ImportOut:
        """How far one is, and what came of it."""
        found: ImportOut = await self._wire.make(
            Call("GET", f"/contacts/imports/{part(import_id)}", query=query)
        )
        return found

    def get_report(
        self, import_id: str, /, **query: Unpack[ImportsGetReportQuery]
    ) -> AsyncIterator[ReportLineOut]:
        """Every row that was not taken over, and every cell, in the order of the file."""
        return self._wire.pages(Call("GET", f"/contacts/imports/{part(import_id)}/report", query=query))
