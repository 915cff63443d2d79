"""Sessions on one database, and what is done to it as a whole: migrations, the lock of the one service."""

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, NoReturn

from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import ConflictError, StoreError
from store import embedded, revisions
from store.engine import is_sqlite, make_engine, parse_url

DISK_FULL_WORDS = ("disk is full", "no space left", "disk full", "disk i/o error")


UNUSABLE = (OperationalError, InterfaceError, PoolTimeoutError)
"""What comes and goes with the database: the server, the connection, a free place in the pool."""


STOOD_STILL = "25P03"
"""PostgreSQL's word for a transaction that it ended because nothing was asked in it for too long."""


def _raise_plain(error: InternalError) -> NoReturn:
    """One of the database's own errors: among them the end of a transaction that stood still."""
    if getattr(error.orig, "sqlstate", None) != STOOD_STILL:
        raise error
    raise _plain(error) from error


def _plain(error: DBAPIError | PoolTimeoutError) -> StoreError:
    if isinstance(error, PoolTimeoutError):
        return StoreError("Every connection to the database is taken.", "Try again in a moment.")
    words = str(error.orig).strip().splitlines()
    cause = words[0] if words else type(error.orig).__name__
    if any(sign in cause.lower() for sign in DISK_FULL_WORDS):
        return StoreError(
            f"The database's disk cannot be written to: {cause}.",
            "Make room and start again: what was recorded is kept.",
        )
    return StoreError(
        f"The database cannot be used: {cause}.", "Check TOCSIN_DATABASE_URL and that it is running."
    )


class Database:
    """One database, SQLite or PostgreSQL, and the way in: `read()` and `write()` sessions."""

    def __init__(self, url: str) -> None:
        """`url` as in TOCSIN_DATABASE_URL. Connects at first use, not here."""
        self.url = parse_url(url)
        self._writer = make_engine(self.url, writes=True)
        self._reader = make_engine(self.url, writes=False) if self.is_sqlite else self._writer
        self._brief = self._writer if self.is_sqlite else make_engine(self.url, writes=True, by_index=True)
        self._lock_file: IO[str] | None = None

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database, in one file."""
        return is_sqlite(self.url)

    @asynccontextmanager
    async def read(self, *, at_once: bool = False) -> AsyncIterator[AsyncSession]:
        """A session that sees one consistent state and changes nothing; `at_once` as in `write`."""
        with embedded.carried_out(at_once=at_once):
            engine = self._brief if at_once and not self.is_sqlite else self._reader
            async with AsyncSession(engine, expire_on_commit=False) as session:
                try:
                    yield session
                    if not self.is_sqlite:
                        # Nothing is to be written; but at a rollback the driver forgets all that it has
                        # prepared, and the next who gets the connection would have it planned again.
                        session.expunge_all()
                        await session.commit()
                except UNUSABLE as error:
                    raise _plain(error) from error
                except InternalError as error:
                    _raise_plain(error)
                except asyncio.CancelledError:
                    await self._let_go(session)
                    raise

    @asynccontextmanager
    async def write(self, *, at_once: bool = False) -> AsyncIterator[AsyncSession]:
        """One transaction: committed at the end of the block, rolled back when the block raises.

        `at_once`: a few hundred rows, found by their numbers. SQLite is then not asked by way of another
        thread (`store.embedded`), and PostgreSQL does not weigh other ways to find them (`BY_INDEX`).
        """
        with embedded.carried_out(at_once=at_once):
            engine = self._brief if at_once else self._writer
            async with AsyncSession(engine, expire_on_commit=False) as session:
                try:
                    yield session
                    await session.commit()
                except UNUSABLE as error:
                    raise _plain(error) from error
                except InternalError as error:
                    _raise_plain(error)
                except asyncio.CancelledError:
                    await self._let_go(session)
                    raise

    async def _let_go(self, session: AsyncSession) -> None:
        """Close the connection of who was told to stop, in the midst of a question perhaps.

        PostgreSQL's driver withdraws the question, but a COPY that has just begun it leaves open, and at an
        error it closes the connection: to take back what was done then raises an error of its own, and nobody
        hears that this was to stop. What is not committed goes with the connection.
        """
        if not self.is_sqlite:
            await session.invalidate()

    async def migrate(self) -> None:
        """Bring the tables to this version's form; making a new SQLite file and its folder if need be."""
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        from store.schema import upgrade  # noqa: PLC0415 - Alembic takes nine megabytes

        await asyncio.to_thread(upgrade, self.url)

    async def revision(self) -> str:
        """Of which version the tables are; StoreError when there are none."""
        found = await self._revision() if await self._exists() else None
        if found is None:
            raise StoreError("The database has no tables yet.", "Run `tocsin migrate` first.")
        return found

    async def _exists(self) -> bool:
        return not self.is_sqlite or await asyncio.to_thread(Path(self.url.database or "").exists)

    async def _revision(self) -> str | None:
        try:
            async with self._writer.connect() as connection:
                return await connection.run_sync(revisions.current)
        except DBAPIError as error:
            raise _plain(error) from error

    async def pending_migration(self) -> str | None:
        """What stands between the tables and this version, in words; None when they fit."""
        if not await self._exists():
            return "The database does not exist yet."
        revision = await self._revision()
        head = revisions.newest()
        if revision == head:
            return None
        return (
            "The database has no tables yet."
            if revision is None
            else f"The database is at {revision}, not {head}."
        )

    async def lock_service(self) -> None:
        """Make this process the only one that sends from an SQLite file; ConflictError when another does.

        The lock goes with the process, however it ends. On PostgreSQL any number of processes send together,
        and nothing is locked.
        """
        if not self.is_sqlite:
            return
        lock = Path(f"{self.url.database}.lock").open("w", encoding="ascii")  # noqa: ASYNC230, SIM115 - held for life
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise ConflictError(
                "Another Tocsin service is already running on this database.",
                "Stop it first, give this one its own, or let both use PostgreSQL.",
            ) from error
        self._lock_file = lock

    async def close(self) -> None:
        """Let go of every connection and of the service lock."""
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None
        for engine in {self._writer, self._reader, self._brief}:
            await engine.dispose()
