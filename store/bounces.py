"""What came back, counted for those who act on it: by sender, provider, class and fault.

Not from the counters of the reports (`store.tallies`), which do not keep senders and classes apart: what came
back is a small part of a campaign, found by its kind.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.event import Event
from models.states import BounceClass, EventKind, Fault, Permanence
from store.engine import is_among
from store.events import REREAD
from store.reports import counted_as

KINDS = (EventKind.BOUNCED, EventKind.REFUSED, EventKind.COMPLAINED)
_EVENT = sa.inspect(Event).local_table.c


@dataclass(frozen=True, slots=True)
class CameBack:
    """News of one kind, read in one way, of what one sender sent to one provider."""

    identity_id: int
    provider: str
    kind: EventKind
    bounce_class: BounceClass | None = None
    fault: Fault | None = None
    permanence: Permanence | None = None


async def came_back(session: AsyncSession, campaign_id: int) -> dict[CameBack, int]:
    """How many messages of a campaign met with what, as it is read now. Seeds aside.

    Each message counts once by its latest news, and once more where a person complained of it.

    Served by ix_event_campaign_kind.
    """
    what = (
        _EVENT.identity_id,
        counted_as(_EVENT.provider).label("provider"),
        _EVENT.kind,
        _EVENT.bounce_class,
        _EVENT.fault,
        _EVENT.permanence,
    )
    wanted: Any = (
        sa.select(*what, sa.func.count())
        .where(_EVENT.id.in_(_latest(campaign_id)))
        .group_by(_EVENT.identity_id, counted_as(_EVENT.provider), *what[2:])
    )
    counts: Counter[CameBack] = Counter()
    for *group, messages in (await session.exec(wanted)).all():
        counts[_came_back(group)] += int(messages)
    for before, after in await _read_otherwise(session, campaign_id):
        counts[before] -= 1
        counts[after] += 1
    return {one: messages for one, messages in counts.items() if messages > 0}


def _latest(campaign_id: int) -> sa.Select[tuple[int]]:
    """The last refusal or bounce of each message, and its last complaint."""
    complaint = sa.case((_EVENT.kind == EventKind.COMPLAINED, 1), else_=0)
    return (
        sa.select(sa.func.max(_EVENT.id))
        .where(
            _EVENT.campaign_id == campaign_id,
            _EVENT.kind.in_(KINDS),
            _EVENT.seed.is_(False),
            _EVENT.delivery_id.is_not(None),
        )
        .group_by(_EVENT.delivery_id, complaint)
    )


async def _read_otherwise(session: AsyncSession, campaign_id: int) -> list[tuple[CameBack, CameBack]]:
    """What was read in one way first, and is read in another now. Served by ix_event_campaign_kind."""
    wanted = (
        select(Event)
        .where(Event.campaign_id == campaign_id, Event.kind == EventKind.UNKNOWN, Event.source == REREAD)
        .order_by(col(Event.id))
    )
    latest = {int(one.details.get("event", 0)): one for one in (await session.exec(wanted)).all()}
    if not latest:
        return []
    first = select(Event).where(
        is_among(session, col(Event.id), sorted(latest)),
        col(Event.id).in_(_latest(campaign_id)),
        col(Event.kind).in_(KINDS),
        col(Event.seed).is_(False),
    )
    changed = []
    for event in (await session.exec(first)).all():
        # Small domains are counted together, here as there.
        provider = "other" if event.provider.startswith("mx:") else event.provider
        read = (event.kind, event.bounce_class, event.fault, event.permanence)
        before = _came_back((event.identity_id, provider, *read))
        now = latest[event.id]
        changed.append(
            (
                before,
                replace(before, bounce_class=now.bounce_class, fault=now.fault, permanence=now.permanence),
            )
        )
    return changed


def _came_back(row: Sequence[Any]) -> CameBack:
    identity_id, provider, kind, bounce_class, fault, permanence = row
    return CameBack(
        identity_id or 0,
        provider,
        EventKind(kind),
        BounceClass(bounce_class) if bounce_class else None,
        Fault(fault) if fault else None,
        Permanence(permanence) if permanence else None,
    )
