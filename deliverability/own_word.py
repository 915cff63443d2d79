"""A person's own word about a channel: "write to me no more", "this is spam", "write to me again".

The word said last stands, whenever we hear of it: a late unsubscription does not undo a later
subscription. Only words said to us directly count here; what an import claims somebody once agreed to
does not weaken an objection.
"""

from datetime import datetime
from types import MappingProxyType

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.suppression import OWN_WORD, lift_own_word, suppress
from models.event import Event
from models.states import ConsentStatus, EventKind, SuppressionReason
from models.values import Signal
from store import consents

UNSUBSCRIBE_LINK = "unsubscribe link"
STOP = "STOP"
COMPLAINT = "complaint"
UNDO = "undo"
START = "START"
OWN_SOURCES = (UNSUBSCRIBE_LINK, STOP, COMPLAINT, UNDO, START)
"""Sources of consent records that are the person's own words to us; an import's are somebody else's."""
SUPPRESSION_BY_SOURCE = MappingProxyType(
    {
        UNSUBSCRIBE_LINK: SuppressionReason.UNSUBSCRIBE,
        STOP: SuppressionReason.STOP,
        COMPLAINT: SuppressionReason.COMPLAINT,
    }
)


async def hear(
    session: AsyncSession, signal: Signal, event: Event, *, address: str, source: str, now: datetime
) -> None:
    """Act on a person's word, said through `source` about `signal.channel`: proof, contact, suppression.

    `event` is the recorded one; `address` is normalised.
    """
    if event.contact_id is not None:
        await _record_word(session, signal, event.contact_id, source, now)
    if signal.kind is EventKind.RESUBSCRIBED:
        await lift_own_word(
            session,
            signal.channel,
            address,
            reasons=await _taken_back(session, signal, event.contact_id),
            why=f"event {event.id}: {source}",
            now=now,
        )
    # A complaint always suppresses; what the person took back since does not.
    elif source == COMPLAINT or not await _was_taken_back(session, signal, event.contact_id):
        await suppress(
            session,
            signal.channel,
            address,
            SUPPRESSION_BY_SOURCE[source],
            evidence=source,
            event_id=event.id,
            now=now,
        )


async def _taken_back(
    session: AsyncSession, signal: Signal, contact_id: int | None
) -> set[SuppressionReason]:
    """Which suppressions a subscription ends: those whose last objection was said before it."""
    if contact_id is None:
        return set(OWN_WORD)
    ended = set()
    for source in (UNSUBSCRIBE_LINK, STOP):
        last = await consents.latest_statement(session, contact_id, signal.channel, (source,))
        if last is None or last.given_at < signal.at:
            ended.add(SUPPRESSION_BY_SOURCE[source])
    return ended


async def _was_taken_back(session: AsyncSession, signal: Signal, contact_id: int | None) -> bool:
    """Whether the person subscribed again after this objection, of which we hear late."""
    if contact_id is None:
        return False
    last = await consents.latest_statement(session, contact_id, signal.channel, (UNDO, START))
    return last is not None and last.given_at > signal.at


async def _record_word(
    session: AsyncSession, signal: Signal, contact_id: int, source: str, now: datetime
) -> None:
    """Keep the statement as proof, and the last word said to us on the contact."""
    said = ConsentStatus.GRANTED if signal.kind is EventKind.RESUBSCRIBED else ConsentStatus.WITHDRAWN
    await consents.record_statement(
        session,
        contact_id=contact_id,
        channel=signal.channel,
        status=said,
        source=source,
        given_at=signal.at,
        now=now,
    )
    last = await consents.latest_statement(session, contact_id, signal.channel, OWN_SOURCES)
    await consents.set_status(
        session, contact_id, signal.channel, last.status if last is not None else said, now
    )
