"""How often people are written to, and what they do about it: counted from the ledger, kept as a few rows.

Counting reads as many rows as there are messages; it is done in the background, a stretch of people at a
time, so that no question takes long. Pages read what was counted.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.contact import Contact
from models.delivery import Delivery
from models.event import Event
from models.pressure import Fatigue, Pressure
from models.states import Channel, DeliveryState, EventKind, Purpose
from store.engine import checked, earlier, planned_afresh
from store.touches import LEFT

EVERYBODY: Final = 0
"""Stands for all identities together."""
WEEK: Final = timedelta(days=7)
REACTIONS: Final = (EventKind.CLICKED, EventKind.UNSUBSCRIBED, EventKind.COMPLAINED)
_DELIVERY = sa.inspect(Delivery).local_table
_EVENT = sa.inspect(Event).local_table.c
_OTHER = _DELIVERY.alias("other")
_SENT = _DELIVERY.c

Place = tuple[int, int]
"""An identity, and a number of messages."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A campaign, when it ended (None: it goes on), and when it was last counted (None: not yet)."""

    campaign_id: int
    launched_at: datetime
    ended_at: datetime | None
    counted_at: datetime | None


async def next_stretch(session: AsyncSession, after_id: int, people: int) -> int | None:
    """The number of the contact `people` further on than `after_id`; None: there are not so many left.

    Served by the primary key of contact.
    """
    wanted = select(Contact.id).where(col(Contact.id) > after_id).order_by(col(Contact.id))
    return (await session.exec(wanted.offset(people - 1).limit(1))).first()


async def people_listed(session: AsyncSession) -> int:
    """How many people there are. Reads an index of the contacts."""
    return int((await session.exec(select(sa.func.count()).select_from(Contact))).one())


async def received(
    session: AsyncSession, *, after_id: int, up_to_id: int | None, since: datetime, until: datetime
) -> dict[Place, int]:
    """How many people got so many messages after `since`, by identity, and of all identities (0).

    Of the contacts numbered above `after_id` up to `up_to_id`. Served by ix_delivery_contact_settled.
    """
    left = checked(
        session,
        _SENT.settled_at > since,
        _SENT.settled_at <= until,
        _SENT.state.in_(LEFT),
        sa.not_(_SENT.exempt),
    )
    each = (
        sa.select(_SENT.contact_id, _SENT.identity_id, sa.func.count().label("received"))
        .where(*_numbered(_SENT.contact_id, after_id, up_to_id), left)
        .group_by(_SENT.contact_id, _SENT.identity_id)
        .cte("each")
    )
    person = sa.select(sa.func.sum(each.c.received).label("received")).group_by(each.c.contact_id).subquery()
    by_identity = sa.select(each.c.identity_id, each.c.received, sa.func.count()).group_by(
        each.c.identity_id, each.c.received
    )
    of_all = sa.select(
        sa.literal(EVERYBODY), sa.cast(person.c.received, sa.Integer), sa.func.count()
    ).group_by(person.c.received)
    async with planned_afresh(session):
        rows = await _rows(session, sa.union_all(by_identity, of_all))
    return {(identity_id, int(number)): int(people) for identity_id, number, people in rows}


async def keep_received(session: AsyncSession, people: Mapping[Place, int], now: datetime) -> None:
    """Keep what was counted, instead of what was counted before."""
    await session.exec(sa.delete(Pressure).execution_options(synchronize_session=False))
    rows = [
        {"identity_id": identity_id, "received": number, "people": count, "counted_at": now}
        for (identity_id, number), count in sorted(people.items())
    ]
    if rows:
        await session.exec(sa.insert(Pressure), params=rows)


async def list_received(session: AsyncSession, identity_ids: Collection[int]) -> list[Pressure]:
    """What was counted last of these identities; EVERYBODY: of all together. By the primary key."""
    wanted = select(Pressure).where(col(Pressure.identity_id).in_(identity_ids))
    return list((await session.exec(wanted.order_by(col(Pressure.received)))).all())


async def to_count(session: AsyncSession, since: datetime) -> list[Counted]:
    """E-mail campaigns launched after `since`, the newest first, and when each was counted.

    Reads the campaigns, and the primary key of fatigue.
    """
    wanted = (
        sa.select(
            col(Campaign.id),
            col(Campaign.launched_at),
            col(Campaign.finished_at),
            col(Fatigue.counted_at),
        )
        .outerjoin(
            Fatigue,
            sa.and_(
                col(Fatigue.campaign_id) == col(Campaign.id),
                col(Fatigue.identity_id) == EVERYBODY,
                col(Fatigue.before) == 0,
            ),
        )
        .where(
            col(Campaign.launched_at) > since,
            col(Campaign.channel) == Channel.EMAIL,
            col(Campaign.purpose) == Purpose.CAMPAIGN,
        )
        .order_by(col(Campaign.launched_at).desc())
    )
    return [Counted(*row) for row in await _rows(session, wanted)]


async def next_recipients(session: AsyncSession, campaign_id: int, after_id: int, people: int) -> int | None:
    """As `next_stretch`, of the people a campaign is for. Served by uq_delivery_campaign_contact."""
    wanted = sa.select(_SENT.contact_id).where(_SENT.campaign_id == campaign_id, _SENT.contact_id > after_id)
    rows = await _rows(session, wanted.order_by(_SENT.contact_id).offset(people - 1).limit(1))
    return int(rows[0][0]) if rows else None


async def had_before(
    session: AsyncSession, campaign_id: int, *, after_id: int, up_to_id: int | None
) -> dict[Place, int]:
    """A campaign's accepted messages by identity and how many the person had had in the week before.

    Of the contacts numbered above `after_id` up to `up_to_id`. Served by uq_delivery_campaign_contact and
    ix_delivery_contact_settled.
    """
    each = (
        sa.select(_SENT.identity_id, _before(session).label("before"))
        .where(
            _SENT.campaign_id == campaign_id,
            *_numbered(_SENT.contact_id, after_id, up_to_id),
            checked(session, _SENT.state == DeliveryState.ACCEPTED, _SENT.settled_at.is_not(None)),
        )
        .subquery()
    )
    wanted = sa.select(each.c.identity_id, each.c.before, sa.func.count())
    async with planned_afresh(session):
        rows = await _rows(session, wanted.group_by(each.c.identity_id, each.c.before))
    return {(identity_id, int(before)): int(count) for identity_id, before, count in rows}


async def reacted(session: AsyncSession, campaign_id: int, kind: EventKind) -> dict[Place, int]:
    """Of those messages, the ones that had news of this kind, each once; clicks of machines aside.

    Served by ix_event_campaign_kind, the primary key of delivery and ix_delivery_contact_settled.
    """
    by_person = [] if kind is not EventKind.CLICKED else [_EVENT.details["machine"].as_string().is_(None)]
    happened = (
        sa.select(_EVENT.delivery_id)
        .where(_EVENT.campaign_id == campaign_id, _EVENT.kind == kind, *by_person)
        .distinct()
        .subquery()
    )
    each = (
        sa.select(_SENT.identity_id, _before(session).label("before"))
        .join(happened, happened.c.delivery_id == _SENT.id)
        .where(
            checked(
                session,
                _SENT.state == DeliveryState.ACCEPTED,
                _SENT.settled_at.is_not(None),
                _SENT.contact_id.is_not(None),
            )
        )
        .subquery()
    )
    wanted = sa.select(each.c.identity_id, each.c.before, sa.func.count())
    async with planned_afresh(session):
        rows = await _rows(session, wanted.group_by(each.c.identity_id, each.c.before))
    return {(identity_id, int(before)): int(count) for identity_id, before, count in rows}


async def keep_fatigue(session: AsyncSession, campaign_id: int, rows: Collection[Fatigue]) -> None:
    """Keep what was counted of a campaign, instead of what was counted before."""
    gone = sa.delete(Fatigue).where(col(Fatigue.campaign_id) == campaign_id)
    await session.exec(gone.execution_options(synchronize_session=False))
    session.add_all(rows)


async def list_fatigue(
    session: AsyncSession, since: datetime, until: datetime, *, identity_id: int
) -> list[Fatigue]:
    """What was counted of an identity's campaigns that were launched in a period.

    Reads the campaigns of the period, and the primary key of fatigue.
    """
    wanted = (
        select(Fatigue)
        .join(Campaign, col(Campaign.id) == col(Fatigue.campaign_id))
        .where(
            col(Campaign.launched_at) >= since,
            col(Campaign.launched_at) < until,
            col(Fatigue.identity_id) == identity_id,
        )
        .order_by(col(Fatigue.campaign_id), col(Fatigue.before))
    )
    return list((await session.exec(wanted)).all())


def _before(session: AsyncSession) -> sa.ScalarSelect[int]:
    """How many messages had left to the person in the week before this one."""
    counts = checked(session, _OTHER.c.state.in_(LEFT), sa.not_(_OTHER.c.exempt))
    return (
        sa.select(sa.func.count())
        .select_from(_OTHER)
        .where(
            _OTHER.c.contact_id == _SENT.contact_id,
            _OTHER.c.settled_at > earlier(_SENT.settled_at, WEEK),
            _OTHER.c.settled_at < _SENT.settled_at,
            counts,
        )
        .correlate(_DELIVERY)
        .scalar_subquery()
    )


def _numbered(
    contact_id: sa.ColumnElement[int], after_id: int, up_to_id: int | None
) -> list[sa.ColumnElement[bool]]:
    above = contact_id > after_id
    return [above] if up_to_id is None else [above, contact_id <= up_to_id]


async def _rows(session: AsyncSession, statement: Any) -> list[Any]:
    return list((await session.exec(statement)).all())
