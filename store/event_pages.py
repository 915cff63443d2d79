"""Events as programs ask for them: a page at a time, what they may know of and what tells anything."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.api import KeyMode
from models.campaign import Campaign
from models.delivery import Delivery
from models.event import Event
from models.states import EventKind
from models.webhook_types import OF_EVENTS
from store.moments import number_before
from store.webhook_news import Happened, happenings


@dataclass(frozen=True, slots=True)
class WantedEvents:
    """Which events: each part that is given narrows them down; `kinds` None: all that are told."""

    mode: KeyMode
    delivery_id: int | None = None
    campaign_id: int | None = None
    contact_id: int | None = None
    kinds: Collection[EventKind] | None = None
    since: datetime | None = None
    until: datetime | None = None


async def page(
    session: AsyncSession, wanted: WantedEvents, *, limit: int, after: int | None = None, oldest: bool = False
) -> list[Happened]:
    """Events about messages to people, in the order they were learnt; `oldest` first, or newest.

    `after`: the last number of the page before. Served by the index of the delivery, the campaign or the
    contact where one is named, else by the primary key.
    """
    number, learnt = col(Event.id), col(Event.recorded_at)
    asked = (
        select(Event.id)
        .join(Delivery, col(Delivery.id) == col(Event.delivery_id))
        .join(Campaign, col(Campaign.id) == col(Delivery.campaign_id))
        .where(
            col(Campaign.test).is_(wanted.mode is KeyMode.TEST),
            col(Delivery.seed_id).is_(None),
            col(Event.kind).in_(sorted(OF_EVENTS if wanted.kinds is None else wanted.kinds)),
        )
    )
    for column, value in (
        (col(Event.delivery_id), wanted.delivery_id),
        (col(Event.campaign_id), wanted.campaign_id),
        (col(Event.contact_id), wanted.contact_id),
    ):
        if value is not None:
            asked = asked.where(column == value)
    if wanted.since is not None:
        first = await number_before(session, number, learnt, wanted.since)
        asked = asked.where(number > first, learnt >= wanted.since)
    if wanted.until is not None:
        asked = asked.where(learnt < wanted.until)
    if after is not None:
        asked = asked.where(number > after if oldest else number < after)
    order = number if oldest else number.desc()
    numbers = (await session.exec(asked.order_by(order).limit(limit))).all()
    told = await happenings(session, numbers)
    return [told[one] for one in numbers if one in told]
