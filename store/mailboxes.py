"""How far the mailbox in which bounces gather was read, and what stands in the way."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.seed import PolledMailbox
from store.engine import insert_for

PROBLEM_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Progress:
    """What one step brought: UIDs up to `last_uid` are done with."""

    uid_validity: int
    last_uid: int
    recorded: int = 0
    left_alone: int = 0


async def mailbox_at(session: AsyncSession, place: str) -> PolledMailbox:
    """What is known of it; a row that says nothing when it was never read. By the primary key."""
    wanted = select(PolledMailbox).where(PolledMailbox.place == place)
    return (await session.exec(wanted)).first() or PolledMailbox(place=place)


async def advance(session: AsyncSession, place: str, progress: Progress, now: datetime) -> None:
    """Remember how far it was read."""
    await _ensure(session, place)
    change = (
        sa.update(PolledMailbox)
        .where(col(PolledMailbox.place) == place)
        .values(
            uid_validity=progress.uid_validity,
            last_uid=progress.last_uid,
            recorded=col(PolledMailbox.recorded) + progress.recorded,
            left_alone=col(PolledMailbox.left_alone) + progress.left_alone,
        )
    )
    if progress.recorded:
        change = change.values(news_at=now)
    await session.exec(change)


async def note_check(session: AsyncSession, place: str, *, at: datetime, problem: str) -> bool:
    """When it was last looked into and what stood in the way; True when that is news."""
    await _ensure(session, place)
    before = (await mailbox_at(session, place)).problem
    problem = problem[:PROBLEM_LENGTH]
    change = sa.update(PolledMailbox).where(col(PolledMailbox.place) == place)
    await session.exec(change.values(checked_at=at, problem=problem))
    return problem != before


async def _ensure(session: AsyncSession, place: str) -> None:
    row = {"uid_validity": 0, "last_uid": 0, "recorded": 0, "left_alone": 0, "problem": ""}
    wish = insert_for(session, PolledMailbox).values(place=place, **row)
    await session.exec(wish.on_conflict_do_nothing())
