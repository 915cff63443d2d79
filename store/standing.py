"""Who of a campaign stands where, a page at a time: the people behind its figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import CampaignLane, LeftOut
from models.delivery import Delivery
from models.event import Event
from models.states import DeliveryState, EventKind, LeftOutReason

MOST_DECISIONS = 20


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided of uncertain messages: of how many, when."""

    by: str
    decision: str
    at: datetime
    deliveries: int


@dataclass(frozen=True, slots=True)
class Later:
    """How many messages wait for a moment to come, counted up to a limit, and the first of these moments."""

    count: int
    first: datetime | None


async def people_in(
    session: AsyncSession, campaign_id: int, state: DeliveryState, *, after_id: int = 0, limit: int = 50
) -> Sequence[Delivery]:
    """Deliveries in a state, seeds left aside, by number. Served by ix_delivery_campaign_state."""
    wanted = (
        select(Delivery)
        .where(
            Delivery.campaign_id == campaign_id,
            Delivery.state == state,
            col(Delivery.contact_id).is_not(None),
            col(Delivery.id) > after_id,
        )
        .order_by(col(Delivery.id))
        .limit(limit)
    )
    return (await session.exec(wanted)).all()


async def people_left_out(
    session: AsyncSession, campaign_id: int, reason: LeftOutReason, *, after_id: int = 0, limit: int = 50
) -> Sequence[LeftOut]:
    """People left out for a reason, by their number. Served by the primary key of left_out."""
    wanted = (
        select(LeftOut)
        .where(
            LeftOut.campaign_id == campaign_id, LeftOut.reason == reason, col(LeftOut.contact_id) > after_id
        )
        .order_by(col(LeftOut.contact_id))
        .limit(limit)
    )
    return (await session.exec(wanted)).all()


async def waiting_for_later(
    session: AsyncSession, campaign_id: int, now: datetime, *, most: int = 10_000
) -> Later:
    """Messages that are queued and may not leave yet: their hours have not come.

    Served by ix_delivery_due, lane by lane.
    """
    # Spelt out, not as parameters: SQLite would not see that a partial index serves.
    waiting = col(Delivery.state).in_(
        [sa.literal_column(f"'{state.value}'") for state in (DeliveryState.QUEUED, DeliveryState.DEFERRED)]
    )
    later = (
        select(Delivery.due_at)
        .join(
            CampaignLane,
            sa.and_(
                col(CampaignLane.campaign_id) == col(Delivery.campaign_id),
                col(CampaignLane.identity_id) == col(Delivery.identity_id),
                col(CampaignLane.provider) == col(Delivery.provider),
            ),
        )
        .where(
            CampaignLane.campaign_id == campaign_id,
            waiting,
            col(Delivery.due_at) > now,
            Delivery.state == DeliveryState.QUEUED,
        )
        .limit(most)
        .subquery()
    )
    count, first = (await session.exec(select(func.count(), func.min(later.c.due_at)))).one()
    return Later(count, first)


async def decisions(session: AsyncSession, campaign_id: int) -> list[Decision]:
    """What people decided of a campaign's uncertain messages, the latest first.

    Served by ix_event_campaign_kind.
    """
    wanted = (
        select(Event.details, Event.at, func.count())
        .where(Event.campaign_id == campaign_id, Event.kind == EventKind.RESOLVED, Event.source == "person")
        .group_by(Event.details, col(Event.at))  # type: ignore[arg-type]
        .order_by(col(Event.at).desc())
        .limit(MOST_DECISIONS)
    )
    return [
        Decision(details.get("by", ""), details.get("decision", ""), at, count)
        for details, at, count in (await session.exec(wanted)).all()
    ]
