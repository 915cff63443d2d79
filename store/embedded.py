"""SQLite's driver with fewer ways to and fro: one a statement, none for a small one said `at_once`.

aiosqlite gives each connection a thread and goes there four times for a question: for a cursor, to ask, to
fetch, to close. Every time the thread waits until the interpreter lets it run, which takes a millisecond
while messages leave, and the event loop waits for its turn to hear of it.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Self, TypeVar

import aiosqlite

T = TypeVar("T")

LONG = 2_000
"""Characters of a list in a parameter: a statement about so many rows is left to the thread in any case. It
takes milliseconds, in which the loop has other things to do."""
_AT_ONCE: ContextVar[bool] = ContextVar("at_once", default=False)


@contextmanager
def carried_out(*, at_once: bool) -> Iterator[None]:
    """How statements within are: on the event loop itself (`at_once`), or by the connection's thread.

    The first for those that take less than the way there and back. What may wait, for another process's
    transaction or for the disk, is left to the thread even there, and so is what is about many rows.
    """
    before = _AT_ONCE.set(at_once)
    try:
        yield
    finally:
        _AT_ONCE.reset(before)


class Cursor:
    """What a statement has answered, all of it: nothing of it is left with the database."""

    arraysize = 1

    def __init__(self, connection: "Connection") -> None:
        """Has asked nothing yet."""
        self._connection = connection
        self._cursor: sqlite3.Cursor | None = None
        self._rows: list[Any] = []

    async def __aenter__(self) -> Self:
        """There is nothing to open."""
        return self

    async def execute(self, sql: str, parameters: Any = ()) -> Self:
        """Ask, and fetch all that is answered."""
        self._cursor, self._rows = await self._connection.ask(sql, parameters)
        return self

    async def executemany(self, sql: str, parameters: Iterable[Any]) -> Self:
        """Say the same of many."""
        self._cursor, self._rows = await self._connection.tell(sql, parameters), []
        return self

    async def fetchall(self) -> Sequence[Any]:
        """What has not been fetched yet."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """There is nothing to close: everything was fetched."""

    @property
    def description(self) -> Any:
        """As in DB-API: the columns of the answer, None when there is none."""
        return None if self._cursor is None else self._cursor.description

    @property
    def rowcount(self) -> int:
        """As in DB-API: how many rows were changed, -1 when that is not known."""
        return -1 if self._cursor is None else self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        """As in DB-API: the number of the row inserted last."""
        return None if self._cursor is None else self._cursor.lastrowid


class Connection(aiosqlite.Connection):
    """A connection that SQLAlchemy takes for aiosqlite's own."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        """`connector` opens the database, in the thread."""
        super().__init__(connector, iter_chunk_size=1)
        self._away: deque[None] = deque()

    def cursor(self) -> Cursor:  # type: ignore[override]
        """A cursor, without asking the thread for it."""
        return Cursor(self)

    async def ask(self, sql: str, parameters: Any) -> tuple[sqlite3.Cursor, list[Any]]:
        """The cursor after a statement, and its rows."""
        act = partial(_ask, self._conn, sql, parameters)
        return await self._carry_out(act, waits=sql.startswith("BEGIN") or _is_long(parameters))

    async def tell(self, sql: str, parameters: Iterable[Any]) -> sqlite3.Cursor:
        """The cursor after a statement said of many."""
        return await self._carry_out(partial(self._conn.executemany, sql, parameters))

    async def execute(self, sql: str, parameters: Any = None) -> Cursor:  # type: ignore[override]
        """A cursor that has asked."""
        return await Cursor(self).execute(sql, parameters or ())

    async def execute_fetchall(  # type: ignore[override]
        self, sql: str, parameters: Any = None
    ) -> Iterable[Any]:
        """What is answered."""
        return (await self.ask(sql, parameters or ()))[1]

    async def rollback(self) -> None:
        """Undo what was said since the transaction began."""
        await self._carry_out(self._conn.rollback)

    async def _carry_out(self, act: Callable[[], T], *, waits: bool = False) -> T:
        # Not before what the thread has still to do, though whoever asked for it may have been cancelled:
        # a transaction would begin after it was rolled back.
        if _AT_ONCE.get() and not waits and not self._away:
            return act()
        done: T = await self._execute(act)
        return done

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        def act() -> Any:
            try:
                return fn(*args, **kwargs)
            finally:
                self._away.popleft()

        self._away.append(None)
        return await super()._execute(act)  # type: ignore[no-untyped-call]


def _is_long(parameters: Any) -> bool:
    values = parameters.values() if isinstance(parameters, dict) else parameters
    return any(isinstance(value, str) and len(value) >= LONG for value in values)


def _ask(connection: sqlite3.Connection, sql: str, parameters: Any) -> tuple[sqlite3.Cursor, list[Any]]:
    cursor = connection.execute(sql, parameters)
    return cursor, cursor.fetchall() if cursor.description else []


def connect(database: str, **options: Any) -> Connection:
    """As `aiosqlite.connect`; the connection may be used by any thread, one at a time."""
    options["check_same_thread"] = False
    connection = Connection(partial(sqlite3.connect, database, **options))
    connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy does with those it makes itself
    return connection
