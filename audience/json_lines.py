"""People as lines of JSON, one object each, rewritten as the table that an import reads.

A key is a heading, as a column's would be. Lists are joined, objects are spelt out: `attributes` and whatever
else is nested give a column for each of their keys, `consents` the columns of consent.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from audience.import_file import MAXIMUM_COLUMNS, ImportFileError

__all__ = ["rewrite"]

LONGEST_LINE: Final = 1_000_000


def rewrite(source: Path, target: Path) -> None:
    """Write the people of `source` as a table; ImportFileError, with the line, for what is no such file.

    Line n of the one is line n + 1 of the other. Reads the file twice, so that memory does not grow with it.
    """
    headings: dict[str, None] = {}
    for row in _rows(source):
        headings.update(dict.fromkeys(row))
        if len(headings) > MAXIMUM_COLUMNS:
            raise ImportFileError(f"The objects have more than {MAXIMUM_COLUMNS} different keys.")
    if not headings:
        raise ImportFileError("The file is empty.")
    with target.open("x", encoding="utf-8", errors="replace", newline="") as file:
        target.chmod(0o600)
        writer = csv.writer(file)
        writer.writerow(headings)
        # A blank line keeps its place.
        writer.writerows([row.get(name, "") for name in headings] for row in _rows(source))


def _rows(source: Path) -> Iterator[dict[str, str]]:
    with source.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            yield _row(line, number)


def _row(line: bytes, number: int) -> dict[str, str]:
    if len(line) > LONGEST_LINE:
        raise ImportFileError(f"Line {number} is longer than {LONGEST_LINE:,} octets.")
    if not line.strip():
        return {}
    try:
        read = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ImportFileError(f"Line {number} is no JSON.", "Write one object a line, in UTF-8.") from error
    if not isinstance(read, dict):
        raise ImportFileError(f"Line {number} is no JSON object.", "Write one object a line.")
    return dict(_cells(read))


def _cells(person: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in person.items():
        match value:
            case dict():
                ending = "_consent" if name == "consents" else ""
                for key, inner in value.items():
                    yield f"{key}{ending}", _text(inner)
            case _:
                yield name, _text(value)


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ";".join(map(_text, value))
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return " ".join(str(value).split())
