"""What providers told is applied, each piece once; what leads to no known message waits and is tried again.

News can overtake our own commit by seconds, or come from a database that is being restored; so it is tried
again for three days. What leads to nobody by then stays visible, with its original, and changes nothing.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.feedback import Applied, apply_all
from models.clock import Clock
from models.delivery import Delivery
from models.errors import StoreError
from models.news import NewsState, signal_from_json
from models.states import Channel, DeliveryState
from models.values import Signal
from store import Database, deliveries, incoming, news
from store.news import Waiting

log = logging.getLogger(__name__)

AT_ONCE = 500
PATIENCE = timedelta(days=3)
PAUSES = tuple(timedelta(seconds=pause) for pause in (2, 10, 60, 300, 1800, 3600, 10_800, 21_600, 43_200))
"""Between tries, the last one for all that follow."""
BELONGS = timedelta(days=14)
"""How long after a message news of its address alone is taken for news of it."""
NO_DELIVERY = 0
"""The number of no delivery: they begin with 1."""
APPLIED_KEPT, UNMATCHED_KEPT, NONCES_KEPT = timedelta(days=7), timedelta(days=30), timedelta(days=2)


async def apply_news(database: Database, clock: Clock) -> bool:
    """Apply what is due, in one transaction; True when there may be more of it."""
    async with database.read() as session:
        waiting = await news.due(session, clock.now(), limit=AT_ONCE)
    if waiting:
        await _apply_or_halve(database, waiting, clock.now())
    return len(waiting) == AT_ONCE


async def tidy(database: Database, now: datetime) -> None:
    """Forget what was applied a week ago and given up a month ago."""
    async with database.write() as session:
        await news.clear_away(
            session, now, applied=APPLIED_KEPT, unmatched=UNMATCHED_KEPT, nonces=NONCES_KEPT
        )


async def _apply_or_halve(database: Database, waiting: Sequence[Waiting], now: datetime) -> None:
    """Apply all of it at once; where that fails half of it and then the other half, down to one piece."""
    try:
        await _apply_all(database, waiting, now)
    except StoreError:
        raise
    except Exception:
        if len(waiting) > 1:
            # One of them cannot be applied: the others must not wait for it.
            middle = len(waiting) // 2
            await _apply_or_halve(database, waiting[:middle], now)
            await _apply_or_halve(database, waiting[middle:], now)
            return
        log.exception("news not applied", extra={"news_id": waiting[0].id})
        async with database.write() as session:
            if waiting[0].raw:  # kept at once: whether it is given up in the end or not, it can be looked at
                source, raw = waiting[0].source, waiting[0].raw
                await incoming.keep(session, source=source, raw=raw, matched=False, now=now)
            await _wait_or_give_up(session, waiting, now)


async def _apply_all(database: Database, waiting: Sequence[Waiting], now: datetime) -> None:
    async with database.write() as session:
        told = [signal_from_json(one.signal, one.raw) for one in waiting]
        outcomes = await apply_all(session, await _recognised(session, told), now)
        heard = list(zip(waiting, outcomes, strict=True))
        applied = [one.id for one, outcome in heard if outcome is not Applied.UNMATCHED]
        await news.settle(session, applied, NewsState.APPLIED)
        lost = [one for one, outcome in heard if outcome is Applied.UNMATCHED]
        await _wait_or_give_up(session, lost, now)


async def _wait_or_give_up(session: AsyncSession, waiting: Iterable[Waiting], now: datetime) -> None:
    over: list[int] = []
    again: dict[datetime, list[int]] = {}
    for one in waiting:
        if now - one.received_at >= PATIENCE:
            over.append(one.id)
            continue
        pause = PAUSES[min(one.tries, len(PAUSES) - 1)]
        again.setdefault(min(now + pause, one.received_at + PATIENCE), []).append(one.id)
    await news.settle(session, over, NewsState.UNMATCHED)
    for until, numbers in again.items():
        await news.put_off(session, numbers, until)


async def _recognised(session: AsyncSession, signals: Sequence[Signal]) -> list[Signal]:
    """The signals with the deliveries they are about, where our token did not come back with them.

    By the provider's number, else by the address: the newest message to it that was handed over shortly
    before. An uncertain one is not settled by a guess.
    """
    unnamed = [one for one in signals if one.delivery_id is None]
    numbers = {one.provider_message_id for one in unnamed if one.provider_message_id is not None}
    known = await deliveries.known_to_providers(session, numbers)
    latest: dict[tuple[Channel, str], Delivery] = {}
    for channel in {one.channel for one in unnamed}:
        asked = {
            one.recipient
            for one in unnamed
            if one.channel is channel and one.recipient and one.provider_message_id not in known
        }
        newest = await deliveries.latest_to_each(session, channel, asked)
        latest |= {(channel, address): delivery for address, delivery in newest.items()}
    return [_named(one, known, latest) for one in signals]


def _named(
    signal: Signal, known: Mapping[str, Delivery], latest: Mapping[tuple[Channel, str], Delivery]
) -> Signal:
    if signal.delivery_id is not None:
        return signal
    if signal.provider_message_id is not None and signal.provider_message_id in known:
        return replace(signal, delivery_id=known[signal.provider_message_id].id)
    newest = latest.get((signal.channel, signal.recipient or ""))
    fits = (
        newest is not None
        and newest.state is DeliveryState.ACCEPTED
        and newest.settled_at is not None
        and newest.settled_at - timedelta(minutes=5) <= signal.at <= newest.settled_at + BELONGS
        # Known by another number, it is not the one: the account sends for others, too.
        and (signal.provider_message_id is None or newest.provider_message_id is None)
    )
    if newest is not None and fits:
        return replace(signal, delivery_id=newest.id, details={**signal.details, "via": "recipient"})
    # Its person may still be known by the address: a complaint holds without a message.
    return replace(signal, delivery_id=NO_DELIVERY, provider_message_id=None)
