"""What a campaign is compared with: the ones like it before, and how often somebody wrote in a period.

All of it comes from the counters (`models.tally`), which are some seconds behind and cost the same however
many events lie under them; only seeds, dozens a campaign, are looked up one by one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import AudienceRole, Campaign, CampaignLane, CampaignSegment
from models.delivery import Delivery
from models.states import CampaignState, Channel, DeliveryState, EventKind, Purpose
from models.tally import Account, Tally
from store.engine import is_among
from store.seeds import last_placements

ENDED = (CampaignState.FINISHED, CampaignState.INCOMPLETE)
LOOKED_THROUGH = 60
"""Campaigns of an identity among which those of the same segments are looked for."""
REACTIONS = (
    EventKind.ACCEPTED,
    EventKind.BOUNCED,
    EventKind.CLICKED,
    EventKind.COMPLAINED,
    EventKind.UNSUBSCRIBED,
)
_TALLY = sa.inspect(Tally).local_table.c
_CAMPAIGN = sa.inspect(Campaign).local_table.c
_LANE = sa.inspect(CampaignLane).local_table.c
_DELIVERY = sa.inspect(Delivery).local_table.c
_REAL, _OWN = _CAMPAIGN.test.is_(False), _CAMPAIGN.stream_key.is_(None)
"""Not what programs send to nobody; and of what is real, what people wrote and programs did not ask for."""
Lane = tuple[int, int, str]
"""Campaign, identity, provider."""


@dataclass(frozen=True, slots=True)
class Reactions:
    """What people did with a campaign's mail of one identity at one provider, each person once.

    `accepted`: those whose mail server took it; `delivered`: those of them it did not send back later.
    """

    campaign_id: int
    identity_id: int
    provider: str
    accepted: int = 0
    delivered: int = 0
    clicked: int = 0
    complained: int = 0
    unsubscribed: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """A campaign as one identity sent it: how many messages were accepted, and what its seeds say.

    `tested`: seeds of which it is known where they are; `in_spam` of them were last seen in spam.
    """

    campaign_id: int
    identity_id: int
    launched_at: datetime
    messages: int
    tested: int
    in_spam: int


async def reactions(session: AsyncSession, campaign_ids: Collection[int]) -> list[Reactions]:
    """By campaign, identity and provider. Served by the primary key of tally."""
    if not campaign_ids:
        return []
    statement = (
        sa.select(_TALLY.campaign_id, _TALLY.identity_id, _TALLY.provider, _TALLY.word, _TALLY.count)
        .where(
            is_among(session, _TALLY.campaign_id, campaign_ids),
            _TALLY.account == Account.NEWS,
            _TALLY.word.in_([kind.value for kind in REACTIONS]),
            _TALLY.shard == 0,
        )
        .order_by(_TALLY.campaign_id, _TALLY.identity_id, _TALLY.provider)
    )
    news: dict[Lane, dict[str, int]] = {}
    for campaign_id, identity_id, provider, word, count in await _rows(session, statement):
        news.setdefault((campaign_id, identity_id, provider), {})[word] = int(count)
    return [_reactions(lane, counts) for lane, counts in news.items()]


def _reactions(lane: Lane, counts: Mapping[str, int]) -> Reactions:
    accepted = counts.get(EventKind.ACCEPTED, 0)
    return Reactions(
        *lane,
        accepted=accepted,
        delivered=max(0, accepted - counts.get(EventKind.BOUNCED, 0)),
        clicked=counts.get(EventKind.CLICKED, 0),
        complained=counts.get(EventKind.COMPLAINED, 0),
        unsubscribed=counts.get(EventKind.UNSUBSCRIBED, 0),
    )


async def states(
    session: AsyncSession, campaign_ids: Collection[int]
) -> dict[Lane, dict[DeliveryState, int]]:
    """Where the deliveries of each lane of these campaigns stand. Served by the primary key of tally."""
    if not campaign_ids:
        return {}
    lane = (_TALLY.campaign_id, _TALLY.identity_id, _TALLY.provider)
    statement = (
        sa.select(*lane, _TALLY.word, sa.cast(sa.func.sum(_TALLY.count), sa.BigInteger))
        .where(is_among(session, _TALLY.campaign_id, campaign_ids), _TALLY.account == Account.STATE)
        .group_by(*lane, _TALLY.word)
    )
    found: dict[Lane, dict[DeliveryState, int]] = {}
    for campaign, identity, provider, word, count in await _rows(session, statement):
        if count:
            found.setdefault((campaign, identity, provider), {})[DeliveryState(word)] = int(count)
    return found


async def comparable(
    session: AsyncSession, campaign_id: int, identity_id: int, *, most: int, fewest: int
) -> tuple[list[int], bool]:
    """The last `most` campaigns like this one that the identity sent before it, newest first.

    Those to the same segments, and True, where there are `fewest` of them; else whatever it sent, and
    False. Walks the primary key of campaign backwards; served by those of campaign_lane and campaign_segment.
    """
    campaign = await session.get(Campaign, campaign_id)
    if campaign is None or campaign.launched_at is None:
        return [], False
    before = (_CAMPAIGN.launched_at < campaign.launched_at, _CAMPAIGN.state.in_(ENDED))
    like_it = (_CAMPAIGN.channel == campaign.channel, _CAMPAIGN.purpose == campaign.purpose, _OWN)
    candidates = [
        row.id
        for row in await _rows(
            session,
            sa.select(_CAMPAIGN.id)
            .where(_CAMPAIGN.id != campaign_id, *before, *like_it, _sent_by(identity_id))
            .order_by(_CAMPAIGN.id.desc())
            .limit(max(most, LOOKED_THROUGH)),
        )
    ]
    segments = await _segments(session, [campaign_id, *candidates])
    same = [number for number in candidates if segments.get(number) == segments.get(campaign_id)]
    if segments.get(campaign_id) and len(same) >= fewest:
        return same[:most], True
    return candidates[:most], False


async def sent_by(
    session: AsyncSession, identity_id: int, since: datetime, until: datetime
) -> list[tuple[int, datetime]]:
    """E-mail campaigns the identity sent in a period, and when each was launched; the newest first."""
    return (await sent_by_each(session, [identity_id], since, until)).get(identity_id, [])


async def sent_by_each(
    session: AsyncSession, identity_ids: Collection[int], since: datetime, until: datetime
) -> dict[int, list[tuple[int, datetime]]]:
    """The same for several identities; those that sent nothing are not among them.

    One look through the table of campaigns, and into the primary key of campaign_lane for each of them.
    """
    statement = (
        sa.select(_LANE.identity_id, _CAMPAIGN.id, _CAMPAIGN.launched_at)
        .join(sa.inspect(CampaignLane).local_table, _LANE.campaign_id == _CAMPAIGN.id)
        .where(
            _CAMPAIGN.launched_at >= since,
            _CAMPAIGN.launched_at < until,
            _CAMPAIGN.channel == Channel.EMAIL,
            _REAL,
            is_among(session, _LANE.identity_id, identity_ids),
        )
        .distinct()
        .order_by(_CAMPAIGN.launched_at.desc(), _CAMPAIGN.id.desc())
    )
    found: dict[int, list[tuple[int, datetime]]] = {}
    for identity_id, number, launched_at in await _rows(session, statement):
        found.setdefault(identity_id, []).append((number, launched_at))
    return found


async def names_of(session: AsyncSession, campaign_ids: Collection[int]) -> dict[int, str]:
    """What the campaigns are called. Served by the primary key."""
    wanted = sa.select(_CAMPAIGN.id, _CAMPAIGN.name).where(_CAMPAIGN.id.in_(campaign_ids))
    return dict(await _rows(session, wanted))


async def mailings(session: AsyncSession, since: datetime, until: datetime) -> list[Sent]:
    """Every e-mail campaign of a period, once for each identity it was really sent from, oldest first.

    One look through the table of campaigns; served by the primary key of tally, uq_delivery_seed and
    ix_event_delivery_id.
    """
    statement = (
        sa.select(_CAMPAIGN.id, _CAMPAIGN.launched_at, _TALLY.identity_id, sa.func.sum(_TALLY.count))
        .join(sa.inspect(Tally).local_table, _TALLY.campaign_id == _CAMPAIGN.id)
        .where(
            _CAMPAIGN.launched_at >= since,
            _CAMPAIGN.launched_at < until,
            _CAMPAIGN.channel == Channel.EMAIL,
            _CAMPAIGN.purpose == Purpose.CAMPAIGN,
            _OWN,
            _TALLY.account == Account.NEWS,
            _TALLY.word == EventKind.ACCEPTED.value,
            _TALLY.shard == 0,
        )
        .group_by(_CAMPAIGN.id, _CAMPAIGN.launched_at, _TALLY.identity_id)
        .order_by(_CAMPAIGN.launched_at, _CAMPAIGN.id, _TALLY.identity_id)
    )
    rows = await _rows(session, statement)
    seen = await _seeds_seen(session, since, until)
    return [
        Sent(number, identity_id, launched_at, int(count), *seen.get((number, identity_id), (0, 0)))
        for number, launched_at, identity_id, count in rows
        if count
    ]


async def _seeds_seen(
    session: AsyncSession, since: datetime, until: datetime
) -> dict[tuple[int, int], tuple[int, int]]:
    """By campaign and identity: seeds known to be somewhere, and those of them in spam."""
    within = (_CAMPAIGN.launched_at >= since, _CAMPAIGN.launched_at < until)
    of_period = sa.select(_CAMPAIGN.id).where(*within, _REAL)
    # Without a state, by whose index all deliveries of these campaigns would be read.
    theirs = sa.select(_DELIVERY.id).where(_DELIVERY.campaign_id.in_(of_period), _DELIVERY.seed_id > 0)
    latest = last_placements(theirs)
    in_spam = sa.case((latest.c.kind == EventKind.PLACED_SPAM, 1), else_=0)
    statement = (
        sa.select(_DELIVERY.campaign_id, _DELIVERY.identity_id, sa.func.count(), sa.func.sum(in_spam))
        .join(latest, latest.c.delivery_id == _DELIVERY.id)
        .group_by(_DELIVERY.campaign_id, _DELIVERY.identity_id)
    )
    rows = await _rows(session, statement)
    return {(campaign, identity): (int(tested), int(spam)) for campaign, identity, tested, spam in rows}


def _sent_by(identity_id: int) -> sa.ColumnElement[bool]:
    lane = sa.select(sa.literal(1)).where(_LANE.campaign_id == _CAMPAIGN.id, _LANE.identity_id == identity_id)
    return lane.exists()


async def _segments(session: AsyncSession, campaign_ids: Iterable[int]) -> dict[int, frozenset[int]]:
    """Which segments brought people into these campaigns, and which kept them out."""
    wanted = select(CampaignSegment).where(col(CampaignSegment.campaign_id).in_(sorted(campaign_ids)))
    found: dict[int, set[int]] = {}
    for row in (await session.exec(wanted)).all():
        # Kept out is another audience than let in: told apart by the sign.
        sign = 1 if row.role is AudienceRole.INCLUDE else -1
        found.setdefault(row.campaign_id, set()).add(sign * row.segment_id)
    return {campaign_id: frozenset(segments) for campaign_id, segments in found.items()}


async def _rows(session: AsyncSession, statement: Any) -> Sequence[Any]:
    return list((await session.exec(statement)).all())
