"""Rows that are made ready for the database elsewhere, in another process, and only taken over by the writer.

To hand over row by row, in the process that writes, takes longer than the database needs to store them. So
rows travel as tables: for SQLite as a whole database in memory, which is opened beside the large one; for
PostgreSQL as lines of COPY, for tables of the transaction. From there one statement a table takes them, and
no row of them is touched by Python again. Each row has its place in front, by which it gets its number.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from store.engine import copy_lines, is_embedded, open_beside
from store.loading import Texts, lines_of, quoted

__all__ = ["ArrivingRows", "arrange", "arriving", "at_place", "receive", "taking"]

_PREFIX: Final = "arriving_"
_PAGE: Final = 65_536


@dataclass(frozen=True, slots=True)
class ArrivingRows:
    """Rows for tables: `columns` of each, the place not among them, and what `arrange` has made of them.

    A table that gets no row is not among them. `content` is a database (SQLite), or lines by table.
    """

    columns: dict[str, tuple[str, ...]]
    content: bytes | dict[str, bytes]


def arrange(
    tables: Mapping[str, tuple[Sequence[int | None], Mapping[str, Texts]]], *, embedded: bool
) -> ArrivingRows:
    """Places and columns of rows for each table, on their way; no database is needed for this.

    Values are text as `store.loading.as_text` writes it. What no row has is left out.
    """
    known: dict[str, dict[str, Texts]] = {
        table: {"place": places}
        | {name: texts for name, texts in columns.items() if any(text is not None for text in texts)}
        for table, (places, columns) in tables.items()
        if places
    }
    names = {table: tuple(columns)[1:] for table, columns in known.items()}
    if embedded:
        return ArrivingRows(names, _database_of(known) if known else b"")
    return ArrivingRows(names, {table: lines_of(columns).encode() for table, columns in known.items()})


def _database_of(tables: Mapping[str, Mapping[str, Texts]]) -> bytes:
    database = sqlite3.connect(":memory:", isolation_level=None)
    try:
        database.execute(f"PRAGMA page_size={_PAGE}")
        database.execute("BEGIN")
        for table, columns in tables.items():
            database.execute(f"CREATE TABLE {arriving(table)} ({', '.join(columns)})")
            rows: list[tuple[Any, ...]] = list(zip(*columns.values(), strict=True))
            marks = ", ".join("?" * len(columns))
            database.executemany(f"INSERT INTO {arriving(table)} VALUES ({marks})", rows)  # noqa: S608 - our own words
        database.execute("COMMIT")
        return database.serialize()
    finally:
        database.close()


async def receive(session: AsyncSession, rows: ArrivingRows) -> None:
    """Let the transaction see the rows; they are gone with it, or when others are received."""
    if not rows.columns:
        return
    if isinstance(rows.content, bytes):
        await open_beside(session, "arriving", rows.content)
        return
    connection = await session.connection()
    for table, names in rows.columns.items():
        own = arriving(table)
        listed = ", ".join(names)
        alike = f"SELECT CAST(0 AS bigint) AS place, {listed} FROM {table} WITH NO DATA"  # noqa: S608 - our own words
        await connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {own} ON COMMIT DROP AS {alike}")
        await copy_lines(session, f"COPY {own} (place, {listed}) FROM STDIN", rows.content[table])


def arriving(table: str) -> str:
    """Where the rows for a table are, within the transaction that has received them."""
    return f"{_PREFIX}{table}"


def at_place(numbers: Sequence[int], *, embedded: bool) -> str:
    """The number for the place of a row, in SQL; `numbers` rise, the one for each place."""
    if embedded or numbers[-1] - numbers[0] < len(numbers):
        return f"place + {numbers[0]}"
    # Somebody else has taken some in between.
    return f"(CAST('{{{','.join(map(str, numbers))}}}' AS bigint[]))[place + 1]"


def taking(
    session: AsyncSession,
    rows: ArrivingRows,
    table: str,
    *,
    number: tuple[str, str],
    constants: Mapping[str, str | int | None],
    condition: str = "true",
    ending: str = "",
) -> str:
    """The statement that takes the rows of a table over; run by the caller.

    `number` is the column that tells to whom a row belongs, and what it is in SQL; `constants` are columns
    that are the same for every row; `condition` keeps some of the rows, `ending` is what else is said.
    """
    names = rows.columns[table]
    into = ", ".join((number[0], *names, *constants))
    values = ", ".join((number[1], *names, *map(quoted, constants.values())))
    chosen = f"SELECT {values} FROM {arriving(table)} WHERE {condition}"  # noqa: S608 - our own words
    statement = f"INSERT INTO {table} ({into}) {chosen}{ending}"
    return statement if is_embedded(session) else statement.replace("%", "%%")
