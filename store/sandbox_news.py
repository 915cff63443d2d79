"""Test messages that the sandbox took: what is to follow them."""

from typing import Final, NamedTuple

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.delivery import Delivery
from models.event import Event
from models.providers import SANDBOXES
from models.states import EventKind

LOOKED_BACK: Final = 2_000
"""Events before the last one seen that are looked at again: numbers are given before rows are there."""
AT_ONCE: Final = 1_000
AT_FIRST: Final = 20_000


class Accepted(NamedTuple):
    """A test message that was taken, and the event that says so."""

    event_id: int
    delivery: Delivery


async def has_tests(session: AsyncSession) -> bool:
    """Whether a test key was ever used. Reads the table of campaigns."""
    return (await session.exec(select(Campaign.id).where(col(Campaign.test)).limit(1))).first() is not None


async def taken_since(session: AsyncSession, seen: int) -> tuple[list[Accepted], int]:
    """Test messages taken since event number `seen`, and the newest number looked at. By the primary key."""
    newest = (await session.exec(select(func.max(Event.id)))).one() or 0
    # Who has just been started takes up what a process before may have left.
    seen = seen or newest - AT_FIRST
    wanted = (
        select(Event.id, Delivery)
        .join(Delivery, col(Delivery.id) == col(Event.delivery_id))
        .where(
            col(Event.id) > max(0, min(seen, newest) - LOOKED_BACK),
            Event.kind == EventKind.ACCEPTED,
            col(Event.provider).in_(sorted(SANDBOXES)),
        )
        .order_by(col(Event.id))
        .limit(AT_ONCE)
    )
    rows = [Accepted(*row) for row in (await session.exec(wanted)).all()]
    return rows, rows[-1].event_id if len(rows) == AT_ONCE else newest
