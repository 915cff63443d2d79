"""Seed mailboxes, and which of our mails are still to be looked for in them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.delivery import Delivery
from models.errors import ConflictError, NotFoundError
from models.event import Event
from models.seed import SeedMailbox
from models.states import DeliveryState, EventKind

FOUND = (EventKind.PLACED_INBOX, EventKind.PLACED_SPAM)
SENT = (DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN)
PROBLEM_LENGTH = 500


@dataclass(frozen=True, slots=True)
class AwaitedMail:
    """A mail that left for a seed mailbox and has not been seen in it yet."""

    delivery_id: int
    seed_id: int
    sent_at: datetime


async def add_seed(session: AsyncSession, seed: SeedMailbox) -> SeedMailbox:
    """Keep a new seed mailbox; ConflictError when its address is one already."""
    taken = select(SeedMailbox.id).where(SeedMailbox.address == seed.address)
    if (await session.exec(taken)).first() is not None:
        raise ConflictError(
            "There already is a seed mailbox of that address.", "Deactivate the old one or change it."
        )
    session.add(seed)
    await session.flush()
    return seed


async def get_seed(session: AsyncSession, seed_id: int) -> SeedMailbox:
    """The seed mailbox with that number; NotFoundError when there is none."""
    seed = await session.get(SeedMailbox, seed_id)
    if seed is None:
        raise NotFoundError(f"There is no seed mailbox number {seed_id}.")
    return seed


async def list_seeds(session: AsyncSession) -> list[SeedMailbox]:
    """Every seed mailbox, by provider and address. A table of dozens."""
    wanted = select(SeedMailbox).order_by(col(SeedMailbox.provider), col(SeedMailbox.address))
    return list((await session.exec(wanted)).all())


async def list_active_seeds(session: AsyncSession) -> list[SeedMailbox]:
    """The seed mailboxes in use, by provider and address. A table of dozens."""
    return [seed for seed in await list_seeds(session) if seed.active]


async def set_active(session: AsyncSession, seed_id: int, *, active: bool) -> None:
    """Put a seed mailbox in or out of use; NotFoundError when there is none of that number."""
    seed = await get_seed(session, seed_id)
    seed.active = active
    session.add(seed)
    await session.flush()


async def awaited_mails(
    session: AsyncSession, seed_ids: Collection[int], since: datetime
) -> list[AwaitedMail]:
    """Mails that left for these seeds after `since` and were not found yet, oldest first.

    Served by uq_delivery_seed for few campaigns, ix_event_delivery_id for what was found.
    """
    found = (
        sa.select(sa.literal(1))
        .select_from(Event)
        .where(col(Event.delivery_id) == col(Delivery.id), col(Event.kind).in_(FOUND))
        .exists()
    )
    wanted = (
        select(Delivery.id, Delivery.seed_id, Delivery.settled_at)
        .where(
            col(Delivery.seed_id).in_(seed_ids),
            col(Delivery.state).in_(SENT),
            col(Delivery.settled_at) >= since,
            ~found,
        )
        .order_by(col(Delivery.id))
    )
    # Neither is NULL where the conditions hold.
    return [
        AwaitedMail(number, seed_id, sent_at)
        for number, seed_id, sent_at in (await session.exec(wanted)).all()
        if seed_id is not None and sent_at is not None
    ]


async def note_check(session: AsyncSession, seed_id: int, *, at: datetime, problem: str) -> None:
    """When a mailbox was last looked into and what stood in the way, "" when nothing did."""
    change = (
        sa.update(SeedMailbox)
        .where(col(SeedMailbox.id) == seed_id)
        .values(last_checked_at=at, last_problem=problem.replace("\x00", "")[:PROBLEM_LENGTH])
        .execution_options(synchronize_session=False)
    )
    await session.exec(change)
