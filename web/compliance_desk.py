"""Consent of everybody, counted no more often than need be: it reads the whole table of people.

What took long to count is shown for a hundred times as long, so that a page costs one hundredth of the
machine at most, however often it is looked at. A list that is counted in no time is counted each time.
"""

import time
from asyncio import Lock
from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from models.clock import Clock
from store import Database
from store.compliance import Coverage, coverage

WORTH_KEEPING_S = 0.1
FOR_SO_MANY = 100


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted, when, and until when it is shown."""

    coverage: Coverage
    at: datetime
    until: datetime


class _Desk:
    """Of one database: what was counted last, and who counts at present."""

    def __init__(self) -> None:
        self.last: Counted | None = None
        self.turn = Lock()


_DESKS: WeakKeyDictionary[Database, _Desk] = WeakKeyDictionary()


async def covered(database: Database, clock: Clock) -> Counted:
    """Consent of everybody, as it was a moment ago."""
    desk = _DESKS.setdefault(database, _Desk())
    async with desk.turn:
        now = clock.now()
        if desk.last is not None and now < desk.last.until:
            return desk.last
        began = time.monotonic()
        async with database.read() as session:
            found = await coverage(session)
        took = time.monotonic() - began
        kept = timedelta(seconds=took * FOR_SO_MANY if took >= WORTH_KEEPING_S else 0)
        desk.last = Counted(found, now, now + kept)
        return desk.last
