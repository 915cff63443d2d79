"""What lanes obey from now on, read from the rows the pacer reads: rates, brakes, shares, warm-up plans.

A brake is taken to stay as it is until it opens: how fast a provider will trust again nobody knows.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from models.identity import Identity
from models.pace import BreakerState, PaceLimit, Throttle, Warmup
from models.providers import TEXTS
from models.states import Channel, IdentityState
from scheduler import brakes, throttle
from scheduler.destinations import providers_as_known
from scheduler.flow import LaneKey, LaneLimits, Share
from scheduler.pacing import (
    Allowance,
    Limit,
    Pace,
    Scopes,
    allowance,
    batch_size,
    from_microseconds,
    scopes_of,
    slowed,
    to_microseconds,
)
from scheduler.pacing import Share as Portion
from scheduler.warming import day_of, plans_for, start_of
from scheduler.warmup import planned_cap
from store import identities, limits, throttles, warmups
from store import pace as pace_rows

TURN = timedelta(seconds=2)
"""How far ahead lanes claim."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """Limits of lanes as `scheduler.flow` takes them, and the warm-up plans among them."""

    lanes: dict[LaneKey, LaneLimits] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    shares: dict[str, Share] = field(default_factory=dict)
    plans: dict[LaneKey, Warmup] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is read once for all lanes."""

    braked: Mapping[str, Throttle]
    arrivals: Mapping[str, int]
    used: Mapping[str, tuple[datetime, int]]


async def look_ahead(
    session: AsyncSession, wanted: Collection[LaneKey], pace: Pace, zone: str, now: datetime
) -> Ahead:
    """The limits of these lanes from `now` on. `zone`: of the days of warm-up plans."""
    known = {identity.id: identity for identity in await identities.list_identities(session)}
    set_limits = await limits.list_limits(session)
    today = day_of(now, zone)
    found = {lane: _allowed(known[lane[0]], lane[1], pace, set_limits) for lane in sorted(wanted)}
    keys = [share.key for _, allowed in found.values() for share in allowed.shares]
    keys += [_todays(scopes, today) for scopes, _ in found.values()]
    rows = _Rows(
        {row.key: row for row in await throttles.list_all(session)},
        await pace_rows.later_arrivals(session, now_us=to_microseconds(now)),
        await limits.used(session, keys),
    )
    plans = {(plan.identity_id, plan.provider): plan for plan in await warmups.list_plans(session)}
    plans = (
        await _plans_to_come(session, known, [lane for lane in found if lane not in plans], zone, now) | plans
    )
    ahead = Ahead()
    for lane, (scopes, allowed) in found.items():
        shares = [_add_portion(ahead, share, rows.used, now) for share in allowed.shares]
        plan = plans.get(lane)
        if plan is not None and plan.state in warmups.CAPPING:
            ahead.plans[lane] = plan
            shares.append(_todays(scopes, today))
            _, gone = rows.used.get(shares[-1], (now, 0))
            ahead.shares[shares[-1]] = _plan_ahead(plan, gone, today, zone)
        held = _held(scopes, allowed, rows, now)
        for limit in held:
            per_second = 1_000_000 / limit.interval_us
            ahead.rates[limit.key] = max(per_second, ahead.rates.get(limit.key, 0.0))
        rates = tuple(limit.key for limit in held)
        opens_at = _opens_at(scopes, held, rows, now)
        ahead.lanes[lane] = LaneLimits(rates, tuple(shares), opens_at, batch_size(held, TURN))
    return ahead


async def _plans_to_come(
    session: AsyncSession, known: Mapping[int, Identity], lanes: Collection[LaneKey], zone: str, now: datetime
) -> dict[LaneKey, Warmup]:
    """The plans that a launch would begin: of identities that warm up, at providers new to the list."""
    warming = {identity_id for identity_id, _ in lanes if known[identity_id].state is IdentityState.WARMING}
    if not warming:
        return {}
    by_domain = await warmups.people_by_domain(session)
    providers = await providers_as_known(session, by_domain)
    people: Counter[str] = Counter()
    for domain, count in by_domain.items():
        people[providers[domain]] += count
    begun = plans_for([known[identity_id] for identity_id in warming], people, now, zone, None)
    return {lane: plan for plan in begun if (lane := (plan.identity_id, plan.provider)) in lanes}


def _todays(scopes: Scopes, today: date) -> str:
    """The row that counts what a lane that warms up has sent on a day, as the pacer names it."""
    return f"{scopes.lane}:day:{today}"


def _allowed(
    identity: Identity, provider: str, pace: Pace, set_limits: list[PaceLimit]
) -> tuple[Scopes, Allowance]:
    channel = Channel.SMS if provider in TEXTS else Channel.EMAIL
    rate = identity.emails_per_second if channel is Channel.EMAIL else identity.sms_per_second
    way = pace.way(channel, provider)
    scopes = scopes_of(channel, identity.id, provider, identity.dkim_domain or "", way.key)
    return scopes, allowance(scopes, channel, rate, pace, set_limits)


def _held(scopes: Scopes, allowed: Allowance, rows: _Rows, now: datetime) -> tuple[Limit, ...]:
    """The rates of a lane, brakes included."""
    own = {limit.key: 1_000_000 / limit.interval_us for limit in allowed.limits}
    bases = {key: own.get(key, allowed.base) for key in scopes.all}
    seen = {
        key: throttle.at(brakes.brake_of(rows.braked[key]), now) for key in scopes.all if key in rows.braked
    }
    return slowed(allowed.limits, brakes.rates(seen, bases))


def _opens_at(scopes: Scopes, held: Iterable[Limit], rows: _Rows, now: datetime) -> datetime | None:
    now_us = to_microseconds(now)
    intervals = {scopes.relay: 0} | {limit.key: limit.interval_us for limit in held}
    moments = [
        from_microseconds(arrival)
        for key, interval in intervals.items()
        if pace_rows.is_believed(arrival := rows.arrivals.get(key, 0), interval, now_us=now_us)
    ]
    for key in scopes.all:
        row = rows.braked.get(key)
        if row is not None and row.state is BreakerState.OPEN and row.opens_at is not None:
            moments.append(row.opens_at)
    latest = max(moments, default=now)
    return latest if latest > now else None


def _add_portion(
    ahead: Ahead, portion: Portion, used: Mapping[str, tuple[datetime, int]], now: datetime
) -> str:
    """A limit an hour or a day, whose span began with the first message."""
    since, count = used.get(portion.key, (now, 0))
    if since + portion.span <= now:
        since, count = now, 0

    def amount(_: int) -> int:
        return portion.most

    def ends_at(period: int) -> datetime:
        return since + (period + 1) * portion.span

    ahead.shares[portion.key] = Share(count, amount, ends_at)
    return portion.key


def _plan_ahead(plan: Warmup, gone: int, today: date, zone: str) -> Share:
    """A warm-up plan, as it goes if every day goes well. A plan not stepped yet today begins with its cap."""

    def amount(day: int) -> int | None:
        return planned_cap(plan.cap, plan.target, day)

    def ends_at(day: int) -> datetime:
        return start_of(today + timedelta(days=day + 1), zone)

    return Share(gone, amount, ends_at)
