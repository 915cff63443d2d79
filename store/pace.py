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


async def take_slots(
    session: AsyncSession, intervals: Mapping[str, int], *, now_us: int, slots: int
) -> dict[str, int]:
    """Take `slots` places under each key, in one statement; the first one's moment, by key.

    Moments are microseconds since 1970 UTC. `intervals`: microseconds between two places, by key. Rows are
    locked in the order of keys, whoever asks, so that two workers with several keys never wait for each
    other.
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


async def arrivals(session: AsyncSession, keys: Collection[str]) -> list[int]:
    """From when each of the limits known under `keys` is open, in microseconds since 1970 UTC."""
    wanted = select(PaceRow.arrival_us).where(col(PaceRow.key).in_(keys))
    return list((await session.exec(wanted)).all())


async def later_arrivals(session: AsyncSession, *, now_us: int) -> dict[str, int]:
    """The limits that are not open at `now_us`, and from when on they are. Reads the rows: a few thousand."""
    wanted = select(PaceRow.key, PaceRow.arrival_us).where(col(PaceRow.arrival_us) > now_us)
    return dict((await session.exec(wanted)).all())


async def open_up(session: AsyncSession, *, key: str, now_us: int) -> bool:
    """Let the next one through at once: what was in the way is gone. False when nothing was.

    Served by the primary key.
    """
    change = sa.update(PaceRow).where(col(PaceRow.key) == key, col(PaceRow.arrival_us) > now_us)
    opened = change.values(arrival_us=now_us).execution_options(synchronize_session=False)
    return (await session.exec(opened)).rowcount > 0


async def push_back(session: AsyncSession, *, key: str, until_us: int) -> None:
    """Let nothing through under `key` before `until_us`; a later moment already set stays."""
    push = insert_for(session, PaceRow).values(key=key, arrival_us=until_us)
    later = sa.case((col(PaceRow.arrival_us) > until_us, col(PaceRow.arrival_us)), else_=sa.literal(until_us))
    await session.exec(push.on_conflict_do_update(index_elements=["key"], set_={"arrival_us": later}))
