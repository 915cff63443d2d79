"""Lists of addresses not to write to, as files: what Tocsin exports, and what other tools hand over.

Tocsin exports fingerprints, never addresses; it takes in both. The commands and the pages read alike.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TextIO

from audience.fields import FIELD_BY_NAME
from audience.import_file import ImportFileError, RecordReader, SourceFile, inspect_file
from models.errors import BadInputError
from models.states import Channel, SuppressionReason
from models.suppression import Suppression, address_hash
from models.text import fold
from store import Database
from store.suppressions import NewSuppression, suppress_many

COLUMNS = ("channel", "address_hash", "reason", "created_at", "until")
ADDRESS_COLUMNS = ("address", "email", "phone")
COLUMN_BY_HEADING = {name: field for field in ("email", "phone") for name in FIELD_BY_NAME[field].headers}
"""What a file of people may call the columns, so that a list may be made from one."""
FEWEST_DIGITS = 5
"""With fewer, nobody meant a telephone number."""
NO_TEXT_ADVICE = "Save it as CSV (UTF-8)."
FINGERPRINT = re.compile(r"[0-9a-f]{64}")
REASONS = frozenset(SuppressionReason)
A_PORTION = 5000
OF_ONE_MAILBOX = frozenset({SuppressionReason.HARD_BOUNCE, SuppressionReason.PROVIDER})
"""Reasons that say something of an address, not of the person who has another one, too."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as read: the rows to take over, and one line for each that could not be."""

    rows: Sequence[NewSuppression]
    rejected: Sequence[str]


class _Line(NamedTuple):
    """A line of a file by column, a column may come twice; `problem` when it cannot be read as a table."""

    number: int
    cells: Sequence[tuple[str, str]]
    problem: str = ""


def write_suppressions(stream: TextIO, rows: Iterable[Suppression], *, with_heading: bool = True) -> int:
    """Write `rows` as CSV and say how many there were."""
    writer = csv.writer(stream, lineterminator="\n")
    if with_heading:
        writer.writerow(COLUMNS)
    count = 0
    for row in rows:
        until = "" if row.until is None else row.until.isoformat()
        moment = row.created_at.isoformat()
        writer.writerow((row.channel.value, row.address_hash, row.reason.value, moment, until))
        count += 1
    return count


def read_suppressions(path: Path, channel: Channel | None = None) -> Listed:
    """What a file lists: our own export, a CSV with a column of addresses or of fingerprints, or one a line.

    Its encoding and its separator are found out as those of a file of people are. `channel`: of fingerprints
    without one; an address of another channel is rejected.

    BadInputError when it is no text, is empty, or has no column of addresses; our export of nobody is none.
    """
    try:
        source = inspect_file(path)
    except ImportFileError as error:
        raise BadInputError(error.problem, NO_TEXT_ADVICE if error.advice else "") from error
    rows: list[NewSuppression] = []
    rejected: list[str] = []
    count = 0
    for count, line in enumerate(_lines(source), start=1):  # noqa: B007 - how many there were
        taken, problems = ([], [line.problem]) if line.problem else _read_row(line.cells, channel)
        rows += taken
        rejected += [f"line {line.number}: {problem}" for problem in problems]
    if not count and source.header != COLUMNS:
        raise BadInputError("The file lists nobody: nothing stands below its heading.")
    return Listed(rows, rejected)


async def take_over(
    database: Database, rows: Sequence[NewSuppression], *, evidence: str, now: datetime
) -> int:
    """Write to these no more; how many were new. Safe to repeat: each portion is a transaction of its own.

    A list may be long, and whoever sends waits for the transaction.
    """
    added = 0
    for start in range(0, len(rows), A_PORTION):
        async with database.write() as session:
            some = rows[start : start + A_PORTION]
            added += await suppress_many(session, some, evidence=evidence, now=now)
    return added


def _lines(source: SourceFile) -> Iterator[_Line]:
    """What stands below the heading; without a known one, each line has its address in the first column."""
    lowered = [name.strip().lower() for name in source.header]
    heading = [COLUMN_BY_HEADING.get(fold(name), name) for name in lowered]
    if not {"address_hash", *ADDRESS_COLUMNS} & set(heading):
        # One word alone may be a title above a list: told as a line that holds no address.
        if len(heading) > 1 and not _may_be_address(heading[0]):
            raise BadInputError(
                "The file has no column of addresses.",
                "Name one email, phone or address; or write one address a line.",
            )
        heading = ["address"]
        yield _Line(source.first_line, [("address", source.header[0])])
    reader = RecordReader(source)
    try:
        for record in reader:
            cells = [cell.strip() for cell in record.cells]
            if record.problem or any(cells):
                yield _Line(record.line, list(zip(heading, cells, strict=False)), record.problem)
    finally:
        reader.close()


def _may_be_address(text: str) -> bool:
    return "@" in text or FINGERPRINT.fullmatch(text) is not None or _may_be_number(text)


def _may_be_number(text: str) -> bool:
    return sum(sign.isdecimal() for sign in text) >= FEWEST_DIGITS


def _read_row(
    cells: Sequence[tuple[str, str]], wanted: Channel | None
) -> tuple[list[NewSuppression], list[str]]:
    """What a row says: of each address in it, as a person may stand there with both. And what is wrong."""
    row = dict(cells)
    reason = row.get("reason", "")
    known = SuppressionReason(reason) if reason in REASONS else SuppressionReason.IMPORTED
    texts = [(name, text) for one in ADDRESS_COLUMNS for name, text in cells if name == one and text]
    if known in OF_ONE_MAILBOX:
        texts = texts[:1]
    text = texts[0][1].lower() if texts else ""
    fingerprint = row.get("address_hash", "") or (text if FINGERPRINT.fullmatch(text) else "")
    if fingerprint:
        channel = row.get("channel", "") or (wanted.value if wanted is not None else "")
        if not FINGERPRINT.fullmatch(fingerprint) or channel not in set(Channel):
            return [], ["The fingerprint or its channel is malformed."]
        return [NewSuppression(Channel(channel), fingerprint, known)], []
    found: dict[Channel, NewSuppression] = {}
    problems = [] if texts else ["There is no address."]
    for column, text in texts:
        try:
            its, address = read_address(text)
        except BadInputError as error:
            is_email = column == "email" and "@" not in text
            problems.append("An e-mail address holds an @ sign." if is_email else error.problem)
        else:
            found.setdefault(its, NewSuppression(its, address_hash(its, address), known))
    rows = [one for its, one in found.items() if wanted is None or its is wanted]
    if found and not rows and wanted is not None:
        problems.append(f"This is no address for {wanted.value}.")
    return rows, problems


def read_address(text: str) -> tuple[Channel, str]:
    """The channel and the normalised form of an e-mail address or a telephone number; BadInputError."""
    # Loaded where it is needed: a command that only counts has no use for tables of telephone numbers.
    from audience.addresses import read_email, read_phone  # noqa: PLC0415 - as said above

    if "@" in text:
        return Channel.EMAIL, read_email(text)
    if not _may_be_number(text):
        raise BadInputError("This is neither an e-mail address nor a telephone number.")
    return Channel.SMS, read_phone(text)
