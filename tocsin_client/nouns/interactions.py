"""Calls about interactions, and their shapes.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NotRequired, TypedDict, Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.shared import ProblemOut
from tocsin_client.wire import Wire, part


class InteractionBatchOut(TypedDict):
    """One result each, in the order in which they were sent."""

    written: int
    refused: int
    results: list[WroteOut]


class InteractionIn(TypedDict):
    """One thing one person did."""

    contact: PersonIn
    kind: str
    at: NotRequired[str | None]
    source: NotRequired[str]
    external_id: NotRequired[str | None]
    details: NotRequired[dict[str, str]]


class InteractionOut(TypedDict):
    """One of them, on record. `kind` as it was written, `key` as segments know it."""

    id: str
    contact: NotRequired[str]
    kind: NotRequired[str]
    key: NotRequired[str]
    at: NotRequired[str]
    source: NotRequired[str]
    external_id: NotRequired[str | None]
    details: NotRequired[dict[str, str]]
    recorded_at: NotRequired[str]


class InteractionsIn(TypedDict):
    """Up to 500."""

    interactions: list[InteractionIn]


class PersonIn(TypedDict):
    """Who it was: one of these."""

    id: NotRequired[str | None]
    external_id: NotRequired[str | None]
    email: NotRequired[str | None]
    phone: NotRequired[str | None]


class WroteOut(TypedDict):
    """What came of one of a batch: its id where it is on record (201 made, 200 changed)."""

    status: int
    id: NotRequired[str | None]
    problem: NotRequired[ProblemOut | None]


class InteractionsListQuery(TypedDict):
    """What `list` may be asked."""

    limit: NotRequired[int]
    fields: NotRequired[str | None]
    contact: NotRequired[str | None]
    kind: NotRequired[str | None]
    source: NotRequired[str | None]
    external_id: NotRequired[str | None]
    since: NotRequired[str | None]


class InteractionsGetQuery(TypedDict):
    """What `get` may be asked."""

    fields: NotRequired[str | None]


class Interactions:
    """Calls about interactions."""

    def __init__(self, wire: Wire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[InteractionsListQuery]) -> Iterator[InteractionOut]:
        """What was told, the last first."""
        return self._wire.pages(Call("GET", "/interactions", query=query))

    def add(self, *, idempotency_key: str | None = None, **body: Unpack[InteractionIn]) -> InteractionOut:
        """Tell of one thing a person did: made (201)."""
        found: InteractionOut = self._wire.make(
            Call("POST", "/interactions", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    def add_many(
        self, *, idempotency_key: str | None = None, **body: Unpack[InteractionsIn]
    ) -> InteractionBatchOut:
        """Tell of up to 500 at once; what is wrong with one keeps no other."""
        found: InteractionBatchOut = self._wire.make(
            Call("POST", "/interactions/batch", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    def get(self, interaction_id: str, /, **query: Unpack[InteractionsGetQuery]) -> InteractionOut:
        """One of them."""
        found: InteractionOut = self._wire.make(
            Call("GET", f"/interactions/{part(interaction_id)}", query=query)
        )
        return found

    def remove(self, interaction_id: str, /) -> None:
        """Take one back that was told by mistake."""
        self._wire.make(Call("DELETE", f"/interactions/{part(interaction_id)}"))
