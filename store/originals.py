"""The kept originals of news, as a person looks at them: one, and those about somebody."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import NotFoundError
from models.event import Event, Incoming

MOST = 200
WAITED = timedelta(days=3)
"""As long as news waits for a message that is not known yet (`scheduler.news`)."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An original without its content; `size` in octets."""

    id: int
    source: str
    received_at: datetime
    size: int
    matched: bool
    contact_id: int | None


_HEAD = (
    col(Incoming.id),
    col(Incoming.source),
    col(Incoming.received_at),
    func.length(col(Incoming.raw)),
    col(Incoming.matched),
    col(Incoming.contact_id),
)


async def get(session: AsyncSession, number: int) -> Incoming:
    """One original; NotFoundError when it is gone: all go after a time. By the primary key."""
    found = await session.get(Incoming, number)
    if found is None or not found.raw:
        raise NotFoundError("This original is not kept any more.", "The event that was read from it is.")
    return found


async def about(session: AsyncSession, contact_id: int) -> list[Kept]:
    """The originals of news about one person, newest first. Served by ix_incoming_contact."""
    wanted = (
        select(*_HEAD)  # type: ignore[call-overload]
        .where(col(Incoming.contact_id) == contact_id, col(Incoming.contact_id).is_not(None))
        .order_by(col(Incoming.id).desc())
        .limit(MOST)
    )
    return [Kept(*row) for row in (await session.exec(wanted)).all()]


async def unmatched(session: AsyncSession, *, limit: int = MOST) -> list[Kept]:
    """Originals that led to nobody, newest first. Walks the primary key backwards."""
    wanted = (
        select(*_HEAD)  # type: ignore[call-overload]
        .where(col(Incoming.matched).is_(False))
        .order_by(col(Incoming.id).desc())
        .limit(limit)
    )
    return [Kept(*row) for row in (await session.exec(wanted)).all()]


def originals_of(events: Iterable[Event], kept: Iterable[Kept]) -> dict[int, Kept]:
    """By the number of an event about somebody: the original it was read from, of those kept about them.

    It came the same way and was kept at the same moment. News that had to wait for its message was kept
    before: then it is the last original within `WAITED` that no other event was read from.
    """
    told = sorted(events, key=lambda event: (event.recorded_at, event.id))
    at_once = {(one.source, one.received_at): one for one in kept}
    found = {
        event.id: at_once[event.source, event.recorded_at]
        for event in told
        if (event.source, event.recorded_at) in at_once
    }
    rest = [one for one in at_once.values() if one not in found.values()]
    for event in told:
        before = [
            one
            for one in rest
            if one.source == event.source and timedelta(0) < event.recorded_at - one.received_at <= WAITED
        ]
        if event.id not in found and before:
            found[event.id] = max(before, key=lambda one: one.received_at)
            rest.remove(found[event.id])
    return found
