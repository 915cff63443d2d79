"""What was kept to in a time, and what was gone past: campaigns, votes, checks, suppressions."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.delivery import Delivery
from models.election import SilenceWaiver
from models.event import Event
from models.preflight import PreflightOverride
from models.states import DeliveryState, EventKind, LeftOutReason, Purpose
from models.suppression import Suppression
from models.tally import Account, Tally
from store.engine import is_among

MOST_LOOKED_AT = 5_000
"""Suppressions, the newest, whose addresses are looked for in what was sent since."""
MOST_BREACHES = 20
ON_THE_WIRE = timedelta(minutes=15)
"""A message that was being handed over when its address was suppressed had left already."""
_TALLY = sa.inspect(Tally).local_table.c


@dataclass(frozen=True, slots=True)
class Kept:
    """People and messages of some campaigns that were kept back, and messages that left.

    `left_out` of the campaigns before anything was queued, by reason; `stopped` were queued: their address
    was suppressed since; `expired` were queued and came too late; `sent` were accepted.
    """

    left_out: Mapping[LeftOutReason, int] = field(default_factory=dict)
    stopped: int = 0
    expired: int = 0
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Breach:
    """A message that left although its address had been suppressed before."""

    delivery_id: int
    campaign_id: int
    suppressed_at: datetime
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Honoured:
    """So many suppressions were looked at, and what was sent to their addresses all the same."""

    looked_at: int
    breaches: tuple[Breach, ...]


async def campaigns_between(session: AsyncSession, since: datetime, until: datetime) -> list[Campaign]:
    """Campaigns launched in a time, the newest first. One look through the table of campaigns."""
    wanted = select(Campaign).where(
        col(Campaign.launched_at) >= since,
        col(Campaign.launched_at) < until,
        Campaign.purpose == Purpose.CAMPAIGN,
        col(Campaign.test).is_(False),
    )
    return list((await session.exec(wanted.order_by(col(Campaign.id).desc()))).all())


async def kept_back(session: AsyncSession, campaign_ids: Collection[int]) -> dict[int, Kept]:
    """By campaign. Served by the primary key of tally."""
    if not campaign_ids:
        return {}
    sent = (_TALLY.account == Account.NEWS) & (_TALLY.word == EventKind.ACCEPTED.value) & (_TALLY.shard == 0)
    stopped = (_TALLY.account == Account.STATE) & _TALLY.word.in_(
        [DeliveryState.SUPPRESSED.value, DeliveryState.EXPIRED.value]
    )
    wanted = (
        sa.select(
            _TALLY.campaign_id, _TALLY.account, _TALLY.word, sa.cast(sa.func.sum(_TALLY.count), sa.BigInteger)
        )
        .where(
            is_among(session, _TALLY.campaign_id, sorted(campaign_ids)),
            sa.or_(_TALLY.account == Account.LEFT_OUT, sent, stopped),
        )
        .group_by(_TALLY.campaign_id, _TALLY.account, _TALLY.word)
    )
    counts: dict[int, dict[tuple[str, str], int]] = {}
    for number, account, word, count in await _rows(session, wanted):
        counts.setdefault(number, {})[str(account), word] = int(count)
    return {number: _kept(found) for number, found in counts.items()}


def _kept(found: Mapping[tuple[str, str], int]) -> Kept:
    by_reason = {
        LeftOutReason(word): count for (account, word), count in found.items() if account == Account.LEFT_OUT
    }
    return Kept(
        left_out={reason: by_reason[reason] for reason in LeftOutReason if by_reason.get(reason)},
        stopped=found.get((Account.STATE, DeliveryState.SUPPRESSED), 0),
        expired=found.get((Account.STATE, DeliveryState.EXPIRED), 0),
        sent=found.get((Account.NEWS, EventKind.ACCEPTED), 0),
    )


async def overrides_between(
    session: AsyncSession, since: datetime, until: datetime
) -> list[tuple[PreflightOverride, str]]:
    """Who went past the checks of which campaign, the latest first; a few dozen rows are all there are."""
    wanted = (
        select(PreflightOverride, Campaign.name)
        .join(Campaign, col(Campaign.id) == PreflightOverride.campaign_id)
        .where(col(PreflightOverride.at) >= since, col(PreflightOverride.at) < until)
        .order_by(col(PreflightOverride.id).desc())
    )
    return [(row, name) for row, name in (await session.exec(wanted)).all()]


async def waivers_between(
    session: AsyncSession, since: datetime, until: datetime
) -> list[tuple[SilenceWaiver, str]]:
    """Who asked that a campaign leave in spite of election silence; as `overrides_between`."""
    wanted = (
        select(SilenceWaiver, Campaign.name)
        .join(Campaign, col(Campaign.id) == SilenceWaiver.campaign_id)
        .where(col(SilenceWaiver.asked_at) >= since, col(SilenceWaiver.asked_at) < until)
        .order_by(col(SilenceWaiver.id).desc())
    )
    return [(row, name) for row, name in (await session.exec(wanted)).all()]


async def honoured(session: AsyncSession, since: datetime) -> Honoured:
    """Whether anything left for an address after what suppressed it, of the newest suppressions since then.

    Those that rest on one of our own messages: only of them the address is known. A suppression stands until
    it ends or is lifted. Walks the primary key of suppression back; served by the primary keys of event and
    delivery, ix_delivery_address and ix_event_delivery_id.
    """
    newest = _newest().subquery()
    recent = newest.c.created_at >= since
    looked_at = (await _rows(session, sa.select(sa.func.count()).select_from(newest).where(recent)))[0][0]
    real = {
        Breach(number, campaign_id, suppressed_at, sent_at)
        for number, campaign_id, suppressed_at, until, lifted_at, sent_at in await _rows(
            session, _sent_after(newest).where(recent)
        )
        if sent_at > suppressed_at + ON_THE_WIRE and not _had_ended(until, lifted_at, sent_at)
    }
    return Honoured(int(looked_at), tuple(sorted(real, key=lambda one: -one.delivery_id)[:MOST_BREACHES]))


def _newest() -> Any:
    """The newest suppressions that rest on one of our messages."""
    return (
        sa.select(
            col(Suppression.id),
            col(Suppression.channel),
            col(Suppression.created_at),
            col(Suppression.until),
            col(Suppression.lifted_at),
            col(Suppression.event_id),
        )
        .where(col(Suppression.event_id).is_not(None))
        .order_by(col(Suppression.id).desc())
        .limit(MOST_LOOKED_AT)
    )


def _sent_after(newest: Any) -> Any:
    """What was taken from us for the addresses of these suppressions after they were made."""
    wrote, took = sa.orm.aliased(Delivery), sa.orm.aliased(Event)
    same = sa.and_(col(wrote.address) == col(Delivery.address), col(wrote.channel) == newest.c.channel)
    taken = sa.and_(col(took.delivery_id) == col(wrote.id), col(took.kind) == EventKind.ACCEPTED)
    return (
        sa.select(
            col(wrote.id),
            col(wrote.campaign_id),
            newest.c.created_at,
            newest.c.until,
            newest.c.lifted_at,
            col(took.at),
        )
        .select_from(newest)
        .join(Event, col(Event.id) == newest.c.event_id)
        .join(Delivery, col(Delivery.id) == col(Event.delivery_id))
        .join(wrote, same)
        .join(took, taken)
        .where(
            col(wrote.state) == DeliveryState.ACCEPTED,
            col(wrote.seed_id).is_(None),
            col(wrote.settled_at) > newest.c.created_at,
            col(took.at) > newest.c.created_at,
        )
    )


def _had_ended(until: datetime | None, lifted_at: datetime | None, at: datetime) -> bool:
    return any(one is not None and one <= at for one in (until, lifted_at))


async def _rows(session: AsyncSession, statement: Any) -> list[Any]:
    return list((await (await session.connection()).execute(statement)).all())
