"""When what is due in a lane may leave: the limits it shares with others, asked and taken in the rows.

The dispatcher asks for a permit before it claims, takes departure moments for what it has written, and
tells what came of it; what all that means is decided here and nowhere else. A permit costs one short
read, a reservation one short transaction, and what nothing limits costs none.
"""

import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from models.clock import Clock, is_fresh
from models.identity import Identity
from models.pace import BreakerState, PaceLimit
from models.providers import SANDBOXES
from models.states import Channel
from models.values import Outcome, Verdict
from scheduler import brakes, throttle
from scheduler.outages import Outages, Way
from scheduler.pacing import (
    MOST_A_BATCH,
    RELAY_PER_SECOND,
    Allowance,
    Limit,
    Pace,
    Scopes,
    Share,
    allowance,
    batch_size,
    day_share,
    departures,
    from_microseconds,
    provider_key,
    scopes_of,
    slowed,
    to_microseconds,
)
from scheduler.places import LEASE, Places
from scheduler.reactions import Setting
from scheduler.throttle import Brake
from scheduler.warmup import cap_on
from store import Database, limits, slots, throttles, warmups
from store import pace as pace_rows
from store.claims import ClaimedDelivery
from store.deliveries import Lane

log = logging.getLogger(__name__)

LIFE = timedelta(seconds=10)
"""How long limits that people set and a day's cap are taken for known."""
ASK_AGAIN = timedelta(seconds=12)
"""When a lane that is shut is looked at again at the earliest: sooner, it would be claimed for nothing."""
PRUNED_EVERY = timedelta(hours=1)
KEPT = timedelta(days=8)
"""How long counters are kept: longer than any span."""
OTHERS_CONNECTED = "Other workers use the connections there are."
OTHERS_PROBE = "One message is on its way to find out whether mail is taken again."

Result = tuple[ClaimedDelivery, Outcome, Verdict | None]
"""One attempt, what was answered and how that is read; no verdict on what was taken or is uncertain."""


SANDBOX_BATCH = 500
"""What leads nowhere has no pace, and takes nothing of anybody's."""


@dataclass(frozen=True, slots=True)
class Permit:
    """What a lane may do now.

    `opens_at`: not before then, None: now. `batch`: how many to claim at most, at least one.
    `connections` and `messages` on each: for the transport, None: as configured. `reason`: why it is shut
    or slowed, in words for people.
    """

    opens_at: datetime | None
    batch: int
    connections: int | None
    limits: tuple[Limit, ...]
    reason: str = ""
    shares: tuple[Share, ...] = ()
    lane: str = ""
    messages: int | None = None


@dataclass(slots=True)
class _Known:
    """What is known of a lane for a while: what it may do, and its brakes as they were last seen."""

    scopes: Scopes
    allowed: Allowance
    stale_at: datetime
    brakes: dict[str, Brake]


@dataclass(frozen=True, slots=True)
class _Sight:
    """What one look at the rows says: when it opens, and why not now.

    `limits`: with what brakes make of them. `shut`: by a breaker or a used-up share. `probing`: the keys of
    half-open breakers. `left`: what the tightest share leaves.
    """

    opens_at: datetime
    shut: bool
    reason: str
    probing: tuple[str, ...]
    left: int
    limits: tuple[Limit, ...]


class Pacer:
    """Keeps the lanes of one process to their limits."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        pace: Pace,
        span: timedelta,
        outages: Outages,
        zone: str = "UTC",
    ) -> None:
        """`span`: how far ahead a lane claims. `zone`: of the days of warm-up plans, and of times told."""
        self._database = database
        self._clock = clock
        self._pace = pace
        self._span = span
        self._outages = outages
        self._zone = ZoneInfo(zone)
        self._places = Places(database)
        self._known: dict[str, _Known] = {}
        self._rows: tuple[datetime, list[PaceLimit]] | None = None
        self._probes: dict[str, datetime] = {}
        self._prune_at = clock.now() + PRUNED_EVERY
        self._random = random.Random()  # noqa: S311 - spreads returns, keeps no secrets

    async def permit(self, lane: Lane, identity: Identity, channel: Channel, way: Way) -> Permit:
        """Whether something may leave now, how many at most and over how many connections."""
        assert way.channel is channel, "a way leads out of one channel"  # noqa: S101 - a caller's mistake
        if lane.provider in SANDBOXES:
            return Permit(None, SANDBOX_BATCH, None, ())
        now = self._clock.now()
        async with self._database.read(at_once=True) as session:
            known = await self._lane(session, lane, identity, way, now)
            sight = await self._look(session, known, way, now)
        allowed = known.allowed
        rates = sight.limits
        connections = brakes.connections(known.brakes, now)
        opens_at = sight.opens_at
        reason = sight.reason
        if sight.shut:
            opens_at = max(opens_at, now + ASK_AGAIN)
        elif obstacle := await self._connect(known, sight.probing, connections, way, now):
            opens_at, reason = now + ASK_AGAIN, obstacle
        batch = 1 if sight.probing else max(1, min(batch_size(rates, self._span), sight.left))
        return Permit(
            opens_at=opens_at if opens_at > now else None,
            batch=batch,
            connections=self._connections(known, way),
            limits=rates,
            reason=reason,
            shares=allowed.shares,
            lane=known.scopes.lane,
            messages=allowed.messages_per_connection if way.route else allowed.relay_messages,
        )

    async def reserve(self, permit: Permit, count: int, *, latest: datetime | None = None) -> list[datetime]:
        """Departure moments, in order; fewer than `count` when a share is used up: the rest goes back.

        None after `latest`: what lies beyond stays for whoever may wait for it, or lanes that share a limit
        would use it up for nothing. None at all once the breaker has opened since the permit was given.
        """
        now = self._clock.now()
        if self._is_shut(permit.lane, now):
            return []
        if not permit.limits and not permit.shares:
            return [now] * count
        most = {share.key: (share.most, share.span) for share in permit.shares}
        async with self._database.write(at_once=now < self._prune_at) as session:
            if now >= self._prune_at:
                self._prune_at = now + PRUNED_EVERY
                await limits.prune(session, now - KEPT)
                await slots.prune(session, now - PRUNED_EVERY)
            count = await limits.take_share(session, most, count=count, now=now)
            if not count:
                return []
            moments = await self._slots(session, permit, count, now)
            kept = sum(latest is None or moment <= latest for moment in moments)
            if kept < count:
                # The rows are ours until the transaction ends: nobody has taken a slot after these.
                await self._slots(session, permit, kept - count, now)
                await limits.give_back(session, most, count=count - kept)
        return moments[:kept]

    async def _slots(
        self, session: AsyncSession, permit: Permit, count: int, now: datetime
    ) -> list[datetime]:
        """Take so many slots under every limit; fewer than none: give the last ones back."""
        intervals = {limit.key: limit.interval_us for limit in permit.limits}
        first = await pace_rows.take_slots(session, intervals, now_us=to_microseconds(now), slots=count)
        if not permit.limits:
            return [now] * count
        return departures([first[limit.key] for limit in permit.limits], permit.limits, count)

    async def learn(
        self, session: AsyncSession, lane: Lane, identity: Identity, results: Sequence[Result], now: datetime
    ) -> None:
        """Slow down, rest or recover as was answered; inside the transaction that records the results."""
        if not results:
            return
        channel = results[0][0].channel
        known = self._known.get(f"lane:{lane.identity_id}:{lane.provider}")
        if known is None:
            known = await self._lane(session, lane, identity, self._pace.way(channel, lane.provider), now)
        for key in known.scopes.all:
            self._probes.pop(key, None)
        setting = Setting(
            self._bases(known), known.allowed.connections, self._pace.hurry, self._random.random
        )
        changed = await brakes.learn(session, known.scopes, setting, results, now, known=known.brakes)
        for other in self._known.values() if changed else ():
            _replace(other.brakes, {key: changed[key] for key in other.scopes.all if key in changed})

    async def keep(self, way: Way) -> None:
        """Hold on to the connections that are shared out while messages are under way on them."""
        key = provider_key(way.route) if way.route else way.key
        await self._places.keep(key, self._clock.now())

    async def close(self) -> None:
        """Let go of everything that is held."""
        await self._places.close()

    async def _lane(
        self, session: AsyncSession, lane: Lane, identity: Identity, way: Way, now: datetime
    ) -> _Known:
        channel = way.channel
        domain = identity.dkim_domain or ""
        scopes = scopes_of(channel, lane.identity_id, lane.provider, domain, way.key)
        known = self._known.get(scopes.lane)
        if known is not None and known.scopes == scopes and is_fresh(known.stale_at, LIFE, now):
            return known
        if self._rows is None or not is_fresh(self._rows[0], LIFE, now):
            self._rows = (now + LIFE, await limits.list_limits(session))
            brakes.refresh_rules()
        rate = identity.emails_per_second if channel is Channel.EMAIL else identity.sms_per_second
        allowed = allowance(scopes, channel, rate, self._pace, self._rows[1])
        plan = await warmups.plan_under_way(session, lane.identity_id, lane.provider)
        if plan is not None:
            cap = cap_on(now.astimezone(self._zone).date(), plan.cap, plan.day)
            allowed = self._with_cap(allowed, scopes, cap, now)
        seen = {} if known is None else known.brakes
        self._known[scopes.lane] = known = _Known(scopes, allowed, self._rows[0], seen)
        return known

    def _with_cap(self, allowed: Allowance, scopes: Scopes, cap: int, now: datetime) -> Allowance:
        """A warm-up plan's cap is a share of a day of the calendar."""
        share = day_share(scopes, cap, now, self._zone)
        return replace(allowed, shares=(*allowed.shares, share))

    async def _look(self, session: AsyncSession, known: _Known, way: Way, now: datetime) -> _Sight:
        """Read the brakes, the limits' rows and the shares of a lane; tells what stands in its way."""
        allowed = known.allowed
        found = await throttles.known(session, known.scopes.all)
        known.brakes = {row.key: throttle.at(brakes.brake_of(row), now) for row in found}
        rates = slowed(allowed.limits, brakes.rates(known.brakes, self._bases(known)))
        intervals = dict.fromkeys(known.brakes, 0) | {limit.key: limit.interval_us for limit in rates}
        if self._outages.knows(way):
            intervals.setdefault(way.key, 0)
        opens_us = await pace_rows.opens_at(session, intervals, now_us=to_microseconds(now))
        used = await limits.used(session, [share.key for share in allowed.shares])
        shut_until, reason = brakes.obstacle(known.brakes, now, self._zone)
        left = MOST_A_BATCH
        for share in allowed.shares:
            since, count = used.get(share.key, (now, 0))
            rest = share.most - (count if now < since + share.span else 0)
            left = min(left, rest)
            over = share.ends_at or since + share.span
            if rest <= 0 and (shut_until is None or over > shut_until):
                shut_until = over
                reason = f"The {share.most} messages that may leave are used up until {self._time(over)}."
        probing = tuple(key for key, brake in known.brakes.items() if brake.state is BreakerState.HALF_OPEN)
        opens_at = from_microseconds(opens_us)
        opens_at = max(opens_at, shut_until or opens_at)
        return _Sight(opens_at, shut_until is not None, reason, probing, left, rates)

    async def _connect(
        self, known: _Known, probing: Sequence[str], connections: int | None, way: Way, now: datetime
    ) -> str:
        """Hold the places the lane needs: connections where those are counted, and a half-open breaker's one.

        What stands in the way; "": nothing. Connections come first: whoever has none must not keep the one
        place of those who find out.
        """
        allowed = known.allowed
        if way.route:
            most = min(allowed.connections, connections or allowed.connections)
            if known.scopes.provider in probing:
                most = 1
            if not await self._places.hold(known.scopes.provider, most, now):
                return OTHERS_CONNECTED
        elif allowed.relay_connections:
            if not await self._places.hold(way.key, allowed.relay_connections, now, in_parts=True):
                return OTHERS_CONNECTED
        else:
            self._places.forget(way.key)
        taken: list[str] = []
        try:
            # In the same order everywhere, lest two wait for each other's.
            for key in sorted(probing):
                if is_fresh(self._probes.get(key), LEASE, now):
                    return OTHERS_PROBE
                # Before anything is waited for: other lanes of this process ask meanwhile.
                self._probes[key] = now + LEASE
                taken.append(key)
                if not await self._places.hold(f"probe:{key}", 1, now, anew=True):
                    return OTHERS_PROBE
            taken.clear()
            return ""
        finally:
            for key in taken:
                self._probes.pop(key, None)

    def _connections(self, known: _Known, way: Way) -> int | None:
        """How many connections the way may have now; None: as many as are configured.

        As many as are held, whatever this lane may do: others of this process use them as well.
        """
        if way.route:
            return self._places.count(known.scopes.provider) or 1
        return (self._places.count(way.key) or 1) if known.allowed.relay_connections else None

    def _bases(self, known: _Known) -> Mapping[str, float]:
        """Messages a second without a brake, by scope: its own limit, or what the lane may do at most."""
        own = {limit.key: 1_000_000 / limit.interval_us for limit in known.allowed.limits}
        bases = {key: own.get(key, known.allowed.base) for key in known.scopes.all}
        bases[known.scopes.relay] = own.get(known.scopes.relay, RELAY_PER_SECOND)
        return bases

    def _is_shut(self, lane: str, now: datetime) -> bool:
        known = self._known.get(lane)
        return known is not None and any(
            throttle.at(brake, now).state is BreakerState.OPEN for brake in known.brakes.values()
        )

    def _time(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._zone):%d/%m %H:%M}"


def _replace(seen: dict[str, Brake], changed: Mapping[str, Brake]) -> None:
    for key, brake in changed.items():
        if brake.is_free:
            seen.pop(key, None)
        else:
            seen[key] = brake
