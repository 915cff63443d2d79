"""One engine a URL: the only file that knows which database it talks to.

SQLite: write-ahead log, writers take their lock at once (`BEGIN IMMEDIATE`: a deferred one that
upgrades later fails without waiting), and every commit reaches the disk (`synchronous=FULL`): a lost
record of a message that left would be a message sent twice, a lost suppression a person written to
against their will. PostgreSQL keeps the same promises by default.
"""

import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.visitors import InternalTraversal

from models.errors import SettingsError
from store import embedded

BUSY_TIMEOUT_MS = 10_000
CONNECT_TIMEOUT_S = 5
CACHE_KB = 4_096
"""Pages that SQLite's writer keeps at hand; imports and launches ask for more (`loading.room_for_many`)."""
READER_CACHE_KB = 1_024
"""The same for each of the readers. More saves no time, neither here nor there: what is not found is in the
system's own cache, and a process would be the larger for every connection it has."""
SESSION = "-c timezone=UTC -c jit=off -c synchronous_commit=on"
"""What every session says to PostgreSQL, whatever the server is set to. UTC: moments are compared in SQL.
Compiling a question (jit) takes longer than answering any of ours. A commit that a crash of the server
takes back would be a message sent twice."""


BRIEF_IDLE_S = 30
"""How long a transaction of a few rows may stand still before the server ends it. A process that was frozen
in the midst of one (stopped, swapped out, its machine paused) would keep its locks until it wakes, and all
other workers would wait for them."""
IDLE_S = 300
"""The same for what may take its time between two statements: a launch, an import, a download."""

BY_INDEX = " ".join(f"-c enable_{way}=off" for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"))
"""What is said besides where only a few rows are asked for, by their numbers. A table that was filled a
moment ago passes for nearly empty: PostgreSQL would read all of it, again and again, while it grows."""


def parse_url(text: str) -> URL:
    """`text` as the URL of one of the two databases, with the asynchronous driver filled in.

    `sqlite:///file.db` and `postgresql://…` are enough; SettingsError for anything else.
    """
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise SettingsError(
            "The database URL cannot be read.",
            "Write sqlite:///tocsin.db or postgresql://user:password@host/name.",
        ) from error
    match url.get_backend_name():
        case "sqlite":
            return url.set(drivername="sqlite+aiosqlite")
        case "postgresql":
            return url.set(drivername="postgresql+psycopg")
        case other:
            raise SettingsError(f"The database {other} is not supported.", "Use SQLite or PostgreSQL.")


def is_sqlite(url: URL) -> bool:
    """Whether the URL names a SQLite file."""
    return url.get_backend_name() == "sqlite"


def make_engine(url: URL, *, writes: bool, pooled: bool = True, by_index: bool = False) -> AsyncEngine:
    """The engine for one direction of traffic.

    SQLite gets one writing connection a process (a queue in the pool is fairer than its busy timeout)
    and several reading ones; PostgreSQL serves both from one engine, and from another what is found
    `by_index`.
    """
    if is_sqlite(url):
        # autocommit: SQLAlchemy's own driver would open deferred transactions behind our back.
        engine = create_async_engine(
            url,
            connect_args={
                "timeout": BUSY_TIMEOUT_MS / 1000,
                "isolation_level": None,
                "async_creator_fn": embedded.connect,
            },
            hide_parameters=True,  # errors are logged, addresses are not
            **(
                {"pool_size": 1 if writes else 4, "max_overflow": 0, "pool_timeout": 120}
                if pooled
                else {"poolclass": NullPool}
            ),
        )
        event.listen(engine.sync_engine, "connect", partial(_prepare_sqlite, writes=writes))
        event.listen(engine.sync_engine, "begin", _begin_immediate if writes else _begin_deferred)
        return engine
    options: dict[str, Any] = {"poolclass": NullPool}
    if pooled:
        # The connection that was used last knows most statements by heart.
        options = {"pool_size": 6, "max_overflow": 4, "pool_pre_ping": True, "pool_use_lifo": True}
    if pooled and by_index:
        options |= {"pool_size": 4, "max_overflow": 2}
    session = f"{SESSION} -c idle_in_transaction_session_timeout={BRIEF_IDLE_S if by_index else IDLE_S}s"
    if by_index:
        session = f"{session} {BY_INDEX}"
    return create_async_engine(
        url,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "options": session},
        hide_parameters=True,  # errors are logged, addresses are not
        **options,
    )


def _prepare_sqlite(connection: Any, _record: object, *, writes: bool) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        f"cache_size=-{CACHE_KB if writes else READER_CACHE_KB}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_deferred(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def insert_for(session: AsyncSession, table: Any) -> Any:
    """An INSERT into `table` that knows `on_conflict_do_nothing` and `on_conflict_do_update`.

    Both databases spell the clause alike; SQLAlchemy keeps one class for each.
    """
    return insert_on(table, sqlite=session.get_bind().dialect.name == "sqlite")


def insert_on(table: Any, *, sqlite: bool) -> Any:
    """`insert_for` where there is no session yet: for SQLite, or else PostgreSQL."""
    return sqlite_dialect.insert(table) if sqlite else postgresql.insert(table)


def skips_locked_rows(session: AsyncSession) -> bool:
    """Whether claims should say FOR UPDATE SKIP LOCKED; SQLite has one writer and no such clause."""
    return session.get_bind().dialect.name != "sqlite"


def is_embedded(session: AsyncSession) -> bool:
    """Whether the session writes to SQLite, where a write transaction keeps every other one out."""
    return session.get_bind().dialect.name == "sqlite"


async def copy_lines(session: AsyncSession, statement: str, lines: str | bytes) -> None:
    """Send rows in PostgreSQL's text format, by `COPY … FROM STDIN`, in the session's transaction.

    Errors are SQLAlchemy's, as those of statements are.
    """
    connection = await session.connection()
    raw = (await connection.get_raw_connection()).driver_connection
    drivers_own = cast("Any", session.get_bind().dialect).dbapi.Error
    try:
        async with cast("Any", raw).cursor() as cursor, cursor.copy(statement) as copy:
            await copy.write(lines)
    except drivers_own as error:
        raise DBAPIError.instance(statement, None, error, drivers_own, hide_parameters=True) from error


async def open_beside(session: AsyncSession, name: str, content: bytes) -> None:
    """Open `content`, an SQLite database as bytes, in memory and under that name beside the session's own.

    What was open under that name before is closed. Nothing of this reaches the disk.
    """
    connection = await session.connection()
    attached = (await connection.exec_driver_sql("SELECT name FROM pragma_database_list")).scalars().all()
    if name not in attached:
        await connection.exec_driver_sql(f"ATTACH ':memory:' AS {name}")
    raw = cast("Any", (await connection.get_raw_connection()).driver_connection)
    # The driver has no word of its own for it, but a thread to which a connection belongs.
    await raw._execute(raw._conn.deserialize, content, name=name)  # noqa: SLF001


def is_among(
    session: AsyncSession, column: sa.ColumnElement[Any] | Mapped[Any], values: Collection[Any]
) -> sa.ColumnElement[bool]:
    """Whether `column` (text or whole numbers) is one of `values`, sent as one parameter.

    IN with a thousand parameters costs more to spell than to answer.
    """
    if session.get_bind().dialect.name == "sqlite":
        listed = sa.func.json_each(json.dumps(list(values))).table_valued("value")
        return column.in_(sa.select(listed.c.value))
    array = sa.bindparam(
        None, list(values), type_=postgresql.ARRAY(cast("sa.ColumnElement[Any]", column).type)
    )
    return column == sa.any_(array)


def checked(session: AsyncSession, *conditions: Any) -> sa.ColumnElement[bool]:
    """That all `conditions` hold for rows that are found by something else in the question.

    PostgreSQL knows nothing of a table that was filled a moment ago: it would look for all the rows of a
    state, to find among them the few whose numbers are given.
    """
    return checked_on(*conditions, sqlite=is_embedded(session))


def checked_on(*conditions: Any, sqlite: bool) -> sa.ColumnElement[bool]:
    """`checked` where there is no session yet: for SQLite, which has nothing of the kind, or PostgreSQL."""
    together = sa.and_(*conditions)
    return together if sqlite else together.is_(sa.true())


class OnlyCompared(ColumnElement[Any]):
    """A column of which SQLite's planner shall not think as a way in: it is compared, not searched by.

    Without statistics of a list SQLite takes the list for short, and looks up each of a hundred thousand
    rows one by one where an index of another column would give them at one go.
    """

    inherit_cache = True
    _traverse_internals = [("column", InternalTraversal.dp_clauseelement)]  # noqa: RUF012 - SQLAlchemy's own way

    def __init__(self, column: sa.ColumnElement[Any] | Mapped[Any]) -> None:
        """`column` holds whole numbers."""
        self.column = cast("sa.ColumnElement[Any]", column)
        self.type = self.column.type


@compiles(OnlyCompared)
def _compile_compared(element: OnlyCompared, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.column, **options))


@compiles(OnlyCompared, "sqlite")
def _compile_compared_on_sqlite(element: OnlyCompared, compiler: Any, **options: Any) -> str:
    return f"+{compiler.process(element.column, **options)}"


class Earlier(ColumnElement[Any]):
    """A moment, some time before another; `seconds`: how long before."""

    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012 - SQLAlchemy's own way
        ("moment", InternalTraversal.dp_clauseelement),
        ("seconds", InternalTraversal.dp_plain_obj),
    ]

    def __init__(self, moment: sa.ColumnElement[Any], seconds: int) -> None:
        """`moment` is a column of moments."""
        self.moment = moment
        self.seconds = seconds
        self.type = moment.type


@compiles(Earlier)
def _compile_earlier(element: Earlier, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.moment, **options)} - interval '{element.seconds} seconds')"


@compiles(Earlier, "sqlite")
def _compile_earlier_on_sqlite(element: Earlier, compiler: Any, **options: Any) -> str:
    # As moments are written there, exact to the millisecond: text that compares as the moments do.
    moment = compiler.process(element.moment, **options)
    return f"strftime('%Y-%m-%d %H:%M:%f000', {moment}, '-{element.seconds} seconds')"


def earlier(moment: sa.ColumnElement[Any], by: timedelta) -> sa.ColumnElement[Any]:
    """The moment in a column, less whole seconds."""
    return Earlier(moment, int(by.total_seconds()))


@asynccontextmanager
async def planned_afresh(session: AsyncSession) -> AsyncIterator[None]:
    """Questions asked within are planned for the tables as they are now.

    PostgreSQL keeps the plan of a repeated statement: one made while a table was empty reads all of it,
    again and again, while a large import fills it.
    """
    if session.get_bind().dialect.name != "postgresql":
        yield
        return
    connection = await session.connection()
    await connection.execute(sa.text("SET LOCAL plan_cache_mode = force_custom_plan"))
    yield
    # Not after an error: the transaction takes no more statements, and forgets the setting anyway.
    await connection.execute(sa.text("SET LOCAL plan_cache_mode = auto"))


@asynccontextmanager
async def planned_by_index(session: AsyncSession) -> AsyncIterator[None]:
    """Questions asked within are answered by indexes, row by row, whatever the planner thinks of it.

    For a few rows found by the newest numbers of a table of millions: PostgreSQL's statistics know nothing
    of the newest, and a table that was filled a moment ago has none at all.
    """
    if session.get_bind().dialect.name != "postgresql":
        yield
        return
    ways = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")
    connection = await session.connection()
    off = [sa.func.set_config(way, "off", True) for way in ways]  # noqa: FBT003 - its own way to say LOCAL
    await connection.execute(
        sa.select(sa.func.set_config("plan_cache_mode", "force_custom_plan", True), *off)  # noqa: FBT003
    )
    yield
    # Not after an error: the transaction takes no more statements, and forgets the settings anyway.
    on = [sa.func.set_config(way, "on", True) for way in ways]  # noqa: FBT003
    await connection.execute(sa.select(sa.func.set_config("plan_cache_mode", "auto", True), *on))  # noqa: FBT003


async def last_number(session: AsyncSession, table: sa.FromClause) -> int:
    """The highest `id` given out in `table`, also to rows that are not committed yet."""
    connection = await session.connection()
    if session.get_bind().dialect.name == "sqlite":
        return int(await connection.scalar(sa.select(sa.func.max(table.c.id))) or 0)
    name = str(cast("sa.Table", table).name)
    sequence = await connection.scalar(sa.select(sa.func.pg_get_serial_sequence(name, "id")))
    row = (await connection.execute(sa.text(f"SELECT last_value, is_called FROM {sequence}"))).one()  # noqa: S608
    return int(row.last_value) - (0 if row.is_called else 1)


async def writers_of(session: AsyncSession, table: sa.FromClause) -> set[str]:
    """Transactions that may have changed `table` and have not ended, by name; SQLite never shows any.

    A row that has its number is written by one of these, or ended: whoever writes holds this lock first.
    """
    if session.get_bind().dialect.name == "sqlite":
        return set()
    holding = sa.text(
        "SELECT virtualtransaction FROM pg_locks WHERE relation = CAST(:name AS regclass) AND granted "
        "AND mode = 'RowExclusiveLock' AND pid <> pg_backend_pid() "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    connection = await session.connection()
    found = await connection.execute(holding, {"name": str(cast("sa.Table", table).name)})
    return set(found.scalars())
