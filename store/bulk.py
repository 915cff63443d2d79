"""Statements of the hot path: built once for each database, given and answered in bulk.

Lists go in as one parameter. On SQLite rows also come out as one: its driver gives up the interpreter's
lock and takes it again for every single row, and while other threads build and sign messages each of
these takes up to a scheduler's slice.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from models.columns import UtcDateTime
from store.engine import checked_on

Row = Sequence[Any]
Convert = Callable[[Any], Any]


class Spelling:
    """How one of the two databases spells what both can do."""

    def __init__(self, *, sqlite: bool) -> None:
        """`sqlite`: else PostgreSQL."""
        self.sqlite = sqlite

    def among(self, column: Any, name: str, kind: Any = sa.BigInteger) -> sa.ColumnElement[bool]:
        """Whether a column of that `kind` is one of those given as parameter `name` (see `listed`)."""
        if self.sqlite:
            given = sa.func.json_each(sa.bindparam(name, type_=sa.Text)).table_valued("value")
            return cast("sa.ColumnElement[bool]", column.in_(sa.select(given.c.value)))
        array: Any = sa.cast(sa.bindparam(name, type_=sa.Text), postgresql.ARRAY(kind))
        # Not `= ANY (the list)`: where PostgreSQL reads the whole table, it would take the text apart for
        # every row of it.
        return cast("sa.ColumnElement[bool]", column.in_(sa.select(sa.func.unnest(array))))

    def checked(self, *conditions: Any) -> sa.ColumnElement[bool]:
        """As `store.engine.checked`."""
        return checked_on(*conditions, sqlite=self.sqlite)

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


def listed(session: AsyncSession, values: Collection[int] | Collection[str]) -> str:
    """The value of a parameter for `Spelling.among`: whole numbers, or words of letters and digits.

    As one text, which the database takes apart: PostgreSQL's driver spells a list number by number.
    """
    if _speaks_sqlite(session):
        return json.dumps(list(values))
    return f"{{{','.join(map(str, values))}}}"


def table(rows: Sequence[Row]) -> str:
    """The value of a parameter for `Spelling.rows`; texts must be storable, and moments are not for it."""
    return json.dumps(rows)


class _Spelt:
    """A statement in the words of one database's driver, and how its parameters go in."""

    def __init__(self, statement: sa.Executable, dialect: sa.Dialect) -> None:
        spoken = sqlite.dialect(paramstyle="named") if dialect.name == "sqlite" else dialect
        compiled = cast("Any", statement).compile(dialect=spoken, compile_kwargs={"render_postcompile": True})
        self.text: str = compiled.string
        self._convert = {
            name: convert
            for name, bind in compiled.binds.items()
            if (convert := bind.type.dialect_impl(spoken).bind_processor(spoken)) is not None
        }
        asked_for = {name for name, bind in compiled.binds.items() if bind.required}
        known = compiled.construct_params(dict.fromkeys(asked_for))
        self._fixed = {
            name: self._value(name, value) for name, value in known.items() if name not in asked_for
        }

    def parameters(self, values: Mapping[str, object]) -> dict[str, object]:
        """Those that were given, and those that never change."""
        return {**self._fixed, **{name: self._value(name, value) for name, value in values.items()}}

    def _value(self, name: str, value: object) -> object:
        convert = self._convert.get(name)
        if convert is not None and value is not None:
            value = convert(value)
        return value.value if isinstance(value, Enum) else value


class _Hot:
    """Something asked again and again: compiled once, and handed to the driver without detours.

    The session's transaction is the same as for everything else; only the way there is shorter: by way of
    the object mapper a statement costs ten times as much as what it does for a chunk of messages.
    """

    def __init__(self, build: Callable[[Spelling], sa.Executable]) -> None:
        """`build` is asked once for each database."""
        self._build = build
        self._spelt: dict[str, _Spelt] = {}

    async def _connect(self, session: AsyncSession) -> tuple[Any, _Spelt]:
        """The driver's own connection, in the session's transaction, and what to tell it."""
        dialect = session.get_bind().dialect
        spelt = self._spelt.get(dialect.name)
        if spelt is None:
            statement = self._build(SQLITE if dialect.name == "sqlite" else POSTGRESQL)
            spelt = self._spelt[dialect.name] = _Spelt(statement, dialect)
        transaction, connection = session.info.get("hot", (None, None))
        if transaction is None or transaction is not session.sync_session.get_transaction():
            connection = await session.connection()
            session.info["hot"] = (session.sync_session.get_transaction(), connection)
        return connection.sync_connection.connection.driver_connection, spelt

    async def _told(self, session: AsyncSession, work: Awaitable[Any], spelt: _Spelt) -> Any:
        """What the driver answers; its errors as those of every other statement."""
        dialect = session.get_bind().dialect
        base = cast("Any", dialect).loaded_dbapi.Error
        try:
            return await work
        except base as error:
            raise DBAPIError.instance(
                spelt.text, None, error, base, hide_parameters=True, dialect=dialect
            ) from error


class Statement(_Hot):
    """A change asked for again and again."""

    async def run(self, session: AsyncSession, **values: object) -> int:
        """How many rows it changed."""
        driver, spelt = await self._connect(session)
        cursor = await self._told(session, driver.execute(spelt.text, spelt.parameters(values)), spelt)
        return cast("int", cursor.rowcount)

    async def run_each(self, session: AsyncSession, rows: Sequence[Mapping[str, object]]) -> None:
        """Once with the values of each row, in their order, without waiting for one before the next."""
        if not rows:
            return
        driver, spelt = await self._connect(session)
        some = [spelt.parameters(row) for row in rows]
        if _speaks_sqlite(session):
            await self._told(session, driver.executemany(spelt.text, some), spelt)
        else:
            await self._told(session, driver.cursor().executemany(spelt.text, some), spelt)


class Question(_Hot):
    """A question asked again and again, answered with plain rows; every column needs a name of its own."""

    def __init__(self, build: Callable[[Spelling], sa.Select[Any]]) -> None:
        """`build` is asked once for each database."""
        super().__init__(
            lambda spelling: (_in_one_row if spelling.sqlite else _with_json_as_text)(build(spelling))
        )
        self._columns = build
        self._conversions: dict[str, tuple[tuple[int, Convert], ...]] = {}

    async def ask(self, session: AsyncSession, **values: object) -> Sequence[Row]:
        """The rows, as tuples or lists in the order of the columns."""
        driver, spelt = await self._connect(session)
        name = session.get_bind().dialect.name
        if name == "sqlite":
            answer = driver.execute_fetchall(spelt.text, spelt.parameters(values))
            rows: list[Any] = json.loads((await self._told(session, answer, spelt))[0][0])
        else:
            cursor = await self._told(session, driver.execute(spelt.text, spelt.parameters(values)), spelt)
            rows = [list(row) for row in await cursor.fetchall()]
        conversions = self._conversions.get(name)
        if conversions is None:
            conversions = self._conversions[name] = self._convert(name)
        for place, convert in conversions:
            for row in rows:
                if row[place] is not None:
                    row[place] = convert(row[place])
        return rows

    def _convert(self, name: str) -> tuple[tuple[int, Convert], ...]:
        spelling = SQLITE if name == "sqlite" else POSTGRESQL
        columns = enumerate(self._columns(spelling).selected_columns)
        found = ((place, _conversion(column.type, spelling)) for place, column in columns)
        return tuple((place, convert) for place, convert in found if convert is not None)


def _in_one_row(question: sa.Select[Any]) -> sa.Executable:
    inner = question.subquery("asked")
    fields = [sa.func.json(column) if _is_json(column) else column for column in inner.c]
    one = sa.func.json_array(*(sa.type_coerce(field, sa.Text) for field in fields))
    return sa.select(sa.type_coerce(sa.func.json_group_array(one), sa.Text))


def _with_json_as_text(question: sa.Select[Any]) -> sa.Executable:
    columns = [
        sa.cast(column, sa.Text).label(column.name) if _is_json(column) else column
        for column in question.selected_columns
    ]
    return question.with_only_columns(*columns, maintain_column_froms=True)


def _is_json(column: sa.ColumnElement[Any]) -> bool:
    return isinstance(column.type, sa.JSON)


def _conversion(kind: Any, spelling: Spelling) -> Convert | None:
    """How a value comes out of SQLite's JSON or PostgreSQL's driver; None when it is right as it is."""
    if isinstance(kind, UtcDateTime) and spelling.sqlite:
        return _moment
    if isinstance(kind, sa.Date) and spelling.sqlite:
        return date.fromisoformat
    if isinstance(kind, sa.Boolean) and spelling.sqlite:
        return bool
    if isinstance(kind, sa.JSON) and not spelling.sqlite:
        return cast("Convert", json.loads)
    if isinstance(kind, sa.Enum) and kind.enum_class is not None:
        return cast("Mapping[str, Any]", {member.value: member for member in kind.enum_class}).__getitem__
    return None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
