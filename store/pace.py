"""Limits shared by every worker, one row each: reserving slots is one statement, so they hold exactly.

The generic cell rate algorithm (ITU-T I.371 annex A): a row keeps the moment from which the next
message conforms. Taking n slots moves it n intervals on, from now if it had fallen behind.
"""

from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.pace import PaceRow
from store.engine import insert_for


async def reserve(session: AsyncSession, *, key: str, now_us: int, interval_us: int, slots: int) -> int:
    """Take `slots` places `interval_us` apart; the first one's moment, in microseconds since 1970 UTC."""
    span = interval_us * slots
    take = insert_for(session, PaceRow).values(key=key, arrival_us=now_us + span)
    start = sa.case((col(PaceRow.arrival_us) > now_us, col(PaceRow.arrival_us)), else_=sa.literal(now_us))
    statement = take.on_conflict_do_update(
        index_elements=["key"], set_={"arrival_us": start + span}
    ).returning(col(PaceRow.arrival_us))
    arrival: int = (await session.exec(statement)).scalar_one()
    return arrival - span


async def take_slots(
    session: AsyncSession, intervals: Mapping[str, int], *, now_us: int, slots: int
) -> dict[str, int]:
    """`reserve` under several keys in one statement: the first moment of each, by key.

    `intervals`: microseconds a slot, by key. Rows are locked in the order of keys, whoever asks, so that
    two workers with several keys never wait for each other.
    """
    if not intervals:
        return {}
    rows = [{"key": key, "arrival_us": now_us + intervals[key] * slots} for key in sorted(intervals)]
    take = insert_for(session, PaceRow).values(rows)
    ahead = col(PaceRow.arrival_us) > now_us
    later = sa.case(
        (ahead, col(PaceRow.arrival_us) + take.excluded.arrival_us - now_us), else_=take.excluded.arrival_us
    )
    statement = take.on_conflict_do_update(index_elements=["key"], set_={"arrival_us": later}).returning(
        col(PaceRow.key), col(PaceRow.arrival_us)
    )
    return {key: arrival - intervals[key] * slots for key, arrival in await session.exec(statement)}


async def arrivals_by_key(session: AsyncSession, keys: Collection[str]) -> dict[str, int]:
    """From when each limit is open, in microseconds since 1970 UTC; those never used are left out."""
    wanted = select(PaceRow.key, PaceRow.arrival_us).where(col(PaceRow.key).in_(sorted(keys)))
    return dict((await session.exec(wanted)).all())


async def arrivals(session: AsyncSession, keys: Collection[str]) -> list[int]:
    """From when each of the limits known under `keys` is open, in microseconds since 1970 UTC."""
    wanted = select(PaceRow.arrival_us).where(col(PaceRow.key).in_(keys))
    return list((await session.exec(wanted)).all())


async def open_up(session: AsyncSession, *, key: str, now_us: int) -> None:
    """Take back what `push_back` set: what was in the way is gone. Served by the primary key."""
    change = sa.update(PaceRow).where(col(PaceRow.key) == key, col(PaceRow.arrival_us) > now_us)
    await session.exec(change.values(arrival_us=now_us).execution_options(synchronize_session=False))


async def push_back(session: AsyncSession, *, key: str, until_us: int) -> None:
    """Let nothing through under `key` before `until_us`; a later moment already set stays."""
    push = insert_for(session, PaceRow).values(key=key, arrival_us=until_us)
    later = sa.case((col(PaceRow.arrival_us) > until_us, col(PaceRow.arrival_us)), else_=sa.literal(until_us))
    await session.exec(push.on_conflict_do_update(index_elements=["key"], set_={"arrival_us": later}))
