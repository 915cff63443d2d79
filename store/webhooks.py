"""Endpoints: who hears of what happens here, whether they can be reached, and their secrets, sealed."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.api import KeyMode
from models.errors import ConflictError, NotFoundError
from models.webhook import EndpointState, NoticeState, WebhookEndpoint, WebhookNotice
from store.engine import is_embedded

MOST_ENDPOINTS = 50
"""Each is called by so many at once, and one that hangs holds up nobody: their number is what bounds all."""
NO_SYNC = {"synchronize_session": False}
_ALONE = sa.text("LOCK TABLE webhook_endpoint IN SHARE ROW EXCLUSIVE MODE")


async def one_by_one(session: AsyncSession) -> None:
    """Nobody else adds or moves an endpoint until this transaction ends: which there are stays as found."""
    if not is_embedded(session):
        await (await session.connection()).execute(_ALONE)


async def add_endpoint(
    session: AsyncSession,
    *,
    url: str,
    mode: KeyMode,
    event_types: Sequence[str],
    sealed_secret: str,
    by: str,
    now: datetime,
    description: str = "",
) -> WebhookEndpoint:
    """A new one; ConflictError when there are too many, or one of that mode has the address."""
    await one_by_one(session)
    known = (await session.exec(select(WebhookEndpoint.url, WebhookEndpoint.mode))).all()
    if len(known) >= MOST_ENDPOINTS:
        raise ConflictError(f"There are {MOST_ENDPOINTS} webhooks already.", "Remove one first.")
    if (url, mode) in {(one, KeyMode(its)) for one, its in known}:
        raise ConflictError("There is a webhook to that address already.", "Change that one.")
    endpoint = WebhookEndpoint(
        url=url,
        mode=mode,
        event_types=sorted(set(event_types)),
        sealed_secret=sealed_secret,
        description=description[:200],
        created_by=by[:254],
        created_at=now,
    )
    session.add(endpoint)
    await session.flush()
    return endpoint


async def get_endpoint(
    session: AsyncSession, endpoint_id: int, mode: KeyMode | None = None
) -> WebhookEndpoint:
    """By the primary key; NotFoundError, also for one of the other mode."""
    found = await session.get(WebhookEndpoint, endpoint_id)
    if found is None or (mode is not None and found.mode is not mode):
        raise NotFoundError(f"There is no webhook number {endpoint_id}.", "`tocsin webhooks list` shows all.")
    return found


async def list_endpoints(session: AsyncSession, mode: KeyMode | None = None) -> list[WebhookEndpoint]:
    """All of them, or of one mode, oldest first; there are few."""
    wanted = select(WebhookEndpoint).order_by(col(WebhookEndpoint.id))
    if mode is not None:
        wanted = wanted.where(WebhookEndpoint.mode == mode)
    return list((await session.exec(wanted)).all())


async def hearing(session: AsyncSession) -> list[WebhookEndpoint]:
    """Those that are told of anything; there are few."""
    wanted = select(WebhookEndpoint).where(WebhookEndpoint.state == EndpointState.ENABLED)
    return list((await session.exec(wanted.order_by(col(WebhookEndpoint.id)))).all())


async def remove_endpoint(session: AsyncSession, endpoint_id: int) -> None:
    """With its log and whatever it was still to be told."""
    await session.exec(sa.delete(WebhookNotice).where(col(WebhookNotice.endpoint_id) == endpoint_id))
    await session.exec(sa.delete(WebhookEndpoint).where(col(WebhookEndpoint.id) == endpoint_id))


async def due_endpoints(session: AsyncSession, now: datetime) -> list[WebhookEndpoint]:
    """Those that can be told something by now. Served by ix_webhook_notice_due, once for each."""
    due = sa.exists().where(
        col(WebhookNotice.endpoint_id) == col(WebhookEndpoint.id),
        # Spelt out as the condition of the index is.
        col(WebhookNotice.state) == sa.literal_column(f"'{NoticeState.PENDING.value}'"),
        col(WebhookNotice.next_at) <= now,
    )
    resting = col(WebhookEndpoint.resting_until)
    wanted = select(WebhookEndpoint).where(
        WebhookEndpoint.state == EndpointState.ENABLED, sa.or_(resting.is_(None), resting <= now), due
    )
    return list((await session.exec(wanted.order_by(col(WebhookEndpoint.id)))).all())


async def note_working(session: AsyncSession, endpoint_id: int, now: datetime) -> bool:
    """That it took a call; True when it had failed before."""
    mine = col(WebhookEndpoint.id) == endpoint_id
    failed = col(WebhookEndpoint.failing_since).is_not(None)
    change = sa.update(WebhookEndpoint).where(mine, failed)
    change = change.values(failing_since=None, resting_until=None, worked_at=now)
    recovered = (await session.exec(change.execution_options(**NO_SYNC))).rowcount == 1
    if not recovered:
        kept = sa.update(WebhookEndpoint).where(mine).values(worked_at=now)
        await session.exec(kept.execution_options(**NO_SYNC))
    return recovered


async def note_failing(
    session: AsyncSession, endpoint_id: int, *, url: str, now: datetime, until: datetime
) -> WebhookEndpoint | None:
    """That a call to `url` failed: it is left alone `until`; as it stands then.

    None when it is gone, or has another address by now: of that one the call says nothing.
    """
    mine = sa.and_(col(WebhookEndpoint.id) == endpoint_id, col(WebhookEndpoint.url) == url)
    change = (
        sa.update(WebhookEndpoint)
        .where(mine)
        .values(failing_since=func.coalesce(col(WebhookEndpoint.failing_since), now), resting_until=until)
        .execution_options(**NO_SYNC)
    )
    await session.exec(change)
    wanted = select(WebhookEndpoint).where(mine)
    return (await session.exec(wanted.execution_options(populate_existing=True))).first()


async def set_state(
    session: AsyncSession, endpoint_id: int, state: EndpointState, *, reason: str = ""
) -> bool:
    """Enable it, with a clean slate, or disable it for that reason; False when it is so already."""
    values: dict[str, object] = {"state": state, "reason": reason[:300]}
    if state is EndpointState.ENABLED:
        values |= {"failing_since": None, "resting_until": None}
    change = sa.update(WebhookEndpoint).where(
        col(WebhookEndpoint.id) == endpoint_id, col(WebhookEndpoint.state) != state
    )
    return (await session.exec(change.values(**values).execution_options(**NO_SYNC))).rowcount == 1


async def wake(session: AsyncSession, endpoint_id: int) -> None:
    """Do not let it rest any longer: somebody wants to see whether it works."""
    change = sa.update(WebhookEndpoint).where(col(WebhookEndpoint.id) == endpoint_id)
    await session.exec(change.values(resting_until=None).execution_options(**NO_SYNC))
