"""Files of people: handed over at one go, read afterwards, with counts and a report of what was not taken."""

import asyncio
import csv
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from audience.import_merge import UpdatePolicy
from models.api import Scope
from models.contact import BulkImport
from models.errors import NotFoundError
from models.states import Channel
from scheduler.bulk_imports import FOLDER, report_of
from store import bulk_imports
from web.api.arrivals import Arrived, receive
from web.api.auth import Caller, require_live
from web.api.calls import IdempotencyKey, once
from web.api.contacts import WritesContacts
from web.api.ids import Kind
from web.api.import_schemas import ImportOut, ReportLineOut
from web.api.paging import USUAL, Cursor, Fields, Limit, PageOut, Paging, one_of
from web.api.problems import ApiProblemError, Fault
from web.api.schemas import Line, problems

router = APIRouter(tags=["imports"])
ImportPath = Annotated[str, Path(max_length=40, examples=["imp_abc"])]
_FILE = {"schema": {"type": "string", "format": "binary"}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": _FILE
            | {"example": "Email,Prénom,Code postal,Tags\ncamille@gmail.com,Camille,69001,militant\n"},
            "application/x-ndjson": _FILE
            | {"example": '{"email": "camille@gmail.com", "first_name": "Camille", "tags": ["militant"]}\n'},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}


@router.post(
    "/contacts/imports",
    status_code=202,
    response_model=ImportOut,
    responses=problems(
        "invalid",
        "unusable",
        "too_large",
        "unsupported_media_type",
        "idempotency_key_reused",
        "call_in_flight",
        "live_key_needed",
    ),
    openapi_extra=_BODY,
)
async def hand_over(
    caller: WritesContacts,
    *,
    update: Annotated[UpdatePolicy, Query(description="What it does to people who are there.")] = (
        UpdatePolicy.OVERWRITE
    ),
    column: Annotated[
        list[Annotated[str, Field(max_length=300)]],
        Query(max_length=100, description="As `Heading=field`, where a heading does not say it by itself."),
    ] = [],  # noqa: B006 - read only
    source: Annotated[Line, Query(max_length=300, description="Where consent was given.")] = "",
    granted: Annotated[
        list[Channel], Query(max_length=2, description="What all agreed to who say nothing themselves.")
    ] = [],  # noqa: B006 - read only
    known_only: Annotated[bool, Query(description="Leave out columns nobody knows.")] = False,
    key: IdempotencyKey = None,
) -> Response:
    """Hand over a file of people, up to 256 MiB: CSV, or one JSON object a line.

    202: it is kept and will be read, even if the service is stopped meanwhile; its id tells how far it is.
    Read twice it changes nothing the second time.
    """
    require_live(caller)
    if granted and not source:
        problem = "Say where these people agreed: it is kept as the proof."
        raise ApiProblemError("invalid", problem, [Fault("source", "missing", problem)])
    mapping = _mapping(column)
    folder = caller.context.data_dir / FOLDER
    arrived = await receive(caller.request, folder, mapping, keep_unknown=not known_only)
    options = {"update": update.value, "source": source}
    options |= {f"map:{heading}": field for heading, field in mapping.items()}
    options |= {channel.value: "granted" for channel in granted} | ({"known_only": "1"} if known_only else {})

    async def deed(session: AsyncSession, now: datetime) -> tuple[int, str]:
        job = await bulk_imports.add(session, _job(caller, arrived, options, now))
        return 202, ImportOut.of(caller.ids, job, None, _base(caller)).model_dump_json()

    answered: Response | None = None
    try:
        answered = await once(caller, key, {"file": arrived.source.sha256, **options}, deed)
    finally:
        if answered is None or "idempotency-replayed" in answered.headers:
            # Nobody will read this copy.
            await asyncio.to_thread(arrived.source.path.unlink, missing_ok=True)
    return answered


@router.get("/contacts/imports", response_model=PageOut[ImportOut], responses=problems("invalid"))
async def list_imports(
    caller: WritesContacts, *, limit: Limit = USUAL, cursor: Cursor = None, fields: Fields = None
) -> Response:
    """The files handed over with this key, the last first; with any key, for one that reads people."""
    paging = Paging(caller, limit, cursor)
    before = None if paging.after is None else int(paging.after[0])
    whose = None if _sees_all(caller) else caller.key.id
    async with caller.context.database.read() as session:
        jobs = await bulk_imports.page(session, key_id=whose, before_id=before, limit=paging.wanted)
        found = [(job, await bulk_imports.run_of(session, job)) for job in jobs]
    return paging.answer(
        found,
        lambda one: (one[0].id,),
        ImportOut,
        lambda one: ImportOut.of(caller.ids, *one, _base(caller)),
        fields,
    )


@router.get("/contacts/imports/{import_id}", response_model=ImportOut, responses=problems("not_found"))
async def look(caller: WritesContacts, import_id: ImportPath, fields: Fields = None) -> Response:
    """How far one is, and what came of it."""
    async with caller.context.database.read() as session:
        job = await _own(caller, session, import_id)
        run = await bulk_imports.run_of(session, job)
    return one_of(ImportOut.of(caller.ids, job, run, _base(caller)), fields)


@router.get(
    "/contacts/imports/{import_id}/report",
    response_model=PageOut[ReportLineOut],
    responses=problems("invalid", "not_found"),
)
async def report(
    caller: WritesContacts, import_id: ImportPath, *, limit: Limit = USUAL, cursor: Cursor = None
) -> Response:
    """Every row that was not taken over, and every cell, in the order of the file."""
    paging = Paging(caller, limit, cursor)
    start = 0 if paging.after is None else int(paging.after[0])
    async with caller.context.database.read() as session:
        job = await _own(caller, session, import_id)
    path = report_of(job, caller.context.data_dir / FOLDER)
    found = await asyncio.to_thread(_lines, path, job.numbered_from, start, paging.wanted)
    return paging.answer(found, lambda one: (one[0] + 1,), ReportLineOut, lambda one: one[1])


def _mapping(columns: list[str]) -> dict[str, str]:
    wrong = next((text for text in columns if "=" not in text), None)
    if wrong is not None:
        problem = f"“{wrong[:60]}” is not as in Heading=field."
        raise ApiProblemError("invalid", problem, [Fault("column", "invalid", problem)])
    pairs = (text.rpartition("=") for text in columns)
    return {heading: field for heading, _, field in pairs}


def _job(caller: Caller, arrived: Arrived, options: dict[str, str], now: datetime) -> BulkImport:
    return BulkImport(
        key_id=caller.key.id,
        file_name=arrived.name,
        stored=arrived.source.path.name,
        file_sha256=arrived.source.sha256,
        size=arrived.source.size,
        columns=arrived.columns,
        options=options,
        numbered_from=1 if arrived.as_json else 2,
        created_at=now,
    )


async def _own(caller: Caller, session: AsyncSession, import_id: str) -> BulkImport:
    job = await bulk_imports.get(session, caller.ids.read(Kind.IMPORT, import_id))
    if job.key_id != caller.key.id and not _sees_all(caller):
        raise NotFoundError("There is no such import for this key.")
    return job


def _sees_all(caller: Caller) -> bool:
    return Scope.CONTACTS_READ in caller.key.scopes


def _base(caller: Caller) -> str:
    return f"{caller.context.public_url}/v1"


def _lines(path: FilePath, numbered_from: int, start: int, count: int) -> list[tuple[int, ReportLineOut]]:
    """Some lines of a report, each with its place; none where there is no report."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            sign = file.readline()[4:5] or ","
            return list(islice(_read(csv.reader(file, delimiter=sign), numbered_from), start, start + count))
    except FileNotFoundError:
        return []


def _read(rows: Iterator[list[str]], numbered_from: int) -> Iterator[tuple[int, ReportLineOut]]:
    for place, row in enumerate(rows):
        if len(row) != 5:
            # Being written at this moment.
            return
        line, what, field, value, reason = row
        number = int(line) - 2 + numbered_from
        yield (
            place,
            ReportLineOut(line=number, rejected=what == "rejected", field=field, value=value, reason=reason),
        )
