"""Calls that may be made twice and count once: what was answered, written with what was done.

Nothing of a call is there without its record and no record without what it did: both are one transaction. So
whoever was cut off, by a crash or by the network, asks again under the same key and is told what happened.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.api import IdempotencyRecord
from store.engine import insert_for

LIFE: Final = timedelta(hours=24)
"""How long an answer is kept; afterwards the same key is a new call."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call under a key of its caller's: `body_sha256` tells it from another one under the same key."""

    key_id: int
    key: str
    body_sha256: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What is answered; `fresh`: for the first time, and not what was answered before."""

    status: int
    answer: str
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Different:
    """Another call was made under that key."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """The same call is being made at this moment."""


async def begin(session: AsyncSession, call: Call, now: datetime) -> Answered | Different | InFlight | None:
    """What is known of a call, None when it is new; it is this transaction's alone then, until its end.

    On PostgreSQL by an advisory lock; on SQLite nobody else writes meanwhile. Served by the primary key.
    """
    if not await _is_ours(session, call):
        return InFlight()
    wanted = select(IdempotencyRecord).where(
        IdempotencyRecord.key_id == call.key_id, IdempotencyRecord.key == call.key
    )
    known = (await session.exec(wanted)).first()
    if known is None:
        return None
    if known.expires_at <= now:
        await session.delete(known)
        await session.flush()
        return None
    return Answered(known.status, known.answer) if known.body_sha256 == call.body_sha256 else Different()


async def keep(session: AsyncSession, call: Call, *, status: int, answer: str, now: datetime) -> None:
    """Write down what is answered."""
    row = {
        "key_id": call.key_id,
        "key": call.key,
        "body_sha256": call.body_sha256,
        "status": status,
        "answer": answer,
        "made_at": now,
        "expires_at": now + LIFE,
    }
    await session.exec(insert_for(session, IdempotencyRecord).values(row))


async def forget(session: AsyncSession, now: datetime, *, limit: int = 5_000) -> int:
    """Drop answers that nobody may ask for any more; how many. Served by ix_idempotency_record_expires_at."""
    table = IdempotencyRecord
    old = (
        sa.select(col(table.key_id), col(table.key))
        .where(col(table.expires_at) <= now)
        .limit(limit)
        .subquery()
    )
    gone = sa.delete(table).where(
        sa.tuple_(col(table.key_id), col(table.key)).in_(sa.select(old.c.key_id, old.c.key))
    )
    return (await session.exec(gone)).rowcount


async def _is_ours(session: AsyncSession, call: Call) -> bool:
    if session.get_bind().dialect.name == "sqlite":
        return True
    name = hashlib.blake2b(f"{call.key_id}/{call.key}".encode(), digest_size=8).digest()
    number = int.from_bytes(name, "big", signed=True)
    lock = sa.text("SELECT pg_try_advisory_xact_lock(:number)").bindparams(number=number)
    return bool(await (await session.connection()).scalar(lock))
