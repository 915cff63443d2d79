"""Who is told of which incident: one row for each place and piece of news, kept until it has arrived."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.incident import Alert, AlertWay
from store.engine import insert_for

NO_SYNC = {"synchronize_session": False}


async def note(
    session: AsyncSession, incident_id: int, news: str, *, way: AlertWay, target: str, due_at: datetime
) -> bool:
    """That a place is to be told; False when that is noted already. Decided by the unique constraint."""
    values = {"incident_id": incident_id, "news": news, "way": way, "target": target, "due_at": due_at}
    put = insert_for(session, Alert).values(**values, tries=0, problem="").on_conflict_do_nothing()
    return (await session.exec(put.returning(col(Alert.id)))).first() is not None


async def due(session: AsyncSession, now: datetime, *, limit: int = 100) -> list[Alert]:
    """What is to be told by now, the longest due first. Served by ix_alert_due_at."""
    wanted = select(Alert).where(col(Alert.due_at) <= now).order_by(col(Alert.due_at), col(Alert.id))
    return list((await session.exec(wanted.limit(limit))).all())


async def claim(session: AsyncSession, alert: Alert, *, until: datetime) -> bool:
    """Take an alert to tell it: nobody else tries before `until`; False when somebody else has it."""
    change = (
        sa.update(Alert)
        .where(col(Alert.id) == alert.id, col(Alert.tries) == alert.tries, col(Alert.told_at).is_(None))
        .values(tries=alert.tries + 1, due_at=until)
        .execution_options(**NO_SYNC)
    )
    return (await session.exec(change)).rowcount == 1


async def settle(
    session: AsyncSession,
    alert_id: int,
    *,
    told_at: datetime | None,
    due_at: datetime | None,
    problem: str = "",
) -> None:
    """What came of a try: told, to be tried again at `due_at`, or given up (neither)."""
    change = (
        sa.update(Alert)
        .where(col(Alert.id) == alert_id)
        .values(told_at=told_at, due_at=due_at, problem=problem[:500])
        .execution_options(**NO_SYNC)
    )
    await session.exec(change)


async def put_off(session: AsyncSession, alert_id: int, due_at: datetime) -> None:
    """Wait longer, without a try."""
    change = sa.update(Alert).where(col(Alert.id) == alert_id).values(due_at=due_at)
    await session.exec(change.execution_options(**NO_SYNC))


async def told_since(session: AsyncSession, way: AlertWay, target: str, moment: datetime) -> int:
    """How many a place was told since a moment; alerts are few, and forgotten with their incidents."""
    wanted = select(sa.func.count()).select_from(Alert)
    wanted = wanted.where(Alert.way == way, Alert.target == target, col(Alert.told_at) >= moment)
    return (await session.exec(wanted)).one()


async def of_incidents(session: AsyncSession, incident_ids: Collection[int]) -> dict[int, list[Alert]]:
    """Who was told of each, in order. Served by the unique constraint."""
    if not incident_ids:
        return {}
    wanted = select(Alert).where(col(Alert.incident_id).in_(sorted(incident_ids))).order_by(col(Alert.id))
    found: dict[int, list[Alert]] = {}
    for row in await session.exec(wanted):
        found.setdefault(row.incident_id, []).append(row)
    return found


async def failing(session: AsyncSession, moment: datetime) -> list[Alert]:
    """Alerts since a moment that did not arrive at the first try, and have not since; the newest first."""
    wanted = (
        select(Alert)
        .where(col(Alert.told_at).is_(None), col(Alert.problem) != "")
        .order_by(col(Alert.id).desc())
        .limit(20)
    )
    rows = (await session.exec(wanted)).all()
    return [row for row in rows if row.due_at is None or row.due_at >= moment]
