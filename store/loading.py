"""Many new rows at once, by the fastest way each database has.

PostgreSQL takes them by COPY into a table of the transaction and from there in one statement; SQLite row
by row of one prepared statement. Either way values come as columns of text, in the form both databases
read: what is text already (names, fingerprints) is not touched again, and what repeats (moments,
documents, codes) has been written once by whoever calls.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from itertools import repeat
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlmodel.ext.asyncio.session import AsyncSession

from store.engine import copy_lines, is_embedded

__all__ = [
    "Constants",
    "Texts",
    "as_text",
    "insert_missing",
    "insert_new",
    "insert_unless_there",
    "reserve_numbers",
]

Texts = Sequence[str | int | None]
"""The values of one column, row by row, in the form `as_text` gives."""
Constants = Mapping[str, str | int | None]
"""Columns that have one value for every row."""

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


async def insert_missing(
    session: AsyncSession, table: sa.Table, columns: Mapping[str, Texts], constants: Constants
) -> set[int]:
    """Insert the rows that break no unique index; the numbers (column `id`, given) of those that are in."""
    numbers = cast("Sequence[int]", columns["id"])
    if not numbers:
        return set()
    connection = await session.connection()
    if is_embedded(session):
        await _insert_rows(session, table, columns, constants, " ON CONFLICT DO NOTHING")
        found = sa.select(table.c.id).where(table.c.id.between(min(numbers), max(numbers)))
        return set((await connection.scalars(found)).all())
    insert = await _arrived(session, table, columns, constants)
    stored = await connection.scalars(insert.on_conflict_do_nothing().returning(table.c.id))
    inserted = set(stored.all())
    await connection.exec_driver_sql("DROP TABLE arriving")
    return inserted


async def insert_unless_there(
    session: AsyncSession, table: sa.Table, columns: Mapping[str, Texts], constants: Constants
) -> None:
    """Insert the rows that break no unique index; the others stay as they are."""
    if not next(iter(columns.values())):
        return
    if is_embedded(session):
        await _insert_rows(session, table, columns, constants, " ON CONFLICT DO NOTHING")
        return
    insert = await _arrived(session, table, columns, constants)
    connection = await session.connection()
    await connection.execute(insert.on_conflict_do_nothing())
    await connection.exec_driver_sql("DROP TABLE arriving")


async def _arrived(
    session: AsyncSession, table: sa.Table, columns: Mapping[str, Texts], constants: Constants
) -> postgresql.Insert:
    """The rows by COPY into a table of the transaction, and the statement that takes them from there."""
    names = ", ".join(columns)
    connection = await session.connection()
    alike = f"SELECT {names} FROM {table.name} WITH NO DATA"  # noqa: S608 - the names of our own columns
    await connection.exec_driver_sql(f"CREATE TEMPORARY TABLE arriving ON COMMIT DROP AS {alike}")
    await copy_lines(session, f"COPY arriving ({names}) FROM STDIN", _lines(columns))
    arriving = sa.table("arriving", *(sa.column(name, table.c[name].type) for name in columns))
    chosen = sa.select(
        *(arriving.c[name] for name in columns),
        *(_constant(table.c[name], value) for name, value in constants.items()),
    )
    return postgresql.insert(table).from_select([*columns, *constants], chosen, include_defaults=False)


def _constant(column: sa.Column[Any], value: str | int | None) -> sa.ColumnElement[Any]:
    """A value in its text form as a value of the column; PostgreSQL makes no truth of a number."""
    text = None if value is None else str(value)
    return sa.cast(sa.literal(text, sa.Text()), column.type)


async def insert_new(
    session: AsyncSession, table: sa.Table, columns: Mapping[str, Texts], constants: Constants
) -> None:
    """Insert rows that break no unique index, for sure."""
    count = len(next(iter(columns.values())))
    if not count:
        return
    if is_embedded(session):
        await _insert_rows(session, table, columns, constants, "")
        return
    whole = {**columns, **{name: [value] * count for name, value in constants.items()}}
    await copy_lines(session, f"COPY {table.name} ({', '.join(whole)}) FROM STDIN", _lines(whole))


async def _insert_rows(
    session: AsyncSession,
    table: sa.Table,
    columns: Mapping[str, Texts],
    constants: Constants,
    ending: str,
) -> None:
    names = [*columns, *constants]
    statement = (
        f"INSERT INTO {table.name} ({', '.join(names)}) "  # noqa: S608 - the names of our own columns
        f"VALUES ({', '.join('?' * len(names))}){ending}"
    )
    rows: list[tuple[Any, ...]] = list(zip(*columns.values(), *map(repeat, constants.values()), strict=False))
    await (await session.connection()).exec_driver_sql(statement, rows)


def _lines(columns: Mapping[str, Texts]) -> str:
    """The rows in PostgreSQL's text format for COPY."""
    written = [_escaped(values) for values in columns.values()]
    return "\n".join(map("\t".join, zip(*written, strict=True))) + "\n"


def _escaped(values: Texts) -> list[str]:
    texts = [_NULL if value is None else str(value) for value in values]
    # A look at all of them at once is far quicker than at each: hardly any column has such a sign.
    if _CAREFUL.search("".join(texts).replace(_NULL, "")) is None:
        return texts
    return [_NULL if value is None else str(value).translate(_ESCAPES) for value in values]
