"""The suppression list as people leaf through it: in force, ended, and what each rule has done."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import Contact
from models.event import Event
from models.states import Channel, SuppressionReason
from models.suppression import Suppression
from store.moments import number_before


@dataclass(frozen=True, slots=True)
class Line:
    """One suppression, the event it rests on and whom it is about, as far as either is known."""

    row: Suppression
    event: Event | None
    contact: Contact | None


async def in_force(
    session: AsyncSession,
    now: datetime,
    *,
    channel: Channel | None = None,
    reason: SuppressionReason | None = None,
    since: datetime | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[Line]:
    """Standing suppressions, newest first, of those made `since`. Walks the primary key backwards."""
    wanted = _lines().where(
        col(Suppression.lifted_at).is_(None),
        sa.or_(col(Suppression.until).is_(None), col(Suppression.until) > now),
    )
    if channel is not None:
        wanted = wanted.where(col(Suppression.channel) == channel)
    if reason is not None:
        wanted = wanted.where(col(Suppression.reason) == reason)
    if since is not None:
        number, at = col(Suppression.id), col(Suppression.created_at)
        wanted = wanted.where(number > await number_before(session, number, at, since), at >= since)
    return await _read(session, wanted, before_id, limit)


async def ended(session: AsyncSession, *, before_id: int | None = None, limit: int = 50) -> list[Line]:
    """Suppressions that somebody, or other news, ended; those suppressed last first.

    Walks the primary key backwards: few of a list are lifted, so it may read all of it.
    """
    wanted = _lines().where(col(Suppression.lifted_at).is_not(None))
    return await _read(session, wanted, before_id, limit)


async def evidence_counts(session: AsyncSession, now: datetime) -> list[tuple[str, int, datetime]]:
    """Each wording of evidence that names a rule: how many stand on it, since when. Reads the table."""
    wanted = (
        select(col(Suppression.evidence), func.count(), func.min(col(Suppression.created_at)))
        .where(
            col(Suppression.lifted_at).is_(None),
            sa.or_(col(Suppression.until).is_(None), col(Suppression.until) > now),
            col(Suppression.event_id).is_not(None),
            col(Suppression.evidence).like("%, rule %"),
        )
        .group_by(col(Suppression.evidence))
    )
    return [(evidence, int(count), first) for evidence, count, first in (await session.exec(wanted)).all()]


async def people(session: AsyncSession, numbers: Collection[int | None]) -> dict[int, Contact]:
    """Contacts by number, of those that are still there. Served by the primary key."""
    wanted = sorted({number for number in numbers if number is not None})
    if not wanted:
        return {}
    found = (await session.exec(select(Contact).where(col(Contact.id).in_(wanted)))).all()
    return {contact.id: contact for contact in found}


def _lines() -> Any:
    return (
        select(Suppression, Event, Contact)
        .join(Event, col(Event.id) == col(Suppression.event_id), isouter=True)
        .join(Contact, col(Contact.id) == col(Event.contact_id), isouter=True)
    )


async def _read(session: AsyncSession, wanted: Any, before_id: int | None, limit: int) -> list[Line]:
    if before_id is not None:
        wanted = wanted.where(col(Suppression.id) < before_id)
    rows: Sequence[Any] = (await session.exec(wanted.order_by(col(Suppression.id).desc()).limit(limit))).all()
    return [Line(row[0], row[1], row[2]) for row in rows]
