"""How scopes are slowed, one row each, shared by every worker; a scope that is free has none."""

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign, CampaignLane
from models.delivery import Delivery
from models.pace import BreakerState, Throttle
from models.states import CampaignState
from store.deliveries import Lane, claimable
from store.engine import insert_for

NO_SYNC = {"synchronize_session": False}


async def known(session: AsyncSession, keys: Collection[str]) -> list[Throttle]:
    """The rows under these keys. Served by the primary key."""
    return list((await session.exec(select(Throttle).where(col(Throttle.key).in_(sorted(keys))))).all())


async def list_all(session: AsyncSession) -> list[Throttle]:
    """Every scope that is slowed, those at rest first."""
    at_rest = sa.case((col(Throttle.state) == BreakerState.OPEN, 0), else_=1)
    return list((await session.exec(select(Throttle).order_by(at_rest, col(Throttle.key)))).all())


async def hold(session: AsyncSession, keys: Collection[str], now: datetime) -> dict[str, Throttle]:
    """The rows under these keys, made where there are none, and nobody else's until the transaction ends.

    In the order of keys, so that two who hold several never wait for each other.
    """
    rows = [{"key": key, "changed_at": now, **_FREE} for key in sorted(keys)]
    if not rows:
        return {}
    put = insert_for(session, Throttle).values(rows)
    # Locks what is there: a row that is taken away meanwhile is made anew, and not missed below.
    put = put.on_conflict_do_update(index_elements=["key"], set_={"changed_at": Throttle.changed_at})
    await session.exec(put.execution_options(**NO_SYNC))
    wanted = select(Throttle).where(col(Throttle.key).in_(sorted(keys))).order_by(col(Throttle.key))
    found = await session.exec(wanted.with_for_update().execution_options(populate_existing=True))
    return {row.key: row for row in found}


async def remove(session: AsyncSession, keys: Collection[str]) -> None:
    """Nothing is slowed under these keys any more. Served by the primary key."""
    if keys:
        gone = sa.delete(Throttle).where(col(Throttle.key).in_(sorted(keys)))
        await session.exec(gone.execution_options(**NO_SYNC))


async def put(session: AsyncSession, rows: Sequence[Throttle]) -> None:
    """Write what was changed in rows that `hold` gave."""
    for row in rows:
        session.add(row)
    await session.flush()


async def lanes_waiting(session: AsyncSession, campaign_ids: Collection[int]) -> list[tuple[int, Lane]]:
    """The lanes in which something of these campaigns waits, due or not.

    Served by the primary key, and one look into ix_delivery_due for each lane.
    """
    waits = (
        sa.select(sa.literal(1))
        .where(
            col(Delivery.identity_id) == col(CampaignLane.identity_id),
            col(Delivery.provider) == col(CampaignLane.provider),
            col(Delivery.campaign_id) == col(CampaignLane.campaign_id),
            claimable(),
        )
        .exists()
    )
    wanted = (
        select(CampaignLane.campaign_id, CampaignLane.identity_id, CampaignLane.provider)
        .where(col(CampaignLane.campaign_id).in_(sorted(campaign_ids)), waits)
        .order_by(col(CampaignLane.campaign_id), col(CampaignLane.provider), col(CampaignLane.identity_id))
    )
    found = (await session.exec(wanted)).all()
    return [(campaign_id, Lane(identity, provider)) for campaign_id, identity, provider in found]


async def hold_campaign(session: AsyncSession, campaign_id: int, problem: str, now: datetime) -> bool:
    """Let a campaign that is sending wait for a person, and say why; False when it was not sending."""
    change = (
        sa.update(Campaign)
        .where(col(Campaign.id) == campaign_id, col(Campaign.state) == CampaignState.SENDING)
        .values(state=CampaignState.PAUSED, problem=problem, updated_at=now)
        .execution_options(**NO_SYNC)
    )
    return (await session.exec(change)).rowcount == 1


async def halt_lane(session: AsyncSession, campaign_id: int, lane: Lane, until: datetime | None) -> bool:
    """Let nothing more of a campaign leave in a lane until then; None: it may leave again.

    False when the campaign has nothing there. Served by the primary key of campaign_lane.
    """
    change = (
        sa.update(CampaignLane)
        .where(
            col(CampaignLane.campaign_id) == campaign_id,
            col(CampaignLane.identity_id) == lane.identity_id,
            col(CampaignLane.provider) == lane.provider,
        )
        .values(halted_until=until)
        .execution_options(**NO_SYNC)
    )
    return (await session.exec(change)).rowcount == 1


async def halted_lanes(
    session: AsyncSession, campaign_ids: Collection[int], now: datetime
) -> list[CampaignLane]:
    """The lanes in which nothing of these campaigns leaves. Served by the primary key of campaign_lane."""
    wanted = select(CampaignLane).where(
        col(CampaignLane.campaign_id).in_(sorted(campaign_ids)), col(CampaignLane.halted_until) > now
    )
    return list((await session.exec(wanted)).all()) if campaign_ids else []


_FREE = {
    "state": BreakerState.CLOSED,
    "factor": 1.0,
    "ceiling": 1.0,
    "clean": 0,
    "trips": 0,
    "step_up": False,
    "rule": "",
    "reason": "",
}
