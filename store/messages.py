"""Messages that programs asked for: what they said, what came of the wish, how many a stream carries."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import Contact
from models.delivery import Delivery
from models.errors import NotFoundError
from models.message import Message, MessageResult
from models.states import Channel
from store.bulk import Question, Spelling, listed
from store.engine import copy_lines, is_among, is_embedded
from store.loading import as_text, lines_of, reserve_numbers

_MESSAGE = cast("sa.Table", cast("Any", Message).__table__)
_DELIVERY = cast("sa.Table", cast("Any", Delivery).__table__)
_M = _MESSAGE.c
WORTH_A_COPY: Final = 20
"""Rows from which on they travel as lines."""


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
    numbers = await reserve_numbers(session, _MESSAGE, len(wishes))
    given = [{"id": number, **wish.message} for wish, number in zip(wishes, numbers, strict=True)]
    deliveries = [
        {**wish.delivery, "message_id": number}
        for wish, number in zip(wishes, numbers, strict=True)
        if wish.delivery is not None
    ]
    await _write(session, _MESSAGE, given)
    await _write(session, _DELIVERY, deliveries)
    return numbers


async def _write(session: AsyncSession, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows that have the same columns; many of them as lines, which PostgreSQL reads without a plan."""
    if not rows:
        return
    if is_embedded(session) or len(rows) < WORTH_A_COPY:
        await (await session.connection()).execute(sa.insert(table), list(rows))
        return
    columns = {name: [as_text(row[name]) for row in rows] for name in rows[0]}
    listed = ", ".join(f'"{name}"' for name in columns)
    await copy_lines(session, f"COPY {table.name} ({listed}) FROM STDIN", lines_of(columns))


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
