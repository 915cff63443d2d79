"""What a person says of being chosen for political messages by their data, written down by one of yours."""

from datetime import datetime, timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.consent import Statement, stands
from models.errors import BadInputError
from models.states import ConsentStatus
from store import contacts, targeting

__all__ = ["record_targeting"]

AHEAD: Final = timedelta(days=1)
"""A day that has begun elsewhere."""


async def record_targeting(
    session: AsyncSession,
    contact_id: int,
    status: ConsentStatus,
    *,
    source: str,
    given_at: datetime | None,
    now: datetime,
) -> ConsentStatus:
    """Keep a statement as proof, and what holds from now on: the latest word, which may be an older one.

    `given_at` None: now. BadInputError without a source, for a moment to come, and for what says nothing.
    """
    source = source.strip()
    if not source:
        raise BadInputError("Nobody could prove this consent.", "Say where the person said so.")
    if status is ConsentStatus.UNKNOWN:
        raise BadInputError("This says nothing of consent.", "Say granted, or withdrawn.")
    at = given_at or now
    if at > now + AHEAD:
        raise BadInputError("A consent cannot come from the future.", "Give the day on which it was said.")
    contact = await contacts.get_contact(session, contact_id)
    latest = await targeting.latest_statements(session, [contact_id])
    before = latest.get((contact_id, contact.targeting_consent))
    if status is ConsentStatus.WITHDRAWN and before is not None and at >= now:
        # Who says no now comes after whatever they said before, whatever clock dated it.
        at = max(at, before)
    holds = stands(Statement(status, at, source), contact.targeting_consent, before)
    said = targeting.Said(contact_id, status, source, at)
    await targeting.add_statements(session, [said], now)
    if not holds:
        return contact.targeting_consent
    await targeting.set_status(session, contact_id, status, now)
    return status
