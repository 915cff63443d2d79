"""What looks at identities found, and the proofs that an identity is its owner's."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import CampaignLane
from models.health import HealthCheck, IdentityProof, ProofKind


async def add_look(session: AsyncSession, look: HealthCheck) -> HealthCheck:
    """Keep what a look found."""
    session.add(look)
    await session.flush()
    return look


async def looks_at(
    session: AsyncSession, identity_id: int, *, since: datetime | None = None, limit: int = 100
) -> list[HealthCheck]:
    """The looks at an identity, the latest first. Served by ix_health_check_identity_id_checked_at."""
    wanted = select(HealthCheck).where(HealthCheck.identity_id == identity_id)
    if since is not None:
        wanted = wanted.where(col(HealthCheck.checked_at) >= since)
    order = (col(HealthCheck.checked_at).desc(), col(HealthCheck.id).desc())
    return list((await session.exec(wanted.order_by(*order).limit(limit))).all())


async def look_before(session: AsyncSession, identity_id: int, moment: datetime) -> HealthCheck | None:
    """The last look up to a moment; None before the first. By ix_health_check_identity_id_checked_at."""
    wanted = select(HealthCheck).where(
        HealthCheck.identity_id == identity_id, col(HealthCheck.checked_at) <= moment
    )
    order = (col(HealthCheck.checked_at).desc(), col(HealthCheck.id).desc())
    return (await session.exec(wanted.order_by(*order).limit(1))).first()


async def forget_looks_before(session: AsyncSession, moment: datetime) -> int:
    """Drop what looks found before `moment`, but for the last one at each identity; how many."""
    latest = sa.select(sa.func.max(HealthCheck.id)).group_by(col(HealthCheck.identity_id))
    old = sa.delete(HealthCheck).where(
        col(HealthCheck.checked_at) < moment, col(HealthCheck.id).not_in(latest)
    )
    return (await session.exec(old)).rowcount


async def proofs_of(session: AsyncSession, identity_id: int) -> dict[ProofKind, IdentityProof]:
    """What was asked of an identity's owner."""
    found = await session.exec(select(IdentityProof).where(IdentityProof.identity_id == identity_id))
    return {proof.kind: proof for proof in found.all()}


async def proof_by_token(session: AsyncSession, kind: ProofKind, token: str) -> IdentityProof | None:
    """The proof that was asked for with this token; there are as many rows as identities."""
    wanted = select(IdentityProof).where(IdentityProof.kind == kind, IdentityProof.token == token)
    return (await session.exec(wanted)).first()


async def prove_once(session: AsyncSession, proof: IdentityProof, now: datetime) -> bool:
    """Mark a proof as shown; False when it was already, or was asked for anew."""
    shown = (
        sa.update(IdentityProof)
        .where(
            col(IdentityProof.identity_id) == proof.identity_id,
            col(IdentityProof.kind) == proof.kind,
            col(IdentityProof.token) == proof.token,
            col(IdentityProof.proven_at).is_(None),
        )
        .values(proven_at=now)
        .execution_options(synchronize_session=False)
    )
    return (await session.exec(shown)).rowcount == 1


async def has_sent(session: AsyncSession, identity_id: int) -> bool:
    """Whether a campaign was ever launched in this identity's name; there are few lanes."""
    wanted = select(CampaignLane.campaign_id).where(CampaignLane.identity_id == identity_id).limit(1)
    return (await session.exec(wanted)).first() is not None
