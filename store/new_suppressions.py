"""Suppressions of a time, by reason: how many addresses more are written to no longer."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from models.event import Event
from models.states import SuppressionReason
from models.suppression import Suppression
from store.engine import is_among


async def count_of_campaign(
    session: AsyncSession, campaign_id: int, since: datetime
) -> dict[SuppressionReason, int]:
    """Those that rest on what came of a campaign, launched at `since`.

    Walks the primary key back to that moment; the events by theirs.
    """
    return await _count(session, since, None, col(Event.campaign_id) == campaign_id)


async def count_of_identities(
    session: AsyncSession, identity_ids: Collection[int], since: datetime, until: datetime
) -> dict[SuppressionReason, int]:
    """Those of a time that rest on mail of these identities. As `count_of_campaign`."""
    mine = is_among(session, col(Event.identity_id), sorted(identity_ids))
    return await _count(session, since, until, mine)


async def _count(
    session: AsyncSession, since: datetime, until: datetime | None, about: sa.ColumnElement[bool]
) -> dict[SuppressionReason, int]:
    # Numbers grow with time: from the end of the table back to the first that is older, and no further.
    before = (
        sa.select(col(Suppression.id))
        .where(col(Suppression.created_at) < since)
        .order_by(col(Suppression.id).desc())
        .limit(1)
        .scalar_subquery()
    )
    wanted = (
        sa.select(col(Suppression.reason), sa.func.count())
        .join(Event, col(Event.id) == col(Suppression.event_id))
        .where(col(Suppression.id) > sa.func.coalesce(before, 0), col(Suppression.created_at) >= since, about)
        .group_by(col(Suppression.reason))
    )
    if until is not None:
        wanted = wanted.where(col(Suppression.created_at) < until)
    rows = (await (await session.connection()).execute(wanted)).all()
    return {SuppressionReason(reason): int(count) for reason, count in rows}
