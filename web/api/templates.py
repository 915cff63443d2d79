"""Templates, to read: which there are, their versions, and which variables each one asks for."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.responses import Response

from models.api import Scope
from models.errors import NotFoundError
from models.states import Channel, Nature
from models.template import Template, TemplateVersion
from scheduler.asked import SAID
from scheduler.letters import GIVEN
from store import templates
from store.template_pages import next_templates, next_versions
from templates.lint import STANDARD_FIELDS
from web.api.auth import Caller, may
from web.api.ids import Ids, Kind
from web.api.messages import acceptor_of
from web.api.paging import Cursor, Fields, Limit, PageOut, Paging, Pickable
from web.api.schemas import Line, Told, problems

router = APIRouter(tags=["templates"])
Reads = Annotated[Caller, may(Scope.TEMPLATES_READ)]
TemplateId = Annotated[
    str, Path(max_length=40, description="The id of a template.", examples=["tpl_aeaaaaaaaaaaaaaaaaaaaaaa"])
]


class TemplateOut(Pickable):
    """A template; `version` is its newest. `hidden`: what a program sent as the content of its messages."""

    name: str
    channel: Channel
    version: int
    subject: str
    hidden: bool
    created_at: datetime
    updated_at: datetime


class VariableOut(Told):
    """One variable. `of_contact`: contacts may have it, so that it need not be sent for somebody known.

    `needed`: without a value nothing is sent; `fallback` stands in its place where there is none.
    """

    name: str
    needed: bool
    fallback: str | None
    of_contact: bool


class VersionOut(Pickable):
    """One version, which never changes. Its `id` is its template's; `number` tells it apart."""

    number: int
    subject: str
    preheader: str
    body: str
    text: str
    variables: list[VariableOut]
    links: list[str]
    nature: Nature | None = Field(
        default=None,
        description="What it is to the law in messages with `purpose: campaign`; null: what this "
        "installation says, once it is first sent so.",
    )
    created_at: datetime


class VersionRow(Pickable):
    """One version in a list."""

    number: int
    subject: str
    created_at: datetime


@router.get("/templates", response_model=PageOut[TemplateOut], responses=problems("invalid"))
async def list_templates(
    caller: Reads,
    *,
    name: Annotated[Line, Query(max_length=200, description="The one that is called so.")] = "",
    channel: Channel | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    fields: Fields = None,
) -> Response:
    """Every template, in the order they were made."""
    paging = Paging(caller, limit, cursor)
    after = None if paging.after is None else int(paging.after[0])
    async with caller.context.database.read() as session:
        found = await next_templates(session, limit=paging.wanted, after=after, name=name, channel=channel)
    return paging.answer(
        found, lambda one: (one[0].id,), TemplateOut, lambda one: _told(caller.ids, *one), fields
    )


@router.get("/templates/{template_id}", responses=problems("not_found"))
async def look(caller: Reads, template_id: TemplateId) -> TemplateOut:
    """One template."""
    return _told(caller.ids, *await _find(caller, template_id))


@router.get(
    "/templates/{template_id}/versions",
    response_model=PageOut[VersionRow],
    responses=problems("invalid", "not_found"),
)
async def list_versions(
    caller: Reads,
    template_id: TemplateId,
    *,
    limit: Limit = 50,
    cursor: Cursor = None,
    fields: Fields = None,
) -> Response:
    """Its versions, the newest first."""
    paging = Paging(caller, limit, cursor)
    template, _ = await _find(caller, template_id)
    before = None if paging.after is None else int(paging.after[0])
    async with caller.context.database.read() as session:
        found = await next_versions(session, template.id, limit=paging.wanted, before=before)

    def tell(one: TemplateVersion) -> VersionRow:
        own = caller.ids.write(Kind.TEMPLATE, template.id)
        return VersionRow(id=own, number=one.number, subject=one.subject, created_at=one.created_at)

    return paging.answer(found, lambda one: (one.number,), VersionRow, tell, fields)


@router.get("/templates/{template_id}/versions/{number}", responses=problems("not_found", "unusable"))
async def look_at_version(
    caller: Reads, template_id: TemplateId, number: Annotated[int, Path(ge=1, le=1_000_000)]
) -> VersionOut:
    """One version: what it says, which variables it asks for, where its links lead."""
    template, version = await _find(caller, template_id, number)
    form = await acceptor_of(caller).forms.get(version.id)
    asked = sorted(form.compiled.fields - GIVEN)
    needed = form.compiled.missing(SAID)
    return VersionOut(
        id=caller.ids.write(Kind.TEMPLATE, template.id),
        number=version.number,
        subject=version.subject,
        preheader=version.preheader,
        body=version.body,
        text=version.text,
        variables=[
            VariableOut(
                name=one,
                needed=one in needed,
                fallback=version.fallbacks.get(one),
                of_contact=one in STANDARD_FIELDS,
            )
            for one in asked
        ],
        links=list(form.links),
        nature=version.nature,
        created_at=version.created_at,
    )


async def _find(
    caller: Caller, template_id: str, number: int | None = None
) -> tuple[Template, TemplateVersion]:
    async with caller.context.database.read() as session:
        found = await templates.find(session, caller.ids.read(Kind.TEMPLATE, template_id), number)
    if found is None:
        raise NotFoundError("There is no such template, or no such version of it.")
    return found


def _told(ids: Ids, template: Template, version: TemplateVersion) -> TemplateOut:
    return TemplateOut(
        id=ids.write(Kind.TEMPLATE, template.id),
        name=template.name,
        channel=template.channel,
        version=version.number,
        subject=version.subject,
        hidden=template.hidden,
        created_at=template.created_at,
        updated_at=version.created_at,
    )
