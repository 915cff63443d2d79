"""Calls about identities, and their shapes.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NotRequired, TypedDict, Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.shared import Channel
from tocsin_client.wire import Wire, part

HealthLevel = Literal["unknown", "fine", "warning", "problem"]

IdentityState = Literal["draft", "dns_pending", "confirmed", "warming", "active", "suspended", "retired"]

TerritoryKind = Literal[
    "polling_station", "commune", "canton", "circonscription", "departement", "region", "national"
]


class IdentityOut(TypedDict):
    """Who writes. `sends`: the channels in which its messages leave at present; `health`."""

    id: str
    key: NotRequired[str]
    name: NotRequired[str]
    organisation: NotRequired[str]
    from_email: NotRequired[str | None]
    reply_to: NotRequired[str | None]
    sms_sender: NotRequired[str | None]
    territory: NotRequired[TerritoryOut]
    state: NotRequired[IdentityState]
    sends: NotRequired[list[Channel]]
    health: NotRequired[HealthLevel]


class TerritoryOut(TypedDict):
    """For whom it speaks: everybody, or whoever lives there."""

    kind: TerritoryKind
    value: str


class IdentitiesListQuery(TypedDict):
    """What `list` may be asked."""

    limit: NotRequired[int]
    fields: NotRequired[str | None]


class Identities:
    """Calls about identities."""

    def __init__(self, wire: Wire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[IdentitiesListQuery]) -> Iterator[IdentityOut]:
        """The identities that this key may write as, in the order they were made."""
        return self._wire.pages(Call("GET", "/identities", query=query))

    def get(self, identity_id: str, /) -> IdentityOut:
        """One identity."""
        found: IdentityOut = self._wire.make(Call("GET", f"/identities/{part(identity_id)}"))
        return found
