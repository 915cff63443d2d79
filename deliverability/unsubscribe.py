"""Leaving and coming back, from the link in a message.

A link only ever acts on a POST: mail scanners follow links (RFC 8058 section 4 says why).
`is_stop` is offered here because a text message that says STOP is the same request.
"""

from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.feedback import Applied, apply
from deliverability.own_word import OWN_SOURCES
from deliverability.words import is_stop
from models.delivery import Delivery
from models.errors import NotFoundError
from models.states import ConsentStatus, EventKind
from models.values import Signal
from store import consents, deliveries, events

__all__ = ["is_stop", "is_unsubscribed", "resubscribe", "unsubscribe"]
VIA = frozenset({"one_click", "page", "mailto"})
# Two words said at the very same moment could not be told apart: the second is a little later.
_A_LITTLE = timedelta(microseconds=1)


async def unsubscribe(session: AsyncSession, delivery_id: int, via: str, now: datetime) -> Applied:
    """The person behind a verified link leaves the channel it came by. The caller commits.

    `via`: "one_click" (the mail program's button), "page" or "mailto". REPEATED when they had left already
    from this very message; NotFoundError when there is no such delivery.
    """
    delivery = await _delivery(session, delivery_id)
    returns = await events.count_of_kind(session, delivery.id, EventKind.RESUBSCRIBED)
    return await _apply_word(session, delivery, EventKind.UNSUBSCRIBED, number=returns, via=via, now=now)


async def resubscribe(session: AsyncSession, delivery_id: int, via: str, now: datetime) -> Applied:
    """The person behind a verified link takes an unsubscription back. The caller commits.

    A complaint, or an address that does not exist, stays suppressed.
    """
    delivery = await _delivery(session, delivery_id)
    leaves = await events.count_of_kind(session, delivery.id, EventKind.UNSUBSCRIBED)
    return await _apply_word(session, delivery, EventKind.RESUBSCRIBED, number=leaves, via=via, now=now)


async def is_unsubscribed(session: AsyncSession, delivery_id: int) -> bool:
    """Whether the last word of the person behind a delivery was to leave the channel it came by."""
    delivery = await _delivery(session, delivery_id)
    if delivery.contact_id is None:
        return False
    last = await consents.latest_statement(session, delivery.contact_id, delivery.channel, OWN_SOURCES)
    return last is not None and last.status is ConsentStatus.WITHDRAWN


async def _delivery(session: AsyncSession, delivery_id: int) -> Delivery:
    delivery = await deliveries.get_delivery(session, delivery_id)
    if delivery is None:
        raise NotFoundError("The message this link came with is not on record.")
    return delivery


async def _apply_word(
    session: AsyncSession, delivery: Delivery, kind: EventKind, *, number: int, via: str, now: datetime
) -> Applied:
    """`number` counts the contrary words before: leaving, coming back and leaving again are three events."""
    said_at = now
    if delivery.contact_id is not None:
        last = await consents.latest_statement(session, delivery.contact_id, delivery.channel, OWN_SOURCES)
        if last is not None:
            said_at = max(now, last.given_at + _A_LITTLE)
    signal = Signal(
        kind=kind,
        channel=delivery.channel,
        source=kind.value,
        source_id=f"{delivery.id}:{number}",
        at=said_at,
        delivery_id=delivery.id,
        details={"via": via if via in VIA else "page"},
    )
    return await apply(session, signal, now)
