"""What every message of a program needs and hardly ever changes, remembered by one process.

The streams and lanes that are there stay there, so they are looked for once; who may send changes, and is
asked for again after two seconds: what is accepted for a sender suspended meanwhile waits, as all of theirs.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from models.clock import is_fresh
from models.errors import ConflictError
from models.identity import Identity
from models.states import Purpose
from scheduler.calendar import UsualWindows
from scheduler.streams import StreamKind, enter, open_stream, tie_lanes
from store import campaigns, identities

SENDERS_FOR: Final = timedelta(seconds=2)
MOST: Final = 10_000
_TIED: Final = "lanes tied"


@dataclass(slots=True)
class Roads:
    """The streams, lanes and senders known to this process."""

    _streams: dict[str, int] = field(default_factory=dict)
    _lanes: set[tuple[int, int, str]] = field(default_factory=set)
    _senders: Sequence[Identity] = ()
    _until: datetime | None = None

    async def senders(
        self, session: AsyncSession, now: datetime, *, named: Collection[int] = ()
    ) -> Sequence[Identity]:
        """Every identity, as it was a moment ago; as it is now, where one of those `named` is new to us."""
        fresh = is_fresh(self._until, SENDERS_FOR, now)
        if not fresh or not {one.id for one in self._senders}.issuperset(named):
            self._senders = await identities.list_identities(session)
            self._until = now + SENDERS_FOR
        return self._senders

    async def open(
        self,
        session: AsyncSession,
        kind: StreamKind,
        *,
        links: Sequence[str],
        hours: UsualWindows,
        zone: str,
        now: datetime,
    ) -> int:
        """As `scheduler.streams.open_stream`, which is asked for what is not known yet."""
        known = self._streams.get(kind.key)
        if known is not None:
            try:
                await enter(session, known, now)
            except ConflictError:
                # Restored from a backup under our feet: another one may have its place.
                del self._streams[kind.key]
            else:
                return known
        found = await open_stream(session, kind, links=links, hours=hours, zone=zone, now=now)
        if kind.purpose is Purpose.CAMPAIGN and not kind.test:
            # Of tests nothing leaves: they are in no register.
            await campaigns.take_nature(session, found)
        if len(self._streams) >= MOST:
            self._streams.clear()
        self._streams[kind.key] = found
        return found

    async def tie(self, session: AsyncSession, stream_id: int, lanes: Collection[tuple[int, str]]) -> None:
        """As `scheduler.streams.tie_lanes`; nothing where the lanes are known to be there."""
        new = {(stream_id, *lane) for lane in lanes} - self._lanes
        if new:
            await tie_lanes(session, stream_id, (lane[1:] for lane in new))
            session.info.setdefault(_TIED, set()).update(new)

    def keep(self, session: AsyncSession) -> None:
        """Remember the lanes that a transaction has tied, once it is committed: until then they may go."""
        if len(self._lanes) >= MOST:
            self._lanes.clear()
        self._lanes |= session.info.pop(_TIED, set())
