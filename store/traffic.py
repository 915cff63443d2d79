"""What flows at this moment, and what waits: for the page about the pace."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign, CampaignLane
from models.delivery import Delivery
from models.event import Event
from models.states import CampaignState, DeliveryState, EventKind
from models.tally import Account, Tally

LANES_SHOWN = 60
LATEST_EVENTS = 5_000
ANSWERS_SEARCHED = 200_000
WAITING = (DeliveryState.QUEUED, DeliveryState.DEFERRED)


@dataclass(frozen=True, slots=True)
class LaneQueue:
    """What campaigns under way still have to send as one identity to one provider.

    `held` wait for a person and are not in `waiting`; `oldest_due` is when the first was due, None when
    nothing is due yet.
    """

    identity_id: int
    provider: str
    waiting: int
    deferred: int
    held: int
    oldest_due: datetime | None


@dataclass(frozen=True, slots=True)
class UnreadAnswer:
    """An answer that no rule knows, and how many heard it lately."""

    provider: str
    kind: EventKind
    code: int | None
    enhanced: str | None
    text: str
    count: int
    last: datetime


async def queues(session: AsyncSession, campaign_ids: Collection[int], now: datetime) -> list[LaneQueue]:
    """What waits in each lane, the fullest first. Served by the counters, and by ix_delivery_due."""
    if not campaign_ids:
        return []
    wanted = (
        select(Tally.identity_id, Tally.provider, Tally.word, func.sum(Tally.count))
        .where(col(Tally.campaign_id).in_(sorted(campaign_ids)), Tally.account == Account.STATE)
        .group_by(col(Tally.identity_id), col(Tally.provider), col(Tally.word))
    )
    found: dict[tuple[int, str], dict[str, int]] = {}
    for identity_id, provider, word, count in (await session.exec(wanted)).all():
        found.setdefault((identity_id, provider), {})[word] = int(count)
    due = await _oldest_due(session, campaign_ids, now)
    lanes = [
        LaneQueue(
            *lane,
            waiting=sum(states.get(state.value, 0) for state in WAITING),
            deferred=states.get(DeliveryState.DEFERRED.value, 0),
            held=states.get(DeliveryState.HELD.value, 0),
            oldest_due=due.get(lane),
        )
        for lane, states in found.items()
    ]
    full = [lane for lane in lanes if lane.waiting or lane.held]
    return sorted(full, key=lambda lane: (-lane.waiting, lane.identity_id, lane.provider))[:LANES_SHOWN]


async def _oldest_due(
    session: AsyncSession, campaign_ids: Collection[int], now: datetime
) -> dict[tuple[int, str], datetime]:
    """When the first message of each lane was due, of campaigns that send; one look at an index a lane."""
    # Spelt out, not as parameters: SQLite would not see that a partial index serves.
    waiting = col(Delivery.state).in_([sa.literal_column(f"'{state.value}'") for state in WAITING])
    first = (
        select(func.min(Delivery.due_at))
        .where(
            col(Delivery.identity_id) == col(CampaignLane.identity_id),
            col(Delivery.provider) == col(CampaignLane.provider),
            col(Delivery.campaign_id) == col(CampaignLane.campaign_id),
            waiting,
        )
        .correlate(CampaignLane)
        .scalar_subquery()
    )
    lanes = (
        sa.select(
            col(CampaignLane.identity_id).label("identity_id"),
            col(CampaignLane.provider).label("provider"),
            first.label("due"),
        )
        .join(Campaign, col(Campaign.id) == col(CampaignLane.campaign_id))
        .where(
            col(CampaignLane.campaign_id).in_(sorted(campaign_ids)),
            col(Campaign.state) == CampaignState.SENDING,
        )
    )
    found: dict[tuple[int, str], datetime] = {}
    for identity_id, provider, due in await _rows(session, lanes):
        lane = (identity_id, "other" if provider.startswith("mx:") else provider)
        if due is not None and due <= now:
            found[lane] = min(due, found.get(lane, due))
    return found


async def rates(session: AsyncSession, now: datetime, span: timedelta) -> dict[tuple[int, str], float]:
    """Answers a second in each lane during the last `span`, from the latest events. By the primary key."""
    latest = (
        sa.select(col(Event.id), col(Event.identity_id), col(Event.provider), col(Event.kind), col(Event.at))
        .order_by(col(Event.id).desc())
        .limit(LATEST_EVENTS)
        .subquery()
    )
    kinds = (EventKind.ACCEPTED, EventKind.DEFERRED, EventKind.REFUSED)
    statement = (
        sa.select(latest.c.identity_id, latest.c.provider, func.count(), func.min(latest.c.at))
        .where(latest.c.at > now - span, latest.c.kind.in_(kinds), latest.c.identity_id.is_not(None))
        .group_by(latest.c.identity_id, latest.c.provider)
    )
    rows = await _rows(session, statement)
    counts: dict[tuple[int, str], int] = {}
    for identity_id, provider, count, _ in rows:
        lane = (identity_id, "other" if provider.startswith("mx:") else provider)
        counts[lane] = counts.get(lane, 0) + count
    # When there were more events in the span than are looked at, they tell of a part of it.
    complete = sum(counts.values()) < LATEST_EVENTS * 0.9
    first = min((at for *_, at in rows), default=now)
    seconds = span.total_seconds() if complete else max(1.0, (now - first).total_seconds())
    return {lane: count / seconds for lane, count in counts.items()}


async def unread_answers(session: AsyncSession, *, limit: int = 50) -> list[UnreadAnswer]:
    """Answers among the latest events that no rule knows, the most frequent first. By the primary key."""
    last = select(func.coalesce(func.max(Event.id), 0)).scalar_subquery()
    kinds = (EventKind.DEFERRED, EventKind.REFUSED, EventKind.BOUNCED)
    said = (Event.provider, Event.kind, Event.code, Event.enhanced, Event.text)
    count = func.count()
    statement = (
        sa.select(*(col(part) for part in said), count, func.max(Event.at))
        .where(
            col(Event.id) > last - ANSWERS_SEARCHED,
            col(Event.kind).in_(kinds),
            col(Event.rule) == "",
            col(Event.text) != "",
        )
        .group_by(*(col(part) for part in said))
        .order_by(count.desc(), col(Event.text))
        .limit(limit)
    )
    return [
        UnreadAnswer(provider, EventKind(kind), code, enhanced, text, number, at)
        for provider, kind, code, enhanced, text, number, at in await _rows(session, statement)
    ]


async def _rows(session: AsyncSession, statement: Any) -> list[Any]:
    return list((await session.exec(statement)).all())
