"""The pace as people see and set it: what is slowed and why, which limits hold, and how to undo either."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import BadInputError, NotFoundError
from models.pace import BreakerState, LimitScope, Measure, PaceLimit
from models.providers import OTHER, OWN_EXCHANGERS, PROVIDER_BY_KEY, PROVIDERS, SMS, provider_name
from models.states import Channel
from scheduler import brakes, throttle
from scheduler.pacing import SPANS, Pace, provider_rate, share_key, to_microseconds
from store import limits, throttles
from store import pace as pace_rows

SHAPES = {
    LimitScope.RELAY: "a channel: email or sms",
    LimitScope.IDENTITY: "an identity's number: 3",
    LimitScope.PROVIDER: "a provider: orange",
    LimitScope.LANE: "an identity's number and a provider: 3:orange",
    LimitScope.DOMAIN: "a signing domain and a provider: exemple.fr:orange",
}
MOST: Final = 1e7
"""Of whatever a limit counts: more is no limit."""
MOST_CONNECTIONS: Final = 1000
"""Each has a row of its own; a process opens 200 at most to a server."""
_OF_SERVERS = frozenset({Measure.CONNECTIONS, Measure.MESSAGES_PER_CONNECTION})


@dataclass(frozen=True, slots=True)
class Slowed:
    """A scope that is slowed or rests. `key` undoes it (`reset`), `told` says it in words for people."""

    key: str
    name: str
    state: BreakerState
    told: str
    opens_at: datetime | None
    factor: float
    connections: int | None
    rule: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Usual:
    """What a provider gets at most before anything is slowed: messages a second over all identities."""

    provider: str
    name: str
    per_second: float
    connections: int
    messages_per_connection: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything about the pace: what is slowed, what somebody set, and the usual figures by provider."""

    slowed: Sequence[Slowed]
    limits: Sequence[PaceLimit]
    usual: Sequence[Usual]


async def overview(session: AsyncSession, *, pace: Pace, now: datetime, zone: str) -> Overview:
    """What holds now. Served by the primary keys of small tables."""
    usual = [
        Usual(one.key, one.name, provider_rate(one.key, pace), one.connections, one.messages_per_connection)
        for one in PROVIDERS
    ]
    return Overview(await _slowed(session, now, zone), await limits.list_limits(session), usual)


async def _slowed(session: AsyncSession, now: datetime, zone: str) -> list[Slowed]:
    place = ZoneInfo(zone)
    slowed = []
    for row in await throttles.list_all(session):
        brake = throttle.at(brakes.brake_of(row), now)
        if not brake.is_free:
            told = brakes.describe(row.key, brake, now, place)
            slowed.append(
                Slowed(
                    row.key,
                    brakes.name_of(row.key),
                    brake.state,
                    told,
                    brake.opens_at,
                    brake.factor,
                    brake.connections,
                    brake.rule,
                    brake.changed_at,
                )
            )
    return slowed


async def set_limit(session: AsyncSession, limit: PaceLimit) -> None:
    """Set a limit over the defaults; BadInputError when it could never hold. Workers see it within 10 s.

    Its subject may be as a person types it (`read_subject`).
    """
    limit.subject = read_subject(limit.scope, limit.subject)
    if limit.measure in _OF_SERVERS and not _is_server(limit.scope, limit.subject):
        problem = "Connections are counted for a provider or for the mail relay, and for nothing else."
        raise BadInputError(problem, "Name it: provider orange, or relay email.")
    least = 0 if limit.measure in {Measure.PER_SECOND, Measure.PER_MINUTE} else 1
    most = MOST_CONNECTIONS if limit.measure is Measure.CONNECTIONS else MOST
    # Neither is inf nor nan a number to pace by.
    if not 0 < limit.amount <= most or limit.amount < least:
        advice = f"Give a number above 0, {most:,.0f} at most, or pause the campaign."
        raise BadInputError(f"{limit.amount:.15g} is no limit.", advice)
    await limits.set_limit(session, limit)


async def unset_limit(session: AsyncSession, scope: LimitScope, subject: str, measure: Measure) -> None:
    """Go back to the default; NotFoundError when nobody had set it."""
    await limits.unset_limit(session, scope=scope, subject=read_subject(scope, subject), measure=measure)


async def reset(session: AsyncSession, key: str, now: datetime) -> str:
    """Let a scope go at full pace again, at once and whatever was answered; its name.

    Undone are its brake, the moments given out ahead while it was slow, and the hour's and the day's share
    that are used up; a warm-up plan's day stays. NotFoundError when nothing slows it.
    """
    slows = bool(await throttles.known(session, [key]))
    await throttles.remove(session, [key])
    reached_ahead = await pace_rows.open_up(session, key=key, now_us=to_microseconds(now))
    counted = await limits.forget(session, *(share_key(key, measure) for measure in SPANS))
    if not (slows or reached_ahead or counted):
        raise NotFoundError(f"Nothing slows {key}.", "See `tocsin pace list`.")
    return brakes.name_of(key)


async def reset_scope(session: AsyncSession, scope: LimitScope, subject: str, now: datetime) -> str:
    """`reset`, by what a person types: an identity without its channel is meant in both."""
    name = subject.strip().lower()
    both = scope is LimitScope.IDENTITY and ":" not in name
    keys = (
        [f"{scope.value}:{name}:{channel.value}" for channel in Channel]
        if both
        else [f"{scope.value}:{name}"]
    )
    freed = []
    for key in keys:
        with suppress(NotFoundError):
            freed.append(await reset(session, key, now))
    if not freed:
        raise NotFoundError(f"Nothing slows {scope} {subject}.", "See `tocsin pace list`.")
    return ", ".join(freed)


def read_subject(scope: LimitScope, subject: str) -> str:
    """A limit's subject in its normal form; BadInputError says which form it has."""
    parts = subject.strip().lower().split(":")
    match scope:
        case LimitScope.RELAY:
            fits = parts[0] in set(Channel) and len(parts) <= 2
        case LimitScope.IDENTITY:
            fits = len(parts) == 1 and parts[0].isdigit()
        case LimitScope.PROVIDER:
            fits = _is_provider(":".join(parts))
        case LimitScope.LANE:
            fits = parts[0].isdigit() and _is_provider(":".join(parts[1:]))
        case LimitScope.DOMAIN:
            fits = "." in parts[0] and _is_provider(":".join(parts[1:]))
    if not fits:
        raise BadInputError(f"{subject!r} is not {SHAPES[scope]}.", "Providers: `tocsin pace list --all`.")
    return ":".join(parts)


def _is_server(scope: LimitScope, subject: str) -> bool:
    """Whether connections are counted there: a provider's own servers, or the relay for all the others."""
    return scope is LimitScope.PROVIDER or (scope is LimitScope.RELAY and subject == Channel.EMAIL.value)


def name_of_limit(row: PaceLimit) -> str:
    """Whom a limit is about, in words."""
    if row.scope is LimitScope.PROVIDER:
        return provider_name(row.subject)
    return brakes.name_of(f"{row.scope.value}:{row.subject}")


def _is_provider(key: str) -> bool:
    return key in PROVIDER_BY_KEY or key in {OTHER, SMS} or key.startswith(OWN_EXCHANGERS)
