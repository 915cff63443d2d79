"""News from providers, kept from the answer to the webhook until it is in the evidence."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.news import HookNonce, HookTally, News, NewsState, signal_to_json
from models.values import Signal
from store.engine import insert_for, is_among


async def keep(session: AsyncSession, signals: Sequence[Signal], now: datetime) -> int:
    """Store each piece of news once, due now; how many were new.

    The unique (source, source_id) decides, so a request told again stores nothing. In the order of these
    names, so that two who are told the same at once do not wait for each other in a circle.
    """
    if not signals:
        return 0
    rows = [_row(signal, now) for signal in sorted(signals, key=lambda one: (one.source, one.source_id))]
    insert = insert_for(session, News).on_conflict_do_nothing(index_elements=["source", "source_id"])
    connection = await session.connection()
    return len((await connection.execute(insert.returning(col(News.id)), rows)).all())


def _row(signal: Signal, now: datetime) -> dict[str, object]:
    return {
        "source": signal.source,
        "source_id": signal.source_id,
        "kind": signal.kind,
        "signal": signal_to_json(signal),
        "raw": signal.raw,
        "recipient": signal.recipient,
        "received_at": now,
        "due_at": now,
        "tries": 0,
        "state": NewsState.WAITING,
    }


async def use_nonce(session: AsyncSession, source: str, nonce: str, digest: str, now: datetime) -> bool:
    """Whether `nonce` is new, or was used for this very body; `digest`: SHA-256 of it in hexadecimal.

    Served by the primary key.
    """
    row = {"source": source, "nonce": nonce, "digest": digest, "seen_at": now}
    insert = insert_for(session, HookNonce).values(row)
    await session.exec(insert.on_conflict_do_nothing(index_elements=["source", "nonce"]))
    wanted = select(HookNonce.digest).where(HookNonce.source == source, HookNonce.nonce == nonce)
    return (await session.exec(wanted)).one() == digest


class Waiting(NamedTuple):
    """A piece of news that waits: its number, who told it, what it says, and since when."""

    id: int
    source: str
    signal: dict[str, Any]
    raw: bytes
    received_at: datetime
    tries: int


async def due(session: AsyncSession, now: datetime, *, limit: int) -> list[Waiting]:
    """What is to be applied now, longest due first. Served by ix_news_due."""
    wanted = (
        sa.select(*(getattr(News, name) for name in Waiting._fields))
        .where(_is(NewsState.WAITING), col(News.due_at) <= now)
        .order_by(col(News.due_at), col(News.id))
        .limit(limit)
    )
    connection = await session.connection()
    return [Waiting(*row) for row in (await connection.execute(wanted)).all()]


async def settle(session: AsyncSession, ids: Sequence[int], state: NewsState) -> None:
    """An end for these, after which their content is not needed here. Served by the primary key."""
    await _change(session, ids, state=state, signal={}, raw=b"", recipient=None)


async def put_off(session: AsyncSession, ids: Sequence[int], until: datetime) -> None:
    """Try these again then. Served by the primary key."""
    await _change(session, ids, due_at=until)


async def _change(session: AsyncSession, ids: Sequence[int], **values: Any) -> None:
    if ids:
        change = sa.update(News).where(is_among(session, col(News.id), ids))
        connection = await session.connection()
        await connection.execute(change.values(tries=News.tries + 1, **values))


@dataclass(slots=True)
class Called:
    """How a webhook was called of late: pieces of news told, and calls refused as forged or stale."""

    told: int = 0
    forged: int = 0
    stale: int = 0
    told_at: datetime | None = None
    refused_at: datetime | None = None


async def count(session: AsyncSession, source: str, called: Called) -> None:
    """Add to what is known of a provider's calls. Served by the primary key."""
    insert = insert_for(session, HookTally).values({"source": source, **asdict(called)})
    new = insert.excluded
    sums = {name: getattr(HookTally, name) + new[name] for name in ("told", "forged", "stale")}
    moments = ("told_at", "refused_at")
    latest = {name: sa.func.coalesce(new[name], getattr(HookTally, name)) for name in moments}
    await session.exec(insert.on_conflict_do_update(index_elements=["source"], set_=sums | latest))


@dataclass(frozen=True, slots=True)
class Heard:
    """How one provider's news stands: how many wait, how many led to nobody, and when the last came.

    `last_at` is None while no call was the provider's own; `forged` and `stale` count those that were not,
    or too late, the last of them at `refused_at`. `due_at`: when the first that waits is to be tried.
    """

    source: str
    waiting: int
    unmatched: int
    last_at: datetime | None
    told: int = 0
    forged: int = 0
    stale: int = 0
    refused_at: datetime | None = None
    due_at: datetime | None = None


async def heard(session: AsyncSession) -> list[Heard]:
    """Each provider that has called, by name.

    Served by the primary key, ix_news_due and ix_news_state_received: what was applied is not looked at.
    """
    waiting = {row[0]: row[1:] for row in await _standing(session, NewsState.WAITING)}
    unmatched = {row[0]: row[1:] for row in await _standing(session, NewsState.UNMATCHED)}
    tallies = {row.source: row for row in (await session.exec(select(HookTally))).all()}
    found = []
    for source in sorted({*waiting, *unmatched, *tallies}):
        tally = tallies.get(source) or HookTally(source=source)
        open_, due_at = waiting.get(source, (0, None))
        lost, _ = unmatched.get(source, (0, None))
        found.append(
            Heard(
                source,
                open_,
                lost,
                tally.told_at,
                told=tally.told,
                forged=tally.forged,
                stale=tally.stale,
                refused_at=tally.refused_at,
                due_at=due_at,
            )
        )
    return found


async def _standing(session: AsyncSession, state: NewsState) -> list[tuple[str, int, datetime]]:
    """How many are in a state, and since when the first is due, by provider."""
    wanted = select(News.source, func.count(), func.min(col(News.due_at))).where(_is(state))
    return list((await session.exec(wanted.group_by(col(News.source)))).all())


def _is(state: NewsState) -> sa.ColumnElement[bool]:
    """Whether news is in a state: spelt out, so that SQLite sees the partial index."""
    spelt: sa.ColumnElement[str] = sa.literal_column(f"'{state.value}'")
    return col(News.state) == spelt


async def list_unmatched(session: AsyncSession, *, limit: int = 100) -> list[News]:
    """What led to nobody, newest first. Served by ix_news_state_received."""
    wanted = (
        select(News)
        .where(News.state == NewsState.UNMATCHED)
        .order_by(col(News.received_at).desc(), col(News.id).desc())
        .limit(limit)
    )
    return list((await session.exec(wanted)).all())


async def clear_away(
    session: AsyncSession, now: datetime, *, applied: timedelta, unmatched: timedelta, nonces: timedelta
) -> None:
    """Forget what came long ago: applied news is in the evidence, which knows it when it comes again.

    Served by ix_news_state_received and ix_hook_nonce_seen_at.
    """
    for state, span in ((NewsState.APPLIED, applied), (NewsState.UNMATCHED, unmatched)):
        old = sa.and_(col(News.state) == state, col(News.received_at) < now - span)
        await session.exec(sa.delete(News).where(old))
    await session.exec(sa.delete(HookNonce).where(col(HookNonce.seen_at) < now - nonces))
