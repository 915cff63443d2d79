"""Connections that all workers together may open to a provider: numbered places, held under leases."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.pace import ConnectionSlot
from store.engine import insert_for, skips_locked_rows

NO_SYNC = {"synchronize_session": False}


async def hold(
    session: AsyncSession, *, key: str, holder: str, most: int, now: datetime, until: datetime
) -> int:
    """Take or keep as many of the `most` places under `key` as are free; how many `holder` has now.

    Places numbered `most` and above are given up. Served by the primary key.
    """
    places = [{"key": key, "number": number} for number in range(most)]
    if places:
        await session.exec(insert_for(session, ConnectionSlot).values(places).on_conflict_do_nothing())
    within = sa.and_(col(ConnectionSlot.key) == key, col(ConnectionSlot.number) < most)
    free = sa.or_(
        col(ConnectionSlot.holder) == holder,
        col(ConnectionSlot.leased_until).is_(None),
        col(ConnectionSlot.leased_until) < now,
    )
    numbers = select(ConnectionSlot.number).where(within, free).order_by(col(ConnectionSlot.number))
    if skips_locked_rows(session):
        numbers = numbers.with_for_update(skip_locked=True)
    taken = list((await session.exec(numbers)).all())
    if taken:
        take = sa.update(ConnectionSlot).where(
            col(ConnectionSlot.key) == key, col(ConnectionSlot.number).in_(taken)
        )
        await session.exec(take.values(holder=holder, leased_until=until).execution_options(**NO_SYNC))
    await _give_up(session, holder, col(ConnectionSlot.key) == key, col(ConnectionSlot.number) >= most)
    return len(taken)


async def free(session: AsyncSession, *, holder: str, key: str | None = None) -> None:
    """Give up the places of `holder`, under one key or all of them."""
    await _give_up(session, holder, *([] if key is None else [col(ConnectionSlot.key) == key]))


async def _give_up(session: AsyncSession, holder: str, *where: sa.ColumnElement[bool]) -> None:
    change = sa.update(ConnectionSlot).where(col(ConnectionSlot.holder) == holder, *where)
    await session.exec(change.values(holder=None, leased_until=None).execution_options(**NO_SYNC))
