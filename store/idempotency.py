"""Calls that may be made twice and count once: what was answered, written with what was done.

Nothing of a call is there without its record and no record without what it did: both are one transaction. So
whoever was cut off, by a crash or by the network, asks again under the same key and is told what happened.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.api import IdempotencyRecord
from store.engine import is_among

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


Known = Answered | Different | InFlight


async def begin(session: AsyncSession, calls: Sequence[Call], now: datetime) -> list[Known | None]:
    """What is known of each call, None where it is new; it is this transaction's alone then, until its end.

    On PostgreSQL by advisory locks that are not waited for; on SQLite nobody else writes meanwhile. Of two
    under one key in the same breath the second is in flight. Served by the primary key.
    """
    ours = await _ours(session, calls)
    records = await _records(session, [call for call, mine in zip(calls, ours, strict=True) if mine], now)
    begun: set[tuple[int, str]] = set()
    found: list[Known | None] = []
    for call, mine in zip(calls, ours, strict=True):
        name = (call.key_id, call.key)
        record = records.get(name)
        if not mine or name in begun:
            found.append(InFlight())
        elif record is None:
            begun.add(name)
            found.append(None)
        else:
            same = record.body_sha256 == call.body_sha256
            found.append(Answered(record.status, record.answer) if same else Different())
    return found


async def look(session: AsyncSession, call: Call, now: datetime) -> Answered | Different | None:
    """What was answered to a call, None when nothing was; nothing is held. Served by the primary key."""
    record = await session.get(IdempotencyRecord, (call.key_id, call.key))
    if record is None or record.expires_at <= now:
        return None
    same = record.body_sha256 == call.body_sha256
    return Answered(record.status, record.answer) if same else Different()


async def keep(session: AsyncSession, answers: Sequence[tuple[Call, Answered]], now: datetime) -> None:
    """Write down what is answered to each."""
    rows = [
        {
            "key_id": call.key_id,
            "key": call.key,
            "body_sha256": call.body_sha256,
            "status": answer.status,
            "answer": answer.answer,
            "made_at": now,
            "expires_at": now + LIFE,
        }
        for call, answer in answers
    ]
    if rows:
        await (await session.connection()).execute(sa.insert(IdempotencyRecord), rows)


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


async def _records(
    session: AsyncSession, calls: Sequence[Call], now: datetime
) -> dict[tuple[int, str], IdempotencyRecord]:
    """What is on record and still counts; what counts no longer is dropped."""
    if not calls:
        return {}
    table = IdempotencyRecord
    # One key of a CRM's in most breaths: its calls by their names, the others' sorted out afterwards.
    named = is_among(session, col(table.key), sorted({call.key for call in calls}))
    asking = col(table.key_id).in_(sorted({call.key_id for call in calls}))
    records = (await session.exec(select(table).where(asking, named))).all()
    for old in [record for record in records if record.expires_at <= now]:
        await session.delete(old)
    await session.flush()
    return {(record.key_id, record.key): record for record in records if record.expires_at > now}


async def _ours(session: AsyncSession, calls: Sequence[Call]) -> list[bool]:
    if not calls or session.get_bind().dialect.name == "sqlite":
        return [True] * len(calls)
    locked = await (await session.connection()).execute(
        _LOCK, {"numbers": [_number_of(call) for call in calls]}
    )
    return [bool(row[0]) for row in locked]


def _number_of(call: Call) -> int:
    name = hashlib.blake2b(f"{call.key_id}/{call.key}".encode(), digest_size=8).digest()
    return int.from_bytes(name, "big", signed=True)


_LOCK: Final = sa.text(
    "SELECT pg_try_advisory_xact_lock(asked.number)"
    " FROM unnest(CAST(:numbers AS bigint[])) WITH ORDINALITY AS asked (number, place) ORDER BY asked.place"
)
