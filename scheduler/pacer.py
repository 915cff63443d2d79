"""When what is due in a lane may leave: the limits it shares with others, asked and taken in the rows.

The dispatcher asks for a permit before it claims, takes departure moments for what it has written, and
tells what came of it; what all that means is decided here and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from models.clock import Clock
from models.identity import Identity
from models.states import BounceClass, Channel
from models.values import Deferred, Outcome, Verdict
from scheduler.outages import Outages, Way
from scheduler.pacing import (
    Limit,
    Pace,
    batch_size,
    departures,
    from_microseconds,
    limits_of,
    provider_key,
    to_microseconds,
)
from store import Database
from store import pace as pace_rows
from store.claims import ClaimedDelivery
from store.deliveries import Lane

TOO_FAST = frozenset({BounceClass.RATE, BounceClass.BLOCK})

Result = tuple[ClaimedDelivery, Outcome, Verdict | None]
"""One attempt, what was answered and how that is read; no verdict on what was taken or is uncertain."""


@dataclass(frozen=True, slots=True)
class Permit:
    """What a lane may do now.

    `opens_at`: not before then, None: now. `batch`: how many to claim at most, at least one.
    `connections`: for the transport, None: as configured. `reason`: why it is shut or slowed, in words
    for people.
    """

    opens_at: datetime | None
    batch: int
    connections: int | None
    limits: tuple[Limit, ...]
    reason: str = ""


class Pacer:
    """Keeps the lanes of one process to their limits."""

    def __init__(
        self, database: Database, clock: Clock, *, pace: Pace, span: timedelta, outages: Outages
    ) -> None:
        """`span`: how far ahead a lane claims."""
        self._database = database
        self._clock = clock
        self._pace = pace
        self._span = span
        self._outages = outages

    async def permit(self, lane: Lane, identity: Identity, channel: Channel, way: Way) -> Permit:
        """Whether something may leave now, how many at most and over how many connections."""
        rate = identity.emails_per_second if channel is Channel.EMAIL else identity.sms_per_second
        limits = limits_of(channel, lane.identity_id, lane.provider, rate, self._pace)
        # The provider's row also where it sets no rate of its own, as for text messages: it may be shut.
        keys = {limit.key for limit in limits} | {provider_key(lane.provider)}
        if self._outages.knows(way):
            keys.add(way.key)
        async with self._database.read() as session:
            arrivals = await pace_rows.arrivals(session, keys)
        opens_at = from_microseconds(max(arrivals, default=0))
        return Permit(
            opens_at=opens_at if opens_at > self._clock.now() else None,
            batch=batch_size(limits, self._span),
            connections=None,
            limits=tuple(limits),
        )

    async def reserve(self, permit: Permit, count: int) -> list[datetime]:
        """Departure moments, in order; fewer than `count` when a share is used up: the rest goes back."""
        now_us = to_microseconds(self._clock.now())
        async with self._database.write() as session:
            first_slots = [
                await pace_rows.reserve(
                    session, key=limit.key, now_us=now_us, interval_us=limit.interval_us, slots=count
                )
                for limit in permit.limits
            ]
        return departures(first_slots, permit.limits, count)

    async def learn(
        self, session: AsyncSession, lane: Lane, identity: Identity, results: Sequence[Result], now: datetime
    ) -> None:
        """Slow down where it was asked for; inside the transaction that records the results."""
        del identity
        for _, outcome, verdict in results:
            if isinstance(outcome, Deferred) and verdict is not None and verdict.bounce_class in TOO_FAST:
                await pace_rows.push_back(
                    session,
                    key=provider_key(lane.provider),
                    until_us=to_microseconds(now + self._pace.rate_pause),
                )
                return

    async def close(self) -> None:
        """Let go of everything that is held."""
