"""A vote taken out of the calendar, or corrected: by one person before its silence, and not while it is on.

In silence a campaign leaves when two people let it (`scheduler.waivers`); one who takes the vote itself away
would let all of them leave alone. A slip of the hand is put right by who made it, within the hour.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from models.election import ElectionDay
from models.errors import ConflictError
from scheduler.silence import USUAL_MARGIN, closes_at, table_of
from store import election_calendar as calendar

__all__ = ["correct_vote", "is_held", "take_vote_away"]

SLIP: Final = timedelta(hours=1)


def is_held(day: ElectionDay, by: str, now: datetime) -> bool:
    """Whether `by` may not take the vote away now: messages are held back for it, or will be within hours."""
    if not by or day.created_by != by or now - day.created_at > SLIP:
        starts = [silence.starts_at - USUAL_MARGIN for _, silence in table_of(day, zone=day.zone)]
        return min(starts, default=closes_at(day)) <= now < closes_at(day)
    return False


async def take_vote_away(
    session: AsyncSession, day_id: int, *, by: str, reason: str, now: datetime
) -> ElectionDay:
    """Let a vote bind nobody from now on; ConflictError in its silence, else as `calendar.take_away`."""
    _require_free(await calendar.get_day(session, day_id), by, now)
    return await calendar.take_away(session, day_id, by=by, reason=reason, now=now)


async def correct_vote(
    session: AsyncSession, day_id: int, day: ElectionDay, *, by: str, reason: str, now: datetime
) -> ElectionDay:
    """Another vote in the place of one; ConflictError in its silence, else as `calendar.correct_day`."""
    _require_free(await calendar.get_day(session, day_id), by, now)
    return await calendar.correct_day(session, day_id, day, by=by, reason=reason, now=now)


def _require_free(day: ElectionDay, by: str, now: datetime) -> None:
    if day.removed_at is None and is_held(day, by, now):
        raise ConflictError(
            f"The silence before “{day.name}” is on: the vote stays as it is.",
            "Two administrators can let a campaign leave all the same, on its page.",
        )
