"""The ledger of deliveries: what is due, what waits, what is known of one.

Who holds which is in `store.claims`, what became of them in `store.outcomes`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign, CampaignLane
from models.canary import HELD_FOR_CANARY
from models.delivery import Delivery
from models.states import CampaignState, Channel, DeliveryState
from store.engine import is_among, skips_locked_rows

NO_SYNC = {"synchronize_session": False}
BITE = 1000
"""Deliveries closed in one transaction: others must be able to write in between."""
WORKER_DIGITS = 12
"""How many digits of a claim token name the worker."""
DECIDED = "decided by a person"
"""The reason of what was uncertain until somebody decided about it."""
_S = DeliveryState
# In the order of the partial indexes' conditions: SQLite compares them word for word.
CLAIMABLE = (_S.QUEUED, _S.DEFERRED)
LEASED = (_S.CLAIMED, _S.SENDING)
_STOPPABLE = (_S.QUEUED, _S.DEFERRED, _S.HELD)


@dataclass(frozen=True, slots=True)
class Lane:
    """Deliveries that share their limits: one identity, one destination provider."""

    identity_id: int
    provider: str


def stands(states: Sequence[DeliveryState]) -> sa.ColumnElement[bool]:
    """Whether a delivery is in one of `states`, spelt as the partial indexes' conditions are."""
    # Spelt out, not as parameters: SQLite would not see that a partial index serves.
    return col(Delivery.state).in_([sa.literal_column(f"'{state.value}'") for state in states])


async def get_delivery(session: AsyncSession, delivery_id: int) -> Delivery | None:
    """The delivery with that number."""
    return await session.get(Delivery, delivery_id)


async def get_many(session: AsyncSession, numbers: Collection[int]) -> dict[int, Delivery]:
    """Those with these numbers that are there. Served by the primary key."""
    if not numbers:
        return {}
    wanted = select(Delivery).where(is_among(session, col(Delivery.id), sorted(numbers)))
    return {found.id: found for found in (await session.exec(wanted)).all()}


async def known_to_providers(session: AsyncSession, numbers: Collection[str]) -> dict[str, Delivery]:
    """The deliveries that providers know under these numbers. Served by ix_delivery_known_to_provider."""
    if not numbers:
        return {}
    column = col(Delivery.provider_message_id)
    wanted = select(Delivery).where(is_among(session, column, sorted(numbers)), column.is_not(None))
    found = (await session.exec(wanted.order_by(col(Delivery.id).desc()))).all()
    return {one.provider_message_id or "": one for one in found}


async def latest_to_each(
    session: AsyncSession, channel: Channel, addresses: Collection[str]
) -> dict[str, Delivery]:
    """The newest delivery to each address. Served by ix_delivery_address."""
    if not addresses:
        return {}
    newest = (
        select(sa.func.max(Delivery.id))
        .where(is_among(session, col(Delivery.address), sorted(addresses)), Delivery.channel == channel)
        .group_by(col(Delivery.address))
    )
    wanted = select(Delivery).where(col(Delivery.id).in_(newest))
    return {found.address: found for found in (await session.exec(wanted)).all()}


async def find_by_provider_message_id(session: AsyncSession, provider_message_id: str) -> Delivery | None:
    """The delivery a provider knows under that number. Served by ix_delivery_known_to_provider."""
    wanted = select(Delivery).where(Delivery.provider_message_id == provider_message_id)
    return (await session.exec(wanted)).first()


async def latest_to(session: AsyncSession, channel: Channel, address: str) -> Delivery | None:
    """The newest delivery to an address. Served by ix_delivery_address."""
    wanted = (
        select(Delivery)
        .where(Delivery.address == address, Delivery.channel == channel)
        .order_by(col(Delivery.id).desc())
        .limit(1)
    )
    return (await session.exec(wanted)).first()


async def first_of(session: AsyncSession, campaign_id: int) -> Delivery | None:
    """The delivery of a campaign to its first contact, None before the launch and of seeds alone.

    Served by uq_delivery_campaign_contact.
    """
    wanted = (
        select(Delivery)
        .where(Delivery.campaign_id == campaign_id, col(Delivery.contact_id).is_not(None))
        .order_by(col(Delivery.contact_id))
        .limit(1)
    )
    return (await session.exec(wanted)).first()


def claimable() -> sa.ColumnElement[bool]:
    """Whether a worker may take a delivery once it is due."""
    return stands(CLAIMABLE)


def flows(now: Any) -> sa.ColumnElement[bool]:
    """Whether what a campaign has in a lane may leave at `now`, as far as that lane of it was not halted."""
    halted_until = col(CampaignLane.halted_until)
    return sa.or_(halted_until.is_(None), halted_until <= now)


async def due_lanes(session: AsyncSession, now: datetime) -> list[Lane]:
    """Lanes that have something due at `now`: each is asked for one. Served by ix_delivery_due."""
    due = (
        sa.select(sa.literal(1))
        .where(
            col(Delivery.identity_id) == col(CampaignLane.identity_id),
            col(Delivery.provider) == col(CampaignLane.provider),
            col(Delivery.campaign_id) == col(CampaignLane.campaign_id),
            claimable(),
            col(Delivery.due_at) <= now,
        )
        .exists()
    )
    wanted = (
        select(CampaignLane.identity_id, CampaignLane.provider)
        .join(Campaign, col(Campaign.id) == col(CampaignLane.campaign_id))
        .where(Campaign.state == CampaignState.SENDING, flows(now), due)
        .distinct()
    )
    return [Lane(identity_id, provider) for identity_id, provider in (await session.exec(wanted)).all()]


async def end_leases(session: AsyncSession, now: datetime, *, workers: Collection[str] | None = None) -> int:
    """Let leases run out at `now`: of `workers` that are known to be gone, None: all there are.

    Served by ix_delivery_leased.
    """
    ended = sa.update(Delivery).where(stands(LEASED), col(Delivery.leased_until) >= now)
    if workers is not None:
        ended = ended.where(sa.func.substr(col(Delivery.claim_token), 1, WORKER_DIGITS).in_(sorted(workers)))
    change = ended.values(leased_until=now - timedelta(seconds=1)).execution_options(**NO_SYNC)
    return (await session.exec(change)).rowcount


async def close_waiting(
    session: AsyncSession,
    *,
    to: DeliveryState,
    now: datetime,
    reason: str | sa.ColumnElement[str],
    campaign_id: int | None = None,
) -> Sequence[Delivery]:
    """End deliveries that have not left: all of a campaign, or those past their `not_after`.

    At most `BITE` at a time; what a worker holds is left to that worker. Served by
    ix_delivery_campaign_state and ix_delivery_not_after.
    """
    wanted = select(Delivery.id).where(stands(_STOPPABLE)).limit(BITE)
    if campaign_id is None:
        wanted = wanted.where(col(Delivery.not_after) <= now)
    else:
        wanted = wanted.where(Delivery.campaign_id == campaign_id)
    if skips_locked_rows(session):
        wanted = wanted.with_for_update(skip_locked=True)
    change = (
        sa.update(Delivery)
        .where(col(Delivery.id).in_(select(wanted.cte("wanted").c.id)), stands(_STOPPABLE))
        .values(state=to, reason=reason, settled_at=now)
        .returning(Delivery)
        .execution_options(populate_existing=True, **NO_SYNC)
    )
    return (await session.exec(change)).scalars().all()


async def release_held(session: AsyncSession, campaign_id: int, now: datetime) -> int:
    """Put what was held back into the queue, due at once; how many. Served by ix_delivery_campaign_state.

    What waits for a canary goes on waiting: `store.canaries.open_some`.
    """
    release = (
        sa.update(Delivery)
        .where(col(Delivery.campaign_id) == campaign_id, col(Delivery.state) == DeliveryState.HELD)
        .where(col(Delivery.reason) != HELD_FOR_CANARY)
        .values(state=DeliveryState.QUEUED, reason="", due_at=now, settled_at=None)
        .execution_options(**NO_SYNC)
    )
    return (await session.exec(release)).rowcount


def is_in_doubt(delivery: Delivery) -> bool:
    """Whether nobody knows if its message was handed over: uncertain, or to be sent again all the same."""
    waits = delivery.state in CLAIMABLE and delivery.reason == DECIDED
    return waits or delivery.state is DeliveryState.UNCERTAIN


async def settle_uncertain(
    session: AsyncSession, delivery_id: int, *, now: datetime, provider_message_id: str | None = None
) -> bool:
    """Turn a delivery in doubt into an accepted one: news came that only a handed-over message can bring.

    False when it was not, or not any more, in doubt: late news moves nothing.
    """
    values: dict[str, object] = {
        "state": DeliveryState.ACCEPTED,
        "reason": "",
        "settled_at": now,
        "claim_token": None,
    }
    if provider_message_id is not None:
        values["provider_message_id"] = provider_message_id
    change = (
        sa.update(Delivery)
        .where(col(Delivery.id) == delivery_id)
        .where(
            sa.or_(
                col(Delivery.state) == DeliveryState.UNCERTAIN,
                sa.and_(claimable(), col(Delivery.reason) == DECIDED),
            )
        )
        .values(**values)
        .execution_options(**NO_SYNC)
    )
    return (await session.exec(change)).rowcount == 1


async def newest_uncertain(session: AsyncSession, campaign_id: int) -> datetime | None:
    """Since when the last uncertain delivery of a campaign is so, None without any.

    Served by ix_delivery_campaign_state.
    """
    wanted = select(sa.func.max(Delivery.settled_at)).where(
        Delivery.campaign_id == campaign_id, Delivery.state == DeliveryState.UNCERTAIN
    )
    return (await session.exec(wanted)).one()


async def decide_uncertain(
    session: AsyncSession,
    campaign_id: int,
    *,
    to: DeliveryState,
    now: datetime,
    shown: datetime,
    answers: Collection[str],
    answered: datetime,
) -> Sequence[Delivery]:
    """End what is uncertain in a campaign: a person decided so. Served by ix_delivery_campaign_state.

    Only what was uncertain at `shown` already, and of the workers that may still `answers` only what was so
    before `answered`. QUEUED: it is due at once. Late news finds no token any more.
    """
    worker = sa.func.substr(col(Delivery.claim_token), 1, WORKER_DIGITS)
    out_of_reach = sa.or_(
        col(Delivery.claim_token).is_(None),
        worker.not_in(sorted(answers)),
        col(Delivery.settled_at) < answered,
    )
    again = to is DeliveryState.QUEUED
    values: dict[str, object] = {
        "state": to,
        "reason": DECIDED,
        "claim_token": None,
        "settled_at": None if again else now,
    }
    if again:
        values["due_at"] = now
    change = (
        sa.update(Delivery)
        .where(col(Delivery.campaign_id) == campaign_id, col(Delivery.state) == DeliveryState.UNCERTAIN)
        .where(col(Delivery.settled_at) <= shown, out_of_reach)
        .values(**values)
        .returning(Delivery)
        .execution_options(populate_existing=True, **NO_SYNC)
    )
    return (await session.exec(change)).scalars().all()
