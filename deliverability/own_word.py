"""A person's own word about a channel: "write to me no more", "this is spam", "write to me again".

The word said last stands, whenever we hear of it: a late unsubscription does not undo a later
subscription. Only words said to us directly count here; what an import claims somebody once agreed to
does not weaken an objection.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.suppression import OWN_WORD, Objection, lift_own_word, suppress, suppress_all
from models.event import Entry
from models.states import Channel, ConsentStatus, EventKind, SuppressionReason
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


@dataclass(frozen=True, slots=True)
class Word:
    """What a person said through `source` about `signal.channel`.

    `event` is the recorded one; `address` is normalised.
    """

    signal: Signal
    event: Entry
    address: str
    source: str


async def hear_all(session: AsyncSession, words: Sequence[Word], now: datetime) -> None:
    """Act on people's words: proof, contact, suppression. The addresses are held (`suppression.hold`)."""
    said = Counter(key for word in words for key in _about(word))
    alone = [
        word
        for word in words
        if word.signal.kind is not EventKind.RESUBSCRIBED and all(said[key] == 1 for key in _about(word))
    ]
    await _hear_objections(session, alone, now)
    for word in words:
        if word not in alone:
            await _hear(session, word, now)


def _about(word: Word) -> Iterator[tuple[Channel, str | int]]:
    yield word.signal.channel, word.address
    if word.event.contact_id is not None:
        yield word.signal.channel, word.event.contact_id


async def _hear_objections(session: AsyncSession, words: Sequence[Word], now: datetime) -> None:
    """Of as many people, each from one address, in a few statements for all of them."""
    if not words:
        return
    statements = [
        consents.Said(number, word.signal.channel, ConsentStatus.WITHDRAWN, word.source, word.signal.at)
        for word in words
        if (number := word.event.contact_id) is not None
    ]
    await consents.record_statements(session, statements, now)
    known = await consents.statements_through(session, {one.contact_id for one in statements}, OWN_SOURCES)
    last = {(one.contact_id, one.channel): one for one in known}
    await consents.set_statuses(
        session, [last.get((one.contact_id, one.channel), one) for one in statements], now
    )
    again: dict[tuple[int | None, Channel], datetime] = {
        (one.contact_id, one.channel): one.given_at for one in known if one.source in (UNDO, START)
    }
    objections = [
        Objection(
            word.signal.channel, word.address, SUPPRESSION_BY_SOURCE[word.source], word.source, word.event.id
        )
        for word in words
        # A complaint always suppresses; what the person took back since does not.
        if word.source == COMPLAINT or not _is_later(again.get(_whose(word)), word.signal.at)
    ]
    await suppress_all(session, objections, now)


def _whose(word: Word) -> tuple[int | None, Channel]:
    return word.event.contact_id, word.signal.channel


def _is_later(one: datetime | None, than: datetime) -> bool:
    return one is not None and one > than


async def _hear(session: AsyncSession, word: Word, now: datetime) -> None:
    """One word, of a person who may have said another at the same time."""
    signal, event, address, source = word.signal, word.event, word.address, word.source
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
