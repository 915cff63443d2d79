"""What there is to tell of events and campaigns that stand in the outbox."""

from collections.abc import Collection
from typing import NamedTuple, cast

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign, CampaignLink
from models.contact import Contact
from models.delivery import Delivery
from models.event import Event
from models.identity import Identity
from models.message import Message
from store.engine import is_among


class Happened(NamedTuple):
    """An event, with what it is about; None where it is about no such thing, or that is gone."""

    event: Event
    delivery: Delivery | None
    message: Message | None
    campaign: Campaign | None
    identity: Identity | None
    external_id: str | None
    link: str | None


async def happenings(session: AsyncSession, event_ids: Collection[int]) -> dict[int, Happened]:
    """Events by number, in one question. Served by primary keys."""
    if not event_ids:
        return {}
    link = sa.and_(
        col(CampaignLink.campaign_id) == col(Event.campaign_id),
        col(CampaignLink.position) == col(Event.link_index),
    )
    wanted = (
        sa.select(
            Event, Delivery, Message, Campaign, Identity, col(Contact.external_id), col(CampaignLink.target)
        )
        .outerjoin(Delivery, col(Delivery.id) == col(Event.delivery_id))
        .outerjoin(Message, col(Message.id) == col(Delivery.message_id))
        .outerjoin(Campaign, col(Campaign.id) == col(Event.campaign_id))
        .outerjoin(Identity, col(Identity.id) == col(Event.identity_id))
        .outerjoin(Contact, col(Contact.id) == col(Event.contact_id))
        .outerjoin(CampaignLink, link)
        .where(is_among(session, col(Event.id), sorted(event_ids)))
    )
    rows = (await session.exec(cast("sa.Select[tuple[Happened]]", wanted))).all()  # type: ignore[call-overload]
    return {row[0].id: Happened(*row) for row in rows}


async def campaigns_of(session: AsyncSession, campaign_ids: Collection[int]) -> dict[int, Campaign]:
    """Campaigns by number. Served by the primary key."""
    if not campaign_ids:
        return {}
    wanted = select(Campaign).where(col(Campaign.id).in_(sorted(campaign_ids)))
    return {one.id: one for one in (await session.exec(wanted)).all()}
