"""Once a day, what providers declare is asked for and kept; when, and what stood in the way, is a row."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from deliverability.feeds.figures import Figure
from deliverability.feeds.postmaster import DeclaredFeedError, Postmaster, PostmasterAccess
from deliverability.feeds.snds import fetch_snds
from models.clock import Clock
from models.declared import DeclaredFigure, DeclaredSource
from store import Database, declared

log = logging.getLogger(__name__)

EVERY = timedelta(hours=20)
"""A little less than a day, so that a look is not put off by a day whenever it took a moment."""
AFTER_TROUBLE = timedelta(hours=1)
BACK = timedelta(days=10)
"""Figures come one or two days late and are corrected: so many days are asked for again each time."""


@dataclass(frozen=True, slots=True)
class DeclaredAccess:
    """Which sources are asked, and how; None and "" are not."""

    postmaster: PostmasterAccess | None = None
    snds_url: str = ""

    @property
    def sources(self) -> tuple[DeclaredSource, ...]:
        """Those that are."""
        postmaster = (DeclaredSource.GMAIL_POSTMASTER,) if self.postmaster is not None else ()
        return (*postmaster, *((DeclaredSource.MICROSOFT_SNDS,) if self.snds_url else ()))


class DeclaredLook:
    """Looks at the sources that are due; for one process, as it remembers who asked to be left alone."""

    def __init__(self, database: Database, clock: Clock, access: DeclaredAccess) -> None:
        self._database = database
        self._clock = clock
        self._access = access
        self._not_before: dict[DeclaredSource, datetime] = {}

    async def look(self, *, now_all: bool = False) -> dict[DeclaredSource, str]:
        """What stood in the way of each source asked, "" where nothing did; `now_all`: due or not."""
        async with self._database.read() as session:
            feeds = {one.source: one for one in await declared.feeds(session)}
        asked: dict[DeclaredSource, str] = {}
        for source in self._access.sources:
            feed = feeds.get(source)
            last = feed.checked_at if feed is not None else None
            wait = AFTER_TROUBLE if feed is not None and feed.problem else EVERY
            due = last is None or last + wait <= self._clock.now()
            if now_all or (due and self._not_before.get(source, self._clock.now()) <= self._clock.now()):
                asked[source] = await self._one(source)
        return asked

    async def _one(self, source: DeclaredSource) -> str:
        problem = ""
        figures: tuple[Figure, ...] = ()
        try:
            figures, problem = await self._ask(source)
        except DeclaredFeedError as error:
            problem = str(error)
            self._not_before[source] = self._clock.now() + error.wait
            log.warning("declared figures not read", extra={"source": source.value, "problem": error.problem})
        now = self._clock.now()
        async with self._database.write() as session:
            await declared.put(session, rows_of(figures, now))
            await declared.note_feed(session, source, at=now, has_news=bool(figures), problem=problem)
        return problem

    async def _ask(self, source: DeclaredSource) -> tuple[tuple[Figure, ...], str]:
        now = self._clock.now()
        if source is DeclaredSource.GMAIL_POSTMASTER and self._access.postmaster is not None:
            looked = await Postmaster(self._access.postmaster, now=now).look((now - BACK).date(), now.date())
            denied = f"Not allowed to see {', '.join(looked.denied)}." if looked.denied else ""
            return looked.figures, denied
        found = await fetch_snds(self._access.snds_url)
        return found.figures, found.problems[0] if found.problems else ""


def rows_of(figures: tuple[Figure, ...], now: datetime) -> list[DeclaredFigure]:
    """Figures as rows."""
    return [
        DeclaredFigure(
            source=one.source,
            subject=one.subject,
            provider=one.provider,
            metric=one.metric,
            day=one.day,
            value=one.value,
            words=one.words[:200],
            details=one.details,
            imported_at=now,
        )
        for one in figures
    ]
