"""SQLite's driver: where statements are carried out, and in which order."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from store import Database
from store import embedded as embedded_driver


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tocsin.db"


@pytest.fixture
async def embedded(file: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{file}")
    async with database.write() as session:
        await run(session, "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT)")
    yield database
    await database.close()


@pytest.fixture
def stranger(file: Path, embedded: Database) -> Iterator[sqlite3.Connection]:
    """Another program on the same file."""
    assert embedded.is_sqlite
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        yield connection


async def run(session: AsyncSession, statement: str, **values: object) -> sa.CursorResult[Any]:
    return await (await session.connection()).execute(sa.text(statement), values)


async def threads_of(session: AsyncSession, statement: str) -> set[int]:
    """The threads by which a statement is carried out."""
    raw = cast("Any", (await (await session.connection()).get_raw_connection()).driver_connection)
    seen: set[int] = set()
    raw._conn.set_trace_callback(lambda _statement: seen.add(threading.get_ident()))
    await run(session, statement)
    raw._conn.set_trace_callback(None)
    return seen


async def notes(database: Database) -> list[str]:
    async with database.read() as session:
        return list((await run(session, "SELECT text FROM note ORDER BY id")).scalars())


async def write(database: Database, text: str, *, at_once: bool = True) -> None:
    async with database.write(at_once=at_once) as session:
        await run(session, "INSERT INTO note (text) VALUES (:text)", text=text)


@pytest.mark.parametrize("way", ["read", "write"])
async def test_what_is_quick_is_carried_out_on_the_loop_and_all_else_by_another_thread(
    embedded: Database, way: str
) -> None:
    enter = getattr(embedded, way)
    async with enter(at_once=True) as session:
        assert await threads_of(session, "SELECT count(*) FROM note") == {threading.get_ident()}
        async with embedded.read() as other:
            elsewhere = await threads_of(other, "SELECT count(*) FROM note")
        assert elsewhere
        assert threading.get_ident() not in elsewhere
        assert await threads_of(session, "SELECT count(*) FROM note") == {threading.get_ident()}


async def test_changes_are_counted_and_numbered_either_way(embedded: Database) -> None:
    for at_once in (True, False):
        async with embedded.write(at_once=at_once) as session:
            told = await run(session, "INSERT INTO note (text) VALUES ('a'), ('b') RETURNING id")
            assert len(told.all()) == 2
            changed = await run(session, "UPDATE note SET text = 'c'")
            assert changed.rowcount == (2 if at_once else 4)


async def test_what_fails_changes_nothing_and_leaves_the_connection_usable(embedded: Database) -> None:
    async def fail() -> None:
        async with embedded.write(at_once=True) as session:
            await run(session, "INSERT INTO note (text) VALUES ('never')")
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    await write(embedded, "kept")
    assert await notes(embedded) == ["kept"]


async def test_the_loop_goes_on_while_another_program_writes(
    embedded: Database, stranger: sqlite3.Connection
) -> None:
    stranger.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(write(embedded, "ours"))
    for _ in range(20):  # as often as the loop comes round
        await asyncio.sleep(0.005)
        assert not waiting.done()
    stranger.execute("INSERT INTO note (text) VALUES ('theirs')")
    stranger.execute("COMMIT")
    await waiting
    assert await notes(embedded) == ["theirs", "ours"]


async def test_who_is_cancelled_while_another_program_writes_leaves_no_transaction_open(
    embedded: Database, stranger: sqlite3.Connection
) -> None:
    await write(embedded, "first")
    stranger.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(write(embedded, "cancelled"))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.sleep(0.05)
    stranger.execute("COMMIT")
    await asyncio.gather(waiting, return_exceptions=True)
    await write(embedded, "second")
    stranger.execute("BEGIN IMMEDIATE")  # nobody holds the lock any more
    stranger.execute("ROLLBACK")
    assert await notes(embedded) == ["first", "second"]


async def test_what_the_thread_has_still_to_do_comes_first(file: Path, stranger: sqlite3.Connection) -> None:
    connection = await embedded_driver.connect(str(file), isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    with embedded_driver.carried_out(at_once=True):
        beginning = asyncio.create_task(connection.execute("BEGIN IMMEDIATE"))
        await asyncio.sleep(0.05)
        beginning.cancel()
        undoing = asyncio.create_task(connection.rollback())
        await asyncio.sleep(0.05)
        stranger.execute("COMMIT")
        await undoing
    await connection.execute_fetchall("SELECT 1")  # comes after all that the thread has to do
    assert not connection.in_transaction
    await connection.close()
