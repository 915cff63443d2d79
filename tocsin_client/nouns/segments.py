"""Calls about segments, and their shapes.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NotRequired, TypedDict, Unpack

from tocsin_client.conversation import Call
from tocsin_client.wire import Wire, part


class ExplanationOut(TypedDict):
    """A rule, part by part. `canonical`: written in the one way that every rule can be."""

    people: int
    canonical: str
    parts: list[PartOut]


class PartOut(TypedDict):
    """One part of a rule, `depth` levels in, and how many people it keeps by itself."""

    depth: int
    text: str
    people: int


class PeopleOut(TypedDict):
    """How many people a rule keeps at this moment."""

    people: int
    counted_at: str


class RuleIn(TypedDict):
    """A rule that is not kept."""

    rule: str


class SegmentChange(TypedDict):
    """What is to be different."""

    name: NotRequired[str | None]
    rule: NotRequired[str | None]


class SegmentIn(TypedDict):
    """A rule under a name."""

    name: str
    rule: str


class SegmentOut(TypedDict):
    """A rule under a name."""

    id: str
    name: NotRequired[str]
    rule: NotRequired[str]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]


class SegmentsListQuery(TypedDict):
    """What `list` may be asked."""

    name: NotRequired[str]
    limit: NotRequired[int]
    fields: NotRequired[str | None]


class Segments:
    """Calls about segments."""

    def __init__(self, wire: Wire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[SegmentsListQuery]) -> Iterator[SegmentOut]:
        """Every segment, in the order they were made."""
        return self._wire.pages(Call("GET", "/segments", query=query))

    def add(self, *, idempotency_key: str | None = None, **body: Unpack[SegmentIn]) -> SegmentOut:
        """Keep a rule under a name. 409 when there is one of that name."""
        found: SegmentOut = self._wire.make(
            Call("POST", "/segments", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    def explain(self, **body: Unpack[RuleIn]) -> ExplanationOut:
        """How many people a rule keeps, and each part of it; nothing is kept."""
        found: ExplanationOut = self._wire.make(Call("POST", "/segments:explain", body=body))
        return found

    def get(self, segment_id: str, /) -> SegmentOut:
        """One segment."""
        found: SegmentOut = self._wire.make(Call("GET", f"/segments/{part(segment_id)}"))
        return found

    def change(self, segment_id: str, /, **body: Unpack[SegmentChange]) -> SegmentOut:
        """Change its name, its rule or both. Campaigns that were launched keep the rule as it was."""
        found: SegmentOut = self._wire.make(Call("PATCH", f"/segments/{part(segment_id)}", body=body))
        return found

    def remove(self, segment_id: str, /) -> None:
        """Take it away. 409 while a campaign, however old, holds it."""
        self._wire.make(Call("DELETE", f"/segments/{part(segment_id)}"))

    def get_count(self, segment_id: str, /) -> PeopleOut:
        """How many people it keeps now."""
        found: PeopleOut = self._wire.make(Call("GET", f"/segments/{part(segment_id)}/count"))
        return found

    def get_explanation(self, segment_id: str, /) -> ExplanationOut:
        """How many people each part of it keeps by itself."""
        found: ExplanationOut = self._wire.make(Call("GET", f"/segments/{part(segment_id)}/explanation"))
        return found
