"""Who sends: the registry of the sending processes, by which the others see that one has ended.

A worker that is silent is not yet dead (its machine may be suspended, the database may have been away), so
nobody is struck off here: what is asked is who was heard of lately, and what to do with the deliveries of
the others is decided by claims, leases and journals.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.worker import Worker
from store.engine import insert_for

HEARTBEAT = timedelta(seconds=5)
"""How often a worker says that it is there."""
SILENCE = timedelta(seconds=20)
"""A worker not heard of for longer is taken for dead."""


async def beat(session: AsyncSession, worker: Worker, now: datetime) -> None:
    """Say that `worker` is there; the row is made at the first beat, or anew when it was cleared away."""
    row = {**worker.model_dump(exclude={"seen_at", "stopped_at"}), "seen_at": now, "stopped_at": None}
    here = insert_for(session, Worker).values(row)
    news = {"seen_at": now, "stopped_at": None, "obstacles": here.excluded.obstacles}
    await session.exec(here.on_conflict_do_update(index_elements=["id"], set_=news))


async def sign_off(session: AsyncSession, worker_id: str, now: datetime) -> None:
    """Say that a worker has ended in good order and holds nothing any more."""
    change = sa.update(Worker).where(col(Worker.id) == worker_id).values(seen_at=now, stopped_at=now)
    await session.exec(change)


async def list_workers(session: AsyncSession, *, since: datetime) -> list[Worker]:
    """Workers heard of after `since`, the newest first. Served by ix_worker_seen_at."""
    wanted = select(Worker).where(col(Worker.seen_at) > since).order_by(col(Worker.started_at).desc())
    return list((await session.exec(wanted)).all())


async def alive(session: AsyncSession, now: datetime, *, role: str | None = None) -> set[str]:
    """Workers that were heard of lately and have not signed off, by number. Served by ix_worker_seen_at."""
    wanted = select(Worker.id).where(col(Worker.seen_at) >= now - SILENCE, col(Worker.stopped_at).is_(None))
    if role is not None:
        wanted = wanted.where(Worker.role == role)
    return set((await session.exec(wanted)).all())


async def not_signed_off(session: AsyncSession) -> set[str]:
    """Workers that may still have something to say, heard of lately or not, by number."""
    return set((await session.exec(select(Worker.id).where(col(Worker.stopped_at).is_(None)))).all())


async def last_heard(session: AsyncSession) -> datetime | None:
    """When any worker at all was last heard of; None for never. Served by ix_worker_seen_at."""
    return (await session.exec(select(sa.func.max(col(Worker.seen_at))))).one()


async def gone(session: AsyncSession, now: datetime) -> set[str]:
    """Numbers of the workers that signed off, or were not heard of for too long.

    Only who has been heard of himself all that time may ask: after an outage of the database everybody was
    silent (see `scheduler.presence`).
    """
    wanted = select(Worker.id).where(
        sa.or_(col(Worker.stopped_at).is_not(None), col(Worker.seen_at) < now - SILENCE)
    )
    return set((await session.exec(wanted)).all())


async def obstacles(session: AsyncSession, now: datetime, *, apart_from: str) -> list[list[Any]]:
    """What the other workers that are alive met lately: [identity, channel, sentence, moment] each."""
    wanted = select(Worker.obstacles).where(
        col(Worker.seen_at) >= now - SILENCE, col(Worker.stopped_at).is_(None), col(Worker.id) != apart_from
    )
    return [obstacle for told in (await session.exec(wanted)).all() for obstacle in told]


async def clear_away(session: AsyncSession, before: datetime) -> int:
    """Forget workers last heard of before that; how many. Served by ix_worker_seen_at."""
    return (await session.exec(sa.delete(Worker).where(col(Worker.seen_at) < before))).rowcount
