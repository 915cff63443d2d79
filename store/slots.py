"""Connections that all workers together may open to a server: numbered places, held under leases.

Who comes first has what there is of a provider's few; a relay's, over which everything goes, are dealt out
evenly among those who use it (`part_of`).
"""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.pace import ConnectionSlot
from store.engine import insert_for, skips_locked_rows

NO_SYNC = {"synchronize_session": False}


async def hold(
    session: AsyncSession,
    *,
    key: str,
    holder: str,
    most: int,
    now: datetime,
    until: datetime,
    wanted: int | None = None,
) -> int:
    """Take or keep as many of the `most` places under `key` as are free; how many `holder` has now.

    `wanted`: and no more than so many. Those it had beyond that, or numbered `most` and above, lapse with
    their lease, since messages may still be on their way over them. A lease that ends later than any could
    was given before the clock was set back, and is none. Served by the primary key.
    """
    places = [{"key": key, "number": number} for number in range(most)]
    if places:
        await session.exec(insert_for(session, ConnectionSlot).values(places).on_conflict_do_nothing())
    within = sa.and_(col(ConnectionSlot.key) == key, col(ConnectionSlot.number) < most)
    free = sa.or_(
        col(ConnectionSlot.holder) == holder,
        col(ConnectionSlot.leased_until).is_(None),
        col(ConnectionSlot.leased_until) < now,
        col(ConnectionSlot.leased_until) > until + (until - now),
    )
    own_first = sa.case((col(ConnectionSlot.holder) == holder, 0), else_=1)
    numbers = select(ConnectionSlot.number).where(within, free)
    numbers = numbers.order_by(own_first, col(ConnectionSlot.number)).limit(wanted)
    if skips_locked_rows(session):
        numbers = numbers.with_for_update(skip_locked=True)
    taken = list((await session.exec(numbers)).all())
    if taken:
        take = sa.update(ConnectionSlot).where(
            col(ConnectionSlot.key) == key, col(ConnectionSlot.number).in_(taken)
        )
        await session.exec(take.values(holder=holder, leased_until=until).execution_options(**NO_SYNC))
    return len(taken)


async def part_of(
    session: AsyncSession, *, key: str, holder: str, most: int, now: datetime, until: datetime
) -> int:
    """How many of the `most` places under `key` are this holder's part: all who asked lately share alike.

    To ask is to use them until `until`. Served by the primary key.
    """
    about = f"users:{key}:"
    mine = {"key": about + holder, "number": 0, "holder": holder, "leased_until": until}
    here = insert_for(session, ConnectionSlot).values(mine)
    news = {"holder": holder, "leased_until": until}
    await session.exec(here.on_conflict_do_update(index_elements=["key", "number"], set_=news))
    users = select(ConnectionSlot.holder).where(
        col(ConnectionSlot.key).startswith(about, autoescape=True),
        col(ConnectionSlot.leased_until).between(now, until + (until - now)),
    )
    names = sorted(name for name in (await session.exec(users)).all() if name is not None)
    each, left_over = divmod(most, len(names))
    return each + (names.index(holder) < left_over)


async def prune(session: AsyncSession, before: datetime) -> None:
    """Forget who used places, but for those who did since a moment."""
    old = sa.delete(ConnectionSlot).where(
        col(ConnectionSlot.key).startswith("users:"),
        sa.or_(col(ConnectionSlot.leased_until).is_(None), col(ConnectionSlot.leased_until) < before),
    )
    await session.exec(old.execution_options(**NO_SYNC))


async def free(session: AsyncSession, *, holder: str, key: str | None = None) -> None:
    """Give up the places of `holder`, under one key or all of them."""
    await _give_up(session, holder, *([] if key is None else [col(ConnectionSlot.key) == key]))


async def _give_up(session: AsyncSession, holder: str, *where: sa.ColumnElement[bool]) -> None:
    change = sa.update(ConnectionSlot).where(col(ConnectionSlot.holder) == holder, *where)
    await session.exec(change.values(holder=None, leased_until=None).execution_options(**NO_SYNC))
