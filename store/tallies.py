"""A campaign's whole ledger from its counters, at the cost of a page, however many events are behind it.

What is read is exact at the moment of reading: the counters of the events up to the mark, and with them,
in the same statement, the events after it. `store.tally_fold` moves the mark on; while it lags behind,
reading takes longer and says the same.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.delivery import Delivery
from models.states import DeliveryState, LeftOutReason
from models.tally import Account, Tally, TallyMark
from store.engine import is_among, planned_by_index
from store.reports import counted_as
from store.tally_keys import Key
from store.tally_ledger import (
    ON_THE_WAY,
    Lane,
    Ledger,
    States,
    counts_of,
    said_of,
    states_of,
    timeline_of,
    together,
)
from store.tally_news import EVENT, Part, answers, grown, histories, plain, row_of, rows_of, singles, wordings

_DELIVERY = sa.inspect(Delivery).local_table.c
_CAMPAIGN = sa.inspect(Campaign).local_table.c
_TALLY = sa.inspect(Tally).local_table.c
_MARK = sa.inspect(TallyMark).local_table.c
_ACCOUNTS = frozenset(account.value for account in Account)
BY_TRIGGER = (Account.STATE, Account.LEFT_OUT)
LAUNCH, UNDER_WAY = "launch", "under_way"
"""Parts of the one statement, beside the accounts and those of `store.tally_news`."""


async def ledger(session: AsyncSession, campaign_id: int) -> Ledger:
    """The ledger of a campaign at this moment, seeds left aside.

    Served by the primary keys of tally and event (what is after the mark) and ix_event_delivery_id.
    """
    async with planned_by_index(session):
        rows, mark = await _snapshot(session, campaign_id)
        counters = {
            Key(Account(row.part), row.identity_id, row.provider, row.word): int(row.count)
            for row in rows
            if row.part in _ACCOUNTS
        }
        stored = timeline_of(counters)
        texts = {(row.provider, row.word): row.text for row in rows if row.part == Account.SAID}
        growth = grown(rows, low=mark).get(campaign_id, {})
        texts |= await wordings(session, growth, known=texts)
        for key, counted in growth.items():
            counters[key] = counters.get(key, 0) + counted.count
        tail = await answers(session, low=mark, campaign_id=campaign_id)
    notes = next(((int(row.count), int(row.delivery_id)) for row in rows if row.part == LAUNCH), (0, 0))
    on_the_way = _on_the_way(rows).get(campaign_id, {})
    return Ledger(
        counts_of(counters, on_the_way, notes),
        said_of(counters, texts),
        together((stored, tail.get(campaign_id))),
    )


async def progress(
    session: AsyncSession, campaign_ids: Collection[int]
) -> dict[int, dict[DeliveryState, int]]:
    """How many deliveries of each campaign stand where, seeds not included.

    Served by the primary key of tally and ix_delivery_campaign_state.
    """
    if not campaign_ids:
        return {}
    rows = await rows_of(
        session,
        sa.union_all(
            _counters(is_among(session, _TALLY.campaign_id, campaign_ids), Account.STATE),
            _under_way(is_among(session, _DELIVERY.campaign_id, campaign_ids)),
        ),
    )
    told: dict[int, States] = {campaign_id: {} for campaign_id in campaign_ids}
    for row in rows:
        if row.part == Account.STATE:
            states = told[row.campaign_id]
            state = DeliveryState(row.word)
            states[state] = states.get(state, 0) + int(row.count)
    on_the_way: dict[int, States] = {}
    for campaign_id, lanes in _on_the_way(rows).items():
        sums = on_the_way.setdefault(campaign_id, {})
        for lane in lanes.values():
            for state, count in lane.items():
                sums[state] = sums.get(state, 0) + count
    return {number: states_of(states, on_the_way.get(number, {})) for number, states in told.items()}


def _on_the_way(rows: Iterable[Any]) -> dict[int, dict[Lane, States]]:
    """By campaign and lane."""
    found: dict[int, dict[Lane, States]] = {}
    for row in rows:
        if row.part == UNDER_WAY:
            lanes = found.setdefault(row.campaign_id, {})
            lanes.setdefault((row.identity_id, row.provider), {})[DeliveryState(row.word)] = int(row.count)
    return found


async def left_out(session: AsyncSession, campaign_id: int) -> dict[LeftOutReason, int]:
    """How many targeted people got no delivery, by reason. Served by the primary key of tally."""
    statement = _counters(_TALLY.campaign_id == campaign_id, Account.LEFT_OUT)
    rows = await rows_of(session, statement)
    return {LeftOutReason(row.word): int(row.count) for row in rows if row.count}


async def behind(session: AsyncSession) -> int:
    """How many events, about, are not in the counters yet."""
    last = sa.select(sa.func.coalesce(sa.func.max(EVENT.c.id), 0)).scalar_subquery()
    statement = sa.select(last - _MARK.event_id).where(_MARK.shard == 0)
    (row,) = await rows_of(session, statement)
    return int(row[0])


async def _snapshot(session: AsyncSession, campaign_id: int) -> tuple[Sequence[Any], int]:
    """Counters, what is under way and the events after the mark, all of one moment; and the mark."""
    (row,) = await rows_of(session, sa.select(_MARK.event_id).where(_MARK.shard == 0))
    mark = int(row.event_id)
    while True:
        statement = sa.union_all(
            _mark_and_launch(campaign_id),
            _counters(_TALLY.campaign_id == campaign_id, *Account),
            _under_way(_DELIVERY.campaign_id == campaign_id),
            singles(low=mark, campaign_id=campaign_id),
            histories(low=mark, campaign_id=campaign_id),
        )
        rows = await rows_of(session, statement)
        moved_to = next((int(row.event_id) for row in rows if row.part == LAUNCH), mark)
        if moved_to == mark:
            return rows, mark
        mark = moved_to


def _mark_and_launch(campaign_id: int) -> Part:
    """The mark as event_id; what was noted at launch: targeted as count, frozen as delivery_id."""
    return sa.select(
        *row_of(
            LAUNCH,
            count=_CAMPAIGN.targeted,
            delivery_id=_CAMPAIGN.frozen,
            event_id=sa.select(_MARK.event_id).where(_MARK.shard == 0).scalar_subquery(),
        )
    ).where(_CAMPAIGN.id == campaign_id)


def _counters(condition: sa.ColumnElement[bool], *accounts: Account) -> Part:
    lane = (_TALLY.campaign_id, _TALLY.identity_id, _TALLY.provider, _TALLY.word)
    in_force = sa.or_(_TALLY.account.in_(BY_TRIGGER), _TALLY.shard == 0)
    return (
        sa.select(
            *row_of(
                plain(_TALLY.account),
                campaign_id=_TALLY.campaign_id,
                identity_id=_TALLY.identity_id,
                provider=_TALLY.provider,
                word=_TALLY.word,
                count=sa.cast(sa.func.sum(_TALLY.count), sa.BigInteger),
                text=sa.func.max(_TALLY.text),
            )
        )
        .where(condition, _TALLY.account.in_(accounts), in_force)
        .group_by(_TALLY.account, *lane)
    )


def _under_way(condition: sa.ColumnElement[bool]) -> Part:
    provider = counted_as(_DELIVERY.provider)
    lane = (_DELIVERY.campaign_id, _DELIVERY.identity_id, provider)
    return (
        sa.select(
            *row_of(
                UNDER_WAY,
                campaign_id=_DELIVERY.campaign_id,
                identity_id=_DELIVERY.identity_id,
                provider=provider,
                word=plain(_DELIVERY.state),
                count=sa.func.count(),
            )
        )
        .where(condition, _DELIVERY.state.in_(ON_THE_WAY), _DELIVERY.seed_id.is_(None))
        .group_by(*lane, _DELIVERY.state)
    )
