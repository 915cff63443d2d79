"""The counts a campaign's report is made of, counted row by row: the measure of the counters kept beside.

Reports read the counters (`store.tallies`), which cost the same however long the history is; these
queries, slow and simple, say what the counters have to say. `tocsin counts check` compares them.

The states (where deliveries stand) and the events (what happened to them) are two records of one story,
kept apart so that the report can check one against the other. They are read in a single statement: what
is sent meanwhile would otherwise be in one and not yet in the other.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign, LeftOut
from models.delivery import Delivery
from models.event import Event
from models.identity import Identity
from models.providers import OTHER, OWN_EXCHANGERS
from models.states import BounceClass, DeliveryState, EventKind, Fault, LeftOutReason, Permanence
from store.seeds import Outcome, outcomes
from store.tally_keys import ATTEMPTED, DECIDED, OUTCOMES, REFUSALS

# The tables rather than the classes: grouped columns are no objects, and their types stay simple.
_EVENT = sa.inspect(Event).local_table.c
_DELIVERY = sa.inspect(Delivery).local_table.c
_LEFT_OUT = sa.inspect(LeftOut).local_table.c
_CAMPAIGN = sa.inspect(Campaign).local_table.c
Part = sa.Select[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class LaneCounts:
    """What one identity × provider counts: deliveries by state, and by the kind of news they had.

    `news` counts deliveries, not events; `hard` those of them whose news was a permanent refusal;
    `attempted` those that were tried at least once. Seeds are in none of them.
    """

    identity_id: int
    provider: str
    states: dict[DeliveryState, int]
    news: dict[EventKind, int]
    hard: dict[EventKind, int]
    attempted: int


@dataclass(frozen=True, slots=True)
class CampaignCounts:
    """A campaign's whole ledger at one moment. `targeted` and `frozen` are as noted at launch."""

    targeted: int
    frozen: int
    left_out: dict[LeftOutReason, int]
    lanes: tuple[LaneCounts, ...]


@dataclass(frozen=True, slots=True)
class SeedPlacement:
    """One seed mail: what became of it, as far as it was seen last."""

    identity_id: int
    provider: str
    outcome: Outcome

    @property
    def tab(self) -> bool:
        """Whether it lies in a tab beside the inbox."""
        return self.outcome is Outcome.TAB


@dataclass(frozen=True, slots=True)
class RefusalText:
    """What a provider said, how often: `deliveries` that heard it, `example` one wording.

    With `fault` RELAY it is our own mail server that could not be used, and the provider was never asked.
    """

    provider: str
    kind: EventKind
    bounce_class: BounceClass | None
    code: int | None
    enhanced: str | None
    example: str
    deliveries: int
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Bucket:
    """Answers of `kind` between `start` and the next bucket."""

    start: datetime
    kind: EventKind
    answers: int


async def campaign_counts(session: AsyncSession, campaign_id: int) -> CampaignCounts:
    """The ledger of a campaign, seeds left aside.

    Served by ix_delivery_campaign_state, ix_event_campaign_kind and the primary key of left_out.
    """
    statement = sa.union_all(
        _launch_notes(campaign_id),
        _left_out(campaign_id),
        _states(campaign_id),
        _news(campaign_id),
        _tried(campaign_id),
    )
    rows = await _rows(session, statement)
    left_out: dict[LeftOutReason, int] = {}
    notes = (0, 0)
    lanes: dict[tuple[int, str], LaneCounts] = {}
    for part, identity_id, provider, word, count, hard in rows:
        if part == "launch":
            notes = (int(count), int(hard))
            continue
        if part == "left_out":
            left_out[LeftOutReason(word)] = int(count)
            continue
        lane = lanes.setdefault(
            (identity_id, provider), LaneCounts(identity_id, provider, {}, {}, {}, attempted=0)
        )
        lanes[identity_id, provider] = _with(lane, part, word, int(count), int(hard))
    return CampaignCounts(*notes, left_out, tuple(lanes[key] for key in sorted(lanes)))


def _with(lane: LaneCounts, part: str, word: str, count: int, hard: int) -> LaneCounts:
    if part == "attempted":
        return LaneCounts(lane.identity_id, lane.provider, lane.states, lane.news, lane.hard, count)
    if part == "state":
        lane.states[DeliveryState(word)] = count
    else:
        lane.news[EventKind(word)] = count
        lane.hard[EventKind(word)] = hard
    return lane


_NO_LANE = (sa.cast(sa.null(), sa.BigInteger).label("identity_id"), sa.literal("").label("provider"))


def _launch_notes(campaign_id: int) -> Part:
    return sa.select(
        sa.literal("launch").label("part"),
        *_NO_LANE,
        sa.literal("").label("word"),
        _CAMPAIGN.targeted.label("count"),
        _CAMPAIGN.frozen.label("hard"),
    ).where(_CAMPAIGN.id == campaign_id)


def _left_out(campaign_id: int) -> Part:
    return (
        sa.select(sa.literal("left_out"), *_NO_LANE, _word(_LEFT_OUT.reason), sa.func.count(), sa.literal(0))
        .where(_LEFT_OUT.campaign_id == campaign_id)
        .group_by(_LEFT_OUT.reason)
    )


def _states(campaign_id: int) -> Part:
    return (
        sa.select(
            sa.literal("state"),
            _DELIVERY.identity_id,
            counted_as(_DELIVERY.provider),
            _word(_DELIVERY.state),
            sa.func.count(),
            sa.literal(0),
        )
        .where(_DELIVERY.campaign_id == campaign_id, _DELIVERY.seed_id.is_(None))
        .group_by(_DELIVERY.identity_id, counted_as(_DELIVERY.provider), _DELIVERY.state)
    )


def _news(campaign_id: int) -> Part:
    """Deliveries by kind of news. First one row a delivery and kind, so that repeated news counts once.

    Links opened by a mail scanner carry the reason in their details, and count for nobody.
    """
    by_person = sa.or_(_EVENT.kind != EventKind.CLICKED, _EVENT.details["machine"].as_string().is_(None))
    hard = sa.case((_EVENT.permanence == Permanence.HARD, 1), else_=0)
    kind = _kind().label("kind")
    each = (
        sa.select(
            _EVENT.identity_id,
            counted_as(_EVENT.provider).label("provider"),
            kind,
            _EVENT.delivery_id,
            sa.func.max(hard).label("hard"),
        )
        .where(
            _EVENT.campaign_id == campaign_id,
            _EVENT.seed.is_(False),
            _EVENT.delivery_id.is_not(None),
            by_person,
            _by_others(),
            kind != EventKind.RESOLVED.value,
        )
        .group_by(_EVENT.identity_id, counted_as(_EVENT.provider), kind, _EVENT.delivery_id)
        .subquery()
    )
    return sa.select(
        sa.literal("news"),
        each.c.identity_id,
        each.c.provider,
        each.c.kind,
        sa.func.count(),
        sa.func.sum(each.c.hard),
    ).group_by(each.c.identity_id, each.c.provider, each.c.kind)


def _tried(campaign_id: int) -> Part:
    return (
        sa.select(
            sa.literal("attempted"),
            _EVENT.identity_id,
            counted_as(_EVENT.provider),
            sa.literal(""),
            sa.func.count(sa.distinct(_EVENT.delivery_id)),
            sa.literal(0),
        )
        .where(
            _EVENT.campaign_id == campaign_id,
            _EVENT.seed.is_(False),
            _EVENT.kind.in_(ATTEMPTED),
            _by_others(),
        )
        .group_by(_EVENT.identity_id, counted_as(_EVENT.provider))
    )


def _by_others() -> sa.ColumnElement[bool]:
    """Not put off by our own mail server: that says nothing of a provider, and is no part of any sum."""
    return sa.or_(_EVENT.kind != EventKind.DEFERRED, _EVENT.fault.is_(None), _EVENT.fault != Fault.RELAY)


def _kind() -> sa.ColumnElement[str]:
    """What an event counts as: what somebody decided of an uncertain one counts as if it had happened."""
    decision = _EVENT.details["decision"].as_string()
    decided = [
        (sa.and_(_EVENT.kind == EventKind.RESOLVED, decision == word), sa.literal(kind.value))
        for word, kind in DECIDED.items()
    ]
    return sa.case(*decided, else_=_word(_EVENT.kind))


def counted_as(provider: Any) -> sa.ColumnElement[str]:
    """Small domains with exchangers of their own are one provider: nobody reads a report of thousands."""
    # Spelt out, so that PostgreSQL sees the same expression where it is grouped by.
    own = sa.func.substr(provider, sa.literal_column("1"), sa.literal_column("3"))
    return sa.case((own == sa.literal_column("'mx:'"), sa.literal_column("'other'")), else_=provider)


def _word(column: Any) -> sa.ColumnElement[str]:
    """An enumeration as the word it is stored by: the parts of a union must be of one type."""
    return sa.type_coerce(column, sa.String)


async def seed_placements(session: AsyncSession, campaign_id: int) -> list[SeedPlacement]:
    """The campaign's seed mails, dozens at most, each with what became of it; see `store.seeds.outcomes`."""
    found = await outcomes(session, campaign_id=campaign_id)
    return [SeedPlacement(each.identity_id, shown_as(each.provider), each.outcome) for each in found]


def shown_as(provider: str) -> str:
    """`counted_as`, for a provider at hand."""
    return OTHER if provider.startswith(OWN_EXCHANGERS) else provider


async def refusal_texts(session: AsyncSession, campaign_id: int) -> list[RefusalText]:
    """What providers refused or deferred with, most frequent first. Served by ix_event_campaign_kind."""
    provider = counted_as(_EVENT.provider).label("provider")
    said = (provider, _EVENT.kind, _EVENT.bounce_class, _EVENT.code, _EVENT.enhanced, _EVENT.fault)
    groups = (
        sa.select(
            *said,
            sa.func.min(_EVENT.id).label("first"),
            sa.func.count(sa.distinct(_EVENT.delivery_id)).label("deliveries"),
        )
        .where(_EVENT.campaign_id == campaign_id, _EVENT.seed.is_(False), _EVENT.kind.in_(REFUSALS))
        .group_by(*said)
        .subquery()
    )
    example = sa.inspect(Event).local_table.alias("example")
    statement = sa.select(groups, example.c.text).join(example, example.c.id == groups.c.first)
    return by_frequency(
        RefusalText(
            row.provider,
            EventKind(row.kind),
            row.bounce_class,
            row.code,
            row.enhanced or None,
            row.text or "",
            row.deliveries,
            row.fault,
        )
        for row in await _rows(session, statement)
    )


def by_frequency(texts: Iterable[RefusalText]) -> list[RefusalText]:
    """Most frequent first, and always in the same order."""
    return sorted(
        texts,
        key=lambda each: (
            -each.deliveries,
            each.provider,
            each.kind,
            each.bounce_class or "",
            each.fault or "",
            each.code or 0,
            each.enhanced or "",
        ),
    )


async def outcome_span(session: AsyncSession, campaign_id: int) -> tuple[datetime, datetime] | None:
    """The moments of the first and the last outcome; None before the first.

    Served by ix_event_campaign_kind.
    """
    statement = sa.select(sa.func.min(_EVENT.at), sa.func.max(_EVENT.at)).where(
        _EVENT.campaign_id == campaign_id, _EVENT.kind.in_(OUTCOMES), _EVENT.seed.is_(False)
    )
    ((first, last),) = await _rows(session, statement)
    return None if first is None else (first, last)


async def outcomes_over_time(session: AsyncSession, campaign_id: int, bucket_seconds: int) -> list[Bucket]:
    """Answers by kind and time, oldest first; empty buckets are left out.

    Served by ix_event_campaign_kind.
    """
    epoch = sa.extract("epoch", _EVENT.at)
    # Without a division, which one database rounds and the other truncates.
    start = (epoch - epoch % bucket_seconds).label("start")
    statement = (
        sa.select(start, _EVENT.kind, sa.func.count())
        .where(_EVENT.campaign_id == campaign_id, _EVENT.seed.is_(False), _EVENT.kind.in_(OUTCOMES))
        .group_by(start, _EVENT.kind)
        .order_by(start, _EVENT.kind)
    )
    rows = await _rows(session, statement)
    return [Bucket(datetime.fromtimestamp(int(at), UTC), EventKind(kind), count) for at, kind, count in rows]


async def _rows(session: AsyncSession, statement: Any) -> Sequence[Any]:
    """The rows of a grouped statement, which sqlmodel's types do not foresee."""
    return list((await session.exec(statement)).all())


async def identity_names(session: AsyncSession, identity_ids: Collection[int]) -> dict[int, str]:
    """What the identities are called. Served by the primary key."""
    wanted = select(Identity.id, Identity.name).where(col(Identity.id).in_(identity_ids))
    return dict((await session.exec(wanted)).all())
