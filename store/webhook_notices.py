"""What is to be told and what was: from the outbox to notices, and each notice until it has arrived."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import NotFoundError
from models.webhook import NoticeState, WebhookNotice, WebhookOutbox
from store.engine import insert_for

_N, _O = cast("Any", WebhookNotice).__table__.c, cast("Any", WebhookOutbox).__table__.c
_PENDING = _N.state == sa.literal_column(f"'{NoticeState.PENDING.value}'")
"""Spelt out as the condition of ix_webhook_notice_due is."""
NO_SYNC = {"synchronize_session": False}


class Noted(NamedTuple):
    """A row of the outbox."""

    id: int
    event_type: str
    mode: str
    subject_id: int
    at: datetime | None


class Held(NamedTuple):
    """A notice that is ours to post until `until`."""

    id: int
    endpoint_id: int
    webhook_id: str
    body: str
    attempts: int
    until: datetime


async def is_noted(session: AsyncSession) -> bool:
    """Whether the outbox holds anything."""
    return (await session.exec(select(WebhookOutbox.id).limit(1))).first() is not None


async def take_noted(session: AsyncSession, limit: int) -> list[Noted]:
    """Take the oldest rows out of the outbox, in their order; those others are taking are passed over."""
    numbers = sa.select(_O.id).order_by(_O.id).limit(limit)
    if session.get_bind().dialect.name != "sqlite":
        numbers = numbers.with_for_update(skip_locked=True)
    taken = (
        sa.delete(WebhookOutbox).where(_O.id.in_(numbers)).returning(*(_O[name] for name in Noted._fields))
    )
    rows = (await (await session.connection()).execute(taken)).all()
    return sorted(Noted(*row) for row in rows)


async def add_notices(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Write notices; one that an endpoint has already, by its `webhook_id`, stays as it is."""
    if rows:
        put = insert_for(session, WebhookNotice).on_conflict_do_nothing(
            index_elements=["endpoint_id", "webhook_id"]
        )
        await (await session.connection()).execute(put, list(rows))


async def hold(
    session: AsyncSession, endpoint_id: int, *, now: datetime, until: datetime, limit: int
) -> list[Held]:
    """Take what is due of an endpoint, the oldest first: nobody else tries it before `until`.

    A try is counted here, so that one that ends with its process counts too. By ix_webhook_notice_due.
    """
    due = sa.select(_N.id).where(_N.endpoint_id == endpoint_id, _PENDING, _N.next_at <= now)
    due = due.order_by(_N.next_at, _N.id).limit(limit)
    if session.get_bind().dialect.name != "sqlite":
        due = due.with_for_update(skip_locked=True)
    change = (
        sa.update(WebhookNotice)
        .where(_N.id.in_(due))
        .values(attempts=_N.attempts + 1, leased_until=until, next_at=until)
        .returning(_N.id, _N.endpoint_id, _N.webhook_id, _N.body, _N.attempts, _N.leased_until)
    )
    rows = (await (await session.connection()).execute(change)).all()
    return sorted(Held(*row) for row in rows)


async def settle(
    session: AsyncSession,
    held: Held,
    *,
    state: NoticeState,
    now: datetime,
    next_at: datetime | None = None,
    status: int | None = None,
    problem: str = "",
    milliseconds: int | None = None,
) -> bool:
    """What came of a try; False when the notice was somebody else's by then, and nothing was changed."""
    change = (
        sa.update(WebhookNotice)
        .where(_N.id == held.id, _PENDING, _N.leased_until == held.until)
        .values(
            state=state,
            leased_until=None,
            next_at=next_at or now,
            status=status,
            problem=problem[:300],
            milliseconds=milliseconds,
            delivered_at=now if state is NoticeState.DELIVERED else None,
        )
        .execution_options(**NO_SYNC)
    )
    return (await session.exec(change)).rowcount == 1


async def get_notice(session: AsyncSession, endpoint_id: int, notice_id: int) -> WebhookNotice:
    """One notice of an endpoint, by the primary key; NotFoundError."""
    found = await session.get(WebhookNotice, notice_id)
    if found is None or found.endpoint_id != endpoint_id:
        raise NotFoundError(f"There is no notice number {notice_id} to that webhook.")
    return found


async def list_notices(
    session: AsyncSession,
    endpoint_id: int,
    *,
    state: NoticeState | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[WebhookNotice]:
    """The log of an endpoint, the newest first. Served by ix_webhook_notice_endpoint_id."""
    wanted = select(WebhookNotice).where(WebhookNotice.endpoint_id == endpoint_id)
    if state is not None:
        wanted = wanted.where(WebhookNotice.state == state)
    if before_id is not None:
        wanted = wanted.where(col(WebhookNotice.id) < before_id)
    return list((await session.exec(wanted.order_by(col(WebhookNotice.id).desc()).limit(limit))).all())


async def standings(session: AsyncSession) -> dict[int, dict[NoticeState, int]]:
    """How many notices of each endpoint are in which state. Reads the table, which is cleared away daily."""
    wanted = sa.select(_N.endpoint_id, _N.state, func.count()).group_by(_N.endpoint_id, _N.state)
    found: dict[int, dict[NoticeState, int]] = {}
    for endpoint_id, state, count in (await (await session.connection()).execute(wanted)).all():
        found.setdefault(endpoint_id, {})[NoticeState(state)] = count
    return found


async def again(
    session: AsyncSession,
    endpoint_id: int,
    *,
    now: datetime,
    notice_id: int | None = None,
    since: datetime | None = None,
    failed_only: bool = False,
) -> int:
    """Have one notice, or all that were made since a moment, told anew, at once; how many.

    Under the same `webhook_id`. Those that are just being posted are left to it.
    """
    free = sa.or_(_N.leased_until.is_(None), _N.leased_until <= now)
    change = sa.update(WebhookNotice).where(_N.endpoint_id == endpoint_id, free)
    if notice_id is not None:
        change = change.where(_N.id == notice_id)
    if since is not None:
        change = change.where(_N.created_at >= since)
    if failed_only:
        change = change.where(_N.state != NoticeState.DELIVERED)
    change = change.values(
        state=NoticeState.PENDING, attempts=0, next_at=now, leased_until=None, delivered_at=None
    )
    return int((await session.exec(change.execution_options(**NO_SYNC))).rowcount)


async def forget_notices(session: AsyncSession, before: datetime, *, limit: int = 5000) -> int:
    """Delete the oldest of those made before a moment; how many. Served by ix_webhook_notice_created_at."""
    numbers = sa.select(_N.id).where(_N.created_at < before).order_by(_N.created_at).limit(limit)
    gone = sa.delete(WebhookNotice).where(_N.id.in_(numbers)).execution_options(**NO_SYNC)
    return int((await session.exec(gone)).rowcount)
