"""Lists of addresses not to write to, as files: what Tocsin exports, and what other tools hand over.

Tocsin exports fingerprints, never addresses; it takes in both. The commands and the pages read alike.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

from models.errors import BadInputError
from models.states import Channel, SuppressionReason
from models.suppression import Suppression, address_hash
from store import Database
from store.suppressions import NewSuppression, suppress_many

COLUMNS = ("channel", "address_hash", "reason", "created_at", "until")
ADDRESS_COLUMNS = ("address", "email", "e-mail", "mail", "phone", "telephone", "mobile")
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

    `channel`: of fingerprints without one; an address of another channel is rejected.

    BadInputError when it is not UTF-8 text.
    """
    rows: list[NewSuppression] = []
    rejected: list[str] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in _records(file):
                taken, problems = _read_row(row, channel)
                rows += taken
                rejected += [f"line {number}: {problem}" for problem in problems]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(
            f"{path.name} is not a UTF-8 text file with one entry a line.", "Save it as UTF-8."
        ) from error
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


def _records(file: TextIO) -> Iterator[tuple[int, dict[str, str]]]:
    """Line numbers and rows by column; a file without a known heading has addresses in its first column."""
    sample = file.read(4096)
    file.seek(0)
    separator = ";" if sample.count(";") > sample.count(",") else ","
    reader = csv.reader(file, delimiter=separator)
    heading: list[str] | None = None
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        names = [cell.strip().lower() for cell in cells]
        if heading is None:
            heading = names if {"address_hash", *ADDRESS_COLUMNS} & set(names) else ["address"]
            if heading is names:
                continue
        yield reader.line_num, dict(zip(heading, (cell.strip() for cell in cells), strict=False))


def _read_row(row: dict[str, str], wanted: Channel | None) -> tuple[list[NewSuppression], list[str]]:
    """What a row says: of each address in it, as a person may stand there with both. And what is wrong."""
    reason = row.get("reason", "")
    known = SuppressionReason(reason) if reason in REASONS else SuppressionReason.IMPORTED
    texts = [row[name] for name in ADDRESS_COLUMNS if row.get(name)]
    if known in OF_ONE_MAILBOX:
        texts = texts[:1]
    text = texts[0].lower() if texts else ""
    fingerprint = row.get("address_hash", "") or (text if FINGERPRINT.fullmatch(text) else "")
    if fingerprint:
        channel = row.get("channel", "") or (wanted.value if wanted is not None else "")
        if not FINGERPRINT.fullmatch(fingerprint) or channel not in set(Channel):
            return [], ["The fingerprint or its channel is malformed."]
        return [NewSuppression(Channel(channel), fingerprint, known)], []
    found: dict[Channel, NewSuppression] = {}
    problems: list[str] = []
    for text in texts or [""]:
        try:
            its, address = read_address(text)
        except BadInputError as error:
            problems.append(error.problem)
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
    return Channel.SMS, read_phone(text)
