"""What block lists last answered, so that each is asked seldom."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.health import Listing
from store.engine import insert_for


async def fresh_listings(
    session: AsyncSession, subjects: Collection[str], zones: Collection[str], now: datetime
) -> list[Listing]:
    """The answers about `subjects` by `zones` that still hold. Served by the primary key, zone first."""
    found = await session.exec(
        select(Listing).where(
            col(Listing.zone).in_(zones), col(Listing.subject).in_(subjects), col(Listing.fresh_until) > now
        )
    )
    return list(found.all())


async def listings_of(session: AsyncSession, subjects: Collection[str]) -> list[Listing]:
    """The last answers about `subjects`, however old. Reads the table, which has few rows."""
    found = await session.exec(
        select(Listing).where(col(Listing.subject).in_(subjects)).order_by(Listing.subject, Listing.zone)
    )
    return list(found.all())


async def keep_listings(session: AsyncSession, listings: Sequence[Listing]) -> None:
    """Write answers down in the place of older ones."""
    if not listings:
        return
    insert = insert_for(session, Listing)
    newer = {
        name: insert.excluded[name] for name in ("listed", "answer", "asked_at", "fresh_until", "problem")
    }
    statement = insert.on_conflict_do_update(index_elements=["zone", "subject"], set_=newer)
    await session.exec(statement.values([listing.model_dump() for listing in listings]))


async def forget_listings_before(session: AsyncSession, moment: datetime) -> None:
    """Drop answers that nobody renewed since. Reads the table, which has few rows."""
    await session.exec(delete(Listing).where(col(Listing.asked_at) < moment))
