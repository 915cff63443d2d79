"""What a person says of consent, written down by one of yours or by a program: kept as proof, always.

What holds from then on is the latest word, which may be an older one.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.consent import CONSENT_COLUMN, Statement, Topic, stands
from audience.targeting import record_targeting
from models.errors import BadInputError
from models.states import Channel, ConsentStatus
from store import consents, contacts

__all__ = ["record_statement"]

AHEAD: Final = timedelta(days=1)
"""A day that has begun elsewhere."""


async def record_statement(
    session: AsyncSession, contact_id: int, topic: Topic, said: Statement, now: datetime
) -> ConsentStatus:
    """Keep a statement as proof; what holds from now on.

    Without `given_at` it was said now. BadInputError without a source, for a moment to come, and for what
    says nothing; NotFoundError.
    """
    if not isinstance(topic, Channel):
        return await record_targeting(
            session, contact_id, said.status, source=said.source, given_at=said.given_at, now=now
        )
    if not said.source.strip():
        raise BadInputError("Nobody could prove this consent.", "Say where the person said so.")
    if said.status is ConsentStatus.UNKNOWN:
        raise BadInputError("This says nothing of consent.", "Say granted, or withdrawn.")
    at = said.given_at or now
    if at > now + AHEAD:
        raise BadInputError("A consent cannot come from the future.", "Give the day on which it was said.")
    contact = await contacts.get_contact(session, contact_id)
    status: ConsentStatus = getattr(contact, CONSENT_COLUMN[topic])
    latest = await contacts.latest_statements(session, [contact_id])
    before = latest.get((contact_id, topic, status))
    if said.status is ConsentStatus.WITHDRAWN and before is not None and at >= now:
        # Who says no now comes after whatever they said before, whatever clock dated it.
        at = max(at, before)
    holds = stands(Statement(said.status, at, said.source), status, before)
    await consents.record_statement(
        session,
        contact_id=contact_id,
        channel=topic,
        status=said.status,
        source=said.source.strip(),
        given_at=at,
        now=now,
    )
    if not holds:
        return status
    await consents.set_status(session, contact_id, topic, said.status, now)
    return said.status
