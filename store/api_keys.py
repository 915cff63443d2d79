"""Keys of programs: made, found by the fingerprint of their secret, rotated, revoked."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.api import ApiKey, KeyMode
from models.api_secret import HINT, draw_secret, secret_hash
from models.errors import ConflictError, NotFoundError


async def add_key(
    session: AsyncSession,
    *,
    name: str,
    mode: KeyMode,
    scopes: Sequence[str],
    by: str,
    now: datetime,
    identity_ids: Sequence[int] = (),
    networks: Sequence[str] = (),
    per_minute: int | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which is nowhere else and never shown again."""
    secret = draw_secret(mode)
    key = ApiKey(
        name=name,
        mode=mode,
        key_hash=secret_hash(secret),
        hint=secret[-HINT:],
        scopes=sorted(set(scopes)),
        identity_ids=sorted(set(identity_ids)),
        networks=list(networks),
        per_minute=per_minute,
        created_by=by[:254],
        created_at=now,
        expires_at=expires_at,
    )
    session.add(key)
    await session.flush()
    return key, secret


async def rotate_key(
    session: AsyncSession, key_id: int, *, by: str, now: datetime, overlap: timedelta
) -> tuple[ApiKey, str]:
    """A successor that may do the same, and its secret; the old one ends after `overlap`.

    ConflictError for a key that has ended, or was rotated before.
    """
    old = await get_key(session, key_id)
    if has_ended(old, now) or old.successor_id is not None:
        raise ConflictError(f"The key {old.name!r} has ended or has a successor.", "Make a new one.")
    key, secret = await add_key(
        session,
        name=old.name,
        mode=old.mode,
        scopes=old.scopes,
        by=by,
        now=now,
        identity_ids=old.identity_ids,
        networks=old.networks,
        per_minute=old.per_minute,
    )
    old.successor_id, key.first_id = key.id, old.line_id
    old.expires_at = min(filter(None, [old.expires_at, now + overlap]))
    session.add(old)
    await session.flush()
    return key, secret


async def revoke_key(session: AsyncSession, key_id: int, *, by: str, now: datetime) -> ApiKey:
    """End a key at once; one that is revoked stays as it is."""
    key = await get_key(session, key_id)
    if key.revoked_at is None:
        key.revoked_at, key.revoked_by = now, by[:254]
        session.add(key)
        await session.flush()
    return key


async def get_key(session: AsyncSession, key_id: int) -> ApiKey:
    """By the primary key; NotFoundError."""
    key = await session.get(ApiKey, key_id)
    if key is None:
        raise NotFoundError(f"There is no API key number {key_id}.")
    return key


async def find_key(session: AsyncSession, secret: str) -> ApiKey | None:
    """The key of a secret, ended or not. By the unique index of fingerprints."""
    return (await session.exec(select(ApiKey).where(ApiKey.key_hash == secret_hash(secret)))).first()


async def list_keys(session: AsyncSession) -> list[ApiKey]:
    """All of them, the newest first."""
    return list((await session.exec(select(ApiKey).order_by(col(ApiKey.id).desc()))).all())


async def note_use(session: AsyncSession, key_id: int, *, now: datetime, origin: str) -> None:
    """When and from where it was last used."""
    change = sa.update(ApiKey).where(col(ApiKey.id) == key_id)
    await session.exec(change.values(last_used_at=now, last_used_from=origin[:45]))


def has_ended(key: ApiKey, now: datetime) -> bool:
    """Whether it opens nothing any more."""
    return key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now)
