"""Shares of an hour or a day, counters of answers, and the limits people set: rows that workers share."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import NotFoundError
from models.pace import LimitScope, Measure, PaceLimit, PaceWindow
from store.engine import insert_for

NO_SYNC = {"synchronize_session": False}


async def list_limits(session: AsyncSession) -> list[PaceLimit]:
    """Every limit somebody set; a handful, or a few hundred."""
    ordered = select(PaceLimit).order_by(col(PaceLimit.scope), col(PaceLimit.subject), col(PaceLimit.measure))
    return list((await session.exec(ordered)).all())


async def set_limit(session: AsyncSession, limit: PaceLimit) -> None:
    """Set a limit, instead of the one there was. Served by its unique constraint."""
    where = {"scope": limit.scope, "subject": limit.subject, "measure": limit.measure}
    what = {"amount": limit.amount, "note": limit.note, "changed_at": limit.changed_at}
    put = insert_for(session, PaceLimit).values(**where, **what)
    await session.exec(put.on_conflict_do_update(index_elements=list(where), set_=what))


async def unset_limit(session: AsyncSession, *, scope: LimitScope, subject: str, measure: Measure) -> None:
    """Go back to the default. NotFoundError when nobody set it."""
    gone = sa.delete(PaceLimit).where(
        col(PaceLimit.scope) == scope, col(PaceLimit.subject) == subject, col(PaceLimit.measure) == measure
    )
    if (await session.exec(gone.execution_options(**NO_SYNC))).rowcount == 0:
        raise NotFoundError(f"Nobody set a limit {measure} for {scope} {subject}.", "See `tocsin pace list`.")


async def used(session: AsyncSession, keys: Sequence[str]) -> dict[str, tuple[datetime, int]]:
    """Since when and how much of each share is used. Served by the primary key."""
    if not keys:
        return {}
    wanted = select(PaceWindow).where(col(PaceWindow.key).in_(sorted(keys)))
    return {row.key: (row.started_at, row.used) for row in await session.exec(wanted)}


async def take_share(
    session: AsyncSession, most: Mapping[str, tuple[int, timedelta]], *, count: int, now: datetime
) -> int:
    """How many of `count` fit into every share, and take them. `most`: amount and span, by key.

    Two statements in the caller's transaction: the first locks the rows in the order of keys and begins
    those whose span is over, the second takes what the tightest one leaves.
    """
    if not most:
        return count
    left = await _left(session, most, now)
    granted = max(0, min([count, *left]))
    if granted:
        take = sa.update(PaceWindow).where(col(PaceWindow.key).in_(sorted(most)))
        await session.exec(take.values(used=col(PaceWindow.used) + granted).execution_options(**NO_SYNC))
    return granted


async def give_back(session: AsyncSession, keys: Collection[str], *, count: int) -> None:
    """Give back what `take_share` took in this very transaction."""
    if keys:
        less = sa.update(PaceWindow).where(col(PaceWindow.key).in_(sorted(keys)))
        await session.exec(less.values(used=col(PaceWindow.used) - count).execution_options(**NO_SYNC))


async def _left(session: AsyncSession, most: Mapping[str, tuple[int, timedelta]], now: datetime) -> list[int]:
    spans = {key: span for key, (_, span) in most.items()}
    counts = await count_up(session, spans, dict.fromkeys(most, 0), now)
    return [amount - counts[key] for key, (amount, _) in most.items()]


async def count_up(
    session: AsyncSession, spans: Mapping[str, timedelta], more: Mapping[str, int], now: datetime
) -> dict[str, int]:
    """Add `more` to counters that begin anew once their span is over; what they then stand at, by key.

    One statement a span, in the order of keys: two who count several never wait for each other for ever.
    """
    counts: dict[str, int] = {}
    for span in sorted(set(spans.values())):
        rows = [
            {"key": key, "started_at": now, "used": more[key]} for key in sorted(spans) if spans[key] == span
        ]
        put = insert_for(session, PaceWindow).values(rows)
        over = col(PaceWindow.started_at) <= now - span
        statement = put.on_conflict_do_update(
            index_elements=["key"],
            set_={
                "used": sa.case((over, put.excluded.used), else_=col(PaceWindow.used) + put.excluded.used),
                "started_at": sa.case((over, put.excluded.started_at), else_=col(PaceWindow.started_at)),
            },
        ).returning(col(PaceWindow.key), col(PaceWindow.used))
        counts |= dict((await session.exec(statement)).all())
    return counts


async def forget(session: AsyncSession, *keys: str) -> bool:
    """Begin counters anew; False when none of them had begun. Served by the primary key."""
    gone = sa.delete(PaceWindow).where(col(PaceWindow.key).in_(sorted(keys)))
    return (await session.exec(gone.execution_options(**NO_SYNC))).rowcount > 0


async def prune(session: AsyncSession, before: datetime) -> None:
    """Drop counters that were begun before a moment: every span is shorter than that."""
    gone = sa.delete(PaceWindow).where(col(PaceWindow.started_at) < before)
    await session.exec(gone.execution_options(**NO_SYNC))
