"""Calls about templates, and their shapes.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NotRequired, TypedDict, Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.shared import Channel, Nature
from tocsin_client.wire import Wire, part


class TemplateOut(TypedDict):
    """A template; `version` is its newest. `hidden`."""

    id: str
    name: NotRequired[str]
    channel: NotRequired[Channel]
    version: NotRequired[int]
    subject: NotRequired[str]
    hidden: NotRequired[bool]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]


class VariableOut(TypedDict):
    """One variable. `of_contact`: contacts may have it."""

    name: str
    needed: bool
    fallback: str | None
    of_contact: bool


class VersionOut(TypedDict):
    """One version, which never changes. Its `id` is its template's; `number` tells it apart."""

    id: str
    number: NotRequired[int]
    subject: NotRequired[str]
    preheader: NotRequired[str]
    body: NotRequired[str]
    text: NotRequired[str]
    variables: NotRequired[list[VariableOut]]
    links: NotRequired[list[str]]
    nature: NotRequired[Nature | None]
    created_at: NotRequired[str]


class VersionRow(TypedDict):
    """One version in a list."""

    id: str
    number: NotRequired[int]
    subject: NotRequired[str]
    created_at: NotRequired[str]


class TemplatesListQuery(TypedDict):
    """What `list` may be asked."""

    name: NotRequired[str]
    channel: NotRequired[Channel | None]
    limit: NotRequired[int]
    fields: NotRequired[str | None]


class TemplatesListVersionsQuery(TypedDict):
    """What `list_versions` may be asked."""

    limit: NotRequired[int]
    fields: NotRequired[str | None]


class Templates:
    """Calls about templates."""

    def __init__(self, wire: Wire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[TemplatesListQuery]) -> Iterator[TemplateOut]:
        """Every template, in the order they were made."""
        return self._wire.pages(Call("GET", "/templates", query=query))

    def get(self, template_id: str, /) -> TemplateOut:
        """One template."""
        found: TemplateOut = self._wire.make(Call("GET", f"/templates/{part(template_id)}"))
        return found

    def list_versions(
        self, template_id: str, /, **query: Unpack[TemplatesListVersionsQuery]
    ) -> Iterator[VersionRow]:
        """Its versions, the newest first."""
        return self._wire.pages(Call("GET", f"/templates/{part(template_id)}/versions", query=query))

    def get_version(self, template_id: str, number: int, /) -> VersionOut:
        """One version: what it says, which variables it asks for, where its links lead."""
        found: VersionOut = self._wire.make(
            Call("GET", f"/templates/{part(template_id)}/versions/{part(number)}")
        )
        return found
