"""What takes long to count, counted no more often than need be: everybody's consent, suppressions honoured.

What took long is shown for a hundred times as long, so that a page costs one hundredth of the machine at
most, however often it is looked at. What is counted in no time is counted each time.
"""

import time
from asyncio import Lock
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlmodel.ext.asyncio.session import AsyncSession

from models.clock import Clock
from store import Database
from store.compliance import Coverage, coverage
from store.compliance_log import Honoured, honoured

WORTH_KEEPING_S = 0.1
FOR_SO_MANY = 100
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted, and when the older of the two was."""

    coverage: Coverage
    honoured: Honoured
    at: datetime


@dataclass(slots=True)
class _Desk:
    """Of one database: what was counted last by its name, when and until when it is shown; one at a time."""

    kept: dict[str, tuple[Any, datetime, datetime]] = field(default_factory=dict)
    turn: Lock = field(default_factory=Lock)


_DESKS: WeakKeyDictionary[Database, _Desk] = WeakKeyDictionary()


async def counted(database: Database, clock: Clock, days: int) -> Counted:
    """Everybody's consent, and whether suppressions of the last days were honoured, as of a moment ago."""

    async def of_period(session: AsyncSession) -> Honoured:
        return await honoured(session, clock.now() - timedelta(days=days))

    people, at = await _ask(database, clock, "coverage", coverage)
    kept, since = await _ask(database, clock, f"honoured {days}", of_period)
    return Counted(people, kept, min(at, since))


async def _ask(
    database: Database, clock: Clock, name: str, count: Callable[[AsyncSession], Awaitable[_T]]
) -> tuple[_T, datetime]:
    desk = _DESKS.setdefault(database, _Desk())
    async with desk.turn:
        now = clock.now()
        found, at, until = desk.kept.get(name, (None, now, now))
        if now < until:
            return found, at
        began = time.monotonic()
        async with database.read() as session:
            new = await count(session)
        took = time.monotonic() - began
        if took >= WORTH_KEEPING_S:
            desk.kept[name] = (new, now, now + timedelta(seconds=took * FOR_SO_MANY))
        return new, now
