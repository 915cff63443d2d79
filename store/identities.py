"""Sender identities and their signing keys."""

from collections.abc import Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import ConflictError, NotFoundError
from models.identity import DkimKey, Identity


async def add_identity(session: AsyncSession, identity: Identity, keys: Sequence[DkimKey]) -> Identity:
    """A new identity with its keys; ConflictError when its key word is taken."""
    if await find_identity(session, identity.key) is not None:
        raise ConflictError(f"There is already an identity {identity.key!r}.", "Choose another key word.")
    session.add(identity)
    await session.flush()
    for key in keys:
        key.identity_id = identity.id
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


async def keys_of(session: AsyncSession, identity_id: int) -> list[DkimKey]:
    """The keys that sign now, RSA before Ed25519: some verifiers look at the first signature only."""
    wanted = select(DkimKey).where(DkimKey.identity_id == identity_id, col(DkimKey.retired_at).is_(None))
    return list((await session.exec(wanted.order_by(col(DkimKey.algorithm).desc(), col(DkimKey.id)))).all())
