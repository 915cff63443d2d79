"""Seed mailboxes, what was sent to them, and where it was seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.columns import UtcDateTime
from models.delivery import Delivery
from models.errors import ConflictError, NotFoundError
from models.event import Event
from models.seed import SeedMailbox
from models.states import DeliveryState, EventKind

SENT = (DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN)
PLACEMENTS = (
    EventKind.PLACED_INBOX,
    EventKind.PLACED_TAB,
    EventKind.PLACED_SPAM,
    EventKind.PLACED_MISSING,
)
PROBLEM_LENGTH = 500
# The tables rather than the classes: their columns' types stay simple.
_EVENT = sa.inspect(Event).local_table.c
_DELIVERY = sa.inspect(Delivery).local_table.c
_SEED = sa.inspect(SeedMailbox).local_table.c


class Outcome(StrEnum):
    """What became of one mail to a seed; REJECTED: refused by the server, or come back."""

    INBOX = "inbox"
    TAB = "tab"
    SPAM = "spam"
    MISSING = "missing"
    REJECTED = "rejected"
    AWAITED = "awaited"


_OUTCOME_OF = {
    EventKind.PLACED_INBOX: Outcome.INBOX,
    EventKind.PLACED_TAB: Outcome.TAB,
    EventKind.PLACED_SPAM: Outcome.SPAM,
    EventKind.PLACED_MISSING: Outcome.MISSING,
}
_NEVER_LEFT = (DeliveryState.EXPIRED, DeliveryState.CANCELLED, DeliveryState.SUPPRESSED, DeliveryState.CAPPED)


@dataclass(frozen=True, slots=True)
class SentMail:
    """A mail that left for a seed mailbox; `seen` is the last placement found, None before the first.

    `tab` is the tab it was seen in, `looks` how many placements were recorded so far.
    """

    delivery_id: int
    seed_id: int
    sent_at: datetime
    seen: EventKind | None = None
    tab: str = ""
    looks: int = 0


@dataclass(frozen=True, slots=True)
class SeedOutcome:
    """One mail to one seed, as it stands; `at` is when that was seen, or when it left, or was to leave.

    `latency_seconds` is from leaving to arriving; None where the mail was not found.
    """

    campaign_id: int
    identity_id: int
    provider: str
    seed_id: int
    outcome: Outcome
    latency_seconds: int | None
    at: datetime
    delivery_id: int = 0


async def add_seed(session: AsyncSession, seed: SeedMailbox) -> SeedMailbox:
    """Keep a new seed mailbox; ConflictError when its address is one already.

    One that was removed comes back as it is given now, with the history it had.
    """
    taken = select(SeedMailbox).where(SeedMailbox.address == seed.address)
    known = (await session.exec(taken)).first()
    if known is not None and known.removed_at is None:
        raise ConflictError(
            "There already is a seed mailbox of that address.", "Remove the old one first, or change it."
        )
    if known is not None:
        for name in set(SeedMailbox.model_fields) - {"id"}:
            setattr(known, name, getattr(seed, name))
        seed = known
    session.add(seed)
    await session.flush()
    return seed


async def remove_seed(session: AsyncSession, seed_id: int, now: datetime) -> None:
    """Take a seed mailbox out for good, with its secrets; NotFoundError when there is none of that number.

    What was sent to it stays in the reports.
    """
    seed = await get_seed(session, seed_id)
    seed.active, seed.removed_at, seed.last_problem = False, now, ""
    seed.sealed_password = seed.sealed_client_secret = ""
    session.add(seed)
    await session.flush()


async def get_seed(session: AsyncSession, seed_id: int) -> SeedMailbox:
    """The seed mailbox with that number; NotFoundError when there is none, or it was removed."""
    seed = await session.get(SeedMailbox, seed_id)
    if seed is None or seed.removed_at is not None:
        raise NotFoundError(f"There is no seed mailbox number {seed_id}.")
    return seed


async def list_seeds(session: AsyncSession) -> list[SeedMailbox]:
    """Every seed mailbox that was not removed, by provider and address. A table of dozens."""
    kept = select(SeedMailbox).where(col(SeedMailbox.removed_at).is_(None))
    wanted = kept.order_by(col(SeedMailbox.provider), col(SeedMailbox.address))
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


async def sent_mails(session: AsyncSession, since: datetime) -> list[SentMail]:
    """Mails that left for seeds in use from `since` on, found or not, in the order of their deliveries.

    Served by uq_delivery_seed (deliveries to seeds alone) and ix_event_delivery_id.
    """
    left = (
        sa.select(_DELIVERY.id)
        .join(sa.inspect(SeedMailbox).local_table, _SEED.id == _DELIVERY.seed_id)
        .where(
            _DELIVERY.seed_id.is_not(None),
            _SEED.active,
            _DELIVERY.state.in_(SENT),
            _DELIVERY.settled_at >= since,
        )
    )
    wanted = (
        sa.select(_DELIVERY.id, _DELIVERY.seed_id, _DELIVERY.settled_at)
        .where(_DELIVERY.id.in_(left))
        .order_by(_DELIVERY.id)
    )
    latest = await _latest(session, left)
    found = []
    for number, seed_id, sent_at in await _rows(session, wanted):
        seen = latest.get(number)
        told = (seen.kind, seen.details.get("tab", ""), seen.times) if seen else (None, "", 0)
        found.append(SentMail(number, seed_id, sent_at, *told))
    return found


async def _latest(session: AsyncSession, delivery_ids: sa.Select[tuple[int]]) -> dict[int, Any]:
    """`last_placements` by delivery. Joined here: SQLite would look through all of them for each delivery."""
    rows = await _rows(session, sa.select(last_placements(delivery_ids)))
    return {row.delivery_id: row for row in rows}


def last_placements(delivery_ids: sa.Select[tuple[int]]) -> sa.Subquery:
    """Of each of these deliveries the placement seen last: delivery_id, kind, details, at; `times` in all."""
    newest_first = sa.func.row_number().over(
        partition_by=_EVENT.delivery_id, order_by=(_EVENT.at.desc(), _EVENT.id.desc())
    )
    seen = (
        sa.select(
            _EVENT.delivery_id,
            _EVENT.kind,
            _EVENT.details,
            _EVENT.at,
            newest_first.label("place"),
            sa.func.count().over(partition_by=_EVENT.delivery_id).label("times"),
        )
        .where(_EVENT.delivery_id.in_(delivery_ids), _EVENT.kind.in_(PLACEMENTS))
        .subquery()
    )
    return sa.select(seen).where(seen.c.place == 1).subquery()


async def outcomes(
    session: AsyncSession,
    *,
    campaign_id: int | None = None,
    identity_id: int | None = None,
    since: datetime | None = None,
) -> list[SeedOutcome]:
    """What became of every mail to a seed: of a campaign, of an identity, of those due from `since` on.

    What never left because we stopped it (expired, cancelled, suppressed) is not among them. Served by
    uq_delivery_seed and ix_event_delivery_id.
    """
    asked = [
        *([] if campaign_id is None else [_DELIVERY.campaign_id == campaign_id]),
        *([] if identity_id is None else [_DELIVERY.identity_id == identity_id]),
        *([] if since is None else [_DELIVERY.due_at >= since]),
    ]
    theirs = sa.select(_DELIVERY.id).where(_DELIVERY.seed_id > 0, _DELIVERY.state.not_in(_NEVER_LEFT), *asked)
    came_back = (
        sa.select(_EVENT.delivery_id, sa.func.max(_EVENT.at))
        .where(_EVENT.delivery_id.in_(theirs), _EVENT.kind == EventKind.BOUNCED)
        .group_by(_EVENT.delivery_id)
    )
    wanted = (
        sa.select(
            _DELIVERY.id,
            _DELIVERY.campaign_id,
            _DELIVERY.identity_id,
            _DELIVERY.provider,
            _DELIVERY.seed_id,
            _DELIVERY.state,
            sa.func.coalesce(_DELIVERY.settled_at, _DELIVERY.due_at, type_=UtcDateTime()).label("left_at"),
        )
        .where(_DELIVERY.id.in_(theirs))
        .order_by(_DELIVERY.id)
    )
    latest = await _latest(session, theirs)
    back_at = dict(tuple(row) for row in await _rows(session, came_back))
    return [_outcome_of(row, latest.get(row.id), back_at.get(row.id)) for row in await _rows(session, wanted)]


def _outcome_of(row: Any, seen: Any, back_at: datetime | None) -> SeedOutcome:
    """Found is found, whatever came back from elsewhere; refused or come back is not missing."""
    outcome, at = Outcome.AWAITED, row.left_at
    if seen is not None:
        outcome, at = _OUTCOME_OF[seen.kind], seen.at
    if outcome in {Outcome.AWAITED, Outcome.MISSING}:
        if back_at is not None:
            outcome, at = Outcome.REJECTED, back_at
        elif row.state is DeliveryState.REFUSED:
            outcome, at = Outcome.REJECTED, row.left_at
    latency = seen.details.get("latency_seconds", "") if seen is not None else ""
    return SeedOutcome(
        row.campaign_id,
        row.identity_id,
        row.provider,
        row.seed_id,
        outcome,
        int(latency) if latency.isdigit() else None,
        at,
        row.id,
    )


async def note_check(session: AsyncSession, seed_id: int, *, at: datetime, problem: str) -> None:
    """When a mailbox was last looked into and what stood in the way, "" when nothing did."""
    read = {} if problem else {"last_read_at": at}
    change = (
        sa.update(SeedMailbox)
        .where(col(SeedMailbox.id) == seed_id)
        .values(last_checked_at=at, last_problem=problem.replace("\x00", "")[:PROBLEM_LENGTH], **read)
        .execution_options(synchronize_session=False)
    )
    await session.exec(change)


async def note_try(session: AsyncSession, seed_id: int, *, at: datetime, problem: str) -> None:
    """A sign-in that looked for nothing: what it met is noted, and the next look is due as before."""
    change = (
        sa.update(SeedMailbox)
        .where(col(SeedMailbox.id) == seed_id)
        .values(last_checked_at=at, last_problem=problem.replace("\x00", "")[:PROBLEM_LENGTH])
        .execution_options(synchronize_session=False)
    )
    await session.exec(change)


async def renew_secret(session: AsyncSession, seed_id: int, sealed_password: str) -> None:
    """Keep the new refresh token a provider gave in place of the old one (RFC 6749 section 6)."""
    change = (
        sa.update(SeedMailbox)
        .where(col(SeedMailbox.id) == seed_id)
        .values(sealed_password=sealed_password)
        .execution_options(synchronize_session=False)
    )
    await session.exec(change)


async def _rows(session: AsyncSession, statement: Any) -> Sequence[Any]:
    """The rows of a statement over columns, which sqlmodel's types do not foresee."""
    return list((await session.exec(statement)).all())
