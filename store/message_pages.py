"""Messages of programs as they are looked up: a page at a time, by what tells them apart, and taken back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.api import KeyMode
from models.campaign import Campaign
from models.delivery import Delivery
from models.event import event_about
from models.message import Message
from models.states import CampaignState, DeliveryState, EventKind
from models.template import TemplateVersion
from store import events
from store.deliveries import NO_SYNC
from store.message_status import MessageStatus, stands_at
from store.moments import number_before

STOPPABLE = (DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.HELD)
"""States in which nobody is about to send a delivery."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages: each part that is given narrows them down. `address` in its normal form.

    `mode` None: of both. `key_id`: what that key sent is among them whatever its mode: live keys, too, may
    write to magic addresses.
    """

    mode: KeyMode | None = None
    key_id: int = 0
    reference: str = ""
    status: MessageStatus | None = None
    address: str = ""
    contact_id: int | None = None
    template_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


def is_visible(message: Message, mode: KeyMode, key_id: int) -> bool:
    """Whether a key may know of it: of its own mode, or its own."""
    return message.mode is mode or message.key_id == key_id


async def page(
    session: AsyncSession, wanted: Wanted, *, limit: int, before: int | None = None
) -> list[tuple[Message, Delivery | None]]:
    """Messages and their deliveries, the newest first; `before`: the last number of the page before.

    Served by the index of what narrows it down most, else by the primary key; ix_message_test for tests.
    """
    number = col(Message.id)
    asked = select(Message, Delivery).join(Delivery, _carries(), isouter=True).where(*_conditions(wanted))
    if wanted.since is not None:
        at = col(Message.created_at)
        first = await number_before(session, number, at, wanted.since)
        asked = asked.where(number > first, at >= wanted.since)
    if wanted.until is not None:
        asked = asked.where(col(Message.created_at) < wanted.until)
    if before is not None:
        asked = asked.where(number < before)
    rows: Any = (await session.exec(asked.order_by(number.desc()).limit(limit))).all()
    return [(message, delivery) for message, delivery in rows]


def _conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.mode is not None:
        # Spelt out for the partial index of tests.
        mode = col(Message.mode) == sa.literal_column(f"'{wanted.mode.value}'")
        own = col(Message.key_id) == wanted.key_id
        found.append(mode if wanted.mode is KeyMode.TEST or not wanted.key_id else sa.or_(mode, own))
    if wanted.reference:
        found += [
            col(Message.reference) == wanted.reference,
            col(Message.reference) != sa.literal_column("''"),
        ]
    if wanted.status is not None:
        found.append(stands_at(wanted.status))
    if wanted.address:
        found.append(col(Message.id).in_(_to(wanted.address)))
    if wanted.contact_id is not None:
        found.append(col(Message.contact_id) == wanted.contact_id)
    if wanted.template_id is not None:
        streams = (
            sa.select(col(Campaign.id))
            .join(TemplateVersion, col(TemplateVersion.id) == col(Campaign.template_version_id))
            .where(
                col(TemplateVersion.template_id) == wanted.template_id, col(Campaign.stream_key).is_not(None)
            )
        )
        found.append(col(Message.campaign_id).in_(streams))
    return found


def _to(address: str) -> sa.CompoundSelect[Any]:
    """Served by ix_delivery_address; by ix_message_undelivered for those that were never to leave."""
    sent = sa.select(col(Delivery.message_id)).where(
        col(Delivery.address) == address, col(Delivery.message_id) != sa.literal_column("0")
    )
    kept = sa.select(col(Message.id)).where(
        col(Message.address) == address, col(Message.result) == sa.literal_column("'suppressed'")
    )
    return sa.union_all(sent, kept)


def _carries() -> sa.ColumnElement[bool]:
    its = col(Delivery.message_id)
    return sa.and_(its == col(Message.id), its != sa.literal_column("0"))


async def cancel(session: AsyncSession, delivery: Delivery, now: datetime) -> bool:
    """End a delivery that has not left, and say so; False when it is being sent, or at its end."""
    change = (
        sa.update(Delivery)
        .where(col(Delivery.id) == delivery.id, col(Delivery.state).in_(STOPPABLE))
        .values(state=DeliveryState.CANCELLED, reason="message cancelled", settled_at=now)
        .execution_options(**NO_SYNC)
    )
    if (await session.exec(change)).rowcount != 1:
        return False
    told = event_about(
        delivery,
        EventKind.CANCELLED,
        source="message",
        source_id=f"{delivery.id}/cancelled",
        at=now,
        now=now,
    )
    await events.append(session, told)
    await session.refresh(delivery)
    return True


async def streams(
    session: AsyncSession, *, limit: int, before: int | None = None, states: tuple[CampaignState, ...] = ()
) -> list[Campaign]:
    """What carries messages of programs, the newest first; by the primary key."""
    asked = select(Campaign).where(col(Campaign.stream_key).is_not(None))
    if before is not None:
        asked = asked.where(col(Campaign.id) < before)
    if states:
        asked = asked.where(col(Campaign.state).in_(states))
    return list((await session.exec(asked.order_by(col(Campaign.id).desc()).limit(limit))).all())


async def carries_more(session: AsyncSession, campaign_id: int, count: int) -> bool:
    """Whether a stream was given more messages than so many; ix_message_campaign_id counts them."""
    asked = select(Message.id).where(Message.campaign_id == campaign_id).order_by(col(Message.id))
    return (await session.exec(asked.offset(count).limit(1))).first() is not None
