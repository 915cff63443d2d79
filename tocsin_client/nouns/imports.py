"""Calls about imports, and their shapes.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NotRequired, TypedDict, Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.shared import Channel
from tocsin_client.wire import Wire, part

BulkState = Literal["waiting", "running", "finished", "failed"]

UpdatePolicy = Literal["overwrite", "fill", "keep"]


class CountsOut(TypedDict):
    """Rows so far. `noted` were taken over with something missing or doubtful."""

    read: NotRequired[int]
    created: NotRequired[int]
    updated: NotRequired[int]
    unchanged: NotRequired[int]
    rejected: NotRequired[int]
    noted: NotRequired[int]
    suppressed: NotRequired[int]


class ImportOut(TypedDict):
    """One file. `progress` goes from 0 to 1; `columns` say as what each column was understood."""

    id: str
    state: NotRequired[BulkState]
    progress: NotRequired[float]
    problem: NotRequired[str | None]
    file_name: NotRequired[str | None]
    columns: NotRequired[dict[str, str]]
    counts: NotRequired[CountsOut]
    created_at: NotRequired[str]
    finished_at: NotRequired[str | None]
    links: NotRequired[dict[str, str]]


class ReportLineOut(TypedDict):
    """One row, or cell, that was not taken over, and why. `line` as the file's sender counts."""

    line: int
    rejected: bool
    field: str
    value: str
    reason: str


class ImportsListQuery(TypedDict):
    """What `list` may be asked."""

    limit: NotRequired[int]
    fields: NotRequired[str | None]


class ImportsAddQuery(TypedDict):
    """What `add` may be asked."""

    update: NotRequired[UpdatePolicy]
    column: NotRequired[list[str]]
    source: NotRequired[str]
    granted: NotRequired[list[Channel]]
    known_only: NotRequired[bool]


class ImportsGetQuery(TypedDict):
    """What `get` may be asked."""

    fields: NotRequired[str | None]


class ImportsGetReportQuery(TypedDict):
    """What `get_report` may be asked."""

    limit: NotRequired[int]


class Imports:
    """Calls about imports."""

    def __init__(self, wire: Wire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[ImportsListQuery]) -> Iterator[ImportOut]:
        """The files handed over with this key, the last first; with any key."""
        return self._wire.pages(Call("GET", "/contacts/imports", query=query))

    def add(
        self, content: bytes, /, *, idempotency_key: str | None = None, **query: Unpack[ImportsAddQuery]
    ) -> ImportOut:
        """Hand over a file of people, up to 256 MiB: CSV, or one JSON object a line."""
        found: ImportOut = self._wire.make(
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

    def get(self, import_id: str, /, **query: Unpack[ImportsGetQuery]) -> ImportOut:
        """How far one is, and what came of it."""
        found: ImportOut = self._wire.make(Call("GET", f"/contacts/imports/{part(import_id)}", query=query))
        return found

    def get_report(
        self, import_id: str, /, **query: Unpack[ImportsGetReportQuery]
    ) -> Iterator[ReportLineOut]:
        """Every row that was not taken over, and every cell, in the order of the file."""
        return self._wire.pages(Call("GET", f"/contacts/imports/{part(import_id)}/report", query=query))
