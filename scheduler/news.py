"""What providers told is applied, each piece once; what leads to no known message waits and is tried again.

News can overtake our own commit by seconds, or come from a database that is being restored; so it is tried
again for three days. What leads to nobody by then stays visible, with its original, and changes nothing.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.feedback import Applied, apply
from models.clock import Clock
from models.errors import StoreError
from models.news import News, NewsState, signal_from_json
from models.states import DeliveryState
from models.values import Signal
from store import Database, deliveries, news

log = logging.getLogger(__name__)

AT_ONCE = 200
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
    if not waiting:
        return False
    try:
        await _apply_all(database, waiting, clock.now())
    except StoreError:
        raise
    except Exception:
        # One of them cannot be applied: the others must not wait for it.
        log.exception("news not applied together")
        for one in waiting:
            await _apply_alone(database, one, clock.now())
    return len(waiting) == AT_ONCE


async def tidy(database: Database, now: datetime) -> None:
    """Forget what was applied a week ago and given up a month ago."""
    async with database.write() as session:
        await news.clear_away(
            session, now, applied=APPLIED_KEPT, unmatched=UNMATCHED_KEPT, nonces=NONCES_KEPT
        )


async def _apply_alone(database: Database, one: News, now: datetime) -> None:
    try:
        await _apply_all(database, [one], now)
    except StoreError:
        raise
    except Exception:
        log.exception("news not applied", extra={"news_id": one.id})
        async with database.write() as session:
            await _wait_or_give_up(session, one, now)


async def _apply_all(database: Database, waiting: Sequence[News], now: datetime) -> None:
    applied: list[int] = []
    async with database.write() as session:
        for one in waiting:
            signal = await _recognised(session, signal_from_json(one.signal, one.raw))
            if await apply(session, signal, now) is Applied.UNMATCHED:
                await _wait_or_give_up(session, one, now)
            else:
                applied.append(one.id)
        await news.settle(session, applied, NewsState.APPLIED)


async def _wait_or_give_up(session: AsyncSession, one: News, now: datetime) -> None:
    if now - one.received_at >= PATIENCE:
        await news.settle(session, [one.id], NewsState.UNMATCHED)
        return
    pause = PAUSES[min(one.tries, len(PAUSES) - 1)]
    await news.put_off(session, one.id, min(now + pause, one.received_at + PATIENCE))


async def _recognised(session: AsyncSession, signal: Signal) -> Signal:
    """The signal with the delivery it is about, where our token did not come back with it.

    By the provider's number, else by the address: the newest message to it that was handed over shortly
    before. An uncertain one is not settled by a guess.
    """
    if signal.delivery_id is not None:
        return signal
    if signal.provider_message_id is not None:
        known = await deliveries.find_by_provider_message_id(session, signal.provider_message_id)
        if known is not None:
            return replace(signal, delivery_id=known.id)
    latest = None
    if signal.recipient is not None:
        latest = await deliveries.latest_to(session, signal.channel, signal.recipient)
    fits = (
        latest is not None
        and latest.state is DeliveryState.ACCEPTED
        and latest.settled_at is not None
        and latest.settled_at - timedelta(minutes=5) <= signal.at <= latest.settled_at + BELONGS
    )
    if latest is not None and fits:
        return replace(signal, delivery_id=latest.id, details={**signal.details, "via": "recipient"})
    # Its person may still be known by the address: a complaint holds without a message.
    return replace(signal, delivery_id=NO_DELIVERY, provider_message_id=None)
