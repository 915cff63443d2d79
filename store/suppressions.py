"""Addresses that are not written to any more, asked by hash.

An address may be suppressed for several reasons at once, one row each, so that lifting one (a person
subscribes again) leaves the others (the mailbox does not exist).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.columns import UtcDateTime
from models.delivery import Delivery
from models.event import Event
from models.states import Channel, SuppressionReason
from models.suppression import Suppression
from store.bulk import Question, Spelling, listed
from store.engine import is_among, is_embedded

HASHES_A_STATEMENT = 500
EVIDENCE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class NewSuppression:
    """One row of a list brought from elsewhere."""

    channel: Channel
    address_hash: str
    reason: SuppressionReason


@dataclass(frozen=True, slots=True)
class Earned:
    """That an address is written to no more for a reason, which rests on an event."""

    channel: Channel
    address_hash: str
    reason: SuppressionReason
    evidence: str
    event_id: int | None


async def hold(session: AsyncSession, hashes: Collection[str]) -> None:
    """Keep everybody else from deciding about these addresses until the transaction ends.

    What is decided is read from all that was heard, and two who read at once would each miss what the other
    has just heard. Taken in one order, so that no two wait for each other: hold all of a transaction's at
    once, and once its events are written. On SQLite a write transaction keeps every other one out as it is.
    """
    if not hashes or is_embedded(session):
        return
    # 60 of the 256 bits: a lock shared by chance costs a moment's wait.
    transaction, held = session.info.get("held", (None, set[int]()))
    if transaction is not session.sync_session.get_transaction():
        held = set()
    keys = sorted({int(fingerprint[:15], 16) for fingerprint in hashes} - held)
    if not keys:
        return
    taken = sa.text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")
    await (await session.connection()).execute(taken, {"keys": keys})
    session.info["held"] = (session.sync_session.get_transaction(), held.union(keys))


async def suppress(
    session: AsyncSession,
    *,
    channel: Channel,
    address_hash: str,
    reason: SuppressionReason,
    evidence: str,
    event_id: int | None,
    now: datetime,
    until: datetime | None = None,
) -> bool:
    """Write to this address no more; False when it already was suppressed for that very reason.

    `until` None: for good. Served by ix_suppression_hash.
    """
    await hold(session, [address_hash])
    standing = select(Suppression.id).where(
        Suppression.address_hash == address_hash,
        Suppression.channel == channel,
        Suppression.reason == reason,
        _holds(now),
    )
    if (await session.exec(standing.limit(1))).first() is not None:
        return False
    row = Suppression(
        channel=channel,
        address_hash=address_hash,
        reason=reason,
        evidence=evidence.replace("\x00", "")[:EVIDENCE_LENGTH],
        event_id=event_id,
        created_at=now,
        until=until,
    )
    session.add(row)
    await session.flush()
    return True


async def suppress_many(
    session: AsyncSession, rows: Sequence[NewSuppression], *, evidence: str, now: datetime
) -> int:
    """Take over a list; how many rows were new. Safe to repeat. Served by ix_suppression_hash."""
    added = 0
    for start in range(0, len(rows), HASHES_A_STATEMENT):
        batch = rows[start : start + HASHES_A_STATEMENT]
        wanted = select(Suppression.channel, Suppression.address_hash, Suppression.reason).where(
            is_among(session, col(Suppression.address_hash), [row.address_hash for row in batch]), _holds(now)
        )
        standing = {tuple(found) for found in (await session.exec(wanted)).all()}
        fresh = {
            (row.channel, row.address_hash, row.reason)
            for row in batch
            if (row.channel, row.address_hash, row.reason) not in standing
        }
        values = [
            {
                "channel": channel,
                "address_hash": fingerprint,
                "reason": reason,
                "evidence": evidence.replace("\x00", "")[:EVIDENCE_LENGTH],
                "created_at": now,
                "lifted_why": "",
            }
            for channel, fingerprint, reason in sorted(fresh)
        ]
        if values:
            await (await session.connection()).execute(sa.insert(Suppression), values)
        added += len(values)
    return added


async def suppressed_hashes(
    session: AsyncSession, channel: Channel, hashes: Collection[str], now: datetime
) -> set[str]:
    """Those of `hashes` that must not be written to at `now`. Served by ix_suppression_hash."""
    asked = listed(session, hashes)
    return {row[0] for row in await _SUPPRESSED.ask(session, hashes=asked, channel=channel, now=now)}


def active_condition(
    channel: Channel, hash_column: sa.ColumnElement[str] | sa.orm.Mapped[str | None], now: datetime
) -> sa.ColumnElement[bool]:
    """Whether the address behind `hash_column` is suppressed at `now`, as a condition for other queries.

    Served by ix_suppression_hash.
    """
    return (
        sa.select(sa.literal(1))
        .select_from(Suppression)
        .where(
            col(Suppression.address_hash) == hash_column,
            col(Suppression.channel) == channel,
            _holds(now),
        )
        .exists()
    )


async def lift(
    session: AsyncSession,
    *,
    channel: Channel,
    address_hash: str,
    why: str,
    now: datetime,
    reasons: Collection[SuppressionReason] = tuple(SuppressionReason),
) -> int:
    """End the suppressions of an address that rest on `reasons`; how many were standing.

    The rows stay as the trace of the decision. Served by ix_suppression_hash.
    """
    change = (
        sa.update(Suppression)
        .where(
            col(Suppression.address_hash) == address_hash,
            col(Suppression.channel) == channel,
            col(Suppression.reason).in_(reasons),
            _holds(now),
        )
        .values(lifted_at=now, lifted_why=why.replace("\x00", "")[:EVIDENCE_LENGTH])
        .execution_options(synchronize_session=False)
    )
    return (await session.exec(change)).rowcount


async def history(session: AsyncSession, channel: Channel, address_hash: str) -> list[Suppression]:
    """Every suppression of an address, lifted ones included, oldest first. Served by ix_suppression_hash."""
    wanted = (
        select(Suppression)
        .where(Suppression.address_hash == address_hash, Suppression.channel == channel)
        .order_by(col(Suppression.id))
    )
    return list((await session.exec(wanted)).all())


async def histories(
    session: AsyncSession, channel: Channel, hashes: Collection[str]
) -> dict[str, list[Suppression]]:
    """Every suppression of each address, lifted ones too, oldest first. Served by ix_suppression_hash."""
    found: dict[str, list[Suppression]] = {fingerprint: [] for fingerprint in hashes}
    if not found:
        return {}
    among = is_among(session, col(Suppression.address_hash), sorted(found))
    wanted = select(Suppression).where(among, Suppression.channel == channel).order_by(col(Suppression.id))
    # As the table has it now: statements change rows behind the mapper's back.
    for row in (await session.exec(wanted.execution_options(populate_existing=True))).all():
        found[row.address_hash].append(row)
    return found


async def add_earned(session: AsyncSession, rows: Sequence[Earned], now: datetime) -> None:
    """Write to these addresses, which the caller holds, no more, for good: none stands yet for its reason."""
    common = {"created_at": now, "lifted_why": ""}
    values = [
        {
            **common,
            "channel": row.channel,
            "address_hash": row.address_hash,
            "reason": row.reason,
            "evidence": row.evidence.replace("\x00", "")[:EVIDENCE_LENGTH],
            "event_id": row.event_id,
        }
        for row in sorted(rows, key=lambda row: (row.address_hash, row.reason))
    ]
    if values:
        connection = await session.connection()
        await connection.execute(sa.insert(Suppression), values)


async def lift_row(session: AsyncSession, suppression_id: int, *, why: str, now: datetime) -> bool:
    """End one suppression; False when it has ended already. Served by the primary key."""
    change = (
        sa.update(Suppression)
        .where(col(Suppression.id) == suppression_id, _holds(now))
        .values(lifted_at=now, lifted_why=why.replace("\x00", "")[:EVIDENCE_LENGTH])
        .execution_options(synchronize_session=False)
    )
    return (await session.exec(change)).rowcount > 0


async def by_rule(
    session: AsyncSession, rule: str, *, since: datetime, now: datetime, after_id: int = 0, limit: int = 500
) -> list[tuple[Suppression, Event, Delivery | None]]:
    """Standing suppressions since a moment that rest on an event as `rule` read it, in order of number.

    The delivery is None, or has no address, once the person is erased. Walks the primary keys.
    """
    wanted = (
        select(Suppression, Event, Delivery)
        .join(Event, col(Event.id) == col(Suppression.event_id))
        .join(Delivery, col(Delivery.id) == col(Event.delivery_id), isouter=True)
        .where(
            col(Suppression.id) > after_id,
            Suppression.created_at >= since,
            col(Suppression.evidence).like(f"%, rule {_like(rule)}", escape="!"),
            _holds(now),
        )
        .order_by(col(Suppression.id))
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in (await session.exec(wanted)).all()]


async def is_on_record(session: AsyncSession, rule: str) -> bool:
    """Whether anybody was ever suppressed by `rule`, lifted ones too. Reads the table."""
    wanted = select(Suppression.id).where(
        col(Suppression.evidence).like(f"%, rule {_like(rule)}", escape="!"),
        col(Suppression.event_id).is_not(None),
    )
    return (await session.exec(wanted.limit(1))).first() is not None


def rests_on(row: Suppression, rule: str, since: datetime) -> bool:
    """Whether `by_rule` would find it, if it stands."""
    its = row.event_id is not None and row.created_at >= since
    return its and row.evidence.endswith(f", rule {rule}")


def holds(row: Suppression, now: datetime) -> bool:
    """Whether a suppression is in force at `now`."""
    return row.lifted_at is None and (row.until is None or row.until > now)


def _like(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


async def list_active(
    session: AsyncSession, now: datetime, *, limit: int = 100, before_id: int | None = None
) -> list[Suppression]:
    """Standing suppressions, newest first, `limit` at a time. Walks the primary key backwards."""
    wanted = select(Suppression).where(_holds(now)).order_by(col(Suppression.id).desc()).limit(limit)
    if before_id is not None:
        wanted = wanted.where(col(Suppression.id) < before_id)
    return list((await session.exec(wanted)).all())


async def count_by_reason(
    session: AsyncSession, now: datetime
) -> dict[tuple[Channel, SuppressionReason], int]:
    """How many addresses are suppressed on which channel for which reason. Reads the table."""
    wanted = (
        select(Suppression.channel, Suppression.reason, func.count())
        .where(_holds(now))
        .group_by(col(Suppression.channel), col(Suppression.reason))
    )
    rows = (await session.exec(wanted)).all()
    return {(Channel(channel), SuppressionReason(reason)): count for channel, reason, count in rows}


def _holds(now: Any) -> sa.ColumnElement[bool]:
    return sa.and_(
        col(Suppression.lifted_at).is_(None),
        sa.or_(col(Suppression.until).is_(None), col(Suppression.until) > now),
    )


def _suppressed(spelling: Spelling) -> sa.Select[Any]:
    fingerprint: Any = Suppression.address_hash
    now: Any = sa.bindparam("now", type_=UtcDateTime)
    return sa.select(fingerprint).where(
        spelling.among(fingerprint, "hashes", sa.Text),
        col(Suppression.channel) == sa.bindparam("channel", type_=sa.Text),
        _holds(now),
    )


_SUPPRESSED = Question(_suppressed)
