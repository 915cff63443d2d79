"""Many new rows at once, by the fastest way each database has.

PostgreSQL takes them by COPY into a table of the transaction and from there in one statement; SQLite row
by row of one prepared statement. Either way values come as columns of text, in the form both databases
read: what is text already (names, fingerprints) is not touched again, and what repeats (moments,
documents, codes) has been written once by whoever calls.
"""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import StoreError
from store.engine import copy_lines, is_embedded
from store.session import Database

__all__ = [
    "Constants",
    "Texts",
    "as_text",
    "insert_unless_there",
    "lines_of",
    "quoted",
    "reserve_numbers",
    "room_for_many",
]

Texts = Sequence[str | int | None]
"""The values of one column, row by row, in the form `as_text` gives."""
Constants = Mapping[str, str | int | None]
"""Columns that have one value for every row."""


CACHE_KB: Final = -131_072
"""Negative: kilobytes, not pages."""
LOG_PAGES: Final = 16_000
_NULL: Final = r"\N"
_CAREFUL: Final = re.compile(r"[\\\t\n\r]")
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
        return list(range(last + 1, last + count + 1))
    # One word for all of them: to fetch a row for each takes ten times as long.
    sequence = sa.cast(sa.func.pg_get_serial_sequence(table.name, "id"), postgresql.REGCLASS)
    drawn = sa.select(sa.func.nextval(sequence).label("number")).select_from(
        sa.func.generate_series(1, count)
    )
    each = drawn.subquery()
    listed = sa.select(sa.func.string_agg(sa.cast(each.c.number, sa.Text()), ","))
    return sorted(map(int, ((await connection.execute(listed)).scalar() or "").split(",")))


@asynccontextmanager
async def room_for_many(database: Database) -> AsyncIterator[None]:
    """Within, SQLite keeps the indexes of a large table in memory, and copies its log back less often.

    Else each batch reads again, and writes twice, pages that the next one changes. The memory is bounded
    and given back at the end; what a commit promises stays the same.
    """
    if not database.is_sqlite:
        yield
        return
    before = await _set_room(database, CACHE_KB, LOG_PAGES)
    try:
        yield
    finally:
        with suppress(StoreError):
            await _set_room(database, *before)


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


async def insert_unless_there(
    session: AsyncSession, table: sa.Table, columns: Mapping[str, Texts], constants: Constants
) -> None:
    """Insert the rows that break no unique index; the others stay as they are."""
    if not next(iter(columns.values())):
        return
    if is_embedded(session):
        statement = (
            f"INSERT INTO {table.name} ({', '.join((*columns, *constants))}) "  # noqa: S608 - our own columns
            f"VALUES ({', '.join((*('?' * len(columns)), *map(quoted, constants.values())))}) "
            "ON CONFLICT DO NOTHING"
        )
        rows: list[tuple[Any, ...]] = list(zip(*columns.values(), strict=True))
        await (await session.connection()).exec_driver_sql(statement, rows)
        return
    names = ", ".join(columns)
    connection = await session.connection()
    alike = f"SELECT {names} FROM {table.name} WITH NO DATA"  # noqa: S608 - the names of our own columns
    await connection.exec_driver_sql(f"CREATE TEMPORARY TABLE arriving ON COMMIT DROP AS {alike}")
    await copy_lines(session, f"COPY arriving ({names}) FROM STDIN", lines_of(columns))
    await connection.execute(_taken(table, tuple(columns), constants).on_conflict_do_nothing())
    await connection.exec_driver_sql("DROP TABLE arriving")


def _taken(table: sa.Table, names: Sequence[str], constants: Constants) -> postgresql.Insert:
    """The statement that takes what has arrived."""
    arriving = sa.table("arriving", *(sa.column(name, table.c[name].type) for name in names))
    chosen = sa.select(
        *(arriving.c[name] for name in names),
        *(_constant(table.c[name], value) for name, value in constants.items()),
    ).select_from(arriving)
    return postgresql.insert(table).from_select([*names, *constants], chosen, include_defaults=False)


def _constant(column: sa.Column[Any], value: str | int | None) -> sa.ColumnElement[Any]:
    """A value in its text form as a value of the column; PostgreSQL makes no truth of a number."""
    text = None if value is None else str(value)
    return sa.cast(sa.literal(text, sa.Text()), column.type)


def quoted(value: str | int | None) -> str:
    """A value that all rows share, as both databases read it in a statement: quicker than one for each."""
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def lines_of(columns: Mapping[str, Texts]) -> str:
    """The rows in PostgreSQL's text format for COPY."""
    written = [_escaped(values) for values in columns.values()]
    return "\n".join(map("\t".join, zip(*written, strict=True))) + "\n"


def _escaped(values: Texts) -> list[str]:
    texts = [_NULL if value is None else str(value) for value in values]
    # A look at all of them at once is far quicker than at each: hardly any column has such a sign.
    if _CAREFUL.search("".join(texts).replace(_NULL, "")) is None:
        return texts
    return [_NULL if value is None else str(value).translate(_ESCAPES) for value in values]
