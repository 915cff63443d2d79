"""What can be read off the ledger at a glance: how much waits where, and since when.

For whoever watches over the service, not for reports: these count what is there now.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign, CampaignLane
from models.delivery import Delivery
from models.identity import Identity
from models.states import CampaignState, DeliveryState
from models.tally import Account, Tally

_WAITING = (DeliveryState.QUEUED, DeliveryState.DEFERRED)
_HELD = (DeliveryState.CLAIMED, DeliveryState.SENDING)


@dataclass(frozen=True, slots=True)
class Depth:
    """How many deliveries of one lane stand in one state."""

    identity_id: int
    provider: str
    state: str
    deliveries: int


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
    """How many deliveries of each lane stand in each state, of all campaigns together, seeds left aside.

    From the counters: claimed ones and those on the wire count as queued.
    """
    lane_and_state = (col(Tally.identity_id), col(Tally.provider), col(Tally.word))
    wanted = (
        sa.select(*lane_and_state, sa.func.sum(Tally.count))
        .where(col(Tally.account) == Account.STATE)
        .group_by(*lane_and_state)
    )
    rows = (await (await session.connection()).execute(wanted)).all()
    return [
        Depth(identity_id, provider, word, int(count))
        for identity_id, provider, word, count in rows
        if provider and count
    ]


async def in_flight(session: AsyncSession) -> list[Depth]:
    """Deliveries workers hold at present, by lane and state. Served by ix_delivery_leased."""
    lane_and_state = (col(Delivery.identity_id), col(Delivery.provider), col(Delivery.state))
    wanted = sa.select(*lane_and_state, sa.func.count()).where(_spelt(_HELD)).group_by(*lane_and_state)
    rows = (await (await session.connection()).execute(wanted)).all()
    return [Depth(identity_id, provider, state.value, count) for identity_id, provider, state, count in rows]


async def oldest_due(session: AsyncSession) -> dict[tuple[int, str], datetime]:
    """By lane (identity, provider), since when its oldest delivery of a sending campaign is due, or will be.

    One look into ix_delivery_due a campaign and lane.
    """
    first = (
        select(sa.func.min(Delivery.due_at))
        .where(
            Delivery.identity_id == CampaignLane.identity_id,
            Delivery.provider == CampaignLane.provider,
            Delivery.campaign_id == CampaignLane.campaign_id,
            _spelt(_WAITING),
        )
        .scalar_subquery()
        .label("first")
    )
    wanted = (
        sa.select(col(CampaignLane.identity_id), col(CampaignLane.provider), first)
        .join(Campaign, col(Campaign.id) == col(CampaignLane.campaign_id))
        .where(col(Campaign.state) == CampaignState.SENDING)
    )
    found: dict[tuple[int, str], datetime] = {}
    for identity_id, provider, moment in (await (await session.connection()).execute(wanted)).all():
        if moment is not None:
            lane = (identity_id, provider)
            found[lane] = min(found.get(lane, moment), moment)
    return found


async def keys_of_identities(session: AsyncSession) -> dict[int, str]:
    """What each identity is called."""
    return dict((await session.exec(select(Identity.id, Identity.key))).all())
