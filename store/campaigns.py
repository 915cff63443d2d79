"""Campaigns: what they are made of, where they stand, how far they are."""

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import AudienceRole, Campaign, CampaignIdentity, CampaignLink, CampaignSegment
from models.canary import Canary
from models.delivery import Delivery
from models.errors import NotFoundError
from models.identity import Identity
from models.segment import Segment
from models.states import WAITING, CampaignState, DeliveryState, LeftOutReason, Nature
from models.template import TemplateVersion
from store import tallies
from store.engine import insert_for


async def get_campaign(session: AsyncSession, campaign_id: int) -> Campaign:
    """The campaign with that number; NotFoundError when there is none."""
    campaign = await session.get(Campaign, campaign_id)
    if campaign is None:
        raise NotFoundError(f"There is no campaign number {campaign_id}.")
    return campaign


async def find_campaign(session: AsyncSession, name: str) -> Campaign | None:
    """The newest campaign of that name."""
    wanted = select(Campaign).where(Campaign.name == name, col(Campaign.stream_key).is_(None))
    wanted = wanted.order_by(col(Campaign.id).desc())
    return (await session.exec(wanted.limit(1))).first()


async def list_campaigns(
    session: AsyncSession, *, limit: int = 50, before_id: int | None = None
) -> list[Campaign]:
    """The newest first, `limit` at a time; `before_id` is the last of the page before.

    Streams are none, and what programs try out with test keys is not among them.
    """
    own = select(Campaign).where(col(Campaign.stream_key).is_(None), col(Campaign.test).is_(False))
    wanted = own.order_by(col(Campaign.id).desc()).limit(limit)
    if before_id is not None:
        wanted = wanted.where(col(Campaign.id) < before_id)
    return list((await session.exec(wanted)).all())


async def list_in_state(session: AsyncSession, *states: CampaignState) -> list[Campaign]:
    """Campaigns in one of `states`, earliest start first. Served by ix_campaign_state_starts_at."""
    wanted = select(Campaign).where(col(Campaign.state).in_(states)).order_by(col(Campaign.starts_at))
    return list((await session.exec(wanted)).all())


async def move(
    session: AsyncSession, campaign_id: int, *, origin: CampaignState, to: CampaignState, now: datetime
) -> bool:
    """Change the state by compare and swap; False when it was not, or not any more, in `origin`."""
    change = (
        sa.update(Campaign)
        .where(col(Campaign.id) == campaign_id, col(Campaign.state) == origin)
        .values(state=to, updated_at=now)
        .execution_options(synchronize_session=False)
    )
    return (await session.exec(change)).rowcount == 1


async def hold(
    session: AsyncSession, campaign_id: int, *, alone: bool, unless: Collection[CampaignState] = ()
) -> CampaignState | None:
    """Where a campaign stands, and stays until this transaction ends; None when there is none.

    `alone`: nobody else may hold it meanwhile; otherwise only whoever moves it has to wait. In a state of
    `unless` it is none, and not held: two who held it both, to move it both, would wait for each other.
    """
    # Without FOR UPDATE: each event recorded of the campaign would wait for it, and it for all of them.
    found = select(Campaign.state).where(Campaign.id == campaign_id)
    if unless:
        found = found.where(col(Campaign.state).not_in(sorted(unless)))
    wanted = found.with_for_update(read=not alone, key_share=alone)
    state = (await session.exec(wanted)).first()
    return None if state is None else CampaignState(state)


async def untie(session: AsyncSession, campaign_id: int) -> None:
    """Take a draft's segments and identities away, to tie others to it."""
    for table in (CampaignSegment, CampaignIdentity):
        await session.exec(
            sa.delete(table)
            .where(col(table.campaign_id) == campaign_id)
            .execution_options(synchronize_session="fetch")
        )


async def begin_launch(session: AsyncSession, campaign_id: int, now: datetime) -> bool:
    """Start a scheduled campaign whose moment has come; False when it is not, or was put off meanwhile."""
    change = (
        sa.update(Campaign)
        .where(
            col(Campaign.id) == campaign_id,
            col(Campaign.state) == CampaignState.SCHEDULED,
            col(Campaign.starts_at) <= now,
        )
        .values(state=CampaignState.LAUNCHING, launched_at=now, updated_at=now)
        .execution_options(synchronize_session=False)
    )
    return (await session.exec(change)).rowcount == 1


async def held(session: AsyncSession, campaign_ids: Collection[int]) -> dict[int, tuple[int, str]]:
    """How many deliveries each campaign holds back, and one of the reasons; what waits for a canary aside.

    Served by ix_delivery_campaign_state. Campaigns whose canary is at work are not looked at: they may hold
    a million.
    """
    gated = select(Canary.campaign_id).where(col(Canary.opened_at).is_(None))
    wanted = (
        select(Delivery.campaign_id, func.count(), func.min(Delivery.reason))
        .where(col(Delivery.campaign_id).in_(campaign_ids), Delivery.state == DeliveryState.HELD)
        .where(col(Delivery.campaign_id).not_in(gated))
        .group_by(col(Delivery.campaign_id))
    )
    return {number: (count, reason) for number, count, reason in (await session.exec(wanted)).all()}


async def senders_of(session: AsyncSession, campaign_ids: Collection[int]) -> dict[int, list[int]]:
    """The numbers of the identities each campaign may send from."""
    wanted = select(CampaignIdentity.campaign_id, CampaignIdentity.identity_id).where(
        col(CampaignIdentity.campaign_id).in_(campaign_ids)
    )
    senders: dict[int, list[int]] = {}
    for campaign_id, identity_id in (await session.exec(wanted)).all():
        senders.setdefault(campaign_id, []).append(identity_id)
    return senders


async def tell_problem(session: AsyncSession, campaign_id: int, problem: str) -> None:
    """What stands in the way of a campaign that is sending; empty when nothing does any more."""
    tell = (
        sa.update(Campaign)
        .where(col(Campaign.id) == campaign_id, col(Campaign.state) == CampaignState.SENDING)
        .values(problem=problem)
        .execution_options(synchronize_session=False)
    )
    await session.exec(tell)


async def take_nature(session: AsyncSession, stream_id: int) -> None:
    """A stream is to the law what is said of its template's version; until that is said, UNSAID."""
    wanted = (
        select(TemplateVersion.nature)
        .join(Campaign, col(Campaign.template_version_id) == col(TemplateVersion.id))
        .where(Campaign.id == stream_id, Campaign.nature == Nature.UNSAID)
    )
    nature = (await session.exec(wanted)).first()
    if nature is not None:
        change = sa.update(Campaign).where(col(Campaign.id) == stream_id).values(nature=nature)
        await session.exec(change.execution_options(synchronize_session=False))


async def segments_of(session: AsyncSession, campaign_id: int) -> list[tuple[Segment, AudienceRole]]:
    """The segments of a campaign and whether each brings people in or keeps them out."""
    rows = await audience_of(session, campaign_id)
    return [(segment, link.role) for segment, link in rows]


async def audience_of(session: AsyncSession, campaign_id: int) -> list[tuple[Segment, CampaignSegment]]:
    """The segments of a campaign with the rows that tie them to it."""
    wanted = (
        select(Segment, CampaignSegment)
        .join(CampaignSegment, col(CampaignSegment.segment_id) == Segment.id)
        .where(CampaignSegment.campaign_id == campaign_id)
        .order_by(col(Segment.id))
    )
    return list((await session.exec(wanted)).all())


async def identities_of(session: AsyncSession, campaign_id: int) -> list[Identity]:
    """The identities a campaign may send from, in the order of the rotation."""
    wanted = (
        select(Identity)
        .join(CampaignIdentity, col(CampaignIdentity.identity_id) == Identity.id)
        .where(CampaignIdentity.campaign_id == campaign_id)
        .order_by(col(CampaignIdentity.position), col(Identity.id))
    )
    return list((await session.exec(wanted)).all())


async def save_links(session: AsyncSession, campaign_id: int, targets: Sequence[str]) -> None:
    """Where each numbered link of the campaign leads; once written they stay."""
    rows = [
        {"campaign_id": campaign_id, "position": position, "target": target}
        for position, target in enumerate(targets)
    ]
    if rows:
        await session.exec(insert_for(session, CampaignLink).values(rows).on_conflict_do_nothing())


async def links_of(session: AsyncSession, campaign_id: int) -> list[str]:
    """The targets of a campaign's links, by number."""
    wanted = select(CampaignLink).where(CampaignLink.campaign_id == campaign_id)
    rows = (await session.exec(wanted.order_by(col(CampaignLink.position)))).all()
    return [row.target for row in rows]


async def link_target(session: AsyncSession, campaign_id: int, position: int) -> str | None:
    """Where link number `position` of a campaign leads; None when it has no such link."""
    link = await session.get(CampaignLink, (campaign_id, position))
    return None if link is None else link.target


async def progress(session: AsyncSession, campaign_id: int) -> dict[DeliveryState, int]:
    """How many deliveries stand where, seeds not included; from the counters, whatever their number."""
    return (await tallies.progress(session, [campaign_id]))[campaign_id]


async def progress_of(
    session: AsyncSession, campaign_ids: Collection[int]
) -> dict[int, dict[DeliveryState, int]]:
    """The same of each of these campaigns, in one look."""
    return await tallies.progress(session, campaign_ids)


async def count_states(session: AsyncSession, campaign_id: int) -> dict[DeliveryState, int]:
    """The same, counted row by row: what a proof rests on. Served by ix_delivery_campaign_state."""
    wanted = (
        select(Delivery.state, func.count())
        .where(Delivery.campaign_id == campaign_id, col(Delivery.seed_id).is_(None))
        .group_by(col(Delivery.state))
    )
    return {DeliveryState(state): count for state, count in (await session.exec(wanted)).all()}


async def left_out(session: AsyncSession, campaign_id: int) -> dict[LeftOutReason, int]:
    """How many targeted people got no delivery, by reason; from the counters."""
    return await tallies.left_out(session, campaign_id)


async def cancelled_with_leftovers(session: AsyncSession) -> list[int]:
    """Cancelled campaigns that still have deliveries in the queue. Served by ix_delivery_campaign_state."""
    queued = (DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.HELD)
    leftover = sa.exists().where(
        col(Delivery.campaign_id) == col(Campaign.id), col(Delivery.state).in_(queued)
    )
    wanted = select(Campaign.id).where(Campaign.state == CampaignState.CANCELLED, leftover)
    return list((await session.exec(wanted)).all())


async def ended_with_waiting(session: AsyncSession) -> list[int]:
    """Campaigns that have ended although something of them waits; there should be none.

    One look into ix_delivery_campaign_state for each campaign that has ended.
    """
    waits = sa.exists().where(
        col(Delivery.campaign_id) == col(Campaign.id), col(Delivery.state).in_(tuple(WAITING))
    )
    ended = col(Campaign.state).in_((CampaignState.FINISHED, CampaignState.INCOMPLETE))
    return list((await session.exec(select(Campaign.id).where(ended, waits))).all())


async def has_been_due(session: AsyncSession, campaign_id: int, since: datetime) -> bool:
    """Whether a delivery of the campaign waits that was due by `since`.

    Served by ix_delivery_campaign_state.
    """
    waiting = (DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.CLAIMED, DeliveryState.SENDING)
    wanted = select(Delivery.id).where(
        Delivery.campaign_id == campaign_id, col(Delivery.state).in_(waiting), col(Delivery.due_at) <= since
    )
    return (await session.exec(wanted.limit(1))).first() is not None


async def has_waiting(session: AsyncSession, campaign_id: int, waiting: Sequence[DeliveryState]) -> bool:
    """Whether a delivery of the campaign, seeds included, is still in one of `waiting`."""
    wanted = (
        select(Delivery.id)
        .where(Delivery.campaign_id == campaign_id, col(Delivery.state).in_(waiting))
        .limit(1)
    )
    return (await session.exec(wanted)).first() is not None
