"""Incidents as rows: one open at a time for each scope, whoever sees it first."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import CampaignLane
from models.errors import NotFoundError
from models.incident import Incident, IncidentKind
from store.engine import insert_for

_OPEN = sa.text("ended_at IS NULL")


def scope_of(kind: IncidentKind, *, identity_id: int | None, provider: str, campaign_id: int | None) -> str:
    """What an incident is about, in one word."""
    return f"{kind.value}:{identity_id or ''}:{provider}:{campaign_id or ''}"


async def insert_open(session: AsyncSession, incident: Incident) -> int | None:
    """Open an incident; None where one of its scope is open already. Decided by uq_incident_open."""
    values: dict[str, Any] = {name: getattr(incident, name) for name in Incident.model_fields if name != "id"}
    put = insert_for(session, Incident).values(**values)
    put = put.on_conflict_do_nothing(index_elements=["scope"], index_where=_OPEN)
    number: int | None = (await session.exec(put.returning(col(Incident.id)))).scalar_one_or_none()
    return number


async def open_in(session: AsyncSession, scope: str) -> Incident | None:
    """The open incident of a scope, nobody else's until the transaction ends. Served by uq_incident_open."""
    wanted = select(Incident).where(Incident.scope == scope, col(Incident.ended_at).is_(None))
    wanted = wanted.with_for_update().execution_options(populate_existing=True)
    return (await session.exec(wanted)).first()


async def get_incident(session: AsyncSession, incident_id: int) -> Incident:
    """One incident; NotFoundError. Served by the primary key."""
    found = await session.get(Incident, incident_id)
    if found is None:
        raise NotFoundError(f"There is no incident {incident_id}.", "`tocsin incidents` lists them.")
    return found


async def hold_incident(session: AsyncSession, incident_id: int) -> Incident:
    """The same, and nobody else's until the transaction ends."""
    wanted = select(Incident).where(Incident.id == incident_id)
    wanted = wanted.with_for_update().execution_options(populate_existing=True)
    found = (await session.exec(wanted)).first()
    return found or await get_incident(session, incident_id)


async def list_incidents(
    session: AsyncSession,
    *,
    campaign_id: int | None = None,
    identity_id: int | None = None,
    kind: IncidentKind | None = None,
    open_only: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> list[Incident]:
    """The open ones first, then the latest. Served by uq_incident_open and ix_incident_began_at."""
    wanted = select(Incident)
    if campaign_id is not None:
        wanted = wanted.where(Incident.campaign_id == campaign_id)
    if identity_id is not None:
        wanted = wanted.where(Incident.identity_id == identity_id)
    if kind is not None:
        wanted = wanted.where(Incident.kind == kind)
    if open_only:
        wanted = wanted.where(col(Incident.ended_at).is_(None))
    ended = sa.case((col(Incident.ended_at).is_(None), 0), else_=1)
    ordered = wanted.order_by(ended, col(Incident.began_at).desc(), col(Incident.id).desc())
    return list((await session.exec(ordered.limit(limit).offset(offset))).all())


async def since(session: AsyncSession, moment: datetime) -> list[Incident]:
    """Those that are open, or ended after a moment, oldest first; nobody ends many a day."""
    wanted = select(Incident).where(
        sa.or_(col(Incident.ended_at).is_(None), col(Incident.ended_at) >= moment)
    )
    return list((await session.exec(wanted.order_by(col(Incident.began_at), col(Incident.id)))).all())


async def concerning(session: AsyncSession, campaign_id: int) -> list[Incident]:
    """Open incidents of a campaign, of the lanes it has messages in, and of its senders.

    Served by uq_incident_open and the primary key of campaign_lane.
    """
    lane = (
        sa.select(sa.literal(1))
        .where(
            col(CampaignLane.campaign_id) == campaign_id,
            sa.or_(
                col(CampaignLane.identity_id) == col(Incident.identity_id),
                col(Incident.identity_id).is_(None),
            ),
            sa.or_(col(CampaignLane.provider) == col(Incident.provider), col(Incident.provider) == ""),
        )
        .correlate(Incident)
        .exists()
    )
    mine = sa.or_(
        col(Incident.campaign_id) == campaign_id, sa.and_(col(Incident.campaign_id).is_(None), lane)
    )
    wanted = select(Incident).where(col(Incident.ended_at).is_(None), mine)
    return list((await session.exec(wanted.order_by(col(Incident.began_at).desc()))).all())


async def forget(session: AsyncSession, before: datetime) -> int:
    """Delete those that ended before a moment, with who was told of them; how many. Reads the table."""
    gone = await session.exec(sa.delete(Incident).where(col(Incident.ended_at) < before))
    return int(gone.rowcount or 0)


async def count_open(session: AsyncSession) -> int:
    """How many are open. Served by uq_incident_open."""
    wanted = select(sa.func.count()).select_from(Incident).where(col(Incident.ended_at).is_(None))
    return (await session.exec(wanted)).one()


async def lately(session: AsyncSession, moment: datetime) -> list[Incident]:
    """Those that began or ended after a moment. Served by ix_incident_began_at as far as they began."""
    wanted = select(Incident).where(
        sa.or_(col(Incident.began_at) >= moment, col(Incident.ended_at) >= moment)
    )
    return list((await session.exec(wanted.order_by(col(Incident.id)))).all())


async def open_at(session: AsyncSession, moment: datetime) -> list[Incident]:
    """Those that were open at a moment, oldest first. Served by ix_incident_began_at."""
    wanted = select(Incident).where(
        col(Incident.began_at) <= moment,
        sa.or_(col(Incident.ended_at).is_(None), col(Incident.ended_at) > moment),
    )
    return list((await session.exec(wanted.order_by(col(Incident.id)))).all())


async def with_ids(session: AsyncSession, incident_ids: Collection[int]) -> dict[int, Incident]:
    """These incidents by number. Served by the primary key."""
    if not incident_ids:
        return {}
    wanted = select(Incident).where(col(Incident.id).in_(sorted(incident_ids)))
    return {row.id: row for row in await session.exec(wanted)}
