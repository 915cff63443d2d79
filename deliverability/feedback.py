"""News from outside becomes evidence, and what follows from it, once, in the caller's transaction.

A signal is trusted: whoever made it has checked the token or the provider's signature. What is decided
here depends on the set of news alone, never on the order in which it arrives or how often: events are
unique by (source, source id), states only ever leave doubt, and of contrary words of a person the
one said last stands, whenever we hear of it.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.classify import classify_reply, provider_behind
from deliverability.own_word import COMPLAINT, START, STOP, UNDO, UNSUBSCRIBE_LINK, Word, hear_all
from deliverability.policy import LIFE
from deliverability.rulebook import RuleBook
from deliverability.suppression import Place, hold, weigh_news
from models.delivery import Delivery
from models.event import IMPERSONAL, Entry, Event, entry_about, event_about
from models.providers import SMS, provider_of
from models.states import Channel, DeliveryState, EventKind
from models.values import Reply, Signal, Verdict
from store import consents, deliveries, events, incoming
from store.evidence import append_each
from store.incoming import Original

EVIDENCE = "evidence"
PROOF_OF_HANDOVER = frozenset(
    {
        EventKind.RELAYED,
        EventKind.DELIVERED,
        EventKind.DEFERRED,
        EventKind.BOUNCED,
        EventKind.COMPLAINED,
        EventKind.UNSUBSCRIBED,
        EventKind.AUTORESPONDED,
        EventKind.REPLIED,
        EventKind.OPENED,
        EventKind.CLICKED,
        EventKind.PLACED_INBOX,
        EventKind.PLACED_TAB,
        EventKind.PLACED_SPAM,
    }
)
"""News that only a message that was handed over can bring. A bounce is one: somebody took it first."""
PERSONAL = frozenset({EventKind.UNSUBSCRIBED, EventKind.RESUBSCRIBED, EventKind.COMPLAINED})
"""News that holds for an address even when no delivery is known."""


class Applied(StrEnum):
    """What became of a signal: REPEATED and UNMATCHED changed nothing but the kept original."""

    NEW = "new"
    REPEATED = "repeated"
    UNMATCHED = "unmatched"


@dataclass(slots=True)
class _Piece:
    """One signal on its way: what it is about, and what becomes of it."""

    signal: Signal
    delivery: Delivery | None
    contact_id: int | None
    event: Entry
    verdict: Verdict | None
    outcome: Applied = Applied.UNMATCHED

    @property
    def is_matched(self) -> bool:
        """Whether anything follows from it."""
        named = self.signal.kind in PERSONAL and self.signal.recipient is not None
        return self.delivery is not None or named

    @property
    def is_erased(self) -> bool:
        """Whether the person it is about is not known any more."""
        return self.delivery is not None and not self.delivery.address


async def apply(session: AsyncSession, signal: Signal, now: datetime) -> Applied:
    """Record one piece of news and do what follows from it. The caller commits."""
    (outcome,) = await apply_all(session, [signal], now)
    return outcome


async def apply_all(
    session: AsyncSession, signals: Sequence[Signal], now: datetime, *, besides: Collection[Place] = ()
) -> list[Applied]:
    """`apply` for each, in a few statements for all of them: what became of each, in their order.

    `besides`: addresses that the transaction decides about otherwise; all are held in one order.

    One that cannot be applied raises, and nothing of the others is to be committed then: the caller tries
    smaller heaps (`store.together`).
    """
    found = await _deliveries_of(session, signals)
    pieces = [
        await _piece_of(session, signal, delivery, now)
        for signal, delivery in zip(signals, found, strict=True)
    ]
    await incoming.keep_all(session, _originals(pieces), now)
    matched = [piece for piece in pieces if piece.is_matched]
    new = await append_each(session, [piece.event for piece in matched])
    for piece, is_new in zip(matched, new, strict=True):
        piece.outcome = Applied.NEW if is_new else Applied.REPEATED
    new_ones = [piece for piece in matched if piece.outcome is Applied.NEW]
    await _follow(session, new_ones, now, besides)
    return [piece.outcome for piece in pieces]


async def _piece_of(
    session: AsyncSession, signal: Signal, delivery: Delivery | None, now: datetime
) -> _Piece:
    contact_id = await _contact_of(session, signal) if delivery is None else delivery.contact_id
    verdict = verdict_on(signal, delivery)
    piece = _Piece(signal, delivery, contact_id, _event_of(signal, delivery, verdict, now), verdict)
    event = piece.event
    if piece.is_erased:
        piece.contact_id = None  # SQLite gives the number to somebody else, who has said nothing
        event.text = ""
        event.details = {name: said for name, said in event.details.items() if name in IMPERSONAL}
    event.contact_id = piece.contact_id
    return piece


def _originals(pieces: Iterable[_Piece]) -> Iterator[Original]:
    for piece in pieces:
        signal = piece.signal
        if signal.raw and not piece.is_erased:
            yield Original(signal.source, signal.raw, piece.is_matched, piece.contact_id, signal.cover)


async def _follow(
    session: AsyncSession, pieces: Sequence[_Piece], now: datetime, besides: Collection[Place]
) -> None:
    """What recorded news means: for the message, for the address it went to, for the person."""
    # In one order, so that two who hear of the same messages do not wait for each other in a circle.
    for piece in sorted(pieces, key=lambda one: one.delivery.id if one.delivery is not None else 0):
        delivery = piece.delivery
        if (
            delivery is not None
            and deliveries.is_in_doubt(delivery)
            and piece.signal.kind in PROOF_OF_HANDOVER
        ):
            await _record_settlement(session, delivery, piece.event, piece.signal.provider_message_id, now)
    pieces = [piece for piece in pieces if piece.delivery is None or piece.delivery.seed_id is None]
    known = [
        (piece, piece.delivery) for piece in pieces if piece.delivery is not None and piece.delivery.address
    ]
    about = {(piece.signal.channel, address) for piece in pieces if (address := _address(piece))}
    await hold(session, about.union(besides))
    await weigh_news(
        session,
        failed={(one.channel, one.address) for piece, one in known if _is_failure(piece)},
        alive={(one.channel, one.address) for piece, one in known if _is_life(piece)},
        now=now,
    )
    words = [
        Word(piece.signal, piece.event, address, source)
        for piece in pieces
        if (source := _own_word(piece.signal)) is not None and (address := _address(piece)) is not None
    ]
    await hear_all(session, words, now)


def _address(piece: _Piece) -> str | None:
    """Of an erased person only the fingerprint of what the news itself names can be kept."""
    return (piece.delivery.address if piece.delivery is not None else "") or piece.signal.recipient


def _is_failure(piece: _Piece) -> bool:
    return piece.signal.kind is EventKind.BOUNCED and piece.verdict is not None


def _is_life(piece: _Piece) -> bool:
    return piece.signal.kind in LIFE and "machine" not in piece.signal.details


def _own_word(signal: Signal) -> str | None:
    """How the person said it, if it is a word of theirs."""
    match signal.kind:
        case EventKind.COMPLAINED:
            return COMPLAINT
        case EventKind.UNSUBSCRIBED:
            return STOP if _is_texted(signal) else UNSUBSCRIBE_LINK
        case EventKind.RESUBSCRIBED:
            return START if _is_texted(signal) else UNDO
        case _:
            return None


async def settle_from_evidence(session: AsyncSession, delivery: Delivery, now: datetime) -> bool:
    """Settle an uncertain delivery by news that came while it was still on the wire; False without any."""
    if delivery.state is not DeliveryState.UNCERTAIN:
        return False
    for event in await events.events_of_delivery(session, delivery.id):
        # A deferral may be our own attempt's: it proves nothing here.
        if event.kind in PROOF_OF_HANDOVER and event.kind is not EventKind.DEFERRED:
            return await _record_settlement(session, delivery, event, None, now)
    return False


async def _deliveries_of(session: AsyncSession, signals: Sequence[Signal]) -> list[Delivery | None]:
    """Of each: by our own number, by the provider's, or the newest one to the address that fits."""
    numbers = {one.delivery_id for one in signals if one.delivery_id is not None}
    ours = await deliveries.get_many(session, numbers)
    others = [one for one in signals if one.delivery_id is None]
    theirs = {one.provider_message_id for one in others if one.provider_message_id is not None}
    known = await deliveries.known_to_providers(session, theirs)
    latest: dict[tuple[Channel, str], Delivery] = {}
    for channel in {one.channel for one in others}:
        asked = {
            one.recipient
            for one in others
            if one.channel is channel and one.recipient and one.provider_message_id not in known
        }
        newest = await deliveries.latest_to_each(session, channel, asked)
        latest |= {(channel, address): delivery for address, delivery in newest.items()}

    def found(signal: Signal) -> Delivery | None:
        if signal.delivery_id is not None:
            return ours.get(signal.delivery_id)
        number = signal.provider_message_id
        if number is not None and number in known:
            return known[number]
        newest = latest.get((signal.channel, signal.recipient or ""))
        if newest is None or number is None:
            return newest
        # The provider's call can overtake our own commit: then the number is not on the delivery yet.
        overtaken = newest.state in {DeliveryState.SENDING, DeliveryState.UNCERTAIN}
        return newest if overtaken and newest.provider_message_id is None else None

    return [found(signal) for signal in signals]


async def _contact_of(session: AsyncSession, signal: Signal) -> int | None:
    if signal.channel is Channel.SMS and signal.recipient is not None:
        return await consents.contact_of_phone(session, signal.recipient)
    return None


def verdict_on(signal: Signal, delivery: Delivery | None, book: RuleBook | None = None) -> Verdict | None:
    """The signal's own verdict, or what the rules (those in force, unless a `book` is given) make of it."""
    if signal.verdict is not None or signal.reply is None:
        return signal.verdict
    if signal.kind not in {EventKind.BOUNCED, EventKind.DEFERRED}:
        return None
    if signal.channel is Channel.SMS:
        provider = SMS
    else:
        known = delivery.provider if delivery is not None else provider_of(signal.recipient or "")
        provider = provider_behind(known, signal.details.get("remote_mta", ""))
    permanent = signal.kind is EventKind.BOUNCED and not _is_temporary(signal.reply, signal.channel)
    return classify_reply(
        signal.reply, provider=provider, channel=signal.channel, permanent=permanent, book=book
    )


def _is_temporary(reply: Reply, channel: Channel) -> bool:
    """Whether the status says so: a message given up after days of 4.x.x says nothing final of the person."""
    if channel is Channel.SMS:
        return False
    if reply.enhanced is not None:
        return reply.enhanced.startswith("4")
    return reply.code is not None and reply.code < 500


def _event_of(signal: Signal, delivery: Delivery | None, verdict: Verdict | None, now: datetime) -> Entry:
    if delivery is not None:
        event = entry_about(
            delivery,
            signal.kind,
            source=signal.source,
            source_id=signal.source_id,
            at=signal.at,
            now=now,
            reply=signal.reply,
            verdict=verdict,
        )
    else:
        event = Entry(
            kind=signal.kind,
            source=signal.source,
            source_id=signal.source_id,
            text=signal.reply.text if signal.reply else "",
            at=signal.at,
            recorded_at=now,
        )
    event.link_index = signal.link_index
    event.details = dict(signal.details)
    return event


async def _record_settlement(
    session: AsyncSession,
    delivery: Delivery,
    proof: Entry | Event,
    provider_message_id: str | None,
    now: datetime,
) -> bool:
    """One allowed transition, with the event that lets the report count it."""
    moved = await deliveries.settle_uncertain(
        session, delivery.id, now=now, provider_message_id=provider_message_id
    )
    if not moved:
        return False
    await session.refresh(delivery)
    accepted = event_about(
        delivery, EventKind.ACCEPTED, source=EVIDENCE, source_id=str(delivery.id), at=now, now=now
    )
    accepted.details = {"proof": proof.kind.value, "event": str(proof.id)}
    return await events.append(session, accepted)


def _is_texted(signal: Signal) -> bool:
    """Whether the person wrote a text message, rather than followed the link in one."""
    return signal.channel is Channel.SMS and signal.details.get("via") not in {"page", "one_click"}
