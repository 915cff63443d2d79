"""The gates of campaigns that send a first slice, look, and only then the rest."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.canary import HELD_FOR_CANARY, Canary, CanaryPlan, CanaryStage
from models.delivery import Delivery
from models.states import CampaignState, DeliveryState
from store.engine import is_among

BITE: Final = 20_000
_UNTRIED: Final = (DeliveryState.QUEUED, DeliveryState.CLAIMED, DeliveryState.SENDING)
_AT_WORK: Final = (CanaryStage.SENDING, CanaryStage.WAITING)
_OPEN: Final = (CanaryStage.PASSED, CanaryStage.RELEASED)
# A campaign may be at its end before its gate is: when everybody was in the first slice.
_MAY_LEAVE: Final = (CampaignState.SENDING, CampaignState.FINISHED, CampaignState.INCOMPLETE)
_NO_SYNC: dict[str, Any] = {"synchronize_session": False}


async def find(session: AsyncSession, campaign_id: int) -> Canary | None:
    """The gate of a campaign; None: it has none. Served by the primary key."""
    return await session.get(Canary, campaign_id, populate_existing=True)


async def of_campaigns(session: AsyncSession, campaign_ids: Collection[int]) -> list[Canary]:
    """The gates of those that have one. Served by the primary key."""
    wanted = select(Canary).where(is_among(session, col(Canary.campaign_id), sorted(campaign_ids)))
    return list((await session.exec(wanted)).all()) if campaign_ids else []


async def put(session: AsyncSession, campaign_id: int, plan: CanaryPlan | None) -> None:
    """Give a campaign that has not been launched this gate in place of its former one, or none."""
    await session.exec(
        sa.delete(Canary)
        .where(col(Canary.campaign_id) == campaign_id)
        .execution_options(synchronize_session="fetch")
    )
    if plan is not None:
        canary = Canary(
            campaign_id=campaign_id,
            people=plan.people,
            wait_seconds=round(plan.wait.total_seconds()),
            when_bad=plan.when_bad,
            when_unknown=plan.when_unknown,
        )
        session.add(canary)
    await session.flush()


async def at_work(session: AsyncSession) -> list[Canary]:
    """Gates that have something to do: look, decide, or let the rest go; not while somebody paused it.

    Served by the primary keys: gates are as few as campaigns.
    """
    wanted = (
        select(Canary)
        .join(Campaign, col(Campaign.id) == col(Canary.campaign_id))
        .where(
            col(Campaign.state).in_(_MAY_LEAVE),
            col(Canary.opened_at).is_(None),
            col(Canary.stage).in_((*_AT_WORK, *_OPEN)),
        )
        .order_by(col(Canary.campaign_id))
    )
    return list((await session.exec(wanted)).all())


async def slice_is_out(session: AsyncSession, campaign_id: int) -> bool:
    """Whether everybody of the first slice was tried. Served by ix_delivery_campaign_state."""
    waits = select(Delivery.id).where(Delivery.campaign_id == campaign_id, col(Delivery.state).in_(_UNTRIED))
    return (await session.exec(waits.limit(1))).first() is None


async def holds_any(session: AsyncSession, campaign_id: int) -> bool:
    """Whether anybody waits for the gate. Served by ix_delivery_campaign_state."""
    held = select(Delivery.id).where(
        Delivery.campaign_id == campaign_id,
        Delivery.state == DeliveryState.HELD,
        Delivery.reason == HELD_FOR_CANARY,
    )
    return (await session.exec(held.limit(1))).first() is not None


async def count_held(session: AsyncSession, campaign_id: int) -> int:
    """How many wait for the gate. Served by ix_delivery_campaign_state."""
    wanted = select(sa.func.count()).where(
        Delivery.campaign_id == campaign_id,
        Delivery.state == DeliveryState.HELD,
        Delivery.reason == HELD_FOR_CANARY,
    )
    return (await session.exec(wanted)).one()


async def move(
    session: AsyncSession, campaign_id: int, *, origin: CanaryStage, to: CanaryStage, **values: object
) -> bool:
    """Bring a gate to its next stage by compare and swap, with what goes with it; False: it was not there."""
    change = (
        sa.update(Canary)
        .where(col(Canary.campaign_id) == campaign_id, col(Canary.stage) == origin)
        .values(stage=to, **values)
        .execution_options(**_NO_SYNC)
    )
    return (await session.exec(change)).rowcount == 1


async def open_some(session: AsyncSession, campaign_id: int, now: datetime) -> bool:
    """Let some of the rest go, each when it was due; True when there may be more, for another transaction.

    Only while the campaign may send and its gate is open: whoever pauses it comes before or after.
    Served by ix_delivery_campaign_state.
    """
    state = select(Campaign.state).where(Campaign.id == campaign_id).with_for_update(read=True)
    canary = await find(session, campaign_id)
    if (await session.exec(state)).first() not in _MAY_LEAVE:
        return False
    if canary is None or canary.stage not in _OPEN or canary.opened_at is not None:
        return False
    held = (
        select(Delivery.id)
        .where(
            Delivery.campaign_id == campaign_id,
            Delivery.state == DeliveryState.HELD,
            Delivery.reason == HELD_FOR_CANARY,
        )
        .limit(BITE)
    )
    release = (
        sa.update(Delivery)
        .where(
            col(Delivery.id).in_(select(held.cte("held").c.id)),
            col(Delivery.state) == DeliveryState.HELD,
        )
        .values(state=DeliveryState.QUEUED, reason="")
        .execution_options(**_NO_SYNC)
    )
    if (await session.exec(release)).rowcount == BITE:
        return True
    canary.opened_at = now
    session.add(canary)
    return False
