"""How often people are written to and what they do about it: counted now and then, read at once.

Counting takes seconds where a million people are written to, so it is done in the background: the week up
to now for everybody, and each campaign a few times while its news comes in, at ever longer intervals.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.assessment.pressure import OR_MORE, FatigueCurve, Heard, Reaction, Spread, fatigue_curve
from models.pressure import Fatigue
from models.states import EventKind
from store import Database
from store import pressure as ledger
from store.pressure import EVERYBODY, WEEK, Counted, Place

log = logging.getLogger(__name__)

A_STRETCH: Final = 20_000
"""People asked about at once."""
FIRST: Final = timedelta(minutes=1)
"""How long after its launch a campaign is counted first."""
GROWTH: Final = 4
"""It is counted again when it is that many times as old as it was."""
SETTLED: Final = timedelta(days=14)
"""When a campaign was counted so long after its end, its news has come in."""
REMEMBERED: Final = timedelta(days=100)
"""Campaigns older than that, launched before anything was counted, are left alone."""
A_ROUND_S: Final = 10.0
"""No further campaign is begun in a round that took that long."""
REACTIONS: Final = {
    EventKind.CLICKED: Reaction.CLICKED,
    EventKind.UNSUBSCRIBED: Reaction.UNSUBSCRIBED,
    EventKind.COMPLAINED: Reaction.COMPLAINED,
}


@dataclass(frozen=True, slots=True)
class PressureReport:
    """How often people are written to by one identity and by all, and what those of the identity's mail do.

    `counted_at`: when the week was counted; None: not yet.
    """

    counted_at: datetime | None
    own: Spread
    all: Spread
    fatigue: FatigueCurve


async def pressure_of(
    session: AsyncSession, identity_id: int, since: datetime, until: datetime
) -> PressureReport:
    """What was counted of an identity; the curve of its campaigns launched in the period."""
    rows = await ledger.list_received(session, [identity_id, EVERYBODY])
    everybody = {row.received: row.people for row in rows if row.identity_id == EVERYBODY}
    own = {row.received: row.people for row in rows if row.identity_id == identity_id}
    listed = sum(everybody.values())
    if listed:
        own[0] = max(0, listed - sum(own.values()))
    heard = await ledger.list_fatigue(session, since, until, identity_id=identity_id)
    return PressureReport(
        counted_at=max((row.counted_at for row in rows), default=None),
        own=Spread(own),
        all=Spread(everybody),
        fatigue=fatigue_curve(heard_of(heard)),
    )


async def pressure_of_all(session: AsyncSession) -> Spread:
    """What people got from all identities together, as it was counted last."""
    rows = await ledger.list_received(session, [EVERYBODY])
    return Spread({row.received: row.people for row in rows})


async def count_pressure(database: Database, now: datetime) -> None:
    """Count the week up to now, and the campaigns whose turn it is, the newest first. Safe to repeat."""
    began = time.monotonic()
    await count_week(database, now)
    async with database.read() as session:
        campaigns = await ledger.to_count(session, now - REMEMBERED)
    for campaign in campaigns:
        if not is_due(campaign, now):
            continue
        if time.monotonic() - began > A_ROUND_S:
            log.info("more campaigns to count for fatigue", extra={"campaign_id": campaign.campaign_id})
            return
        await count_campaign(database, campaign.campaign_id, now)


def is_due(campaign: Counted, now: datetime) -> bool:
    """Whether a campaign is to be counted, for the first time or again."""
    if campaign.counted_at is None:
        return now - campaign.launched_at >= FIRST
    age = max(FIRST, campaign.counted_at - campaign.launched_at)
    again = campaign.counted_at + min((GROWTH - 1) * age, SETTLED)
    if campaign.ended_at is None:
        return now >= again
    last = campaign.ended_at + SETTLED
    return campaign.counted_at < last and now >= min(again, last)


async def count_week(database: Database, now: datetime) -> None:
    """Count how many messages everybody got in the seven days up to now."""
    people: Counter[Place] = Counter()
    after: int | None = 0
    while after is not None:
        async with database.read() as session:
            up_to = await ledger.next_stretch(session, after, A_STRETCH)
            people.update(
                await ledger.received(session, after_id=after, up_to_id=up_to, since=now - WEEK, until=now)
            )
        after = up_to
    reached = sum(count for (identity_id, _), count in people.items() if identity_id == EVERYBODY)
    async with database.write() as session:
        people[EVERYBODY, 0] = max(0, await ledger.people_listed(session) - reached)
        await ledger.keep_received(session, people, now)


async def count_campaign(database: Database, campaign_id: int, now: datetime) -> None:
    """Count what people did with a campaign's mail, by how much they had had before."""
    messages: Counter[Place] = Counter()
    after: int | None = 0
    while after is not None:
        async with database.read() as session:
            up_to = await ledger.next_recipients(session, campaign_id, after, A_STRETCH)
            messages.update(await ledger.had_before(session, campaign_id, after_id=after, up_to_id=up_to))
        after = up_to
    did: dict[Reaction, Counter[Place]] = {}
    for kind, reaction in REACTIONS.items():
        async with database.read() as session:
            did[reaction] = _capped(await ledger.reacted(session, campaign_id, kind))
    sums = _capped(messages)
    rows = [
        Fatigue(
            campaign_id=campaign_id,
            identity_id=identity_id,
            before=before,
            messages=sums[identity_id, before],
            # What came in since the messages were counted waits for the next time.
            **{
                reaction.value: min(sums[identity_id, before], counts[identity_id, before])
                for reaction, counts in did.items()
            },
            counted_at=now,
        )
        for identity_id, before in sorted(sums)
    ]
    mark = Fatigue(campaign_id=campaign_id, identity_id=EVERYBODY, before=0, counted_at=now)
    async with database.write() as session:
        await ledger.keep_fatigue(session, campaign_id, [mark, *rows])


def _capped(counts: dict[Place, int]) -> Counter[Place]:
    """From five messages on they are one."""
    together: Counter[Place] = Counter()
    for (identity_id, number), count in counts.items():
        together[identity_id, min(number, OR_MORE)] += count
    return together


def heard_of(rows: Iterable[Fatigue]) -> list[Heard]:
    """The rows as the curve takes them."""
    return [
        Heard(one.campaign_id, one.before, one.messages, one.clicked, one.unsubscribed, one.complained)
        for one in rows
    ]
