"""What can be read off the ledger at a glance: how much waits where, and since when.

For whoever watches over the service, not for reports: these count what is there now.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.delivery import Delivery
from models.states import CampaignState, DeliveryState

_WAITING = (DeliveryState.QUEUED, DeliveryState.DEFERRED)
_HELD = (DeliveryState.CLAIMED, DeliveryState.SENDING)


@dataclass(frozen=True, slots=True)
class Depth:
    """How many deliveries of one lane stand in one state.

    `oldest_due`: the oldest moment at which one of them was due, of campaigns that are sending; else None.
    """

    identity_id: int
    provider: str
    state: DeliveryState
    deliveries: int
    oldest_due: datetime | None


def _spelt(states: tuple[DeliveryState, ...]) -> sa.ColumnElement[bool]:
    # Spelt out, not as parameters: SQLite would not see that a partial index serves.
    return col(Delivery.state).in_([sa.literal_column(f"'{state.value}'") for state in states])


def _of_sending_campaigns() -> sa.ColumnElement[bool]:
    sending = select(Campaign.id).where(Campaign.state == CampaignState.SENDING)
    return col(Delivery.campaign_id).in_(sending)


async def due_in(session: AsyncSession, lane: tuple[int, str], *, now: datetime, most: int) -> int:
    """How many deliveries of a lane (identity, provider) are due, counted up to `most`.

    Served by ix_delivery_due.
    """
    identity_id, provider = lane
    due = (
        select(Delivery.id)
        .where(
            Delivery.identity_id == identity_id,
            Delivery.provider == provider,
            _spelt(_WAITING),
            col(Delivery.due_at) <= now,
            _of_sending_campaigns(),
        )
        .limit(most)
    )
    return (await session.exec(select(sa.func.count()).select_from(due.subquery()))).one()


async def depths(session: AsyncSession) -> list[Depth]:
    """What waits or is under way, by lane and state. Served by ix_delivery_due and ix_delivery_leased."""
    found = []
    oldest = sa.func.min(sa.case((_of_sending_campaigns(), col(Delivery.due_at))))
    lane_and_state = (col(Delivery.identity_id), col(Delivery.provider), col(Delivery.state))
    for states in (_WAITING, _HELD):
        wanted = (
            sa.select(*lane_and_state, sa.func.count(), oldest)
            .where(_spelt(states))
            .group_by(*lane_and_state)
        )
        rows = await (await session.connection()).execute(wanted)
        found += [Depth(*row) for row in rows.all()]
    return found
