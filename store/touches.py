"""What a person has been sent lately, over every identity and both channels: what frequency caps count.

A touch is a message that has left or may have left (accepted, uncertain, on the wire at this moment), and
counts from the moment at which it did. The gate before each sending asks for that. The freeze of an
audience asks more cautiously, counting also what other campaigns still have queued for the person, from
the moment at which it is due. Exempt messages (receipts, passwords) count nowhere.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.columns import UtcDateTime
from models.delivery import Delivery
from models.states import CampaignState, Channel, DeliveryState
from store.bulk import Question, Spelling, listed
from store.engine import checked, is_among, planned_afresh

__all__ = ["Cap", "Touches", "busy_people", "expected", "of_the_busy", "recent", "too_many"]

Touches = dict[int, list[tuple[Channel, datetime]]]
"""By contact number: the channel and the moment of each message, in no order."""


@dataclass(frozen=True, slots=True)
class Cap:
    """So many messages between two moments are too many; of one channel, or of both together (None)."""

    since: datetime
    until: datetime
    most: int
    channel: Channel | None = None


LEFT: Final = (DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN)
TO_COME: Final = (DeliveryState.QUEUED, DeliveryState.CLAIMED, DeliveryState.DEFERRED)
GOING_ON: Final = (CampaignState.LAUNCHING, CampaignState.SENDING)
"""Campaigns whose queue leaves. A paused one may never: the gate counts it if it does."""


def _contact_id() -> sa.ColumnElement[int]:
    return cast("sa.ColumnElement[int]", Delivery.contact_id)


async def recent(
    session: AsyncSession,
    contact_ids: Collection[int],
    *,
    since: datetime,
    except_ids: Collection[int] = (),
    now: datetime,
) -> Touches:
    """What has left for these people after `since`; who got nothing is missing.

    What is on the wire counts as leaving `now`. `except_ids` are deliveries that do not count: the ones
    that are being asked about. Served by ix_delivery_contact_settled.
    """
    touches: Touches = defaultdict(list)
    if not contact_ids:
        return touches
    passed_over = frozenset(except_ids)
    people = listed(session, sorted(set(contact_ids)))
    for number, contact_id, channel, settled_at in await _RECENT.ask(session, people=people, since=since):
        if number not in passed_over:
            touches[contact_id].append((channel, settled_at or now))
    return touches


def _recent(spelling: Spelling) -> sa.Select[Any]:
    state = col(Delivery.state)
    counted = sa.or_(
        sa.and_(
            col(Delivery.settled_at) > sa.bindparam("since", type_=UtcDateTime),
            sa.or_(*(state == each for each in LEFT)),
        ),
        state == DeliveryState.SENDING,
    )
    wanted: Any = sa.select(col(Delivery.id), _contact_id(), col(Delivery.channel), col(Delivery.settled_at))
    among = spelling.among(_contact_id(), "people")
    return cast(
        "sa.Select[Any]", wanted.where(among, sa.not_(col(Delivery.exempt)), spelling.checked(counted))
    )


_RECENT = Question(_recent)


async def expected(
    session: AsyncSession, contact_ids: Collection[int], *, since: datetime, campaign_id: int, now: datetime
) -> Touches:
    """What has left for these people after `since`, or is queued for them, campaign `campaign_id` aside.

    Served by ix_delivery_contact_settled.
    """
    touches: Touches = defaultdict(list)
    if not contact_ids:
        return touches
    question = sa.select(_contact_id(), col(Delivery.channel), _moment(now)).where(
        is_among(session, col(Delivery.contact_id), sorted(set(contact_ids))),
        checked(session, _counts(since, campaign_id)),
    )
    connection = await session.connection()
    for contact_id, channel, moment in await connection.execute(question):
        touches[contact_id].append((channel, moment))
    return touches


async def busy_people(
    session: AsyncSession,
    caps: Sequence[Cap],
    *,
    after_id: int,
    up_to_id: int,
    campaign_id: int,
    now: datetime,
) -> list[int]:
    """Who, of the contacts numbered above `after_id` up to `up_to_id`, has reached one of `caps`.

    Counted as in `expected`. Served by ix_delivery_contact_settled.
    """
    if not caps:
        return []
    contact_id = _contact_id()
    numbered = sa.and_(contact_id > after_id, contact_id <= up_to_id)
    connection = await session.connection()
    async with planned_afresh(session):
        question = _reached(numbered, caps, campaign_id=campaign_id, now=now)
        return list((await connection.scalars(question)).all())


async def of_the_busy(
    session: AsyncSession, caps: Sequence[Cap], among: Sequence[int], *, campaign_id: int, now: datetime
) -> Touches:
    """As `expected`, of those `among` (ascending) who have reached one of `caps`; of nobody else.

    Asked for by the range in which they lie: for many that is quickest, and nobody's touches are read but
    theirs, since between the first and the last of a small audience lies everybody else.
    """
    if not caps or not among:
        return {}
    first, last = among[0] - 1, among[-1]
    busy = await busy_people(session, caps, after_id=first, up_to_id=last, campaign_id=campaign_id, now=now)
    since = min(cap.since for cap in caps)
    theirs = set(among).intersection(busy)
    return await expected(session, theirs, since=since, campaign_id=campaign_id, now=now)


def too_many(
    people: sa.Select[int], caps: Sequence[Cap], *, campaign_id: int, now: datetime
) -> sa.Select[int]:
    """The numbers of those of `people` (a question for numbers) who have reached one of `caps`.

    Counted as in `expected`, in the database. Served by ix_delivery_contact_settled.
    """
    return _reached(_contact_id().in_(people), caps, campaign_id=campaign_id, now=now)


def _reached(
    whom: sa.ColumnElement[bool], caps: Sequence[Cap], *, campaign_id: int, now: datetime
) -> sa.Select[int]:
    moment = _moment(now)
    reached = [
        sa.func.sum(sa.case((_within(cap, moment), 1), else_=0)) >= sa.literal(cap.most, sa.Integer)
        for cap in caps
    ]
    contact_id = _contact_id()
    return (
        sa.select(contact_id)
        .where(whom)
        .where(_counts(min((cap.since for cap in caps), default=now), campaign_id))
        .group_by(contact_id)
        .having(sa.or_(sa.false(), *reached))
    )


def _within(cap: Cap, moment: sa.ColumnElement[datetime]) -> sa.ColumnElement[bool]:
    within = sa.and_(moment > cap.since, moment < cap.until)
    return within if cap.channel is None else sa.and_(within, col(Delivery.channel) == cap.channel)


def _counts(since: datetime, campaign_id: int) -> sa.ColumnElement[bool]:
    under_way = sa.select(col(Campaign.id)).where(col(Campaign.state).in_(GOING_ON))
    state = col(Delivery.state)
    return sa.and_(
        sa.not_(col(Delivery.exempt)),
        col(Delivery.campaign_id) != campaign_id,
        sa.or_(
            sa.and_(state.in_(LEFT), col(Delivery.settled_at) > since),
            state == DeliveryState.SENDING,
            sa.and_(state.in_(TO_COME), col(Delivery.campaign_id).in_(under_way)),
        ),
    )


def _moment(now: datetime) -> sa.ColumnElement[datetime]:
    """When a message left, or is likely to."""
    at_once = sa.literal(now, UtcDateTime())
    due = sa.case((col(Delivery.due_at) > now, col(Delivery.due_at)), else_=at_once)
    return sa.case(
        (col(Delivery.state).in_(LEFT), col(Delivery.settled_at)),
        (col(Delivery.state).in_(TO_COME), due),
        else_=at_once,
    )
