"""Sender identities, their signing keys and the steps of their life."""

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign, CampaignIdentity
from models.errors import ConflictError, NotFoundError
from models.health import IdentityChange
from models.identity import DkimKey, Identity
from models.states import CampaignState, IdentityState
from store.engine import is_among

REASON_LENGTH = 500
LOOKED_AFTER = frozenset(IdentityState) - {IdentityState.DRAFT, IdentityState.RETIRED}


async def add_identity(session: AsyncSession, identity: Identity, keys: Sequence[DkimKey]) -> Identity:
    """A new identity with its keys, which sign from the start; ConflictError when its key word is taken."""
    if await find_identity(session, identity.key) is not None:
        raise ConflictError(f"There is already an identity {identity.key!r}.", "Choose another key word.")
    identity.state_since = identity.state_since or identity.created_at
    session.add(identity)
    await session.flush()
    for key in keys:
        key.identity_id = identity.id
        key.active_at = key.active_at or key.created_at
        session.add(key)
    await session.flush()
    return identity


async def get_identity(session: AsyncSession, identity_id: int) -> Identity:
    """The identity with that number; NotFoundError when there is none."""
    identity = await session.get(Identity, identity_id)
    if identity is None:
        raise NotFoundError(f"There is no identity number {identity_id}.")
    return identity


async def find_identity(session: AsyncSession, key: str) -> Identity | None:
    """The identity of that key word."""
    return (await session.exec(select(Identity).where(Identity.key == key))).first()


async def list_identities(session: AsyncSession) -> list[Identity]:
    """All of them, in the order they were made."""
    return list((await session.exec(select(Identity).order_by(col(Identity.id)))).all())


async def with_ids(session: AsyncSession, identity_ids: Collection[int]) -> list[Identity]:
    """Those of these numbers that there are, in the order they were made. Served by the primary key."""
    if not identity_ids:
        return []
    wanted = select(Identity).where(is_among(session, col(Identity.id), identity_ids))
    return list((await session.exec(wanted.order_by(col(Identity.id)))).all())


async def keys_of(session: AsyncSession, identity_id: int) -> list[DkimKey]:
    """The keys that sign now, RSA before Ed25519: some verifiers look at the first signature only."""
    wanted = select(DkimKey).where(
        DkimKey.identity_id == identity_id,
        col(DkimKey.active_at).is_not(None),
        col(DkimKey.retired_at).is_(None),
    )
    return list((await session.exec(wanted.order_by(col(DkimKey.algorithm).desc(), col(DkimKey.id)))).all())


async def all_keys_of(session: AsyncSession, identity_id: int) -> list[DkimKey]:
    """Every key it has, had or is to have, in the order they were made."""
    wanted = select(DkimKey).where(DkimKey.identity_id == identity_id).order_by(col(DkimKey.id))
    return list((await session.exec(wanted)).all())


async def due_for_a_look(session: AsyncSession, now: datetime) -> list[int]:
    """The numbers of e-mail identities whose next look is due, the longest overdue first."""
    wanted = select(Identity.id).where(
        col(Identity.from_email).is_not(None),
        col(Identity.state).in_(LOOKED_AFTER),
        sa.or_(col(Identity.look_at).is_(None), col(Identity.look_at) <= now),
    )
    order = sa.func.coalesce(col(Identity.look_at), col(Identity.created_at))
    return list((await session.exec(wanted.order_by(order, col(Identity.id)))).all())


async def move(
    session: AsyncSession,
    identity: Identity,
    to: IdentityState,
    *,
    by: str,
    reason: str,
    now: datetime,
) -> bool:
    """Compare and swap an identity's state, and remember the step; False when it is elsewhere by now."""
    origin, reason = identity.state, reason[:REASON_LENGTH]
    change = (
        sa.update(Identity)
        .where(col(Identity.id) == identity.id, col(Identity.state) == origin)
        .values(state=to, state_by=by, state_reason=reason, state_since=now)
        .execution_options(synchronize_session=False)
    )
    if (await session.exec(change)).rowcount != 1:
        return False
    step = IdentityChange(identity_id=identity.id, at=now, origin=origin, state=to, by=by, reason=reason)
    session.add(step)
    await session.flush()
    await session.refresh(identity)
    return True


async def campaigns_under_way(session: AsyncSession, identity_id: int) -> list[str]:
    """The names of campaigns that are to be sent, or are being sent, in an identity's name."""
    under_way = (
        CampaignState.SCHEDULED,
        CampaignState.LAUNCHING,
        CampaignState.SENDING,
        CampaignState.PAUSED,
    )
    wanted = (
        select(Campaign.name)
        .join(CampaignIdentity, col(CampaignIdentity.campaign_id) == col(Campaign.id))
        .where(CampaignIdentity.identity_id == identity_id, col(Campaign.state).in_(under_way))
        .order_by(col(Campaign.id))
    )
    return list((await session.exec(wanted)).all())


async def changes_of(session: AsyncSession, identity_id: int, *, limit: int = 50) -> list[IdentityChange]:
    """The steps of an identity's life, the latest first. Served by ix_identity_change_identity_id_at."""
    wanted = (
        select(IdentityChange)
        .where(IdentityChange.identity_id == identity_id)
        .order_by(col(IdentityChange.at).desc(), col(IdentityChange.id).desc())
    )
    return list((await session.exec(wanted.limit(limit))).all())
