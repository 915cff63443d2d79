"""What many new rows at once need: numbers, room, and values as both databases read them.

Values come as columns of text: what is text already (names, fingerprints) is not touched again, and what
repeats (moments, documents, codes) has been written once by whoever calls. How the rows travel is told in
`store.arriving`.
"""

import ctypes
import gc
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import date, datetime
from enum import StrEnum
from typing import Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import StoreError
from models.worker import NumbersUsed
from store.engine import insert_for, is_embedded
from store.session import Database

__all__ = [
    "Constants",
    "Texts",
    "as_text",
    "lines_of",
    "number_of_its_own",
    "quoted",
    "reserve_numbers",
    "retire_number",
    "room_for_many",
]

Texts = Sequence[str | int | None]
"""The values of one column, row by row, in the form `as_text` gives."""
Constants = Mapping[str, str | int | None]
"""Columns that have one value for every row."""


CACHE_KB: Final = -32_768
"""Negative: kilobytes, not pages. The indexes of a million people do not fit into much less: with 8 MB half a
million took no longer, a million twice as long."""
LOG_PAGES: Final = 64_000
"""A quarter of a gigabyte on disk: what many batches change is copied to its place once."""
OBJECTS_A_CLEANING: Final = 100_000
_NULL: Final = r"\N"
_ESCAPES: Final = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def as_text(value: datetime | date | StrEnum | Mapping[str, str] | str | None) -> str | None:
    """A value as both databases read it: ISO 8601, in UTC and without an offset; a code's value; JSON."""
    match value:
        case datetime():
            return value.replace(tzinfo=None).isoformat(" ", "microseconds")
        case date():
            return value.isoformat()
        case StrEnum():
            return value.value
        case Mapping():
            return json.dumps(value)
        case _:
            return value


async def reserve_numbers(session: AsyncSession, table: sa.Table, count: int) -> list[int]:
    """`count` primary keys that nobody else will use, rising.

    SQLite: the write transaction keeps others out. PostgreSQL: they are taken from the sequence.
    """
    connection = await session.connection()
    if not count:
        return []
    if is_embedded(session):
        last = (await connection.execute(sa.select(sa.func.max(table.c.id)))).scalar() or 0
        used = sa.select(col(NumbersUsed.number)).where(col(NumbersUsed.table_name) == table.name)
        last = max(last, (await connection.execute(used)).scalar() or 0)
        return list(range(last + 1, last + count + 1))
    # One word for all of them: to fetch a row for each takes ten times as long. The sequence in a question of
    # its own, which is answered once: to look it up for each takes six times as long as to draw the number.
    sequence = sa.cast(sa.func.pg_get_serial_sequence(table.name, "id"), postgresql.REGCLASS)
    found = sa.select(sequence).scalar_subquery()
    drawn = sa.select(sa.func.nextval(found).label("number")).select_from(sa.func.generate_series(1, count))
    each = drawn.subquery()
    listed = sa.select(sa.func.string_agg(sa.cast(each.c.number, sa.Text()), ","))
    return sorted(map(int, ((await connection.execute(listed)).scalar() or "").split(",")))


async def number_of_its_own(session: AsyncSession, table: sa.Table) -> dict[str, int]:
    """The `id` for a new row, lest it get that of one that is gone; nothing where no number comes again."""
    return {"id": (await reserve_numbers(session, table, 1))[0]} if is_embedded(session) else {}


async def retire_number(session: AsyncSession, table: sa.Table, number: int) -> None:
    """Before a row goes: nobody gets its number any more, if asked by `reserve_numbers`."""
    if not is_embedded(session):
        return
    told = insert_for(session, NumbersUsed).values(table_name=table.name, number=number)
    highest = sa.func.max(col(NumbersUsed.number), told.excluded.number)
    await session.exec(told.on_conflict_do_update(index_elements=["table_name"], set_={"number": highest}))


@asynccontextmanager
async def room_for_many(database: Database) -> AsyncIterator[None]:
    """Within, SQLite keeps more of a large table's indexes at hand, and copies its log back less often.

    Else each batch reads again, and writes twice, pages that the next one changes. The memory is bounded,
    the same for any number of rows, and given back at the end; what a commit promises stays the same.
    Python looks for rubbish less often: to look through all rows of a batch, time after time, takes a fifth
    of the time.
    """
    with _CLEANING.less_often():
        before = await _set_room(database, CACHE_KB, LOG_PAGES) if database.is_sqlite else None
        try:
            yield
        finally:
            if before is not None:
                with suppress(StoreError):
                    await _set_room(database, *before)
            _give_back()


def _give_back() -> None:
    """Let the system have what is free in the midst of the heap; where the C library can (glibc)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class _Cleaning:
    """How often Python looks for rubbish: as usual again when the last who wanted it less often is done."""

    def __init__(self) -> None:
        self._wanted_by = 0
        self._usual = gc.get_threshold()

    @contextmanager
    def less_often(self) -> Iterator[None]:
        if not self._wanted_by:
            self._usual = gc.get_threshold()
            gc.set_threshold(OBJECTS_A_CLEANING, *self._usual[1:])
        self._wanted_by += 1
        try:
            yield
        finally:
            self._wanted_by -= 1
            if not self._wanted_by:
                gc.set_threshold(*self._usual)


_CLEANING: Final = _Cleaning()


async def _set_room(database: Database, cache: int, log_pages: int) -> tuple[int, int]:
    """Give the writing connection this much; what it had before."""
    async with database.write() as session:
        connection = await session.connection()
        before = [
            int((await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() or 0)
            for name in ("cache_size", "wal_autocheckpoint")
        ]
        await connection.exec_driver_sql(f"PRAGMA cache_size={cache}")
        await connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint={log_pages}")
    return before[0], before[1]


def quoted(value: str | int | None) -> str:
    """A value that all rows share, as both databases read it in a statement: quicker than one for each."""
    if value is None or isinstance(value, bool):
        return "NULL" if value is None else str(value)
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def lines_of(columns: Mapping[str, Texts]) -> str:
    """The rows in PostgreSQL's text format for COPY."""
    written = [_written(values) for values in columns.values()]
    lines = "\n".join(map("\t".join, zip(*written, strict=True))) + "\n"
    nothing = sum(values.count(None) for values in columns.values())
    rows = lines.count("\n")
    # To count is far quicker than to look at each value: hardly any file has such signs besides our own.
    if (
        rows == len(written[0])
        and lines.count("\t") == rows * (len(written) - 1)
        and lines.count("\\") == nothing
        and "\r" not in lines
    ):
        return lines
    return "\n".join(map("\t".join, zip(*map(_escaped, columns.values()), strict=True))) + "\n"


def _written(values: Texts) -> Sequence[str]:
    kinds = set(map(type, values))
    if kinds == {str}:
        return cast("Sequence[str]", values)
    if kinds == {int}:
        return list(map(str, values))
    return [_NULL if value is None else str(value) for value in values]


def _escaped(values: Texts) -> list[str]:
    return [_NULL if value is None else str(value).translate(_ESCAPES) for value in values]
