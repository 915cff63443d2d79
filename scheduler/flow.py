"""How queues empty: messages as a liquid that flows through the limits they share. Pure.

Not message by message, but from one change to the next: a queue is empty, a window opens or shuts, a day's
share is used up, a provider's rest is over. Between two changes each lane flows at the rate that its limits
leave it, shared as the dispatchers share them: lanes take turns at a limit, each with as much as it claims
at a time, and what one cannot use the others get (weighted max-min fairness); in a lane urgent campaigns go
first and the others share evenly.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from scheduler.calendar import SendingWindows, closes, opens

LaneKey = tuple[int, str]
"""An identity's number and a provider."""

HORIZON: Final = timedelta(days=60)
"""What is not over by then, counted from the last beginning, is not foretold."""
UNLIMITED: Final = 1e6
"""Messages a second of a lane that nothing holds back."""
MANY: Final = 100
COARSELY: Final = 0.01
"""Of more than so many queues, those that are empty within a hundredth of the time gone are so at once."""
NEGLIGIBLE: Final = 1e-6
"""Less of a message, or of a second, than this is none: sums of floats end in dust."""


@dataclass(slots=True)
class Queue:
    """Messages of one campaign in one lane whose recipients share a clock.

    They may leave from `begins_at`, within `windows` in `zone`, before `not_after`. `after`: so long
    after the start of the campaign.
    """

    campaign_id: int
    lane: LaneKey
    count: int
    begins_at: datetime
    zone: str = "UTC"
    windows: SendingWindows = field(default_factory=SendingWindows)
    not_after: datetime | None = None
    urgent: bool = False
    after: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Share:
    """So many messages in each of a row of periods, an hour or a day, of which `used` are gone.

    `amount(n)` is that of period n, from 0 for the present one, None when nothing holds it back any more;
    `ends_at(n)` the end of it.
    """

    used: int
    amount: Callable[[int], int | None]
    ends_at: Callable[[int], datetime]


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """What a lane obeys: the keys of rates and of shares, and when it opens if it is shut.

    `weight`: how many messages it takes at a turn.
    """

    rates: tuple[str, ...]
    shares: tuple[str, ...] = ()
    opens_at: datetime | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Course:
    """What a queue comes to: when it is empty (None: not within the horizon), and how many never leave."""

    queue: Queue
    finishes_at: datetime | None
    missed: int


@dataclass(slots=True)
class _Tank:
    """A queue on its way; `left` in messages, times in seconds from the beginning."""

    queue: Queue
    left: float
    begins: float
    ends: float
    open: bool = False
    turns: float = 0.0
    finished: float | None = None
    missed: float = 0.0


@dataclass(slots=True)
class _Meter:
    """A share on its way."""

    share: Share
    period: int = 0
    left: float = math.inf
    renews: float = math.inf


def simulate(
    queues: Iterable[Queue],
    lanes: Mapping[LaneKey, LaneLimits],
    rates: Mapping[str, float],
    shares: Mapping[str, Share],
    now: datetime,
) -> list[Course]:
    """What every queue comes to, in their order. `rates` are messages a second."""
    flow = _Flow(queues, lanes, rates, shares, now)
    flow.run()
    return [flow.course(tank) for tank in flow.tanks]


class _Flow:
    def __init__(
        self,
        queues: Iterable[Queue],
        lanes: Mapping[LaneKey, LaneLimits],
        rates: Mapping[str, float],
        shares: Mapping[str, Share],
        now: datetime,
    ) -> None:
        self._now = now
        self._lanes = lanes
        self._rates = rates
        self._at = 0.0
        self.tanks = [
            _Tank(
                queue,
                float(queue.count),
                max(0.0, self._seconds(queue.begins_at)),
                math.inf if queue.not_after is None else self._seconds(queue.not_after),
            )
            for queue in queues
        ]
        self._end = max((tank.begins for tank in self.tanks), default=0.0) + HORIZON.total_seconds()
        self._meters = {key: _Meter(share) for key, share in shares.items()}
        for meter in self._meters.values():
            self._renew(meter, used=meter.share.used)

    def _seconds(self, moment: datetime) -> float:
        return (moment - self._now).total_seconds()

    def _moment(self, seconds: float) -> datetime:
        return self._now + timedelta(seconds=seconds)

    def course(self, tank: _Tank) -> Course:
        """What a queue came to."""
        finished = None if tank.finished is None else self._moment(tank.finished)
        return Course(tank.queue, finished, round(tank.missed))

    def run(self) -> None:
        """From change to change, until everything is empty or the horizon is reached."""
        waiting = [tank for tank in self.tanks if self._settle(tank)]
        while waiting and self._at < self._end:
            self._turn(waiting)
            rates = self._flow_rates([tank for tank in waiting if tank.open])
            self._advance(waiting, rates, self._next_change(waiting, rates))
            waiting = [tank for tank in waiting if self._settle(tank)]

    def _settle(self, tank: _Tank) -> bool:
        """Whether a tank still holds something; what it holds past its deadline never leaves."""
        if tank.left > NEGLIGIBLE and tank.ends <= self._at + NEGLIGIBLE:
            tank.missed, tank.left = tank.left, 0.0
        if tank.left > NEGLIGIBLE:
            return True
        tank.finished = max(self._at, min(tank.begins, tank.ends)) if tank.finished is None else tank.finished
        return False

    def _turn(self, waiting: Sequence[_Tank]) -> None:
        """See which windows are open now, and until when that holds; begin the new periods of shares."""
        for tank in waiting:
            if tank.turns > self._at + NEGLIGIBLE:
                continue
            if tank.begins > self._at + NEGLIGIBLE:
                tank.open, tank.turns = False, tank.begins
                continue
            queue, moment = tank.queue, self._moment(self._at + NEGLIGIBLE)
            opening = opens(queue.windows, queue.zone, moment)
            tank.open = opening == moment
            closing = closes(queue.windows, queue.zone, moment) if tank.open else opening
            tank.turns = math.inf if closing is None else max(self._at + NEGLIGIBLE, self._seconds(closing))
        for meter in self._meters.values():
            while meter.renews <= self._at + NEGLIGIBLE:
                meter.period += 1
                self._renew(meter, used=0)

    def _renew(self, meter: _Meter, *, used: int) -> None:
        amount = meter.share.amount(meter.period)
        if amount is None:
            meter.left = meter.renews = math.inf
        else:
            meter.left = max(0.0, float(amount - used))
            meter.renews = self._seconds(meter.share.ends_at(meter.period))

    def _flow_rates(self, tanks: Sequence[_Tank]) -> dict[int, float]:
        """Messages a second of each of `tanks`, by its place in memory."""
        by_lane: dict[LaneKey, list[_Tank]] = defaultdict(list)
        for tank in tanks:
            by_lane[tank.queue.lane].append(tank)
        flowing = [lane for lane in by_lane if self._is_open(lane)]
        flows: dict[int, float] = {}
        for lane, rate in share_out({lane: self._lanes[lane] for lane in flowing}, self._rates).items():
            flows.update(_among_campaigns(by_lane[lane], rate))
        return flows

    def _is_open(self, lane: LaneKey) -> bool:
        limits = self._lanes[lane]
        if limits.opens_at is not None and self._seconds(limits.opens_at) > self._at + NEGLIGIBLE:
            return False
        return all(self._meters[key].left > NEGLIGIBLE for key in limits.shares)

    def _next_change(self, waiting: Sequence[_Tank], rates: Mapping[int, float]) -> float:
        at = self._at
        fixed = [self._end, *(tank.turns for tank in waiting), *(tank.ends for tank in waiting)]
        for lane in {tank.queue.lane for tank in waiting}:
            opens_at = self._lanes[lane].opens_at
            if opens_at is not None:
                fixed.append(self._seconds(opens_at))
        fixed += [meter.renews for meter in self._meters.values()]
        flowing = [tank.left / rates[id(tank)] for tank in waiting if rates.get(id(tank))]
        flowing += [self._meters[key].left / rate for key, rate in self._drawn(waiting, rates).items()]
        slack = at * COARSELY if len(waiting) > MANY else 0.0
        soonest = at + max(2 * NEGLIGIBLE, min(flowing, default=self._end)) + slack
        return min((change for change in fixed if at + NEGLIGIBLE < change < soonest), default=soonest)

    def _drawn(self, waiting: Sequence[_Tank], rates: Mapping[int, float]) -> dict[str, float]:
        """What is drawn from each share a second."""
        drawn: dict[str, float] = defaultdict(float)
        for tank in waiting:
            rate = rates.get(id(tank), 0.0)
            for key in self._lanes[tank.queue.lane].shares if rate else ():
                drawn[key] += rate
        return drawn

    def _advance(self, waiting: Sequence[_Tank], rates: Mapping[int, float], until: float) -> None:
        span = until - self._at
        for key, rate in self._drawn(waiting, rates).items():
            self._meters[key].left -= rate * span
        for tank in waiting:
            tank.left -= rates.get(id(tank), 0.0) * span
        self._at = until


def _among_campaigns(tanks: Sequence[_Tank], rate: float) -> dict[int, float]:
    """A lane's rate shared out: urgent campaigns first, evenly; in one campaign by what is left."""
    first = [tank for tank in tanks if tank.queue.urgent] or tanks
    left: dict[int, float] = defaultdict(float)
    for tank in first:
        left[tank.queue.campaign_id] += tank.left
    return {id(tank): rate / len(left) * tank.left / left[tank.queue.campaign_id] for tank in first}


def share_out(lanes: Mapping[LaneKey, LaneLimits], rates: Mapping[str, float]) -> dict[LaneKey, float]:
    """Max-min fair rates of lanes that share limits: all rise by their weights until a limit is reached.

    A lane without a limit flows as fast as anything.
    """
    given = {lane: 0.0 if limits.rates else UNLIMITED for lane, limits in lanes.items()}
    rising = {lane for lane, limits in lanes.items() if limits.rates}
    left = {key: rates[key] for limits in lanes.values() for key in limits.rates}
    while rising:
        drawn: dict[str, float] = defaultdict(float)
        for lane in rising:
            for key in lanes[lane].rates:
                drawn[key] += lanes[lane].weight
        step = min(left[key] / weight for key, weight in drawn.items())
        for lane in rising:
            given[lane] += step * lanes[lane].weight
        for key, weight in drawn.items():
            left[key] -= step * weight
        full = {key for key in drawn if left[key] <= rates[key] * NEGLIGIBLE}
        rising = {lane for lane in rising if full.isdisjoint(lanes[lane].rates)}
    return given
