"""Messages that programs asked for: what they said, what came of the wish, how many a stream carries."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import Contact
from models.delivery import Delivery
from models.errors import NotFoundError
from models.message import Message, MessageResult
from models.states import Channel
from store.bulk import Question, Spelling, listed
from store.engine import insert_for, is_among

_M = cast("Any", Message).__table__.c


def _values(spelling: Spelling) -> sa.Select[Any]:
    return sa.select(_M.id, _M["values"]).where(spelling.among(_M.id, "ids"))


_VALUES = Question(_values)


async def values_of(session: AsyncSession, numbers: Collection[int]) -> dict[int, Mapping[str, str]]:
    """The variables of messages, by number. Served by the primary key."""
    if not numbers:
        return {}
    rows = await _VALUES.ask(session, ids=listed(session, numbers))
    return {row[0]: row[1] for row in rows}


async def people_at(
    session: AsyncSession, channel: Channel, addresses: Collection[str]
) -> dict[str, Contact]:
    """The contacts behind addresses (normalised). Served by the unique indexes of addresses."""
    its = col(Contact.email) if channel is Channel.EMAIL else col(Contact.phone)
    if not addresses:
        return {}
    found = (await session.exec(select(Contact).where(is_among(session, its, sorted(addresses))))).all()
    return {(one.email if channel is Channel.EMAIL else one.phone) or "": one for one in found}


async def people_with(session: AsyncSession, numbers: Collection[int]) -> dict[int, Contact]:
    """Contacts by number; who is gone is missing. Served by the primary key."""
    if not numbers:
        return {}
    wanted = select(Contact).where(is_among(session, col(Contact.id), sorted(set(numbers))))
    return {one.id: one for one in (await session.exec(wanted)).all()}


class Wished(NamedTuple):
    """A message and its delivery, None where its person must not be written to."""

    message: dict[str, Any]
    delivery: dict[str, Any] | None


async def add(session: AsyncSession, wishes: Sequence[Wished]) -> list[int]:
    """Write messages with their deliveries; their numbers, in the same order."""
    if not wishes:
        return []
    connection = await session.connection()
    given = insert_for(session, Message).returning(_M.id, sort_by_parameter_order=True)
    rows = await connection.execute(given, [wish.message for wish in wishes])
    numbers = [int(row[0]) for row in rows]
    deliveries = [
        {**wish.delivery, "message_id": number}
        for wish, number in zip(wishes, numbers, strict=True)
        if wish.delivery is not None
    ]
    if deliveries:
        await connection.execute(sa.insert(Delivery), deliveries)
    return numbers


async def get(session: AsyncSession, message_id: int) -> tuple[Message, Delivery | None]:
    """One message and its delivery. Served by the primary key and by uq_delivery_message."""
    wanted = (
        select(Message, Delivery)
        .join(Delivery, _its_delivery(), isouter=True)
        .where(Message.id == message_id)
    )
    found = (await session.exec(wanted)).first()
    if found is None:
        raise NotFoundError(f"There is no message number {message_id}.")
    return found[0], found[1]


def _its_delivery() -> sa.ColumnElement[bool]:
    # Spelt out as the condition of uq_delivery_message is.
    its = col(Delivery.message_id)
    return sa.and_(its == col(Message.id), its != sa.literal_column("0"))


async def carried(session: AsyncSession, campaign_id: int) -> int:
    """How many deliveries a stream was given. Served by ix_message_campaign_id."""
    wanted = select(func.count()).where(
        Message.campaign_id == campaign_id, Message.result == MessageResult.ACCEPTED
    )
    return (await session.exec(wanted)).one()


async def last_wish(session: AsyncSession, campaign_id: int) -> datetime | None:
    """When a stream was given its last message. Served by ix_message_campaign_id."""
    wanted = (
        select(Message.created_at)
        .where(Message.campaign_id == campaign_id)
        .order_by(col(Message.id).desc())
        .limit(1)
    )
    return (await session.exec(wanted)).first()
