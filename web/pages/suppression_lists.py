"""The suppression list as files, and what was lifted of it."""

import asyncio
import io
from collections.abc import AsyncIterator

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from audience import stop_lists
from audience.stop_lists import Listed, read_suppressions, write_suppressions
from models.errors import BadInputError
from models.states import Channel
from store import suppression_pages, suppressions
from web.access import Editor, Reader, Visit
from web.borrowed import say_error
from web.bounce_words import read_evidence
from web.i18n import N_
from web.pages.imports import FOLDER, keep
from web.view import page

router = APIRouter()
A_PAGE = 25
EXPORTED_AT_ONCE = 5000
REJECTED_SHOWN = 20
NO_FILE = N_("Choose a file.")


@router.get("/suppressions/lists")
async def lists_page(visit: Editor) -> Response:
    """The form for a file, and what a file has to be."""
    return _show(visit)


@router.post("/suppressions/lists")
async def take_over(visit: Editor) -> Response:
    """Take over a file of addresses or fingerprints."""
    upload = visit.form.file("file")
    if upload is None:
        return _show(visit, problem=NO_FILE)
    channel = next((one for one in Channel if one.value == visit.form.text("channel")), None)
    path = await run_in_threadpool(keep, upload, visit.context.data_dir / FOLDER)
    try:
        listed = await asyncio.to_thread(read_suppressions, path, channel)
    except BadInputError as error:
        return _show(visit, problem=say_error(visit.tongue, error))
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)
    # Cut to a name: browsers of old sent whole paths.
    name = (upload.filename or "").replace("\\", "/").rpartition("/")[2][:100]
    added = await stop_lists.take_over(
        visit.context.database,
        listed.rows,
        evidence=f"list {name}, {visit.user.email if visit.user else ''}",
        now=visit.context.clock.now(),
    )
    return _show(visit, taken=listed, added=added)


@router.get("/suppressions/export.csv")
async def export(visit: Editor) -> Response:
    """Every standing suppression: fingerprints, never addresses."""
    return StreamingResponse(
        _lines(visit),
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": 'attachment; filename="suppressions.csv"',
            "Cache-Control": "no-store",
        },
    )


@router.get("/suppressions/lifted")
async def lifted_page(visit: Reader) -> Response:
    """What was lifted: when, by whom or by which news, and why."""
    before = visit.query.number("before")
    async with visit.context.database.read() as session:
        lines = await suppression_pages.ended(session, before_id=before, limit=A_PAGE + 1)
    return page(
        visit,
        "suppressions_lifted.html",
        lines=[(line, read_evidence(line.row.evidence)) for line in lines[:A_PAGE]],
        more=len(lines) > A_PAGE,
        begun=before is not None,
    )


async def _lines(visit: Visit) -> AsyncIterator[str]:
    """The file in pieces, the newest first; each piece is read for itself, so that no writer waits."""
    now = visit.context.clock.now()
    before_id: int | None = None
    first = True
    while True:
        async with visit.context.database.read() as session:
            rows = await suppressions.list_active(session, now, limit=EXPORTED_AT_ONCE, before_id=before_id)
            session.expunge_all()
        if not rows and not first:
            return
        piece = io.StringIO()
        write_suppressions(piece, rows, with_heading=first)
        yield piece.getvalue()
        if len(rows) < EXPORTED_AT_ONCE:
            return
        first, before_id = False, rows[-1].id


def _show(visit: Visit, *, problem: str = "", taken: Listed | None = None, added: int = 0) -> Response:
    return page(
        visit,
        "suppression_lists.html",
        400 if problem else 200,
        problem=problem,
        taken=taken,
        added=added,
        shown=REJECTED_SHOWN,
        channels=list(Channel),
    )
