"""Who has taken which work: turns, so that several workers do not do the same at once.

A turn is not what keeps deliveries from being sent twice (claims are), only what keeps workers from treading
on one another. It holds while its worker is heard of, and needs no clock of its own.
"""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.worker import Turn, Worker
from store.engine import insert_for, is_among
from store.workers import SILENCE


def _holder_is_alive(now: datetime) -> sa.ColumnElement[bool]:
    # Not EXISTS: inside ON CONFLICT it would be asked of all turns, and not of the one in question.
    alive = select(Worker.id).where(col(Worker.stopped_at).is_(None), col(Worker.seen_at) >= now - SILENCE)
    return col(Turn.worker_id).in_(alive)


async def take(session: AsyncSession, key: str, *, worker_id: str, now: datetime) -> bool:
    """Take a turn; False when another worker that is alive has it."""
    wish = insert_for(session, Turn).values(key=key, worker_id=worker_id, since=now)
    free = sa.or_(col(Turn.worker_id) == worker_id, sa.not_(_holder_is_alive(now)))
    take_over = wish.on_conflict_do_update(
        index_elements=["key"], set_={"worker_id": worker_id, "since": now}, where=free
    )
    return (await session.exec(take_over.returning(col(Turn.key)))).first() is not None


async def give_back(session: AsyncSession, key: str, *, worker_id: str) -> None:
    """Let others have their turn."""
    await session.exec(sa.delete(Turn).where(col(Turn.key) == key, col(Turn.worker_id) == worker_id))


async def keep_only(session: AsyncSession, keys: Collection[str], *, worker_id: str) -> int:
    """Give back every other turn of a worker: one it could not give back while the database was away."""
    others = sa.delete(Turn).where(
        col(Turn.worker_id) == worker_id, sa.not_(is_among(session, col(Turn.key), keys))
    )
    return (await session.exec(others)).rowcount


async def held(session: AsyncSession, now: datetime) -> dict[str, str]:
    """The turns of workers that are alive: key to worker."""
    wanted = select(Turn.key, Turn.worker_id).where(_holder_is_alive(now))
    return dict((await session.exec(wanted)).all())


async def clear_away(session: AsyncSession, now: datetime) -> int:
    """Forget the turns of workers that are not there any more; how many."""
    return (await session.exec(sa.delete(Turn).where(sa.not_(_holder_is_alive(now))))).rowcount
