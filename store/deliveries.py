"""The ledger of deliveries: what is due, who holds it, what became of it.

A worker claims a batch under a lease and a fresh token and commits; nothing is held open while it talks
to a mail server. Whoever records an outcome must still hold the token: a worker that slept past its
lease, and whose batch was taken over, records nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.columns import UtcDateTime
from models.delivery import Delivery
from models.states import CampaignState, Channel, DeliveryState
from store.engine import skips_locked_rows
from store.events import storable

NO_SYNC = {"synchronize_session": False}
BITE = 1000
"""Deliveries closed in one transaction: others must be able to write in between."""
_S = DeliveryState
# In the order of the partial indexes' conditions: SQLite compares them word for word.
_CLAIMABLE = (_S.QUEUED, _S.DEFERRED)
_LEASED = (_S.CLAIMED, _S.SENDING)
_STOPPABLE = (_S.QUEUED, _S.DEFERRED, _S.HELD)


@dataclass(frozen=True, slots=True)
class Lane:
    """Deliveries that share their limits: one identity, one destination provider."""

    identity_id: int
    provider: str


def _of_sending_campaigns() -> sa.ColumnElement[bool]:
    # A pause or a cancellation takes hold here, before anything else is asked.
    sending = select(Campaign.id).where(Campaign.state == CampaignState.SENDING)
    return col(Delivery.campaign_id).in_(sending)


def _stands(states: Sequence[DeliveryState]) -> sa.ColumnElement[bool]:
    # Spelt out, not as parameters: SQLite would not see that a partial index serves.
    return col(Delivery.state).in_([sa.literal_column(f"'{state.value}'") for state in states])


async def get_delivery(session: AsyncSession, delivery_id: int) -> Delivery | None:
    """The delivery with that number."""
    return await session.get(Delivery, delivery_id)


async def find_by_provider_message_id(session: AsyncSession, provider_message_id: str) -> Delivery | None:
    """The delivery a provider knows under that number. Served by ix_delivery_provider_message_id."""
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


async def due_lanes(session: AsyncSession, now: datetime) -> list[Lane]:
    """Lanes that have something due at `now`. Served by ix_delivery_due."""
    wanted = (
        select(Delivery.identity_id, Delivery.provider)
        .where(_stands(_CLAIMABLE), col(Delivery.due_at) <= now, _of_sending_campaigns())
        .distinct()
    )
    return [Lane(identity_id, provider) for identity_id, provider in (await session.exec(wanted)).all()]


async def claim_due(
    session: AsyncSession, *, lane: Lane, token: str, now: datetime, lease: timedelta, limit: int
) -> list[Delivery]:
    """Take at most `limit` due deliveries of a lane until `now + lease`, oldest first.

    Served by ix_delivery_due.
    """
    due = (
        select(Delivery.id)
        .where(
            Delivery.identity_id == lane.identity_id,
            Delivery.provider == lane.provider,
            _stands(_CLAIMABLE),
            col(Delivery.due_at) <= now,
            _of_sending_campaigns(),
        )
        .order_by(col(Delivery.due_at), col(Delivery.id))
        .limit(limit)
    )
    if skips_locked_rows(session):
        due = due.with_for_update(skip_locked=True)
    # A CTE is asked once; PostgreSQL may ask a subquery again for each row, past the limit.
    taken = due.cte("due")
    claim = (
        sa.update(Delivery)
        .where(col(Delivery.id).in_(select(taken.c.id)))
        .values(state=DeliveryState.CLAIMED, claim_token=token, leased_until=now + lease)
        .returning(Delivery)
        .execution_options(populate_existing=True, **NO_SYNC)
    )
    rows = (await session.exec(claim)).scalars().all()
    return sorted(rows, key=lambda delivery: (delivery.due_at, delivery.id))


async def mark_sending(
    session: AsyncSession, ids: Collection[int], *, token: str, now: datetime, lease: timedelta
) -> set[int]:
    """Announce that these go on the wire now; the ones that may: still ours, campaign not paused.

    From this commit on, a crash leaves them uncertain.
    """
    mark = (
        sa.update(Delivery)
        .where(
            col(Delivery.id).in_(ids),
            col(Delivery.claim_token) == token,
            col(Delivery.state) == DeliveryState.CLAIMED,
            _of_sending_campaigns(),
        )
        .values(
            state=DeliveryState.SENDING,
            attempts=col(Delivery.attempts) + 1,
            first_attempt_at=sa.func.coalesce(col(Delivery.first_attempt_at), sa.literal(now, UtcDateTime())),
            leased_until=now + lease,
        )
        .returning(col(Delivery.id))
        .execution_options(**NO_SYNC)
    )
    return set((await session.exec(mark)).scalars().all())


async def extend_lease(session: AsyncSession, ids: Collection[int], *, token: str, until: datetime) -> None:
    """Keep deliveries that are still on the wire: a server may take its time (RFC 5321 section 4.5.3.2)."""
    keep = (
        sa.update(Delivery)
        .where(
            col(Delivery.id).in_(ids),
            col(Delivery.claim_token) == token,
            col(Delivery.state) == DeliveryState.SENDING,
        )
        .values(leased_until=until)
        .execution_options(**NO_SYNC)
    )
    await session.exec(keep)


async def settle(
    session: AsyncSession,
    delivery_id: int,
    *,
    token: str,
    origin: DeliveryState,
    to: DeliveryState,
    now: datetime,
    reason: str = "",
    due_at: datetime | None = None,
    provider_message_id: str | None = None,
) -> bool:
    """Record where a claimed delivery goes; False when the claim was lost meanwhile, and nothing changed.

    With `due_at` it comes back into the queue then; the claim ends either way.
    """
    values: dict[str, object] = {
        "state": to,
        "reason": storable(reason)[:200],
        "claim_token": None,
        "leased_until": None,
    }
    if due_at is not None:
        values["due_at"] = due_at
    else:
        values["settled_at"] = now
    if provider_message_id is not None:
        values["provider_message_id"] = storable(provider_message_id)[:200]
    change = (
        sa.update(Delivery)
        .where(
            col(Delivery.id) == delivery_id,
            col(Delivery.claim_token) == token,
            col(Delivery.state) == origin,
        )
        .values(**values)
        .execution_options(**NO_SYNC)
    )
    return (await session.exec(change)).rowcount == 1


# One that was tried before is deferred, not new.
_RETURNED: dict[str, object] = {
    "state": sa.case(
        (col(Delivery.attempts) > 0, DeliveryState.DEFERRED.value), else_=DeliveryState.QUEUED.value
    ),
    "claim_token": None,
    "leased_until": None,
}


async def hand_back(session: AsyncSession, ids: Collection[int], *, token: str) -> int:
    """Give claimed deliveries that were not sent back to the queue, as due as they were."""
    back = (
        sa.update(Delivery)
        .where(
            col(Delivery.id).in_(ids),
            col(Delivery.claim_token) == token,
            col(Delivery.state) == DeliveryState.CLAIMED,
        )
        .values(**_RETURNED)
        .execution_options(**NO_SYNC)
    )
    return (await session.exec(back)).rowcount


async def end_leases(session: AsyncSession, now: datetime) -> int:
    """Let every lease run out at `now`: who held them is known to be gone. Served by ix_delivery_leased."""
    change = (
        sa.update(Delivery)
        .where(_stands(_LEASED), col(Delivery.leased_until) >= now)
        .values(leased_until=now - timedelta(seconds=1))
        .execution_options(**NO_SYNC)
    )
    return (await session.exec(change)).rowcount


async def take_off(session: AsyncSession, ids: Collection[int], *, token: str) -> int:
    """Give back deliveries marked as sending that were never offered to anybody; the attempt does not count.

    Only the worker that marked them can know that: deferred, and as due as they were.
    """
    if not ids:
        return 0
    first = col(Delivery.attempts) <= 1
    back = (
        sa.update(Delivery)
        .where(
            col(Delivery.id).in_(ids),
            col(Delivery.claim_token) == token,
            col(Delivery.state) == DeliveryState.SENDING,
        )
        .values(
            state=DeliveryState.DEFERRED,
            attempts=col(Delivery.attempts) - 1,
            first_attempt_at=sa.case((first, sa.null()), else_=col(Delivery.first_attempt_at)),
            claim_token=None,
            leased_until=None,
        )
        .execution_options(**NO_SYNC)
    )
    return (await session.exec(back)).rowcount


async def requeue_lapsed(session: AsyncSession, now: datetime) -> int:
    """Take back claims whose lease ran out before anything was sent. Served by ix_delivery_leased."""
    back = (
        sa.update(Delivery)
        .where(
            _stands(_LEASED), col(Delivery.state) == DeliveryState.CLAIMED, col(Delivery.leased_until) < now
        )
        .values(**_RETURNED)
        .execution_options(**NO_SYNC)
    )
    return (await session.exec(back)).rowcount


async def abandon_lapsed(session: AsyncSession, now: datetime) -> Sequence[Delivery]:
    """Deliveries whose worker vanished with them on the wire: uncertain, and never resent by themselves.

    Served by ix_delivery_leased.
    """
    change = (
        sa.update(Delivery)
        .where(
            _stands(_LEASED), col(Delivery.state) == DeliveryState.SENDING, col(Delivery.leased_until) < now
        )
        .values(
            state=DeliveryState.UNCERTAIN,
            reason="the worker ended between the message and the answer",
            claim_token=None,
            leased_until=None,
            settled_at=now,
        )
        .returning(Delivery)
        .execution_options(populate_existing=True, **NO_SYNC)
    )
    return (await session.exec(change)).scalars().all()


async def close_waiting(
    session: AsyncSession,
    *,
    to: DeliveryState,
    now: datetime,
    reason: str,
    campaign_id: int | None = None,
) -> Sequence[Delivery]:
    """End deliveries that have not left: all of a campaign, or those past their `not_after`.

    At most `BITE` at a time; what a worker holds is left to that worker. Served by
    ix_delivery_campaign_state and ix_delivery_not_after.
    """
    wanted = select(Delivery.id).where(_stands(_STOPPABLE)).limit(BITE)
    if campaign_id is None:
        wanted = wanted.where(col(Delivery.not_after) <= now)
    else:
        wanted = wanted.where(Delivery.campaign_id == campaign_id)
    if skips_locked_rows(session):
        wanted = wanted.with_for_update(skip_locked=True)
    change = (
        sa.update(Delivery)
        .where(col(Delivery.id).in_(select(wanted.cte("wanted").c.id)), _stands(_STOPPABLE))
        .values(state=to, reason=reason, settled_at=now)
        .returning(Delivery)
        .execution_options(populate_existing=True, **NO_SYNC)
    )
    return (await session.exec(change)).scalars().all()


async def release_held(session: AsyncSession, campaign_id: int, now: datetime) -> int:
    """Put what was held back into the queue, due at once; how many. Served by ix_delivery_campaign_state."""
    release = (
        sa.update(Delivery)
        .where(col(Delivery.campaign_id) == campaign_id, col(Delivery.state) == DeliveryState.HELD)
        .values(state=DeliveryState.QUEUED, reason="", due_at=now, settled_at=None)
        .execution_options(**NO_SYNC)
    )
    return (await session.exec(release)).rowcount


async def settle_uncertain(
    session: AsyncSession, delivery_id: int, *, now: datetime, provider_message_id: str | None = None
) -> bool:
    """Turn an uncertain delivery into an accepted one: news came that only a handed-over message can bring.

    False when it was not, or not any more, uncertain: late news moves nothing.
    """
    values: dict[str, object] = {"state": DeliveryState.ACCEPTED, "reason": "", "settled_at": now}
    if provider_message_id is not None:
        values["provider_message_id"] = provider_message_id
    change = (
        sa.update(Delivery)
        .where(col(Delivery.id) == delivery_id, col(Delivery.state) == DeliveryState.UNCERTAIN)
        .values(**values)
        .execution_options(**NO_SYNC)
    )
    return (await session.exec(change)).rowcount == 1
