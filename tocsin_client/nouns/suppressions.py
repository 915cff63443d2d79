"""Calls about suppressions, and their shapes.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NotRequired, TypedDict, Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.shared import Channel
from tocsin_client.wire import Wire, part

SuppressionReason = Literal[
    "hard_bounce", "complaint", "unsubscribe", "stop", "provider", "manual", "imported"
]


class AddressIn(TypedDict):
    """One address; the channel is its own. In a body, since addresses do not belong in logs."""

    email: NotRequired[str | None]
    phone: NotRequired[str | None]


class DecidedOut(TypedDict):
    """What was decided. `changed`, for keys that may read: whether it was not so before."""

    suppressed: bool
    changed: NotRequired[bool | None]
    consent_withdrawn: NotRequired[bool | None]


class DecisionIn(TypedDict):
    """One address, and why it is decided so: kept as the trace of the decision."""

    email: NotRequired[str | None]
    phone: NotRequired[str | None]
    why: str


class LookedUpOut(TypedDict):
    """Whether an address is written to, and everything on record of it, the oldest first."""

    suppressed: bool
    history: list[SuppressionOut]


class SuppressionOut(TypedDict):
    """One suppression. `contact`: whom it is about."""

    id: str
    channel: NotRequired[Channel]
    reason: NotRequired[SuppressionReason]
    evidence: NotRequired[str]
    contact: NotRequired[str | None]
    created_at: NotRequired[str]
    until: NotRequired[str | None]
    lifted_at: NotRequired[str | None]
    lifted_why: NotRequired[str | None]


class WhyIn(TypedDict):
    """Why it is decided so."""

    why: str


class SuppressionsListQuery(TypedDict):
    """What `list` may be asked."""

    limit: NotRequired[int]
    fields: NotRequired[str | None]
    channel: NotRequired[Channel | None]
    reason: NotRequired[SuppressionReason | None]
    since: NotRequired[str | None]


class Suppressions:
    """Calls about suppressions."""

    def __init__(self, wire: Wire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[SuppressionsListQuery]) -> Iterator[SuppressionOut]:
        """What is in force, the last first."""
        return self._wire.pages(Call("GET", "/suppressions", query=query))

    def add(self, *, idempotency_key: str | None = None, **body: Unpack[DecisionIn]) -> DecidedOut:
        """Write to an address no more. Safe to repeat."""
        found: DecidedOut = self._wire.make(
            Call("POST", "/suppressions", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    def look(self, **body: Unpack[AddressIn]) -> LookedUpOut:
        """Whether an address may be written to, and the history of it."""
        found: LookedUpOut = self._wire.make(Call("POST", "/suppressions:look", body=body))
        return found

    def lift_address(self, *, idempotency_key: str | None = None, **body: Unpack[DecisionIn]) -> DecidedOut:
        """End every suppression of an address; they stay on record, with who lifted them and why."""
        found: DecidedOut = self._wire.make(
            Call("POST", "/suppressions:lift", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    def lift(self, suppression_id: str, /, **body: Unpack[WhyIn]) -> DecidedOut:
        """End one suppression, the others of its address stay; 404 when it has ended already."""
        found: DecidedOut = self._wire.make(
            Call("POST", f"/suppressions/{part(suppression_id)}:lift", body=body)
        )
        return found
