"""Files of people that programs handed over: which wait, how far one is, what came of it."""

from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import BulkImport, BulkState, ImportRun
from models.errors import NotFoundError

_B = cast("Any", BulkImport).__table__.c
# Spelt out as the condition of ix_bulk_import_open is.
_OPEN = sa.text("state IN ('waiting', 'running')")


async def add(session: AsyncSession, job: BulkImport) -> BulkImport:
    """Put a file in line."""
    session.add(job)
    await session.flush()
    return job


async def get(session: AsyncSession, number: int) -> BulkImport:
    """One of them; NotFoundError. Served by the primary key."""
    job = await session.get(BulkImport, number)
    if job is None:
        raise NotFoundError(f"There is no import number {number}.")
    return job


async def page(
    session: AsyncSession, *, key_id: int | None, before_id: int | None, limit: int
) -> list[BulkImport]:
    """The last that were handed over, with one key or with any; walks the primary key backwards."""
    wanted = select(BulkImport).order_by(_B.id.desc()).limit(limit)
    if key_id is not None:
        wanted = wanted.where(_B.key_id == key_id)
    if before_id is not None:
        wanted = wanted.where(_B.id < before_id)
    return list((await session.exec(wanted)).all())


async def open_ones(session: AsyncSession, *, limit: int = 100) -> list[BulkImport]:
    """Those that wait, or whose reader ended before them, in their order. Served by ix_bulk_import_open."""
    wanted = select(BulkImport).where(_OPEN).order_by(_B.id).limit(limit)
    return list((await session.exec(wanted)).all())


async def change(session: AsyncSession, number: int, **values: Any) -> None:
    """Write down how it stands. Served by the primary key."""
    await session.exec(sa.update(BulkImport).where(_B.id == number).values(values))


async def end(session: AsyncSession, number: int, state: BulkState, *, problem: str, now: datetime) -> None:
    """It is over. Served by the primary key."""
    await change(session, number, state=state, problem=problem[:1000], finished_at=now)


async def run_of(session: AsyncSession, job: BulkImport) -> ImportRun | None:
    """The counts of one, None before it is begun. Served by ix_import_run_file_sha256."""
    wanted = (
        select(ImportRun)
        .where(ImportRun.file_sha256 == job.file_sha256, ImportRun.file_name == job.stored)
        .order_by(col(ImportRun.id).desc())
        .limit(1)
    )
    return (await session.exec(wanted)).first()
