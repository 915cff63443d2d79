"""News from outside becomes evidence, and what follows from it, once, in the caller's transaction.

A signal is trusted: whoever made it has checked the token or the provider's signature. What is decided
here depends on the set of news alone, never on the order in which it arrives or how often: events are
unique by (source, source id), states only ever leave UNCERTAIN, and of contrary words of a person the
one said last stands, whenever we hear of it.
"""

from datetime import datetime
from enum import StrEnum

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.classify import classify_reply, provider_behind
from deliverability.own_word import COMPLAINT, START, STOP, UNDO, UNSUBSCRIBE_LINK, hear
from deliverability.policy import LIFE
from deliverability.rulebook import RuleBook
from deliverability.suppression import act_on_verdict, notice_life
from models.delivery import Delivery
from models.event import IMPERSONAL, Event, event_about
from models.providers import SMS, provider_of
from models.states import Channel, DeliveryState, EventKind
from models.values import Reply, Signal, Verdict
from store import consents, deliveries, events, incoming

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


async def apply(session: AsyncSession, signal: Signal, now: datetime) -> Applied:
    """Record one piece of news and do what follows from it. The caller commits."""
    delivery = await _delivery_of(session, signal)
    matched = delivery is not None or (signal.kind in PERSONAL and signal.recipient is not None)
    contact_id = await _contact_of(session, signal) if delivery is None else delivery.contact_id
    erased = delivery is not None and not delivery.address
    if erased:
        contact_id = None  # SQLite gives the number to somebody else, who has said nothing
    if signal.raw and not erased:
        await incoming.keep(
            session,
            source=signal.source,
            raw=signal.raw,
            matched=matched,
            now=now,
            contact_id=contact_id,
            cover=signal.cover,
        )
    if not matched:
        return Applied.UNMATCHED
    verdict = verdict_on(signal, delivery)
    event = _event_of(signal, delivery, verdict, now)
    event.contact_id = contact_id
    if erased:
        event.text, event.details = (
            "",
            {name: event.details[name] for name in IMPERSONAL if name in event.details},
        )
    if not await events.append(session, event):
        return Applied.REPEATED
    if (
        delivery is not None
        and delivery.state is DeliveryState.UNCERTAIN
        and signal.kind in PROOF_OF_HANDOVER
    ):
        await _record_settlement(session, delivery, event, signal.provider_message_id, now)
    if delivery is None or delivery.seed_id is None:
        await _take_effect(session, signal, event, delivery=delivery, verdict=verdict, now=now)
    return Applied.NEW


async def settle_from_evidence(session: AsyncSession, delivery: Delivery, now: datetime) -> bool:
    """Settle an uncertain delivery by news that came while it was still on the wire; False without any."""
    if delivery.state is not DeliveryState.UNCERTAIN:
        return False
    for event in await events.events_of_delivery(session, delivery.id):
        # A deferral may be our own attempt's: it proves nothing here.
        if event.kind in PROOF_OF_HANDOVER and event.kind is not EventKind.DEFERRED:
            return await _record_settlement(session, delivery, event, None, now)
    return False


async def _delivery_of(session: AsyncSession, signal: Signal) -> Delivery | None:
    """By our own number, by the provider's, or the newest one to the address that fits."""
    if signal.delivery_id is not None:
        return await deliveries.get_delivery(session, signal.delivery_id)
    if signal.provider_message_id is not None:
        known = await deliveries.find_by_provider_message_id(session, signal.provider_message_id)
        if known is not None:
            return known
    if signal.recipient is None:
        return None
    latest = await deliveries.latest_to(session, signal.channel, signal.recipient)
    if latest is None or signal.provider_message_id is None:
        return latest
    # The provider's call can overtake our own commit: then the number is not on the delivery yet.
    overtaken = latest.state in {DeliveryState.SENDING, DeliveryState.UNCERTAIN}
    return latest if overtaken and latest.provider_message_id is None else None


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


def _event_of(signal: Signal, delivery: Delivery | None, verdict: Verdict | None, now: datetime) -> Event:
    if delivery is not None:
        event = event_about(
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
        event = Event(
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
    session: AsyncSession, delivery: Delivery, proof: Event, provider_message_id: str | None, now: datetime
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


async def _take_effect(
    session: AsyncSession,
    signal: Signal,
    event: Event,
    *,
    delivery: Delivery | None,
    verdict: Verdict | None,
    now: datetime,
) -> None:
    """What the news means for the person."""
    # Of an erased person only the fingerprint of what the news itself names can be kept.
    address = (delivery.address if delivery is not None else "") or signal.recipient
    if delivery is not None and signal.kind in LIFE and "machine" not in signal.details:
        await notice_life(session, delivery, now)
    match signal.kind:
        case EventKind.BOUNCED if delivery is not None and delivery.address and verdict is not None:
            await act_on_verdict(session, delivery, verdict, event_id=event.id, now=now)
        case EventKind.COMPLAINED if address is not None:
            await hear(session, signal, event, address=address, source=COMPLAINT, now=now)
        case EventKind.UNSUBSCRIBED if address is not None:
            source = STOP if _is_texted(signal) else UNSUBSCRIBE_LINK
            await hear(session, signal, event, address=address, source=source, now=now)
        case EventKind.RESUBSCRIBED if address is not None:
            source = START if _is_texted(signal) else UNDO
            await hear(session, signal, event, address=address, source=source, now=now)
        case _:
            pass


def _is_texted(signal: Signal) -> bool:
    """Whether the person wrote a text message, rather than followed the link in one."""
    return signal.channel is Channel.SMS and signal.details.get("via") not in {"page", "one_click"}
