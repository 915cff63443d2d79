"""What providers declare of our mail, day by day; the newest word on a day stands."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.declared import DeclaredFeed, DeclaredFigure, DeclaredSource
from store.engine import insert_for

AT_ONCE = 200
PROBLEM_LENGTH = 500
_NAME = ("source", "subject", "provider", "metric", "day")


async def put(session: AsyncSession, figures: Sequence[DeclaredFigure]) -> int:
    """Keep figures; one of the same source, subject, provider, metric and day gives way. How many were new.

    By that unique name, in its order, so that two who put at once do not wait for each other.
    """
    newest = {_key(one): one for one in figures}
    before = await _count(session)
    ordered = [newest[key] for key in sorted(newest)]
    for start in range(0, len(ordered), AT_ONCE):
        rows = [one.model_dump(exclude={"id"}) for one in ordered[start : start + AT_ONCE]]
        wish = insert_for(session, DeclaredFigure).values(rows)
        changed = {name: wish.excluded[name] for name in ("value", "words", "details", "imported_at")}
        await session.exec(wish.on_conflict_do_update(index_elements=list(_NAME), set_=changed))
    return await _count(session) - before


def _key(one: DeclaredFigure) -> tuple[str, str, str, str, date]:
    return one.source.value, one.subject, one.provider, one.metric, one.day


async def _count(session: AsyncSession) -> int:
    return (await session.exec(select(sa.func.count()).select_from(DeclaredFigure))).one()


async def figures(
    session: AsyncSession,
    *,
    source: DeclaredSource | None = None,
    subjects: Collection[str] = (),
    since: date,
    until: date,
) -> list[DeclaredFigure]:
    """Figures of the days from `since` to `until`, newest day first; `subjects` empty: of all.

    Served by ix_declared_figure_day.
    """
    wanted = select(DeclaredFigure).where(col(DeclaredFigure.day).between(since, until))
    if source is not None:
        wanted = wanted.where(DeclaredFigure.source == source)
    if subjects:
        wanted = wanted.where(col(DeclaredFigure.subject).in_(sorted(subjects)))
    wanted = wanted.order_by(
        col(DeclaredFigure.day).desc(),
        col(DeclaredFigure.source),
        col(DeclaredFigure.subject),
        col(DeclaredFigure.metric),
        col(DeclaredFigure.provider),
    )
    return list((await session.exec(wanted)).all())


async def feeds(session: AsyncSession) -> list[DeclaredFeed]:
    """How each source was last asked. Four rows at most."""
    return list((await session.exec(select(DeclaredFeed).order_by(col(DeclaredFeed.source)))).all())


async def note_feed(
    session: AsyncSession, source: DeclaredSource, *, at: datetime, has_news: bool, problem: str = ""
) -> None:
    """Remember when a source was asked, or a file came, and what stood in the way. By the primary key."""
    values: dict[str, object] = {"checked_at": at, "problem": problem[:PROBLEM_LENGTH]}
    if has_news:
        values["news_at"] = at
    wish = insert_for(session, DeclaredFeed).values(source=source, **values)
    await session.exec(wish.on_conflict_do_update(index_elements=["source"], set_=values))
