"""What binds campaigns before a vote, and who lets one leave all the same; each table is a few dozen rows.

How people keep the days of voting is in `store.election_calendar`.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import cast

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.delivery import Delivery
from models.election import ElectionDay, SilenceWaiver
from models.errors import NotFoundError
from models.states import CampaignState, DeliveryState, Nature, Purpose

__all__ = [
    "add_waiver",
    "agreed_waivers",
    "bound_among",
    "days_between",
    "get_waiver",
    "loosen",
    "loosen_under_way",
    "settle_waiver",
    "stopped_in_silence",
    "waivers_of",
    "why_too_late",
]

NO_SYNC = {"synchronize_session": False}
IN_SILENCE = "election silence"
"""How the reason begins of a delivery that a vote has stopped."""
CUT_OFF = f"{IN_SILENCE}: it had not left when it had to"
_FURTHEST = timedelta(days=2)
"""Between a moment in UTC and the same on any clock, and for those who vote the day before."""


async def days_between(session: AsyncSession, first: datetime, last: datetime) -> list[ElectionDay]:
    """Days whose silence may fall between two moments, wherever people live; those taken away are not.

    Served by ix_election_day_day.
    """
    on_from: date = (first - _FURTHEST).date()
    on_until: date = (last + 2 * _FURTHEST).date()
    wanted = (
        select(ElectionDay)
        .where(col(ElectionDay.day) >= on_from, col(ElectionDay.day) <= on_until)
        .where(col(ElectionDay.removed_at).is_(None))
        .order_by(col(ElectionDay.day), col(ElectionDay.id))
    )
    return list((await session.exec(wanted)).all())


async def bound_among(session: AsyncSession, campaign_ids: Collection[int]) -> set[int]:
    """Those of the campaigns that silence binds, waivers aside. Served by the primary key."""
    number = cast("sa.ColumnElement[int]", Campaign.id)
    wanted = sa.select(number).where(
        number.in_(sorted(campaign_ids)),
        sa.or_(
            col(Campaign.nature) == Nature.POLITICAL,
            sa.and_(col(Campaign.nature) == Nature.UNSAID, col(Campaign.purpose) != Purpose.TRANSACTIONAL),
        ),
    )
    return set((await (await session.connection()).scalars(wanted)).all())


async def add_waiver(session: AsyncSession, waiver: SilenceWaiver) -> SilenceWaiver:
    """Write down that somebody asks."""
    session.add(waiver)
    await session.flush()
    return waiver


async def get_waiver(session: AsyncSession, waiver_id: int) -> SilenceWaiver:
    """One waiver; NotFoundError. Served by the primary key."""
    found = await session.get(SilenceWaiver, waiver_id)
    if found is None:
        raise NotFoundError(f"There is no waiver {waiver_id}.", "See `tocsin campaign show`.")
    return found


async def waivers_of(session: AsyncSession, campaign_id: int) -> list[SilenceWaiver]:
    """What was asked for a campaign, the latest first. Served by ix_silence_waiver_campaign_id."""
    wanted = select(SilenceWaiver).where(col(SilenceWaiver.campaign_id) == campaign_id)
    return list((await session.exec(wanted.order_by(col(SilenceWaiver.id).desc()))).all())


async def settle_waiver(
    session: AsyncSession, waiver_id: int, *, at: datetime, agreed_by: str = "", refused_by: str = ""
) -> bool:
    """Agree to a waiver nobody has answered, or refuse one, agreed to or not; False when it was too late.

    Served by the primary key.
    """
    answered = sa.update(SilenceWaiver).where(
        col(SilenceWaiver.id) == waiver_id, col(SilenceWaiver.refused_at).is_(None)
    )
    if agreed_by:
        answered = answered.where(col(SilenceWaiver.agreed_at).is_(None))
        answered = answered.values(agreed_by=agreed_by, agreed_at=at)
    else:
        answered = answered.values(refused_by=refused_by, refused_at=at)
    return (await session.exec(answered.execution_options(**NO_SYNC))).rowcount > 0


async def agreed_waivers(session: AsyncSession, campaign_ids: Collection[int]) -> Sequence[SilenceWaiver]:
    """Those agreed to and not taken back. Served by ix_silence_waiver_campaign_id."""
    wanted = select(SilenceWaiver).where(
        col(SilenceWaiver.campaign_id).in_(sorted(campaign_ids)),
        col(SilenceWaiver.agreed_at).is_not(None),
        col(SilenceWaiver.refused_at).is_(None),
    )
    return (await session.exec(wanted)).all()


async def loosen(session: AsyncSession, campaign_id: int) -> int:
    """Give what waits of a campaign the campaign's own deadline back: how many had a nearer one.

    Messages that programs ask for have deadlines of their own, and keep them. Never lets anything leave in
    silence: the gate asks the days of voting themselves. Served by ix_delivery_campaign_state.
    """
    waiting = (DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.HELD, DeliveryState.CLAIMED)
    campaign = await session.get_one(Campaign, campaign_id)
    if campaign.stream_key is not None:
        return 0
    own = campaign.not_after
    change = (
        sa.update(Delivery)
        .where(col(Delivery.campaign_id) == campaign_id, col(Delivery.state).in_(waiting))
        .where(col(Delivery.not_after).is_distinct_from(own))
        .values(not_after=own)
        .execution_options(**NO_SYNC)
    )
    return (await session.exec(change)).rowcount


async def loosen_under_way(session: AsyncSession) -> None:
    """The same for every campaign under way: a day of voting was taken away."""
    under_way = (CampaignState.LAUNCHING, CampaignState.SENDING, CampaignState.PAUSED)
    wanted = select(Campaign.id).where(col(Campaign.state).in_(under_way)).order_by(col(Campaign.id))
    for campaign_id in (await session.exec(wanted)).all():
        await loosen(session, campaign_id)


def why_too_late(otherwise: str) -> sa.ColumnElement[str]:
    """Why a delivery past its deadline has not left: a vote, where that is not the campaign's deadline."""
    by_vote = sa.exists().where(
        col(Campaign.id) == col(Delivery.campaign_id),
        col(Campaign.stream_key).is_(None),
        col(Campaign.not_after).is_distinct_from(col(Delivery.not_after)),
    )
    return sa.case((by_vote.correlate(Delivery), CUT_OFF), else_=otherwise)


async def stopped_in_silence(session: AsyncSession, campaign_id: int) -> int:
    """How many of a campaign were queued and have not left because of a vote.

    It is the reason given, or their deadline was not the campaign's. Served by ix_delivery_campaign_state.
    """
    campaign = await session.get_one(Campaign, campaign_id)
    stopped = col(Delivery.reason).startswith(IN_SILENCE)
    if campaign.stream_key is None:
        # A try so late that the next would have come too late has the server's words for a reason.
        nearer = col(Delivery.not_after).is_distinct_from(campaign.not_after)
        stopped = sa.or_(stopped, sa.and_(col(Delivery.not_after).is_not(None), nearer))
    wanted = sa.select(sa.func.count()).where(
        col(Delivery.campaign_id) == campaign_id, col(Delivery.state) == DeliveryState.EXPIRED, stopped
    )
    return (await (await session.connection()).execute(wanted)).scalar_one()
