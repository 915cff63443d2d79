"""What people did elsewhere: told by a field app, a web site or a CRM, chosen by in segments."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from audience.addresses import read_email, read_phone
from models.api import Scope
from models.errors import BadInputError, NotFoundError
from models.interaction import kind_key
from store import interactions
from store.interactions import Deed
from web.api.auth import Caller, may, require_live
from web.api.calls import IdempotencyKey, once
from web.api.faults import Unread
from web.api.ids import Kind
from web.api.interaction_schemas import (
    InteractionBatchOut,
    InteractionIn,
    InteractionOut,
    InteractionsIn,
    PersonIn,
    WroteOut,
)
from web.api.paging import USUAL, Cursor, Fields, Limit, PageOut, Paging, one_of
from web.api.problems import CODES, ApiProblemError, Fault, body_of
from web.api.schemas import Line, Moment, problems

router = APIRouter(tags=["interactions"])
ReadsInteractions = Annotated[Caller, may(Scope.INTERACTIONS_READ)]
WritesInteractions = Annotated[Caller, may(Scope.INTERACTIONS_WRITE)]
InteractionPath = Annotated[str, Path(max_length=40, examples=["int_abc"])]
Name = tuple[str, Any]
"""By what somebody is named (a column of contacts), and how."""


@router.post(
    "/interactions",
    status_code=201,
    response_model=InteractionOut,
    responses=problems("invalid", "not_found", "idempotency_key_reused", "call_in_flight", "live_key_needed")
    | {200: {"model": InteractionOut, "description": "It was on record; it is as it was told now."}},
)
async def post(caller: WritesInteractions, body: InteractionIn, key: IdempotencyKey = None) -> Response:
    """Tell of one thing a person did: made (201), or changed (200) where its source told of it before."""
    require_live(caller)
    name = _name_of(caller, body.contact, "contact.")

    async def deed(session: AsyncSession, now: datetime) -> tuple[int, str]:
        people = await _people(session, [name])
        told = _deed(body, people, name, "contact", now)
        ((number, made),) = await interactions.write(session, [told], now)
        row = await interactions.get(session, number)
        return 201 if made else 200, InteractionOut.of(caller.ids, row).model_dump_json()

    return await once(caller, key, body.model_dump(mode="json"), deed)


@router.post(
    "/interactions/batch",
    status_code=207,
    response_model=InteractionBatchOut,
    responses=problems("invalid", "idempotency_key_reused", "call_in_flight", "live_key_needed"),
)
async def post_many(caller: WritesInteractions, body: InteractionsIn, key: IdempotencyKey = None) -> Response:
    """Tell of up to 500 at once; what is wrong with one keeps no other."""
    require_live(caller)
    named: list[Name | ApiProblemError] = []
    for place, one in enumerate(body.interactions):
        try:
            if isinstance(one, Unread):
                raise one.problem(f"interactions.{place}.")
            named.append(_name_of(caller, one.contact, f"interactions.{place}.contact."))
        except ApiProblemError as problem:
            named.append(problem)

    async def deed(session: AsyncSession, now: datetime) -> tuple[int, str]:
        return 207, (await _write_all(caller, session, body.interactions, named, now)).model_dump_json(
            exclude_none=True
        )

    return await once(caller, key, body.model_dump(mode="json"), deed)


@router.get(
    "/interactions", response_model=PageOut[InteractionOut], responses=problems("invalid", "not_found")
)
async def list_interactions(
    caller: ReadsInteractions,
    *,
    limit: Limit = USUAL,
    cursor: Cursor = None,
    fields: Fields = None,
    contact: Annotated[str | None, Query(max_length=40, description="Of this person.")] = None,
    kind: Annotated[Line | None, Query(max_length=60)] = None,
    source: Annotated[Line | None, Query(max_length=100)] = None,
    external_id: Annotated[Line | None, Query(max_length=200)] = None,
    since: Annotated[Moment | None, Query(description="Done since then.")] = None,
) -> Response:
    """What was told, the last first."""
    paging = Paging(caller, limit, cursor)
    person = None if contact is None else caller.ids.read(Kind.CONTACT, contact)
    async with caller.context.database.read() as session:
        found = await interactions.page(
            session,
            contact_id=person,
            kind=None if kind is None else kind_key(kind),
            source=source,
            external_id=external_id,
            since=since,
            before_id=None if paging.after is None else int(paging.after[0]),
            limit=paging.wanted,
        )
    return paging.answer(
        found, lambda row: (row.id,), InteractionOut, lambda row: InteractionOut.of(caller.ids, row), fields
    )


@router.get("/interactions/{interaction_id}", response_model=InteractionOut, responses=problems("not_found"))
async def look(caller: ReadsInteractions, interaction_id: InteractionPath, fields: Fields = None) -> Response:
    """One of them."""
    async with caller.context.database.read() as session:
        row = await interactions.get(session, caller.ids.read(Kind.INTERACTION, interaction_id))
    return one_of(InteractionOut.of(caller.ids, row), fields)


@router.delete(
    "/interactions/{interaction_id}", status_code=204, responses=problems("not_found", "live_key_needed")
)
async def remove(caller: WritesInteractions, interaction_id: InteractionPath) -> Response:
    """Take one back that was told by mistake."""
    require_live(caller)
    number = caller.ids.read(Kind.INTERACTION, interaction_id)
    async with caller.context.database.write() as session:
        await interactions.remove(session, number)
    return Response(status_code=204)


def _name_of(caller: Caller, person: PersonIn, field: str) -> Name:
    """By which column of contacts somebody is looked for; ApiProblemError for what names nobody."""
    try:
        if person.id is not None:
            return "id", caller.ids.read(Kind.CONTACT, person.id)
        if person.email is not None:
            return "email", read_email(person.email)
        if person.phone is not None:
            return "phone", read_phone(person.phone)
    except NotFoundError as error:
        raise _fault("not_found", str(error), f"{field}id") from error
    except BadInputError as error:
        part = "email" if person.email is not None else "phone"
        raise _fault("invalid", str(error), f"{field}{part}") from error
    return "external_id", person.external_id


async def _people(session: AsyncSession, names: Sequence[Name]) -> dict[Name, int]:
    """The numbers of those who are there."""
    asked: dict[str, list[Any]] = defaultdict(list)
    for by, value in names:
        asked[by].append(value)
    found: dict[Name, int] = {}
    for by, values in sorted(asked.items()):
        known = await interactions.people_named(session, by, values)
        found |= {(by, value): number for value, number in known.items()}
    return found


def _deed(body: InteractionIn, people: dict[Name, int], name: Name, field: str, now: datetime) -> Deed:
    if name not in people:
        raise _fault("not_found", f"No contact has this {name[0]}.", f"{field}.{name[0]}")
    return Deed(people[name], body.kind, body.at or now, body.source, body.external_id, body.details)


async def _write_all(
    caller: Caller,
    session: AsyncSession,
    bodies: Sequence[InteractionIn | Unread],
    named: Sequence[Name | ApiProblemError],
    now: datetime,
) -> InteractionBatchOut:
    people = await _people(session, [name for name in named if not isinstance(name, ApiProblemError)])
    read: list[Deed | ApiProblemError] = []
    for place, (body, name) in enumerate(zip(bodies, named, strict=True)):
        try:
            if isinstance(body, Unread):
                raise body.problem(f"interactions.{place}.")
            if isinstance(name, ApiProblemError):
                raise name
            read.append(_deed(body, people, name, f"interactions.{place}.contact", now))
        except ApiProblemError as problem:
            read.append(problem)
    deeds = [one for one in read if isinstance(one, Deed)]
    written = iter(await interactions.write(session, deeds, now))
    results = [
        _refused(caller, one) if isinstance(one, ApiProblemError) else _wrote(caller, *next(written))
        for one in read
    ]
    return InteractionBatchOut(written=len(deeds), refused=len(read) - len(deeds), results=results)


def _wrote(caller: Caller, number: int, made: bool) -> WroteOut:
    return WroteOut(status=201 if made else 200, id=caller.ids.write(Kind.INTERACTION, number))


def _refused(caller: Caller, problem: ApiProblemError) -> WroteOut:
    told = body_of(problem, caller.request.state.request_id, f"{caller.context.public_url}/v1")
    return WroteOut.model_validate({"status": CODES[problem.code][0], "problem": told})


def _fault(code: str, problem: str, field: str) -> ApiProblemError:
    return ApiProblemError(code, problem, [Fault(field, code, problem)])
