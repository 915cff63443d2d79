"""Election silence at the gate: which votes are near, looked up now and then, and whom they silence.

What is written down with each delivery at the launch is not enough: a day of voting may be entered, a waiver
agreed to or taken back while messages wait. Where no vote is near, a chunk costs one look at a clock.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from models.clock import is_fresh
from models.states import Channel
from scheduler.silence import NOBODY_VOTES, USUAL_MARGIN, Home, Silence, Votes, closes_at
from scheduler.waivers import lifted_among
from store import Database, elections, people
from store.claims import ClaimedDelivery

HOLDS: Final = timedelta(seconds=5)
"""How long the days of voting, and which campaigns they bind, are taken for known."""
AHEAD: Final = timedelta(days=1)
"""How far ahead of a silence messages are told of it: longer than any of them may be under way."""
BEHIND: Final = timedelta(days=7)
"""How long after a vote it is still given as the reason for what it stopped."""
Narrowed = tuple[Sequence[ClaimedDelivery], dict[int, Silence]]
"""Deliveries with the deadlines that votes set them, and the silences that stop some, by delivery number."""


@dataclass(slots=True)
class Vigil:
    """Knows the votes that are near; `zone`: of people of whom nothing is known."""

    zone: str = "Europe/Paris"
    margin: timedelta = USUAL_MARGIN
    _votes: Votes = NOBODY_VOTES
    _over_at: datetime | None = None
    _known_until: datetime | None = None
    _bound: dict[int, bool] = field(default_factory=dict)

    def sleeps(self, now: datetime) -> bool:
        """Whether it is known that no vote is near: nothing need be asked."""
        return not self._votes and self._is_fresh(now)

    async def narrow(self, session: AsyncSession, rows: Sequence[ClaimedDelivery], now: datetime) -> Narrowed:
        """The deliveries, those to people who vote soon with the deadline this sets; and who is stopped."""
        if self.sleeps(now):
            return rows, {}
        if not self._is_fresh(now):
            await self._look(session, now)
        if not self._matters(rows, now):
            return rows, {}
        bound = await self._bound_among(session, {row.campaign_id for row in rows})
        concerned = {row.contact_id for row in rows if row.campaign_id in bound and row.contact_id}
        homes = await people.read_homes(session, sorted(concerned))
        stopped: dict[int, Silence] = {}
        narrowed = []
        for row in rows:
            free = row.campaign_id not in bound or row.seed_id is not None
            narrowed.append(row if free else self._narrow_one(row, _home_of(row, homes), now, stopped))
        return narrowed, stopped

    async def foresee(
        self, database: Database, rows: Sequence[ClaimedDelivery], now: datetime
    ) -> Sequence[ClaimedDelivery]:
        """The deliveries as their messages should know them: of text messages the validity is written in."""
        if rows[0].channel is not Channel.SMS or self.sleeps(now):
            return rows
        async with database.read(at_once=True) as session:
            return (await self.narrow(session, rows, now))[0]

    def _narrow_one(
        self, row: ClaimedDelivery, home: Home, now: datetime, stopped: dict[int, Silence]
    ) -> ClaimedDelivery:
        silence = self._votes.stopping(home, row.not_after, now)
        if silence is not None:
            stopped[row.id] = silence
        deadline = self._votes.cut_off(home, now)
        if deadline is None or (row.not_after is not None and row.not_after <= deadline):
            return row
        return row._replace(not_after=deadline)

    def _is_fresh(self, now: datetime) -> bool:
        return is_fresh(self._known_until, HOLDS, now)

    def _matters(self, rows: Sequence[ClaimedDelivery], now: datetime) -> bool:
        """Whether a vote is ahead; one that is over only explains what comes too late."""
        if not self._votes:
            return False
        if self._over_at is not None and now < self._over_at:
            return True
        return any(row.not_after is not None and row.not_after <= now for row in rows)

    async def _look(self, session: AsyncSession, now: datetime) -> None:
        days = await elections.days_between(session, now - BEHIND, now + AHEAD + self.margin)
        self._votes = Votes(days, self.zone, self.margin) if days else NOBODY_VOTES
        self._over_at = max(map(closes_at, days), default=None)
        self._bound = {}
        self._known_until = now + HOLDS

    async def _bound_among(self, session: AsyncSession, campaign_ids: Collection[int]) -> set[int]:
        # Another lane may look again meanwhile, and begin anew: what this one has found stays its own.
        known = self._bound
        unknown = {number for number in campaign_ids if number not in known}
        if unknown:
            bound = await elections.bound_among(session, unknown)
            bound -= await lifted_among(session, bound) if bound else set()
            known.update({number: number in bound for number in unknown})
        return {number for number in campaign_ids if known[number]}


def _home_of(row: ClaimedDelivery, homes: Mapping[int, tuple[str | None, ...]]) -> Home:
    """Where its reader lives: of somebody who is no contact only a telephone number may tell."""
    known = homes.get(row.contact_id or 0)
    if known is not None:
        return Home._make(known)
    return Home(phone=row.address[: people.PREFIX] if row.channel is Channel.SMS else None)
