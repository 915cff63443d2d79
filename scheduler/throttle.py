"""How a scope is slowed by what it is answered, and how it comes back. Pure: a brake and news give a brake.

Rates: additive increase, halving when the other side says "too fast" (never below one message a minute).
What was found too much is remembered: up to nine tenths of it the pace recovers within a minute or two,
beyond that it tries again only after `hold_until`, slowly. The dearer the punishment, the longer it holds,
so that finding out costs a twentieth of the time at most. A pure additive increase would lose a quarter of
what is allowed, and run into a two-hour block every few minutes.

A breaker: open for the time a rule names, otherwise 15 minutes and twice as long each time up to 4 hours;
then half-open, and one message over one connection finds out.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from models.pace import BreakerState

SLOWEST: Final = 1 / 60
"""Messages a second, below which nothing is slowed."""
STEP: Final = 0.05
CAREFUL: Final = 0.9
"""The part of what was found too much that is used without asking."""
PROBING_STEP: Final = 0.02
RESTART: Final = 0.1
"""The part of its pace with which a scope comes back from a rest, to find out slowly what is allowed."""
SLOW_STEP: Final = 0.02
HOLD: Final = timedelta(minutes=10)
HOLD_PER_REST: Final = 24
"""A rest of an hour is not risked again for a day."""
SETTLING: Final = timedelta(seconds=10)
"""Answers to what was on its way when the pace was halved do not halve it again."""
FIRST_REST: Final = timedelta(minutes=15)
LONGEST_REST: Final = timedelta(hours=4)
JITTER: Final = 0.1


@dataclass(frozen=True, slots=True)
class Cause:
    """Why: the rule and the other side's words."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Brake:
    """How a scope is slowed; the fields of `models.pace.Throttle`.

    `opens_at` ends a rest; of a closed breaker, the time of crawling. `changed_at`: when it last got worse.
    """

    changed_at: datetime
    state: BreakerState = BreakerState.CLOSED
    factor: float = 1.0
    ceiling: float = 1.0
    hold_until: datetime | None = None
    clean: int = 0
    trips: int = 0
    opens_at: datetime | None = None
    connections: int | None = None
    connections_until: datetime | None = None
    step_up: bool = False
    rule: str = ""
    reason: str = ""

    @property
    def is_free(self) -> bool:
        """Whether nothing is slowed any more, so that the row may go."""
        return self.state is BreakerState.CLOSED and self.factor >= 1.0 and self.connections is None


def at(brake: Brake, now: datetime) -> Brake:
    """The brake as time alone has changed it: a rest that is over leaves a half-open breaker."""
    if brake.state is BreakerState.OPEN and brake.opens_at is not None and now >= brake.opens_at:
        brake = replace(brake, state=BreakerState.HALF_OPEN)
    if brake.connections_until is not None and now >= brake.connections_until:
        brake = replace(brake, connections=None, connections_until=None)
    return brake


def slow(brake: Brake, now: datetime, cause: Cause, *, base: float) -> Brake:
    """Halve the pace. `base`: messages a second without a brake."""
    brake = at(brake, now)
    if brake.state is BreakerState.OPEN:
        return brake
    if brake.factor < 1.0 and now - brake.changed_at < SETTLING:
        return brake
    return replace(
        brake,
        ceiling=brake.factor,
        factor=max(brake.factor / 2, _floor(base)),
        hold_until=now + HOLD,
        clean=0,
        rule=cause.rule,
        reason=cause.reason,
        changed_at=now,
    )


def crawl(
    brake: Brake, now: datetime, cause: Cause, *, base: float, per_minute: float, span: timedelta
) -> Brake:
    """So many a minute over one connection for a time; then it recovers as after a halving."""
    brake = at(brake, now)
    if brake.state is BreakerState.OPEN:
        return brake
    crawling = brake.opens_at is not None and now < brake.opens_at
    return replace(
        brake,
        ceiling=brake.ceiling if crawling else brake.factor,
        factor=min(brake.factor, max(per_minute / 60 / base, _floor(base))),
        hold_until=now + HOLD_PER_REST * span,
        opens_at=now + span,
        connections=1,
        connections_until=now + span,
        clean=0,
        rule=cause.rule,
        reason=cause.reason,
        changed_at=now,
    )


def one_connection(brake: Brake, now: datetime, cause: Cause, span: timedelta) -> Brake:
    """One connection for a time; the pace stays."""
    brake = at(brake, now)
    return replace(
        brake,
        connections=1,
        connections_until=now + span,
        step_up=False,
        rule=cause.rule,
        reason=cause.reason,
        changed_at=now,
    )


def trip(
    brake: Brake,
    now: datetime,
    cause: Cause,
    *,
    base: float,
    span: timedelta,
    jitter: float,
    too_fast: bool,
    step_up: bool = False,
) -> Brake:
    """Open the breaker for `span`. `jitter` from 0 to 1 spreads the return.

    `too_fast`: the pace was the cause, so that it comes back halved. What was on its way when the breaker
    opened changes nothing.
    """
    brake = at(brake, now)
    if brake.state is BreakerState.OPEN:
        return brake
    if too_fast and brake.state is BreakerState.CLOSED:
        halved = brake.factor < 1.0 and brake.changed_at == now  # by these very answers
        brake = replace(
            brake,
            ceiling=brake.ceiling if halved else brake.factor,
            factor=max(RESTART * brake.factor, _floor(base)),
            hold_until=now + max(HOLD, HOLD_PER_REST * span),
        )
    return replace(
        brake,
        state=BreakerState.OPEN,
        opens_at=now + span * (1 + JITTER * jitter),
        trips=brake.trips + 1,
        clean=0,
        step_up=step_up,
        connections=1 if step_up else brake.connections,
        connections_until=None if step_up else brake.connections_until,
        rule=cause.rule,
        reason=cause.reason,
        changed_at=now,
    )


def growing_rest(brake: Brake) -> timedelta:
    """How long a rest lasts that no rule measures: twice as long each time."""
    return min(FIRST_REST * (1 << min(brake.trips, 10)), LONGEST_REST)


def grow(brake: Brake, now: datetime, count: int, *, base: float, connections: int) -> Brake:
    """`count` messages were answered as they should be. `connections`: how many there are without a brake."""
    brake = at(brake, now)
    if brake.state is BreakerState.OPEN or count <= 0:
        return brake  # answers to what left before
    if brake.state is BreakerState.HALF_OPEN:
        return replace(brake, state=BreakerState.CLOSED, opens_at=None, clean=0)
    if brake.opens_at is not None and now < brake.opens_at:
        return brake  # crawling until then, however clean
    brake = replace(brake, opens_at=None, clean=brake.clean + count)
    while brake.clean >= (needed := _needed(brake, base)) and not brake.is_free:
        brake = _step(replace(brake, clean=brake.clean - needed), now, connections)
    return brake


def _step(brake: Brake, now: datetime, connections: int) -> Brake:
    if brake.step_up and brake.connections is not None:
        more = brake.connections + 1
        brake = replace(brake, connections=more if more < connections else None)
    if brake.factor >= 1.0:
        return brake
    target = 1.0 if brake.ceiling >= 1.0 and _may_probe(brake, now) else CAREFUL * brake.ceiling
    if brake.factor < target:
        factor = min(target, brake.factor + (SLOW_STEP if _is_dear(brake) else STEP) * brake.ceiling)
        trips = 0 if factor == target else brake.trips
        return replace(brake, factor=factor, trips=trips)
    if not _may_probe(brake, now):
        return brake
    ceiling = min(1.0, brake.ceiling * (1 + PROBING_STEP))
    return replace(brake, ceiling=ceiling, factor=max(brake.factor, CAREFUL * ceiling))


def _may_probe(brake: Brake, now: datetime) -> bool:
    return brake.hold_until is None or now >= brake.hold_until


def _is_dear(brake: Brake) -> bool:
    """Whether being too fast was punished: what is allowed is then neared in small steps."""
    return brake.hold_until is not None and brake.hold_until - brake.changed_at > HOLD


def _needed(brake: Brake, base: float) -> int:
    """Clean answers for a step: some seconds' worth while it recovers, a minute's while it finds out."""
    rate = base * brake.factor
    if brake.factor < CAREFUL * brake.ceiling or brake.factor >= 1.0:
        return max(5, round(rate * 30)) if _is_dear(brake) else max(5, min(100, round(rate * 5)))
    return max(20, round(rate * 60))


def _floor(base: float) -> float:
    return min(1.0, SLOWEST / base)
