"""The kept originals of bounces and complaints, read again: by better readers, and by other rules.

Not a second way for news to come in: what an original now says of a message that nobody heard before goes
through `feedback.apply` like all news; what was heard and is read differently is a new reading of that event.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.classify import is_unproven
from deliverability.feedback import apply_all, verdict_on
from deliverability.replay import Change, reading_of, record_reading, skeleton
from deliverability.rereading import BY_MAIL, signals_in
from deliverability.rulebook import RuleBook
from deliverability.signals.hooks import PROVIDERS
from deliverability.suppression import Place, foresee, weigh
from models.delivery import Delivery
from models.event import Event, Incoming
from models.states import BounceClass, EventKind, Fault, Permanence
from models.tokens import Tokens
from models.values import Signal, Verdict
from store import Database, deliveries, events, incoming
from store.events import Told

A_PAGE = 20
"""Originals in memory at once: each may be a megabyte."""
NO_BOUNCE = Verdict(BounceClass.UNKNOWN, Fault.UNKNOWN, Permanence.SOFT, "no bounce")


@dataclass(frozen=True, slots=True)
class Reread:
    """Originals `read`, and `unread`: what no reader of theirs could read, or no bounce comes as.

    `news` in them that nobody had heard; what changes; people suppressed, or spared.
    """

    read: int
    unread: int
    news: int
    changes: tuple[Change, ...]
    would_suppress: int
    would_spare: int


@dataclass(frozen=True, slots=True)
class _Difference:
    """What one signal now says of `delivery`: of an `event` on record, or, without one, as news."""

    delivery: Delivery
    signal: Signal
    event: Event | None
    before: Verdict
    after: Verdict


async def read_originals_again(
    database: Database, tokens: Tokens, book: RuleBook, *, since: datetime, now: datetime, act: bool
) -> Reread:
    """Read the originals kept since a moment again; with `act`, on record and with what follows from it.

    Each original is a transaction; what was carried out once changes nothing the next time.
    """
    read = unread = news = suppressed = spared = 0
    counts: Counter[tuple[str, str, str]] = Counter()
    examples: dict[tuple[str, str, str], str] = {}
    unproven: Counter[tuple[str, str, str]] = Counter()
    before_id: int | None = None
    while True:
        async with database.read() as session:
            page = await incoming.kept(session, since=since, before_id=before_id, limit=A_PAGE)
            session.expunge_all()
        for original in page:
            signals = await signals_in(original, tokens)
            if signals is None:
                unread += 1
                continue
            read += 1
            async with database.write() if act else database.read() as session:
                told = [await _difference(session, original, one, book) for one in signals]
                differences = [found for found in told if found is not None]
                for found in differences:
                    form = (found.delivery.provider, _name(found.before), _name(found.after))
                    counts[form] += 1
                    unproven[form] += is_unproven(found.after, book)
                    text = found.signal.reply.text if found.signal.reply else ""
                    examples.setdefault(form, skeleton(text))
                    news += found.event is None
                added, ended = await _follow(session, differences, book, now, act=act)
                suppressed, spared = suppressed + added, spared + ended
        if len(page) < A_PAGE:
            break
        before_id = page[-1].id
    changes = tuple(
        Change(*form, count=count, example=examples[form], unproven=unproven[form])
        for form, count in counts.most_common()
    )
    return Reread(read, unread, news, changes, suppressed, spared)


async def _difference(
    session: AsyncSession, original: Incoming, signal: Signal, book: RuleBook
) -> _Difference | None:
    delivery = await _delivery_of(session, original, signal)
    if delivery is None or not delivery.address or delivery.seed_id is not None:
        return None
    signal = replace(signal, delivery_id=delivery.id)
    bounced = signal.kind is EventKind.BOUNCED
    after = (verdict_on(signal, delivery, book) if bounced else None) or NO_BOUNCE
    known = await events.events_of_delivery(session, delivery.id)
    event = _on_record(original, signal, known, bounced=bounced)
    if event is None:
        is_new = bounced and not any(_may_be_it(one, signal) for one in known)
        return _Difference(delivery, signal, None, NO_BOUNCE, after) if is_new else None
    later = (await events.rereadings(session, [delivery.id])).get(event.id, [event])
    before = reading_of(later[-1])
    if bounced and after is NO_BOUNCE and not before.rule:
        return None  # it says that it bounced and not why, as ever
    return _Difference(delivery, signal, event, before, after) if before != after else None


async def _delivery_of(session: AsyncSession, original: Incoming, signal: Signal) -> Delivery | None:
    """By our token, by what was recorded of it, or by the provider's own number."""
    number = signal.delivery_id
    if number is None and original.source not in BY_MAIL:
        number = await events.delivery_of(session, signal.source, signal.source_id)
    if number is not None:
        return await deliveries.get_delivery(session, number)
    theirs = signal.provider_message_id
    return await deliveries.find_by_provider_message_id(session, theirs) if theirs is not None else None


def _on_record(original: Incoming, signal: Signal, known: list[Event], *, bounced: bool) -> Event | None:
    """The bounce on record that this is about: by its name, else, as readers give new names, by its kind.

    Of those that may have been read from this very original: another one's stays what its own says.
    """
    bounces = [one for one in known if one.kind is EventKind.BOUNCED]
    named = next((one for one in bounces if _is_it(one, signal)), None)
    if named is not None or not bounces or not original.matched:
        return named
    if original.source in PROVIDERS:
        # Its name may have stood in a header of the call, which is not kept.
        told = [one for one in bounces if _may_be_it(one, signal)]
        return told[0] if bounced and len(told) == 1 else None
    mailed = [one for one in known if one.source in BY_MAIL and one.recorded_at >= original.received_at]
    at_once = [one for one in mailed if one.recorded_at == original.received_at]
    found = [one for one in at_once or mailed if one in bounces]
    return found[0] if len(found) == 1 else None


def _is_it(event: Event, signal: Signal) -> bool:
    return (event.source, event.source_id) == (signal.source, signal.source_id)


def _may_be_it(event: Event, signal: Signal) -> bool:
    """By its name, or, where a provider's webhook gives one beside the body, by its moment."""
    at_once = signal.source in PROVIDERS and event.source == signal.source and event.at == signal.at
    return at_once or _is_it(event, signal)


async def _follow(
    session: AsyncSession, differences: Sequence[_Difference], book: RuleBook, now: datetime, *, act: bool
) -> tuple[int, int]:
    """How many suppressions are added and ended by what one original says."""
    places: dict[Place, list[_Difference]] = {}
    for found in differences:
        places.setdefault((found.delivery.channel, found.delivery.address), []).append(found)
    added = ended = 0
    for (channel, address), some in places.items():
        read_as = {one.event.id: one.after for one in some if one.event is not None}
        besides = [_told(one) for one in some if one.event is None]
        plan = await foresee(session, channel, address, read_as=read_as, besides=besides)
        added, ended = added + plan.missing, ended + len(plan.unfounded)
    if act:
        await _carry_out(session, differences, places, book, now)
    return added, ended


async def _carry_out(
    session: AsyncSession,
    differences: Sequence[_Difference],
    places: Collection[Place],
    book: RuleBook,
    now: datetime,
) -> None:
    """What is written comes first, then every address is held, in one order: others hear of the same ones."""
    for one in differences:
        if one.event is not None:
            await record_reading(session, one.event.id, one.after, now)
    unheard = [replace(one.signal, verdict=one.after, raw=b"") for one in differences if one.event is None]
    await apply_all(session, unheard, now, besides=places)
    why = f"rules {book.version} read its original otherwise"
    for channel, address in sorted(places):
        await weigh(session, channel, address, now, why=why)


def _told(found: _Difference) -> Told:
    delivery, after = found.delivery, found.after
    return Told(
        event_id=-1,
        delivery_id=delivery.id,
        campaign_id=delivery.campaign_id,
        kind=found.signal.kind,
        at=found.signal.at,
        bounce_class=after.bounce_class,
        fault=after.fault,
        permanence=after.permanence,
        rule=after.rule,
    )


def _name(verdict: Verdict) -> str:
    return f"{verdict.rule or 'no rule'} ({verdict.bounce_class.value})"
