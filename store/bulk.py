"""Statements of the hot path: built once for each database, given and answered in bulk.

Lists go in as one parameter. On SQLite rows also come out as one: its driver gives up the interpreter's
lock and takes it again for every single row, and while other threads build and sign messages each of
these takes up to a scheduler's slice.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from models.columns import UtcDateTime

Row = Sequence[Any]
Convert = Callable[[Any], Any]


class Spelling:
    """How one of the two databases spells what both can do."""

    def __init__(self, *, sqlite: bool) -> None:
        """`sqlite`: else PostgreSQL."""
        self.sqlite = sqlite

    def among(self, column: Any, name: str) -> sa.ColumnElement[bool]:
        """Whether a column of whole numbers is one of those given as parameter `name` (see `numbers`)."""
        if self.sqlite:
            given = sa.func.json_each(sa.bindparam(name, type_=sa.Text)).table_valued("value")
            return cast("sa.ColumnElement[bool]", column.in_(sa.select(given.c.value)))
        return cast(
            "sa.ColumnElement[bool]",
            column == sa.any_(sa.bindparam(name, type_=postgresql.ARRAY(sa.BigInteger))),
        )

    def rows(self, name: str, **columns: Any) -> Any:
        """The rows given as parameter `name` (see `table`) as a table of `columns`, by name and type."""
        text = sa.bindparam(name, type_=sa.Text)
        each = sa.func.json_each(text) if self.sqlite else sa.func.json_array_elements(sa.cast(text, sa.JSON))
        given = each.table_valued(sa.column("value", sa.JSON), name=f"{name}_given")
        value: sa.ColumnClause[Any] = sa.literal_column(f"{name}_given.value")
        fields = [
            sa.cast(value.op("->>")(sa.literal_column(str(place))), kind).label(column)
            for place, (column, kind) in enumerate(columns.items())
        ]
        return sa.select(*fields).select_from(given).subquery(name)


SQLITE, POSTGRESQL = Spelling(sqlite=True), Spelling(sqlite=False)


def _speaks_sqlite(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def numbers(session: AsyncSession, values: Collection[int]) -> object:
    """The value of a parameter for `Spelling.among`."""
    return json.dumps(list(values)) if _speaks_sqlite(session) else list(values)


def table(rows: Sequence[Row]) -> str:
    """The value of a parameter for `Spelling.rows`; texts must be storable, and moments are not for it."""
    return json.dumps(rows)


class Statement:
    """A change asked for again and again."""

    def __init__(self, build: Callable[[Spelling], sa.Executable]) -> None:
        """`build` is asked once for each database."""
        self._build = build
        self._built: dict[bool, sa.Executable] = {}

    async def run(self, session: AsyncSession, **values: object) -> int:
        """How many rows it changed."""
        sqlite = _speaks_sqlite(session)
        statement = self._built.get(sqlite)
        if statement is None:
            statement = self._built[sqlite] = self._build(SQLITE if sqlite else POSTGRESQL)
        connection = await session.connection()
        return (await connection.execute(statement, values)).rowcount


class Question:
    """A question asked again and again, answered with plain rows."""

    def __init__(self, build: Callable[[Spelling], sa.Select[Any]]) -> None:
        """`build` is asked once for each database; every column needs a name of its own."""
        self._build = build
        self._built: dict[bool, tuple[sa.Executable, tuple[tuple[int, Convert], ...]]] = {}

    async def ask(self, session: AsyncSession, **values: object) -> Sequence[Row]:
        """The rows, as tuples or lists in the order of the columns."""
        sqlite = _speaks_sqlite(session)
        built = self._built.get(sqlite)
        if built is None:
            built = self._built[sqlite] = self._prepare(sqlite)
        statement, conversions = built
        connection = await session.connection()
        result = await connection.execute(statement, values)
        if not sqlite:
            return cast("Sequence[Row]", result.all())
        rows: list[list[Any]] = json.loads(result.scalar_one())
        for place, convert in conversions:
            for row in rows:
                if row[place] is not None:
                    row[place] = convert(row[place])
        return rows

    def _prepare(self, sqlite: bool) -> tuple[sa.Executable, tuple[tuple[int, Convert], ...]]:  # noqa: FBT001
        question = self._build(SQLITE if sqlite else POSTGRESQL)
        if not sqlite:
            return question, ()
        inner = question.subquery("asked")
        fields = [sa.func.json(column) if _is_json(column) else column for column in inner.c]
        conversions = (
            (place, convert)
            for place, column in enumerate(inner.c)
            if (convert := _conversion(column.type)) is not None
        )
        one = sa.func.json_array(*(sa.type_coerce(field, sa.Text) for field in fields))
        whole = sa.func.json_group_array(one)
        return sa.select(sa.type_coerce(whole, sa.Text)), tuple(conversions)


def _is_json(column: sa.ColumnElement[Any]) -> bool:
    return isinstance(column.type, sa.JSON)


def _conversion(kind: Any) -> Convert | None:
    """How a value comes out of SQLite's JSON; None when it is right as it is."""
    if isinstance(kind, UtcDateTime):
        return _moment
    if isinstance(kind, sa.Boolean):
        return bool
    if isinstance(kind, sa.Enum) and kind.enum_class is not None:
        return cast("Mapping[str, Any]", {member.value: member for member in kind.enum_class}).__getitem__
    return None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
