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
from models.providers import OTHER, OWN_EXCHANGERS
from models.states import BounceClass, EventKind, Fault, Permanence
from store.engine import is_among
from store.events import REREAD

KINDS = (EventKind.BOUNCED, EventKind.REFUSED, EventKind.COMPLAINED)
_EVENT = sa.inspect(Event).local_table.c
_COMPLAINT = sa.case((_EVENT.kind == EventKind.COMPLAINED, 1), else_=0)
_WHAT = (
    _EVENT.identity_id,
    _EVENT.provider,
    _EVENT.kind,
    _EVENT.bounce_class,
    _EVENT.fault,
    _EVENT.permanence,
)


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

    Served by ix_event_campaign_kind. All news is counted and what was not a message's last taken off again:
    few have more than one, and to look each last one up would take longer than to count them.
    """
    wanted: Any = sa.select(*_WHAT, sa.func.count()).where(*_of(campaign_id)).group_by(*_WHAT)
    counts: Counter[CameBack] = Counter()
    for *group, messages in (await session.exec(wanted)).all():
        counts[_came_back(group)] += int(messages)
    for one in await _followed(session, campaign_id):
        counts[one] -= 1
    for before, after in await _read_otherwise(session, campaign_id):
        counts[before] -= 1
        counts[after] += 1
    return {one: messages for one, messages in counts.items() if messages > 0}


async def _followed(session: AsyncSession, campaign_id: int) -> list[CameBack]:
    """News that was followed by later news of the same message. Served by ix_event_delivery_id."""
    several: Any = (
        sa.select(_EVENT.delivery_id)
        .where(*_of(campaign_id))
        .group_by(_EVENT.delivery_id, _COMPLAINT)
        .having(sa.func.count() > 1)
    )
    theirs = sorted(set((await session.exec(several)).scalars()))
    if not theirs:
        return []
    wanted: Any = (
        sa.select(*_WHAT, _EVENT.delivery_id)
        .where(is_among(session, _EVENT.delivery_id, theirs), *_of(campaign_id))
        .order_by(_EVENT.id)
    )
    last: dict[tuple[int, bool], CameBack] = {}
    followed = []
    for *group, delivery_id in (await session.exec(wanted)).all():
        one = _came_back(group)
        before = last.get((delivery_id, one.kind is EventKind.COMPLAINED))
        if before is not None:
            followed.append(before)
        last[delivery_id, one.kind is EventKind.COMPLAINED] = one
    return followed


def _of(campaign_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    """All that came back of a campaign's messages to people."""
    return (
        _EVENT.campaign_id == campaign_id,
        _EVENT.kind.in_(KINDS),
        _EVENT.seed.is_(False),
        _EVENT.delivery_id.is_not(None),
    )


def _latest(campaign_id: int) -> sa.Select[tuple[int]]:
    """The last refusal or bounce of each message, and its last complaint."""
    return sa.select(sa.func.max(_EVENT.id)).where(*_of(campaign_id)).group_by(_EVENT.delivery_id, _COMPLAINT)


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
        read = (event.kind, event.bounce_class, event.fault, event.permanence)
        before = _came_back((event.identity_id, event.provider, *read))
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
        # Small domains are counted together, as everywhere.
        OTHER if provider.startswith(OWN_EXCHANGERS) else provider,
        EventKind(kind),
        BounceClass(bounce_class) if bounce_class else None,
        Fault(fault) if fault else None,
        Permanence(permanence) if permanence else None,
    )
