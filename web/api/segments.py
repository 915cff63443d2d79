"""Segments: rules over people in the words that pages use, counted and explained before they are used."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from audience.segments import SegmentSyntaxError, count, explain, parse_segment, write_segment
from models.api import Scope
from models.errors import SegmentError
from models.segment import Segment
from models.segment_tree import Node
from store import segments
from store.segment_rows import add_segment, change_segment, drop_segment, next_segments
from web.api.auth import Caller, may, require_live
from web.api.calls import IdempotencyKey, once
from web.api.ids import Ids, Kind
from web.api.paging import Cursor, Fields, Limit, PageOut, Paging, Pickable
from web.api.problems import ApiProblemError, Fault
from web.api.schemas import Given, Line, Told, problems

router = APIRouter(tags=["segments"])
Reads = Annotated[Caller, may(Scope.SEGMENTS_READ)]
Writes = Annotated[Caller, may(Scope.SEGMENTS_WRITE)]
SegmentId = Annotated[str, Path(max_length=40, examples=["seg_aeaaaaaaaaaaaaaaaaaaaaaa"])]
LONGEST = 20_000
Rule = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST,
        description="The rule, as on the pages (docs/segments.md).",
        examples=["(tag:militant or tag:sympathisant) and commune:Marseille"],
    ),
]
Name = Annotated[Line, Field(min_length=1, max_length=200, examples=["Militants de Marseille"])]


class SegmentIn(Given):
    """A rule under a name."""

    name: Name
    rule: Rule


class SegmentChange(Given):
    """What is to be different."""

    name: Name | None = None
    rule: Rule | None = None


class RuleIn(Given):
    """A rule that is not kept."""

    rule: Rule


class SegmentOut(Pickable):
    """A rule under a name."""

    name: str
    rule: str
    created_at: datetime
    updated_at: datetime


class PeopleOut(Told):
    """How many people a rule keeps at this moment."""

    people: int
    counted_at: datetime


class PartOut(Told):
    """One part of a rule, `depth` levels in, and how many people it keeps by itself."""

    depth: int
    text: str
    people: int


class ExplanationOut(Told):
    """A rule, part by part. `canonical`: written in the one way that every rule can be."""

    people: int
    canonical: str
    parts: list[PartOut]


def read_rule(text: str) -> Node:
    """The rule; ApiProblemError that says where it cannot be read."""
    try:
        return parse_segment(text)
    except SegmentSyntaxError as error:
        said = f"{error.problem} {error.advice}".strip()
        fault = Fault("rule", "segment_syntax", said, position=error.position)
        problem = f"The rule cannot be read at character {error.position + 1}: {said}"
        raise ApiProblemError("invalid", problem, [fault]) from error
    except SegmentError as error:
        raise ApiProblemError("invalid", str(error), [Fault("rule", "segment_syntax", str(error))]) from error


@router.get("/segments", response_model=PageOut[SegmentOut], responses=problems("invalid"))
async def list_segments(
    caller: Reads,
    *,
    name: Annotated[Line, Query(max_length=200, description="The one that is called so.")] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
    fields: Fields = None,
) -> Response:
    """Every segment, in the order they were made."""
    paging = Paging(caller, limit, cursor)
    after = None if paging.after is None else int(paging.after[0])
    async with caller.context.database.read() as session:
        found = await next_segments(session, limit=paging.wanted, after=after, name=name)
    return paging.answer(found, lambda one: (one.id,), SegmentOut, lambda one: _told(caller.ids, one), fields)


@router.post(
    "/segments",
    status_code=201,
    response_model=SegmentOut,
    responses=problems("invalid", "conflict", "live_key_needed", "idempotency_key_reused"),
)
async def create(caller: Writes, body: SegmentIn, key: IdempotencyKey = None) -> Response:
    """Keep a rule under a name. 409 when there is one of that name."""
    require_live(caller)
    tree = read_rule(body.rule)

    async def deed(session: AsyncSession, now: datetime) -> tuple[int, str]:
        made = await add_segment(session, name=body.name, text=body.rule, tree=tree, now=now)
        return 201, _told(caller.ids, made).model_dump_json()

    return await once(caller, key, body.model_dump(mode="json"), deed)


@router.post("/segments:explain", responses=problems("invalid"))
async def explain_rule(caller: Reads, body: RuleIn) -> ExplanationOut:
    """How many people a rule keeps, and each part of it; nothing is kept."""
    return await _explain(caller, read_rule(body.rule))


@router.get("/segments/{segment_id}", responses=problems("not_found"))
async def look(caller: Reads, segment_id: SegmentId) -> SegmentOut:
    """One segment."""
    return _told(caller.ids, await _get(caller, segment_id))


@router.patch(
    "/segments/{segment_id}", responses=problems("invalid", "not_found", "conflict", "live_key_needed")
)
async def update(caller: Writes, segment_id: SegmentId, body: SegmentChange) -> SegmentOut:
    """Change its name, its rule or both. Campaigns that were launched keep the rule as it was."""
    require_live(caller)
    rule = None if body.rule is None else (body.rule, read_rule(body.rule))
    async with caller.context.database.write() as session:
        segment = await segments.get_segment(session, caller.ids.read(Kind.SEGMENT, segment_id))
        now = caller.context.clock.now()
        changed = await change_segment(session, segment, name=body.name, rule=rule, now=now)
        return _told(caller.ids, changed)


@router.delete(
    "/segments/{segment_id}",
    status_code=204,
    responses=problems("not_found", "conflict", "live_key_needed"),
)
async def remove(caller: Writes, segment_id: SegmentId) -> Response:
    """Take it away. 409 while a campaign, however old, holds it."""
    require_live(caller)
    async with caller.context.database.write() as session:
        segment = await segments.get_segment(session, caller.ids.read(Kind.SEGMENT, segment_id))
        await drop_segment(session, segment)
    return Response(status_code=204)


@router.get("/segments/{segment_id}/count", responses=problems("not_found"))
async def count_people(caller: Reads, segment_id: SegmentId) -> PeopleOut:
    """How many people it keeps now."""
    tree = segments.tree_of(await _get(caller, segment_id))
    now = caller.context.clock.now()
    async with caller.context.database.read() as session:
        return PeopleOut(people=await count(session, tree, now), counted_at=now)


@router.get("/segments/{segment_id}/explanation", responses=problems("not_found"))
async def explain_segment(caller: Reads, segment_id: SegmentId) -> ExplanationOut:
    """How many people each part of it keeps by itself."""
    return await _explain(caller, segments.tree_of(await _get(caller, segment_id)))


async def _get(caller: Caller, segment_id: str) -> Segment:
    async with caller.context.database.read() as session:
        return await segments.get_segment(session, caller.ids.read(Kind.SEGMENT, segment_id))


async def _explain(caller: Caller, tree: Node) -> ExplanationOut:
    now = caller.context.clock.now()
    async with caller.context.database.read() as session:
        parts = await explain(session, tree, now)
        people = await count(session, tree, now)
    told = [PartOut(depth=part.depth, text=part.text, people=part.count) for part in parts]
    return ExplanationOut(people=people, canonical=write_segment(tree), parts=told)


def _told(ids: Ids, segment: Segment) -> SegmentOut:
    return SegmentOut(
        id=ids.write(Kind.SEGMENT, segment.id),
        name=segment.name,
        rule=segment.text,
        created_at=segment.created_at,
        updated_at=segment.updated_at,
    )
