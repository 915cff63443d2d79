"""Limits shared by every worker, one row each: reserving slots is one statement, so they hold exactly.

The generic cell rate algorithm (ITU-T I.371 annex A): a row keeps the moment from which the next
message conforms. Taking n slots moves it n intervals on, from now if it had fallen behind. Nobody takes
slots further ahead than he can wait for: a row that is far ahead of the clock was written before the clock
was set back, and counts as open.
"""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.pace import PaceRow
from store.engine import insert_for

FARTHEST_US = 600_000_000
"""How far beyond its next slot a row may be ahead: a way that is shut is five minutes, who takes slots ten
seconds."""


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
    if slots > 0:
        ahead = sa.and_(ahead, col(PaceRow.arrival_us) <= take.excluded.arrival_us + FARTHEST_US)
    later = sa.case(
        (ahead, col(PaceRow.arrival_us) + take.excluded.arrival_us - now_us), else_=take.excluded.arrival_us
    )
    statement = take.on_conflict_do_update(index_elements=["key"], set_={"arrival_us": later}).returning(
        col(PaceRow.key), col(PaceRow.arrival_us)
    )
    return {key: arrival - intervals[key] * slots for key, arrival in await session.exec(statement)}


def is_believed(arrival_us: int, interval_us: int, *, now_us: int) -> bool:
    """Whether a row is only so far ahead as whoever takes slots under it goes."""
    return arrival_us <= now_us + interval_us + FARTHEST_US


async def opens_at(session: AsyncSession, intervals: Mapping[str, int], *, now_us: int) -> int:
    """From when all the limits known under some keys are open, in microseconds since 1970 UTC; 0: at once.

    `intervals`: microseconds between two places, by key, as `take_slots` would be asked for them.
    """
    if not intervals:
        return 0
    wanted = select(PaceRow.key, PaceRow.arrival_us).where(col(PaceRow.key).in_(intervals))
    return max(
        (
            arrival
            for key, arrival in await session.exec(wanted)
            if is_believed(arrival, intervals[key], now_us=now_us)
        ),
        default=0,
    )


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
