"""The body of a call that carries a file: written down as it comes in, as one form of text or another."""

import asyncio
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import Request
from starlette.datastructures import UploadFile

from audience import json_lines
from audience.import_columns import map_columns
from audience.import_file import SourceFile, inspect_file
from models.errors import BadInputError
from web.api.problems import ApiProblemError, Fault

TABLES: Final = frozenset({"text/csv", "application/csv", "text/plain", "application/vnd.ms-excel"})
JSON_LINES: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
FORM: Final = "multipart/form-data"
_CHUNK: Final = 1 << 20
_OPTION: Final = re.compile("--map '([^']*)'")


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file that can be read, on the disk. `as_json`: it came as lines of JSON."""

    source: SourceFile
    columns: dict[str, str]
    name: str
    as_json: bool


async def receive(request: Request, folder: Path, mapping: dict[str, str], *, keep_unknown: bool) -> Arrived:
    """Keep the file of a call; ApiProblemError when it is none, and nothing is kept then."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True, mode=0o700)
    path = folder / f"api-{secrets.token_hex(8)}.csv"
    raw = path.with_suffix(".part")
    try:
        name, kind = await _write(request, raw)
        as_json = kind in JSON_LINES
        return await asyncio.to_thread(
            _settle, raw, path, mapping, name, as_json=as_json, keep_unknown=keep_unknown
        )
    except BaseException as error:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        if isinstance(error, BadInputError):
            problem = _over_the_api(str(error))
            raise ApiProblemError("unusable", problem, [Fault("file", "unusable", problem)]) from error
        raise
    finally:
        await asyncio.to_thread(raw.unlink, missing_ok=True)


def _over_the_api(problem: str) -> str:
    """Advice for the command line, as a call takes it."""
    return _OPTION.sub(r"?column=\1", problem).replace(", or say --encoding.", ".")


def _settle(
    raw: Path, path: Path, mapping: dict[str, str], name: str, *, as_json: bool, keep_unknown: bool
) -> Arrived:
    """The file under its name, looked at as a whole."""
    if as_json:
        json_lines.rewrite(raw, path)
    else:
        raw.rename(path)
        path.chmod(0o600)
    source = inspect_file(path)
    columns = map_columns(source.header, mapping, keep_unknown=keep_unknown)
    return Arrived(source, {column.header: column.field for column in columns}, name, as_json)


async def _write(request: Request, path: Path) -> tuple[str, str]:
    """Write the body, or the part `file` of a form; its name and its kind."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == FORM:
        async with request.form(max_files=1, max_fields=5) as form:
            part = form.get("file")
            if not isinstance(part, UploadFile):
                problem = "The form has no part `file` that is a file."
                raise ApiProblemError("invalid", problem, [Fault("file", "missing", problem)])
            inner = (part.content_type or "").partition(";")[0].strip().lower()
            name = Path(part.filename or "").name[:200]
            if name.lower().endswith((".ndjson", ".jsonl")):
                inner = next(iter(JSON_LINES))
            with path.open("xb") as file:
                while chunk := await part.read(_CHUNK):
                    await asyncio.to_thread(file.write, chunk)
            return name, inner
    if kind not in TABLES | JSON_LINES:
        problem = f"Send text/csv, application/x-ndjson, or {FORM} with a part `file`."
        raise ApiProblemError("unsupported_media_type", problem)
    with path.open("xb") as file:
        async for chunk in request.stream():
            await asyncio.to_thread(file.write, chunk)
    return "", kind
