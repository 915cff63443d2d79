"""What other mail systems answered, read back out of the evidence: for review, and for new rules."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.delivery import Delivery
from models.event import Event
from models.states import BounceClass, Channel, EventKind, Fault, Permanence
from store.events import rereadings

ANSWERS = (EventKind.DEFERRED, EventKind.REFUSED, EventKind.EXPIRED)
BATCH = 2000


@dataclass(frozen=True, slots=True)
class Said:
    """One answer, and how it was read last."""

    event_id: int
    kind: EventKind
    channel: Channel
    provider: str
    code: int | None
    enhanced: str | None
    text: str
    rule: str
    bounce_class: BounceClass | None
    fault: Fault | None
    permanence: Permanence | None
    address: str
    seed: bool
    at: datetime
    source: str
    identity_id: int | None
    campaign_id: int | None


async def share_of(
    session: AsyncSession, campaign_id: int, provider: str, bounce_class: BounceClass
) -> tuple[int, int]:
    """How many of a campaign's messages a provider took, and how many it answered in that way.

    Served by ix_event_campaign_kind.
    """
    fits = sa.case((col(Event.bounce_class) == bounce_class, 1), else_=0)
    taken = sa.case((col(Event.kind) == EventKind.ACCEPTED, 1), else_=0)
    wanted = select(func.coalesce(func.sum(taken), 0), func.coalesce(func.sum(fits), 0)).where(
        col(Event.campaign_id) == campaign_id,
        col(Event.kind).in_([EventKind.ACCEPTED, *ANSWERS]),
        col(Event.provider) == provider,
    )
    accepted, answered = (await session.exec(wanted)).one()
    return int(accepted), int(answered)


async def answers(
    session: AsyncSession, *, since: datetime, unread: bool = False, limit: int | None = None
) -> AsyncIterator[Said]:
    """What was answered since a moment, newest first; `unread`: only what no rule knew.

    By keyset over the primary key: events are numbered in the order in which they were recorded.
    """
    wanted = (
        select(Event, col(Delivery.channel), col(Delivery.address))
        .join(Delivery, col(Delivery.id) == col(Event.delivery_id))
        .where(col(Event.kind).in_(ANSWERS), col(Event.bounce_class).is_not(None), Event.rule != "relay")
        .order_by(col(Event.id).desc())
    )
    if unread:
        wanted = wanted.where(Event.rule == "", Event.text != "")
    given = 0
    before: int | None = None
    while limit is None or given < limit:
        page = wanted if before is None else wanted.where(col(Event.id) < before)
        size = BATCH if limit is None else min(limit - given, BATCH)
        rows = (await session.exec(page.limit(size))).all()
        later = await rereadings(session, sorted({row[0].delivery_id or 0 for row in rows}))
        for event, channel, address in rows:
            if event.recorded_at < since:
                return
            yield _said(event, later.get(event.id, [event])[-1], channel, address)
        session.expunge_all()
        if len(rows) < size:
            return
        given, before = given + len(rows), rows[-1][0].id


def _said(event: Event, read: Event, channel: Channel, address: str) -> Said:
    """`read`: the event that says how it was read last."""
    return Said(
        event_id=event.id,
        kind=event.kind,
        channel=channel,
        provider=event.provider,
        code=event.code,
        enhanced=event.enhanced,
        text=event.text,
        rule=read.rule,
        bounce_class=read.bounce_class,
        fault=read.fault,
        permanence=read.permanence,
        address=address,
        seed=event.seed,
        at=event.recorded_at,
        source=event.source,
        identity_id=event.identity_id,
        campaign_id=event.campaign_id,
    )
