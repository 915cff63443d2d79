"""The variables of messages that programs asked for: forgotten once they have done their work."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from models.delivery import Delivery
from models.message import Message
from models.states import DeliveryState

AT_ONCE: Final = 5_000
_MESSAGE = cast("sa.Table", cast("Any", Message).__table__)
_M = _MESSAGE.c
_SAID: Final = sa.cast(_M["values"], sa.Text) != "{}"


class Walked(NamedTuple):
    """How far it was gone: up to which number, and the first on the way that still has variables, if any."""

    to: int
    left: int | None


async def forget_variables(
    session: AsyncSession, *, after: int, made_before: datetime, unended: Collection[DeliveryState]
) -> Walked | None:
    """Empty those of the next messages after a number, `AT_ONCE` at most; None where none is old enough.

    Those whose delivery is in a state of `unended` keep theirs: they are to be said yet. Served by the
    primary key and uq_delivery_message.
    """
    connection = await session.connection()
    following = sa.select(_M.id, _M.created_at).where(_M.id > after).order_by(_M.id).limit(AT_ONCE)
    old = [row[0] for row in await connection.execute(following) if row[1] < made_before]
    if not old:
        return None
    # Numbers and moments go together but for calls that were made at the same time.
    there = sa.and_(_M.id > after, _M.id <= old[-1], _M.created_at < made_before, _SAID)
    its = col(Delivery.message_id)
    waits = sa.exists().where(
        its == _M.id, its != sa.literal_column("0"), col(Delivery.state).in_(sorted(unended))
    )
    await connection.execute(sa.update(_MESSAGE).where(there, ~waits).values({"values": {}}))
    left = (await connection.execute(sa.select(sa.func.min(_M.id)).where(there))).scalar()
    return Walked(old[-1], left)
