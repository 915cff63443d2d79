"""What breakers weigh: what came of the campaigns in view, from their counters, at the cost of a page.

No event is counted here: the counters (`store.tally_fold`) lag behind by seconds, which is soon enough for
shares over hundreds of messages.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.event import Event
from models.providers import SANDBOXES
from models.rate import RateMark
from models.states import BounceClass, CampaignState, Channel, EventKind, Fault
from models.tally import Account, Tally, TallyMark
from store.engine import insert_for
from store.reports import counted_as
from store.tally_keys import REFUSALS, Said

UNDER_WAY = (CampaignState.LAUNCHING, CampaignState.SENDING, CampaignState.PAUSED)
SHUT_OUT = frozenset({BounceClass.BLOCK, BounceClass.AUTH, BounceClass.SENDER_INVALID})
"""Answers about the sender, whoever is written to."""
_ACCOUNTS = (Account.NEWS, Account.HARD, Account.TRIED, Account.SAID)
_TALLY = sa.inspect(Tally).local_table.c
_EVENT = sa.inspect(Event).local_table.c


@dataclass(slots=True)
class LaneTally:
    """What came of a campaign's messages of an identity to a provider: deliveries, each counted once."""

    campaign_id: int
    identity_id: int
    provider: str
    news: dict[EventKind, int] = field(default_factory=dict)
    hard: dict[EventKind, int] = field(default_factory=dict)
    tried: int = 0

    @property
    def answered(self) -> int:
        """Taken or refused."""
        return self.news.get(EventKind.ACCEPTED, 0) + self.news.get(EventKind.REFUSED, 0)


@dataclass(frozen=True, slots=True)
class SaidTally:
    """One answer of a provider to a campaign's messages, how many deliveries heard it, and its words."""

    campaign_id: int
    provider: str
    said: Said
    count: int
    text: str


@dataclass(frozen=True, slots=True)
class Tallies:
    """Everything breakers weigh of some campaigns."""

    lanes: Sequence[LaneTally]
    said: Sequence[SaidTally]


@dataclass(frozen=True, slots=True)
class InView:
    """A campaign whose figures count: under way, or `ended_at` not long ago."""

    id: int
    name: str
    ended_at: datetime | None


async def news_mark(session: AsyncSession) -> int:
    """How far the counters have come: unchanged, nothing needs to be weighed again. By the primary key."""
    found = await session.exec(select(TallyMark.event_id).where(TallyMark.shard == 0))
    return int(found.one())


async def in_view(session: AsyncSession, since: datetime) -> list[InView]:
    """E-mail campaigns under way, or ended after a moment; the campaigns are a small table."""
    running = sa.and_(col(Campaign.state).in_(UNDER_WAY), col(Campaign.launched_at).is_not(None))
    lately = sa.and_(col(Campaign.launched_at).is_not(None), col(Campaign.finished_at) >= since)
    ended_at = sa.case((col(Campaign.state).in_(UNDER_WAY), None), else_=col(Campaign.finished_at))
    wanted = (
        sa.select(col(Campaign.id), col(Campaign.name), ended_at)
        .where(col(Campaign.channel) == Channel.EMAIL, sa.or_(running, lately))
        .order_by(col(Campaign.id))
    )
    return [InView(*row) for row in (await (await session.connection()).execute(wanted)).all()]


async def tallies(session: AsyncSession, campaign_ids: Collection[int]) -> Tallies:
    """The counters of these campaigns. Served by the primary key of tally."""
    if not campaign_ids:
        return Tallies((), ())
    wanted = (
        sa.select(
            _TALLY.campaign_id,
            _TALLY.account,
            _TALLY.identity_id,
            _TALLY.provider,
            _TALLY.word,
            _TALLY.count,
            _TALLY.text,
        )
        .where(_TALLY.campaign_id.in_(sorted(campaign_ids)), _TALLY.account.in_(_ACCOUNTS), _TALLY.shard == 0)
        # Answers that were made up say nothing of anybody.
        .where(_TALLY.provider.not_in(sorted(SANDBOXES)))
        .order_by(_TALLY.campaign_id, _TALLY.identity_id, _TALLY.provider, _TALLY.word)
    )
    lanes: dict[tuple[int, int, str], LaneTally] = {}
    said: list[SaidTally] = []
    rows = (await (await session.connection()).execute(wanted)).all()
    for campaign_id, account, identity_id, provider, word, count, text in rows:
        if account is Account.SAID:
            said.append(SaidTally(campaign_id, provider, Said.read(word), count, text))
            continue
        place = (campaign_id, identity_id, provider)
        lane = lanes.setdefault(place, LaneTally(*place))
        if account is Account.NEWS:
            lane.news[EventKind(word)] = count
        elif account is Account.HARD:
            lane.hard[EventKind(word)] = count
        else:
            lane.tried = count
    return Tallies(tuple(lanes.values()), said)


async def shut_out_by_identity(
    session: AsyncSession, campaign_ids: Collection[int]
) -> dict[tuple[int, int, str], dict[str, int]]:
    """Deliveries of campaigns with several senders that were shut out, by lane and enhanced status.

    Served by ix_event_campaign_kind: it reads the refusals of these campaigns, and no more.
    """
    if not campaign_ids:
        return {}
    provider = counted_as(_EVENT.provider).label("provider")
    place = (_EVENT.campaign_id, _EVENT.identity_id, provider, _EVENT.enhanced)
    wanted = (
        sa.select(*place, sa.func.count(sa.distinct(_EVENT.delivery_id)))
        .where(
            _EVENT.campaign_id.in_(sorted(campaign_ids)),
            _EVENT.kind.in_(REFUSALS),
            _EVENT.bounce_class.in_(sorted(SHUT_OUT)),
            sa.or_(_EVENT.fault.is_(None), _EVENT.fault != Fault.RELAY),
            _EVENT.seed.is_(False),
            _EVENT.provider.not_in(sorted(SANDBOXES)),
        )
        .group_by(*place)
    )
    found: dict[tuple[int, int, str], dict[str, int]] = {}
    for campaign_id, identity_id, name, enhanced, count in (
        await (await session.connection()).execute(wanted)
    ).all():
        statuses = found.setdefault((campaign_id, identity_id, name), {})
        statuses[enhanced or ""] = statuses.get(enhanced or "", 0) + count
    return found


async def marks(
    session: AsyncSession, campaign_ids: Collection[int]
) -> dict[tuple[int, str], list[RateMark]]:
    """What had been counted when, by campaign and measure, oldest first. Served by the primary key."""
    if not campaign_ids:
        return {}
    wanted = select(RateMark).where(col(RateMark.campaign_id).in_(sorted(campaign_ids)))
    wanted = wanted.order_by(col(RateMark.campaign_id), col(RateMark.measure), col(RateMark.whole))
    found: dict[tuple[int, str], list[RateMark]] = {}
    for row in await session.exec(wanted):
        found.setdefault((row.campaign_id, row.measure), []).append(row)
    return found


async def add_mark(session: AsyncSession, mark: RateMark, *, keep_from: int) -> None:
    """Note what is counted now; marks of fewer messages than `keep_from` go. Served by the primary key."""
    put = insert_for(session, RateMark).values(**_values(mark))
    await session.exec(
        put.on_conflict_do_update(index_elements=_KEY, set_={"part": mark.part, "at": mark.at})
    )
    old = sa.delete(RateMark).where(
        col(RateMark.campaign_id) == mark.campaign_id,
        col(RateMark.measure) == mark.measure,
        col(RateMark.whole) < keep_from,
    )
    await session.exec(old.execution_options(synchronize_session=False))


_KEY = ["campaign_id", "measure", "whole"]


def _values(mark: RateMark) -> Mapping[str, object]:
    return {name: getattr(mark, name) for name in (*_KEY, "part", "at")}


async def campaigns_left(session: AsyncSession, campaign_ids: Collection[int]) -> dict[int, CampaignState]:
    """In which state these campaigns are. Served by the primary key."""
    if not campaign_ids:
        return {}
    wanted = select(Campaign).where(col(Campaign.id).in_(sorted(campaign_ids)))
    return {row.id: row.state for row in await session.exec(wanted)}
