"""Calls about contacts, and their shapes.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NotRequired, TypedDict, Unpack

from tocsin_client.conversation import Call
from tocsin_client.wire import Wire, part

ConsentStatus = Literal["unknown", "granted", "withdrawn"]


class ConsentIn(TypedDict):
    """What a person said of being written to, or of being chosen by what is known of them."""

    status: Literal["granted", "withdrawn"]
    source: NotRequired[str | None]
    given_at: NotRequired[str | None]


class ConsentsIn(TypedDict):
    """By what the consent is about."""

    email: NotRequired[ConsentIn | None]
    sms: NotRequired[ConsentIn | None]
    targeting: NotRequired[ConsentIn | None]


class ConsentsOut(TypedDict):
    """What holds at present."""

    email: ConsentStatus
    sms: ConsentStatus
    targeting: ConsentStatus


class ContactIn(TypedDict):
    """What is said of one person. What is not named stays as it is; null, or blank text, empties."""

    external_id: NotRequired[str | None]
    email: NotRequired[str | None]
    phone: NotRequired[str | None]
    civility: NotRequired[str | None]
    first_name: NotRequired[str | None]
    last_name: NotRequired[str | None]
    language: NotRequired[str | None]
    birth_date: NotRequired[str | None]
    level: NotRequired[str | None]
    commune: NotRequired[str | None]
    postcode: NotRequired[str | None]
    departement: NotRequired[str | None]
    region: NotRequired[str | None]
    canton: NotRequired[str | None]
    circonscription: NotRequired[str | None]
    polling_station: NotRequired[str | None]
    attributes: NotRequired[dict[str, str | None]]
    tags: NotRequired[list[str] | None]
    consents: NotRequired[ConsentsIn]


class ContactOut(TypedDict):
    """One person."""

    id: str
    external_id: NotRequired[str | None]
    email: NotRequired[str | None]
    phone: NotRequired[str | None]
    civility: NotRequired[str | None]
    first_name: NotRequired[str | None]
    last_name: NotRequired[str | None]
    language: NotRequired[str]
    birth_date: NotRequired[str | None]
    level: NotRequired[str | None]
    commune: NotRequired[str | None]
    postcode: NotRequired[str | None]
    departement: NotRequired[str | None]
    region: NotRequired[str | None]
    canton: NotRequired[str | None]
    circonscription: NotRequired[str | None]
    polling_station: NotRequired[str | None]
    attributes: NotRequired[dict[str, str]]
    tags: NotRequired[list[str]]
    consents: NotRequired[ConsentsOut]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    notes: NotRequired[list[NoteOut] | None]


class NoteOut(TypedDict):
    """Something a person should look at: it was taken over, or passed over, all the same."""

    field: str
    message: str


class StatementIn(TypedDict):
    """One statement and what it is about."""

    status: Literal["granted", "withdrawn"]
    source: NotRequired[str | None]
    given_at: NotRequired[str | None]
    about: Literal["email", "sms", "targeting"]


class StatementOut(TypedDict):
    """What a person said, where and when."""

    about: Literal["email", "sms", "targeting"]
    status: ConsentStatus
    source: str
    given_at: str
    recorded_at: str


class StatementsOut(TypedDict):
    """Every statement, the newest first, and what holds."""

    data: list[StatementOut]
    holds: ConsentsOut


class TagsIn(TypedDict):
    """Tags to put on and to take off; compared without accents, case and hyphens."""

    add: NotRequired[list[str]]
    remove: NotRequired[list[str]]


class TagsOut(TypedDict):
    """The tags a person wears now."""

    tags: list[str]


class ContactsGetByExternalIdQuery(TypedDict):
    """What `get_by_external_id` may be asked."""

    fields: NotRequired[str | None]


class ContactsListQuery(TypedDict):
    """What `list` may be asked."""

    limit: NotRequired[int]
    fields: NotRequired[str | None]
    email: NotRequired[str | None]
    phone: NotRequired[str | None]
    external_id: NotRequired[str | None]
    tag: NotRequired[str | None]
    updated_since: NotRequired[str | None]


class ContactsGetQuery(TypedDict):
    """What `get` may be asked."""

    fields: NotRequired[str | None]


class Contacts:
    """Calls about contacts."""

    def __init__(self, wire: Wire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def get_by_external_id(
        self, external_id: str, /, **query: Unpack[ContactsGetByExternalIdQuery]
    ) -> ContactOut:
        """One person, by your own id."""
        found: ContactOut = self._wire.make(
            Call("GET", f"/contacts/by-external-id/{part(external_id)}", query=query)
        )
        return found

    def put_by_external_id(
        self, external_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[ContactIn]
    ) -> ContactOut:
        """Write a person under your own id: made (201) or changed (200)."""
        found: ContactOut = self._wire.make(
            Call(
                "PUT",
                f"/contacts/by-external-id/{part(external_id)}",
                body=body,
                takes_key=True,
                key=idempotency_key,
            )
        )
        return found

    def list(self, **query: Unpack[ContactsListQuery]) -> Iterator[ContactOut]:
        """People, in the order in which they came."""
        return self._wire.pages(Call("GET", "/contacts", query=query))

    def add(self, *, idempotency_key: str | None = None, **body: Unpack[ContactIn]) -> ContactOut:
        """Add somebody new; 409 when their address, number or external id is known already."""
        found: ContactOut = self._wire.make(
            Call("POST", "/contacts", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    def get(self, contact_id: str, /, **query: Unpack[ContactsGetQuery]) -> ContactOut:
        """One person."""
        found: ContactOut = self._wire.make(Call("GET", f"/contacts/{part(contact_id)}", query=query))
        return found

    def change(
        self, contact_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[ContactIn]
    ) -> ContactOut:
        """Change what is named; null empties it."""
        found: ContactOut = self._wire.make(
            Call("PATCH", f"/contacts/{part(contact_id)}", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    def remove(self, contact_id: str, /) -> None:
        """Erase a person, with everything that names them; what was sent still counts, for nobody."""
        self._wire.make(Call("DELETE", f"/contacts/{part(contact_id)}"))

    def list_tags(self, contact_id: str, /) -> TagsOut:
        """The tags a person wears."""
        found: TagsOut = self._wire.make(Call("GET", f"/contacts/{part(contact_id)}/tags"))
        return found

    def add_tags(self, contact_id: str, /, **body: Unpack[TagsIn]) -> TagsOut:
        """Put tags on and take tags off, in that order. Safe to repeat."""
        found: TagsOut = self._wire.make(Call("POST", f"/contacts/{part(contact_id)}/tags", body=body))
        return found

    def list_consents(self, contact_id: str, /) -> StatementsOut:
        """Everything a person said of consent, the newest first, and what holds."""
        found: StatementsOut = self._wire.make(Call("GET", f"/contacts/{part(contact_id)}/consents"))
        return found

    def add_consents(
        self, contact_id: str, /, *, idempotency_key: str | None = None, **body: Unpack[StatementIn]
    ) -> StatementsOut:
        """Keep one statement as proof. Nothing is ever taken back."""
        found: StatementsOut = self._wire.make(
            Call(
                "POST",
                f"/contacts/{part(contact_id)}/consents",
                body=body,
                takes_key=True,
                key=idempotency_key,
            )
        )
        return found
