"""One word for where a message stands, from its delivery's state and the events about it.

The vocabulary is the one callers of send APIs know (django-anymail's, with what comes before the hand-over).
"""

from collections.abc import Collection, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.delivery import Delivery
from models.event import Event
from models.message import Message, MessageResult
from models.states import DeliveryState, EventKind, Fault
from store.engine import is_among


class MessageStatus(StrEnum):
    """From the call to the last that is known.

    SENT: the other side's server took it. UNKNOWN: the line dropped before the answer; it is not sent again
    by itself. REJECTED: refused for good, for what was said or who says it: the address may well be right.
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
Learnt = tuple[EventKind, Fault | None]
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
OF_OURS: Final = frozenset({Fault.IDENTITY, Fault.CONTENT, Fault.PROVIDER, Fault.RELAY})
"""Faults that say nothing against the recipient."""


async def status_of(
    session: AsyncSession, message: Message, delivery: Delivery | None
) -> tuple[MessageStatus, str]:
    """The word, and why; "" where nothing is to be explained. Reads the delivery's events by their index."""
    (found,) = await statuses_of(session, [(message, delivery)])
    return found


async def statuses_of(
    session: AsyncSession, rows: Sequence[tuple[Message, Delivery | None]]
) -> list[tuple[MessageStatus, str]]:
    """The same of many messages, in their order, with one look at the events of all."""
    ended = [one.id for _, one in rows if one is not None and one.state in {_S.ACCEPTED, _S.REFUSED}]
    learnt: dict[int | None, set[Learnt]] = {}
    if ended:
        wanted = select(Event.delivery_id, Event.kind, Event.fault)
        found = await session.exec(wanted.where(is_among(session, col(Event.delivery_id), ended)))
        for number, kind, fault in found.all():
            learnt.setdefault(number, set()).add((EventKind(kind), Fault(fault) if fault else None))
    return [_status(message, one, learnt.get(one.id if one else None, set())) for message, one in rows]


def _status(
    message: Message, delivery: Delivery | None, learnt: Collection[Learnt]
) -> tuple[MessageStatus, str]:
    if message.result is MessageResult.SUPPRESSED:
        return _M.SUPPRESSED, message.reason
    if delivery is None:
        return _M.UNKNOWN, ""
    state = DeliveryState(delivery.state)
    if state is _S.QUEUED and delivery.attempts == 0 and message.send_at > message.created_at:
        return _M.SCHEDULED, ""
    if state is _S.REFUSED and any((EventKind.REFUSED, fault) in learnt for fault in OF_OURS):
        return _M.REJECTED, delivery.reason
    if state is not _S.ACCEPTED:
        return BY_STATE[state], delivery.reason
    kinds = {kind for kind, _ in learnt}
    return next((status for kind, status in _LATER if kind in kinds), _M.SENT), ""


def stands_at(status: MessageStatus) -> sa.ColumnElement[bool]:
    """Whether a message has that status: a condition on Message and its Delivery, which may be lacking."""
    refused = col(Message.result) == MessageResult.SUPPRESSED
    state = col(Delivery.state)
    later = sa.and_(col(Delivery.attempts) == 0, col(Message.send_at) > col(Message.created_at))
    match status:
        case _M.SCHEDULED:
            return sa.and_(state == _S.QUEUED, later)
        case _M.QUEUED:
            return sa.or_(state == _S.CLAIMED, sa.and_(state == _S.QUEUED, sa.not_(later)))
        case _M.SUPPRESSED:
            return sa.or_(refused, state.in_([_S.SUPPRESSED, _S.CAPPED]))
        case _M.REJECTED:
            return sa.and_(state == _S.REFUSED, _refused_for_us())
        case _M.UNKNOWN:
            return sa.or_(state == _S.UNCERTAIN, sa.and_(sa.not_(refused), state.is_(None)))
        case _:
            return _comes_to(status, state)


def _comes_to(status: MessageStatus, state: Mapped[DeliveryState]) -> sa.ColumnElement[bool]:
    """The same for what the delivery's state says, or an event and no graver one."""
    states = [one for one, word in BY_STATE.items() if word is status and one is not _S.ACCEPTED]
    known = sa.and_(state.in_(states), sa.not_(sa.and_(state == _S.REFUSED, _refused_for_us())))
    graver: list[sa.ColumnElement[bool]] = []
    for kind, word in _LATER:
        if word is status:
            return sa.or_(known, sa.and_(state == _S.ACCEPTED, _heard(kind), *graver))
        graver.append(sa.not_(_heard(kind)))
    if status is _M.SENT:
        return sa.and_(state == _S.ACCEPTED, *graver)
    return known


def _refused_for_us() -> sa.ColumnElement[bool]:
    return _heard(EventKind.REFUSED).where(col(Event.fault).in_(sorted(OF_OURS)))


def _heard(kind: EventKind) -> sa.Exists:
    return sa.exists().where(col(Event.delivery_id) == col(Delivery.id), col(Event.kind) == kind)
