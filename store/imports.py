"""Import runs: which file was read, how far, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import ImportRun, ImportState
from store.engine import is_embedded

__all__ = [
    "Checkpoint",
    "be_impatient",
    "begin_run",
    "end_run",
    "find_unfinished",
    "is_taken",
    "list_runs",
    "may_pass",
    "refresh_plans",
    "save_checkpoint",
]

LOOKED_AT = ("contact", "contact_tag")
# Deadlock, a transaction that cannot be put in order with another one, a lock not to be had in time, and a
# transaction that stood still for too long: the process was stopped, and goes on.
CONTENTION = frozenset({"40P01", "40001", "55P03", "25P03"})
LOCK_PATIENCE_MS = 800
"""Less than PostgreSQL waits before it looks for rings (`deadlock_timeout`, a second) and ends one of them,
which might be the transaction that has all patience."""


@dataclass(slots=True)
class Checkpoint:
    """How far a run has come: the line to go on from, and the counts up to there."""

    next_line: int = 0
    rows_read: int = 0
    rows_created: int = 0
    rows_updated: int = 0
    rows_unchanged: int = 0
    rows_rejected: int = 0
    rows_noted: int = 0
    addresses_suppressed: int = 0

    @classmethod
    def of(cls, run: ImportRun) -> "Checkpoint":
        """Where a stored run stands."""
        return cls(**{name: getattr(run, name) for name in cls.__slots__})

    def values(self) -> dict[str, int]:
        """The columns of the run and their values."""
        return {name: getattr(self, name) for name in self.__slots__}


def may_pass(error: BaseException) -> bool:
    """Whether the same work may go through when done again: another writer was in the way this time.

    That is an address somebody else has just taken, or (PostgreSQL) two writers waiting for each other, or
    one waiting longer than it may (`be_impatient`).
    """
    cause = _said_by_the_database(error)
    return is_taken(error) or (cause is not None and getattr(cause.orig, "sqlstate", "") in CONTENTION)


def is_taken(error: BaseException) -> bool:
    """Whether it says that a key, of somebody thought to be new, is somebody's already."""
    return isinstance(_said_by_the_database(error), IntegrityError)


def _said_by_the_database(error: BaseException) -> DBAPIError | None:
    cause = error if isinstance(error, DBAPIError) else error.__cause__
    return cause if isinstance(cause, DBAPIError) else None


async def be_impatient(session: AsyncSession) -> None:
    """Rather give this transaction up than wait long for what another one holds (PostgreSQL; `may_pass`).

    For those that other work of this process waits for: the server sees who waits for whom among
    transactions alone, and would let such a ring stand for ever.
    """
    if not is_embedded(session):
        connection = await session.connection()
        await connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_PATIENCE_MS}")


async def find_unfinished(
    session: AsyncSession, file_sha256: str, mapping: Mapping[str, str]
) -> ImportRun | None:
    """The latest run of the same file, read in the same way, that was interrupted.

    Served by ix_import_run_file_sha256.
    """
    question = (
        select(ImportRun)
        .where(ImportRun.file_sha256 == file_sha256)
        .order_by(col(ImportRun.id).desc())
        .limit(1)
    )
    run = (await session.exec(question)).first()
    if run is None or run.state is ImportState.FINISHED or run.mapping != dict(mapping):
        return None
    return run


async def begin_run(
    session: AsyncSession,
    *,
    file_name: str,
    file_sha256: str,
    mapping: Mapping[str, str],
    report_path: str,
    now: datetime,
) -> ImportRun:
    """A new run, at the beginning of the file."""
    run = ImportRun(
        file_name=file_name[:500],
        file_sha256=file_sha256,
        mapping=dict(mapping),
        report_path=report_path[:1000],
        started_at=now,
    )
    session.add(run)
    await session.flush()
    return run


async def save_checkpoint(session: AsyncSession, run_id: int, checkpoint: Checkpoint) -> None:
    """Remember how far the run has come, in the transaction that wrote its rows.

    Served by the primary key.
    """
    await session.exec(sa.update(ImportRun).where(col(ImportRun.id) == run_id).values(checkpoint.values()))


async def end_run(
    session: AsyncSession, run_id: int, state: ImportState, *, report_path: str | None, now: datetime
) -> None:
    """Close the run. `report_path` None: nothing to report. Served by the primary key."""
    values = {"state": state, "report_path": report_path, "finished_at": now}
    await session.exec(sa.update(ImportRun).where(col(ImportRun.id) == run_id).values(values))


async def refresh_plans(session: AsyncSession) -> None:
    """Let the database look at the people it has now, so that it answers questions about them the best way.

    Asked after many have come, in a session of its own: PostgreSQL does it outside of any transaction.
    """
    if is_embedded(session):
        connection = await session.connection()
        # A sample is as good: the whole would be read.
        await connection.exec_driver_sql("PRAGMA analysis_limit=1000")
        for table in LOOKED_AT:
            await connection.exec_driver_sql(f"ANALYZE {table}")
        return
    connection = await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
    await connection.exec_driver_sql(f"VACUUM (ANALYZE) {', '.join(LOOKED_AT)}")


async def list_runs(session: AsyncSession, *, limit: int = 50) -> list[ImportRun]:
    """The latest runs, newest first; served by the primary key."""
    question = select(ImportRun).order_by(col(ImportRun.id).desc()).limit(limit)
    return list((await session.exec(question)).all())
