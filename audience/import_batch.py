"""Many records of a file read at once, column by column: the fast way to what `RowReader` says of each.

Cells that come again and again are remembered (`audience.import_memory`); addresses, which do not, have
the strict expressions of `audience.addresses`. A line with anything unusual in it is read by `RowReader`.
"""

import marshal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from audience.addresses import plain_email, plain_mobile
from audience.import_columns import IGNORE, Column
from audience.import_file import Block
from audience.import_memory import (
    UNUSUAL,
    Agreed,
    FileMemory,
    Said,
    Worn,
    agreed_in,
    said_in,
    texts_of,
    worn_by,
)
from audience.import_rows import Note, RowReader
from models.states import Channel
from models.suppression import address_hashes
from store.contacts import KEYS

__all__ = ["Batch", "BatchReader", "put_away", "taken_out"]

IDENTIFIER_LENGTH: Final = 200
ROWS_TOGETHER: Final = 64
_PLAIN: Final = 2
"""A form of `marshal` that does not look for what comes twice."""
_NOBODY: Final = (None, None, None)


@dataclass(slots=True)
class Batch:
    """What a block of lines says, row by row.

    `lines` are where the rows begin, `cells` what they hold, put away by `put_away`. `columns` is what a
    new contact would be given, as `store.loading.as_text` writes it. `agreed`: empty where the file says
    nothing of targeting. `noted` holds the notes of rows that
    have some, by row; `rejected` those of lines that are no row. The next batch begins at `next_line`.
    """

    lines: list[int]
    cells: list[bytes] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)
    tags: list[Worn] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    agreed: list[Agreed] = field(default_factory=list)
    noted: dict[int, list[Note]] = field(default_factory=dict)
    rejected: list[Note] = field(default_factory=list)
    next_line: int = 0
    bytes_read: int = 0

    @property
    def records(self) -> int:
        """How many lines say something."""
        return len(self.lines) + len(self.rejected)


class BatchReader:
    """Reads blocks of one file, by its columns."""

    def __init__(self, rows: RowReader, columns: Sequence[Column], *, region: str, now: datetime) -> None:
        """`rows` reads one line; `region` reads local telephone numbers."""
        self.rows = rows
        self._width = len(columns)
        self._french = region == "FR"
        self._now = now
        self._index = {column.field: column.index for column in columns if column.field != IGNORE}
        self._memory = FileMemory(rows, columns, now)

    def read(self, block: Block, start_line: int, bytes_read: int) -> Batch:
        """What the block says, from `start_line` on. Never raises."""
        unusual = {place for place, cells in enumerate(block.cells) if len(cells) != self._width}
        unusual.update(block.problems)
        if not block.plain:
            unusual.update(p for p, cells in enumerate(block.cells) if any("\0" in cell for cell in cells))
        blank = [""] * self._width
        lines = [blank if place in unusual else cells for place, cells in enumerate(block.cells)]
        batch = Batch(list(block.lines), bytes_read=bytes_read)
        if lines:
            batch.next_line = block.last_lines[-1] + 1
            self._read_columns(batch, list(zip(*lines, strict=True)), unusual)
            self._read_unusual(batch, block, unusual, start_line)
        return batch

    def _read_columns(self, batch: Batch, cells: Sequence[Sequence[str]], unusual: set[int]) -> None:
        """Every column by what is known; the places of lines that need more go to `unusual`."""
        columns: dict[str, list[Any]] = {}
        keys = self._read_keys(cells, columns, unusual)
        for group in self._memory.contact:
            _lay_out(group.outputs, group.read(cells), columns, unusual)
        batch.tags = [()] * len(batch.lines)
        if self._memory.tags is not None:
            batch.tags = self._memory.tags.read(cells)
            unusual.update(place for place, worn in enumerate(batch.tags) if worn is UNUSUAL)
        reached = ([key is not None for key in keys[name]] for name in ("email", "phone"))
        names = (*self._memory.consents.outputs, "said")
        _lay_out(names, self._memory.consents.read(cells, *reached), columns, unusual)
        batch.said = columns.pop("said")
        if self._memory.targeting is not None:
            names = (*self._memory.targeting.outputs, "agreed")
            _lay_out(names, self._memory.targeting.read(cells), columns, unusual)
            batch.agreed = columns.pop("agreed")
        batch.columns = columns

    def _read_keys(
        self, cells: Sequence[Sequence[str]], columns: dict[str, list[Any]], unusual: set[int]
    ) -> Mapping[str, Sequence[str | None]]:
        readers: dict[str, Callable[[str], str | None]] = {
            "external_id": _plain_identifier,
            "email": plain_email,
            "phone": plain_mobile if self._french else _never,
        }
        for name, read in readers.items():
            if name in self._index:
                found = cells[self._index[name]]
                columns[name] = [(read(cell) or UNUSUAL) if cell else None for cell in found]
        absent = [None] * len(cells[0])
        for name in KEYS:
            if column := columns.get(name):
                missing = [place for place, key in enumerate(column) if key is UNUSUAL]
                unusual.update(missing)
                for place in missing:
                    column[place] = None
        keys = {name: columns.get(name, absent) for name in KEYS}
        together = zip(*keys.values(), strict=True)
        unusual.update(place for place, key in enumerate(together) if key == _NOBODY)
        for name, channel in (("email", Channel.EMAIL), ("phone", Channel.SMS)):
            if name in columns:
                columns[f"{name}_hash"] = address_hashes(channel, columns[name])
        if "email" in columns:
            columns["email_domain"] = [email and email.partition("@")[2] for email in columns["email"]]
        return keys

    def _read_unusual(self, batch: Batch, block: Block, unusual: set[int], start_line: int) -> None:
        """The lines that need `RowReader`, one by one; what is no row, or read before, is left out."""
        gone = {place for place, line in enumerate(block.lines) if line < start_line}
        noted: dict[int, list[Note]] = {}
        for place in sorted(unusual - gone):
            record = block.record(place)
            if not any(record.cells or [record.problem]):
                gone.add(place)
                continue
            read = self.rows.read(record)
            if isinstance(read, Note):
                batch.rejected.append(read)
                gone.add(place)
                continue
            found = texts_of(read)
            for name, column in batch.columns.items():
                column[place] = found.get(name)
            batch.tags[place], batch.said[place] = worn_by(read), said_in(read, self._now)
            if batch.agreed:
                batch.agreed[place] = agreed_in(read, self._now)
            noted[place] = read.notes
        kept = [place for place in range(len(block.cells)) if place not in gone]
        if gone:
            batch.lines = [batch.lines[place] for place in kept]
            batch.columns = {name: [col[place] for place in kept] for name, col in batch.columns.items()}
            batch.tags, batch.said = [batch.tags[p] for p in kept], [batch.said[p] for p in kept]
            batch.agreed = [batch.agreed[place] for place in kept] if batch.agreed else []
        batch.cells = put_away([block.cells[place] for place in kept])
        batch.noted = {row: noted[place] for row, place in enumerate(kept) if noted.get(place)}


def put_away(cells: list[list[str]]) -> list[bytes]:
    """The cells of rows in the least room and time: hardly any row of a file is looked at again."""
    starts = range(0, len(cells), ROWS_TOGETHER)
    return [marshal.dumps(cells[start : start + ROWS_TOGETHER], _PLAIN) for start in starts]


def taken_out(put: Sequence[bytes], rows: Iterable[int]) -> Iterator[list[str]]:
    """The cells of some rows, given in order, from what `put_away` made."""
    for number, group in groupby(rows, lambda row: row // ROWS_TOGETHER):
        together = marshal.loads(put[number])  # noqa: S302 - written by the same program
        for row in group:
            yield together[row % ROWS_TOGETHER]


def _plain_identifier(cell: str) -> str | None:
    return cell if cell.isprintable() and " " not in cell and len(cell) <= IDENTIFIER_LENGTH else None


def _never(_cell: str) -> None:
    return None


def _lay_out(
    names: Sequence[str], answers: list[Any], columns: dict[str, list[Any]], unusual: set[int]
) -> None:
    """Each part of the answers into the column it fills."""
    missing = [place for place, answer in enumerate(answers) if answer is UNUSUAL]
    unusual.update(missing)
    for place in missing:
        answers[place] = (None,) * len(names)
    for part, name in enumerate(names):
        columns[name] = [answer[part] for answer in answers]
