"""Files of contacts: brought in from a form, each with its counts and its report of what was not taken.

The file is kept under the data folder while it is read and removed afterwards: people's data have no
business lying about. The report holds only the rows that need a person's eye.
"""

import asyncio
import re
import secrets
import shutil
from pathlib import Path

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import FileResponse, Response

from audience.imports import ImportOptions, import_contacts
from models.contact import ImportRun
from models.errors import BadInputError, NotFoundError, TocsinError
from models.states import Channel, ConsentStatus
from store import imports
from web.access import Editor, Visit
from web.i18n import N_
from web.view import go, page

router = APIRouter()
FOLDER = "imports"
NO_FILE = N_("Choose a file.")
NO_SOURCE = N_("Say where and how these people agreed: it is kept as the proof.")


@router.get("/contacts/import")
async def form_page(visit: Editor) -> Response:
    """The form, and the files read before."""
    return await _show(visit)


@router.post("/contacts/import")
async def bring_in(visit: Editor) -> Response:
    """Read the file and take its people over."""
    upload = visit.form.file("file")
    source = visit.form.text("source", 300)
    consents = {
        channel: ConsentStatus.GRANTED for channel in Channel if visit.form.ticked(f"granted_{channel.value}")
    }
    if upload is None:
        return await _show(visit, BadInputError(NO_FILE))
    if consents and not source:
        return await _show(visit, BadInputError(NO_SOURCE))
    folder = visit.context.data_dir / FOLDER
    path = await run_in_threadpool(keep, upload, folder)
    report = folder / f"{path.stem}.report.csv"
    options = ImportOptions(source=source, consents=consents, report_path=report)
    try:
        await import_contacts(visit.context.database, path, options, visit.context.clock)
    except BadInputError as error:
        return await _show(visit, error)
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)
    return go("/contacts/import", "contacts-imported")


def keep(upload: UploadFile, folder: Path) -> Path:
    """The uploaded file under a name of our own; the person's name for it is shown, not trusted."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = (
        re.sub(r"[^\w.-]+", "-", Path(upload.filename or "contacts.csv").stem).strip("-.")[:60] or "contacts"
    )
    path = folder / f"{name}-{secrets.token_hex(4)}.csv"
    with path.open("xb") as file:
        shutil.copyfileobj(upload.file, file)
    path.chmod(0o600)
    return path


@router.get("/contacts/import/{run_id}/report")
async def report(visit: Editor, run_id: int) -> Response:
    """The report of one file: each row that was not taken over, and why."""
    async with visit.context.database.read() as session:
        runs: list[ImportRun] = await imports.list_runs(session)
    run = next((one for one in runs if one.id == run_id), None)
    path = Path(run.report_path) if run and run.report_path else None
    if path is None or not await asyncio.to_thread(path.is_file):
        raise NotFoundError("There is no report of this file any more.")
    return FileResponse(path, media_type="text/csv; charset=utf-8", filename=path.name)


async def _show(visit: Visit, error: TocsinError | None = None) -> Response:
    async with visit.context.database.read() as session:
        runs = await imports.list_runs(session, limit=20)
    return page(
        visit,
        "import.html",
        400 if error else 200,
        runs=runs,
        channels=list(Channel),
        source=visit.form.text("source", 300),
        problem=error.problem if error else "",
        advice=error.advice if error else "",
    )
