"""The events after the mark: what they add to the counters."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from models.event import Event
from models.states import EventKind
from models.tally import Account
from store.engine import is_among
from store.reports import counted_as
from store.tally_keys import (
    BEGINNING,
    MICROSECONDS,
    OUTCOMES,
    Counted,
    Growth,
    Happened,
    Key,
    Timeline,
    grow_by_histories,
    grow_by_singles,
)

EVENT = sa.inspect(Event).local_table
SINGLE, HISTORY = "single", "history"
"""Parts of a statement: deliveries with one event, and every event of those with several."""
Part = sa.Select[*tuple[Any, ...]]


def singles(*, low: int, high: int | None = None, campaign_id: int | None = None) -> Part:
    """Events after `low`, up to `high`, of deliveries without another event, put together by their shape."""
    event = EVENT.alias("event")
    shape, provider = _shape(event), counted_as(event.c.provider)
    return (
        sa.select(
            *row_of(
                SINGLE,
                campaign_id=event.c.campaign_id,
                identity_id=event.c.identity_id,
                provider=provider,
                word=shape,
                count=sa.func.count(),
                event_id=sa.func.min(event.c.id),
            )
        )
        .where(*_between(event, low, high, campaign_id), ~_has_other(event, high))
        .group_by(event.c.campaign_id, event.c.identity_id, provider, shape)
    )


def histories(*, low: int, high: int | None = None, campaign_id: int | None = None) -> Part:
    """Every event up to `high` of deliveries with several, one of which at least is after `low`."""
    event, newer = EVENT.alias("event"), EVENT.alias("newer")
    concerned = sa.select(newer.c.delivery_id).where(
        *_between(newer, low, high, campaign_id), _has_other(newer, high)
    )
    return sa.select(
        *row_of(
            HISTORY,
            campaign_id=event.c.campaign_id,
            identity_id=event.c.identity_id,
            provider=counted_as(event.c.provider),
            word=_shape(event),
            count=1,
            event_id=event.c.id,
            delivery_id=event.c.delivery_id,
        )
    ).where(event.c.delivery_id.in_(concerned), event.c.campaign_id.is_not(None), *_up_to(event, high))


def _between(event: Any, low: int, high: int | None, campaign_id: int | None) -> list[Any]:
    conditions = [
        event.c.id > low,
        *_up_to(event, high),
        event.c.seed.is_(False),
        event.c.delivery_id.is_not(None),
    ]
    if campaign_id is None:
        return [*conditions, event.c.campaign_id.is_not(None)]
    # Added nought: by the numbers of events, never by the index of the campaign, which holds millions.
    return [*conditions, event.c.campaign_id + 0 == campaign_id]


def _up_to(event: Any, high: int | None) -> list[Any]:
    return [] if high is None else [event.c.id <= high]


def _has_other(event: Any, high: int | None) -> sa.ColumnElement[bool]:
    other = EVENT.alias()
    return sa.exists().where(
        other.c.delivery_id == event.c.delivery_id,
        other.c.id != event.c.id,
        other.c.campaign_id.is_not(None),
        *_up_to(other, high),
    )


def _shape(event: Any) -> sa.ColumnElement[str]:
    """What `tally_keys.Shape` reads."""
    machine = event.c.details["machine"].as_string()
    parts = (
        plain(event.c.kind),
        _or_empty(event.c.permanence),
        _or_empty(event.c.bounce_class),
        _or_empty(event.c.fault),
        sa.func.coalesce(sa.cast(event.c.code, sa.String), ""),
        sa.case((sa.and_(event.c.kind == EventKind.CLICKED, machine.is_not(None)), "1"), else_=""),
        sa.case(
            (
                event.c.kind == EventKind.RESOLVED,
                sa.func.coalesce(event.c.details["decision"].as_string(), ""),
            ),
            else_="",
        ),
        sa.func.coalesce(event.c.enhanced, ""),
    )
    shape: Any = parts[0]
    for part in parts[1:]:
        shape = shape + sa.literal_column("'|'") + part
    return sa.cast(shape, sa.String)


def row_of(part: Any, **columns: Any) -> list[sa.ColumnElement[Any]]:
    """The columns of a union's part; those that are not given are 0 or empty."""
    empty: dict[str, Any] = {
        "campaign_id": 0,
        "identity_id": 0,
        "provider": "",
        "word": "",
        "count": 0,
        "event_id": 0,
        "delivery_id": 0,
        "text": "",
    }
    filled = {"part": part, **empty, **columns}
    return [
        (sa.literal(value) if isinstance(value, str | int) else value).label(name)
        for name, value in filled.items()
    ]


def plain(column: Any) -> sa.ColumnElement[str]:
    """An enumeration as the word it is stored by: the parts of a union must be of one type."""
    return sa.type_coerce(column, sa.String)


def _or_empty(column: Any) -> sa.ColumnElement[str]:
    return sa.func.coalesce(plain(column), "")


def grown(rows: Iterable[Any], *, low: int) -> Growth:
    """By how much the events among `rows` make the counters grow; those up to `low` are counted."""
    growth: Growth = {}
    alone: list[Happened] = []
    histories: list[Happened] = []
    # Unpacked at once: there may be a hundred thousand of them.
    for part, campaign_id, identity_id, provider, word, count, event_id, delivery_id, _ in rows:
        if part == SINGLE:
            alone.append(Happened(campaign_id, identity_id, provider, word, event_id, delivery_id, count))
        elif part == HISTORY:
            histories.append(Happened(campaign_id, identity_id, provider, word, event_id, delivery_id))
    grow_by_singles(growth, alone)
    grow_by_histories(growth, histories, counted=low)
    return growth


async def wordings(
    session: AsyncSession, growth: Mapping[Key, Counted], *, known: Collection[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """One wording of each answer that is not `known` yet, by (provider, word): the first. By primary key."""
    first = {
        (key.provider, key.word): counted.first_event
        for key, counted in growth.items()
        if key.account is Account.SAID and (key.provider, key.word) not in known
    }
    if not first:
        return {}
    wanted = sa.select(EVENT.c.id, EVENT.c.text).where(is_among(session, EVENT.c.id, sorted(first.values())))
    texts = {row.id: row.text for row in await rows_of(session, wanted)}
    return {place: texts[event_id] for place, event_id in first.items()}


async def answers(
    session: AsyncSession, *, low: int, high: int | None = None, campaign_id: int | None = None
) -> dict[int, Timeline]:
    """The answers in the events after `low`, up to `high`, over time, by campaign."""
    epoch = sa.extract("epoch", EVENT.c.at)
    # Without a rounding, which each database does its own way.
    second = (epoch - epoch % 1).label("second")
    # Added nought: grouped by the column itself, SQLite would walk through the index of all campaigns.
    campaign = (EVENT.c.campaign_id + 0).label("campaign_id")
    statement = (
        sa.select(
            campaign,
            EVENT.c.kind,
            second,
            sa.func.count().label("count"),
            sa.func.min(EVENT.c.at).label("first"),
            sa.func.max(EVENT.c.at).label("last"),
        )
        .where(*_between(EVENT, low, high, campaign_id), EVENT.c.kind.in_(OUTCOMES))
        .group_by(campaign, EVENT.c.kind, second)
    )
    found: dict[int, list[Any]] = {}
    for row in await rows_of(session, statement):
        found.setdefault(row.campaign_id, []).append(row)
    return {
        campaign: Timeline.of(
            min(_microseconds(row.first) for row in rows),
            max(_microseconds(row.last) for row in rows),
            ((int(row.second), EventKind(row.kind), row.count) for row in rows),
        )
        for campaign, rows in found.items()
    }


def _microseconds(at: datetime) -> int:
    since = at - BEGINNING
    return (since.days * 86_400 + since.seconds) * MICROSECONDS + since.microseconds


async def rows_of(session: AsyncSession, statement: Any) -> Sequence[Any]:
    """What a statement finds."""
    return list((await session.exec(statement)).all())
