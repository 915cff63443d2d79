"""What was found before sending, one row a campaign, and who went past it."""

from collections.abc import Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import CampaignLane
from models.preflight import Preflight, PreflightOverride
from store.engine import insert_for


async def find_preflight(session: AsyncSession, campaign_id: int) -> Preflight | None:
    """The last look at a campaign, None when nobody has looked. Served by the primary key."""
    return (await session.exec(select(Preflight).where(Preflight.campaign_id == campaign_id))).first()


async def save_preflight(session: AsyncSession, found: Preflight, *, with_seeds: bool) -> None:
    """Keep a look in place of the one before; without `with_seeds` the test by seeds before it stays."""
    columns = ["examined_at", "fingerprint", "findings", *(["seeds", "seeds_at"] if with_seeds else [])]
    values = {name: getattr(found, name) for name in ("campaign_id", *Preflight.model_fields)}
    kept = {name: values[name] for name in columns}
    insert = insert_for(session, Preflight).values(values)
    await session.exec(insert.on_conflict_do_update(index_elements=["campaign_id"], set_=kept))


async def add_override(session: AsyncSession, override: PreflightOverride) -> None:
    """Keep who went past which findings."""
    session.add(override)
    await session.flush()


async def overrides_of(session: AsyncSession, campaign_id: int) -> list[PreflightOverride]:
    """Who went past what, the newest first. Served by ix_preflight_override_campaign_id."""
    wanted = select(PreflightOverride).where(PreflightOverride.campaign_id == campaign_id)
    return list((await session.exec(wanted.order_by(col(PreflightOverride.id).desc()))).all())


async def beginners(session: AsyncSession, campaign_id: int, identity_ids: Sequence[int]) -> set[int]:
    """Those of `identity_ids` that have written to nobody yet in any other campaign.

    Lanes are few: one for each identity and provider of a campaign.
    """
    written = (
        select(CampaignLane.identity_id)
        .where(col(CampaignLane.identity_id).in_(identity_ids), CampaignLane.campaign_id != campaign_id)
        .distinct()
    )
    return set(identity_ids) - set((await session.exec(written)).all())
