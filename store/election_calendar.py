"""The days of voting as people keep them: entered, taken away, corrected.

No row is changed or deleted: what bound a campaign on a day can be told years later, with who entered it and
who took it away. Which days bind whom is asked in `store.elections`.
"""

from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.election import ElectionDay
from models.errors import BadInputError, ConflictError, NotFoundError
from models.states import CampaignState, Nature, Purpose
from models.text import fold
from store.elections import loosen_under_way

__all__ = [
    "bound_under_way",
    "correct_day",
    "days_in_force",
    "days_taken_away",
    "enter_day",
    "get_day",
    "take_away",
]

REASON_LENGTH = 500
AHEAD = (CampaignState.SCHEDULED, CampaignState.LAUNCHING, CampaignState.SENDING, CampaignState.PAUSED)


async def get_day(session: AsyncSession, day_id: int) -> ElectionDay:
    """One day, taken away or not; NotFoundError. Served by the primary key."""
    found = await session.get(ElectionDay, day_id)
    if found is None:
        raise NotFoundError(f"There is no day of voting {day_id}.", "`tocsin elections list` shows them.")
    return found


async def days_in_force(session: AsyncSession) -> list[ElectionDay]:
    """Every day that binds campaigns, the earliest first. Reads the table, a few dozen rows."""
    asked = select(ElectionDay).where(col(ElectionDay.removed_at).is_(None))
    return list((await session.exec(asked.order_by(col(ElectionDay.day), col(ElectionDay.id)))).all())


async def days_taken_away(session: AsyncSession, *, limit: int = 200) -> list[ElectionDay]:
    """Those that bind nobody any more, the last taken away first. Reads the table."""
    asked = (
        select(ElectionDay)
        .where(col(ElectionDay.removed_at).is_not(None))
        .order_by(col(ElectionDay.removed_at).desc(), col(ElectionDay.id).desc())
        .limit(limit)
    )
    return list((await session.exec(asked)).all())


async def bound_under_way(session: AsyncSession, *, limit: int = 50) -> list[Campaign]:
    """Campaigns that are planned or under way and that silence binds, waivers aside, the latest first.

    Served by ix_campaign_state_starts_at.
    """
    asked = (
        select(Campaign)
        .where(col(Campaign.state).in_(AHEAD))
        .where(col(Campaign.nature) != Nature.CIVIC, col(Campaign.purpose) != Purpose.TRANSACTIONAL)
        .order_by(col(Campaign.id).desc())
        .limit(limit)
    )
    return list((await session.exec(asked)).all())


async def enter_day(session: AsyncSession, day: ElectionDay, *, by: str, now: datetime) -> ElectionDay:
    """Put a day into the calendar; ConflictError when the same one is there."""
    if any(_same(day, other) for other in await days_in_force(session)):
        raise ConflictError(f"“{day.name}” is in the calendar already, on {day.day.isoformat()}.")
    day.created_by, day.created_at = by[:254], now
    session.add(day)
    await session.flush()
    return day


def _same(day: ElectionDay, other: ElectionDay) -> bool:
    # Two votes may fall on one day: the same one bears the same name.
    alike = ("day", "round", "territory", "territory_value", "departement")
    return fold(day.name) == fold(other.name) and all(
        getattr(day, name) == getattr(other, name) for name in alike
    )


async def take_away(
    session: AsyncSession, day_id: int, *, by: str, reason: str, now: datetime
) -> ElectionDay:
    """Let a day bind nobody from now on; BadInputError without a reason, ConflictError the second time."""
    why = " ".join(reason.split())
    if not why:
        raise BadInputError("Say why the day is taken out of the calendar.", "The reason is kept.")
    if len(why) > REASON_LENGTH:
        raise BadInputError(f"The reason is longer than {REASON_LENGTH} characters.", "Shorten it.")
    day = await get_day(session, day_id)
    if day.removed_at is not None:
        raise ConflictError(f"“{day.name}” has been taken out of the calendar already.")
    day.removed_by, day.removed_at, day.removed_reason = by[:254], now, why
    session.add(day)
    await session.flush()
    await loosen_under_way(session)
    return day


async def correct_day(
    session: AsyncSession, day_id: int, day: ElectionDay, *, by: str, reason: str, now: datetime
) -> ElectionDay:
    """Another day in the place of one, in one transaction; errors as the two steps it is."""
    await take_away(session, day_id, by=by, reason=reason, now=now)
    return await enter_day(session, day, by=by, now=now)
