"""One word for where a message stands, from its delivery's state and the events about it.

The vocabulary is the one callers of send APIs know (django-anymail's, with what comes before the hand-over).
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.delivery import Delivery
from models.event import Event
from models.message import Message, MessageResult
from models.states import DeliveryState, EventKind


class MessageStatus(StrEnum):
    """From the call to the last that is known.

    SENT: the other side's server took it. UNKNOWN: the line dropped before the answer; it is not sent again
    by itself. REJECTED: refused for good, and not because of the recipient.
    """

    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SUBMITTING = "submitting"
    SENT = "sent"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    REJECTED = "rejected"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    HELD = "held"
    UNKNOWN = "unknown"


_S, _M = DeliveryState, MessageStatus
BY_STATE: Final = MappingProxyType(
    {
        _S.QUEUED: _M.QUEUED,
        _S.CLAIMED: _M.QUEUED,
        _S.SENDING: _M.SUBMITTING,
        _S.ACCEPTED: _M.SENT,
        _S.DEFERRED: _M.DEFERRED,
        _S.REFUSED: _M.BOUNCED,
        _S.UNCERTAIN: _M.UNKNOWN,
        _S.HELD: _M.HELD,
        _S.SUPPRESSED: _M.SUPPRESSED,
        _S.CAPPED: _M.SUPPRESSED,
        _S.EXPIRED: _M.EXPIRED,
        _S.CANCELLED: _M.CANCELLED,
    }
)
_LATER: Final = (
    (EventKind.COMPLAINED, _M.COMPLAINED),
    (EventKind.UNSUBSCRIBED, _M.UNSUBSCRIBED),
    (EventKind.BOUNCED, _M.BOUNCED),
    (EventKind.DELIVERED, _M.DELIVERED),
)
"""What is learnt after the hand-over, the gravest first."""


async def status_of(
    session: AsyncSession, message: Message, delivery: Delivery | None
) -> tuple[MessageStatus, str]:
    """The word, and why; "" where nothing is to be explained. Reads the delivery's events by their index."""
    if message.result is MessageResult.SUPPRESSED:
        return _M.SUPPRESSED, message.reason
    if delivery is None:
        return _M.UNKNOWN, ""
    state = DeliveryState(delivery.state)
    if state is _S.QUEUED and delivery.attempts == 0 and message.send_at > message.created_at:
        return _M.SCHEDULED, ""
    if state is not _S.ACCEPTED:
        return BY_STATE[state], delivery.reason
    kinds = (await session.exec(select(Event.kind).where(col(Event.delivery_id) == delivery.id))).all()
    for kind, status in _LATER:
        if kind in kinds:
            return status, ""
    return _M.SENT, ""
