"""Campaigns as programs ask for them: a page at a time, those of tests apart; streams are none."""

from collections.abc import Collection

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.errors import NotFoundError
from models.states import CampaignState, Channel


async def next_campaigns(
    session: AsyncSession,
    *,
    test: bool,
    limit: int,
    before: int | None = None,
    states: Collection[CampaignState] = (),
    channel: Channel | None = None,
    name: str = "",
) -> list[Campaign]:
    """The newest first; `before`: the last number of the page before. Served by the primary key."""
    wanted = select(Campaign).where(col(Campaign.stream_key).is_(None), col(Campaign.test).is_(test))
    if before is not None:
        wanted = wanted.where(col(Campaign.id) < before)
    if states:
        wanted = wanted.where(col(Campaign.state).in_(sorted(states)))
    if channel is not None:
        wanted = wanted.where(Campaign.channel == channel)
    if name:
        wanted = wanted.where(Campaign.name == name)
    return list((await session.exec(wanted.order_by(col(Campaign.id).desc()).limit(limit))).all())


async def own_campaign(session: AsyncSession, campaign_id: int, *, test: bool) -> Campaign:
    """The campaign with that number; NotFoundError for a stream, and for one of the other mode."""
    found = await session.get(Campaign, campaign_id)
    if found is None or found.stream_key is not None or found.test is not test:
        raise NotFoundError("There is no such campaign for this key.")
    return found
