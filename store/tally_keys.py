"""Which counters one delivery's events are counted in. Pure.

A delivery is counted once in each counter, however often it had the same news: counters are the union
of what its events say, so that they can be brought up to date by what is new in that union.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from models.states import BounceClass, EventKind, Fault, Permanence
from models.tally import Account

ATTEMPTED = (EventKind.ACCEPTED, EventKind.DEFERRED, EventKind.REFUSED, EventKind.UNCERTAIN)
OUTCOMES = (EventKind.ACCEPTED, EventKind.DEFERRED, EventKind.REFUSED)
REFUSALS = (EventKind.REFUSED, EventKind.BOUNCED, EventKind.DEFERRED)
DECIDED: Mapping[str, EventKind] = {"sent": EventKind.ACCEPTED, "not_sent": EventKind.REFUSED}
"""What a RESOLVED event counts as, by the `decision` in its details; another counts as nothing."""
STEPS_SECONDS = (1, 5, 15, 60, 300, 900, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600)
"""Steps of the chart over time; each divides the next, so that fine ones can be put together."""
MOST_STEPS = 120
MICROSECONDS = 1_000_000
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Key(NamedTuple):
    """One counter of a campaign."""

    account: Account
    identity_id: int
    provider: str
    word: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What of an event decides where it is counted."""

    kind: EventKind
    permanence: str
    bounce_class: str
    fault: str
    code: str
    machine: bool
    decision: str
    enhanced: str

    @classmethod
    def read(cls, word: str) -> "Shape":
        """As `write` put it together."""
        kind, permanence, bounce_class, fault, code, machine, decision, enhanced = word.split("|", 7)
        return cls(EventKind(kind), permanence, bounce_class, fault, code, machine != "", decision, enhanced)

    def counters(self, identity_id: int, provider: str) -> frozenset[Key]:
        """Where a delivery of this lane with such an event is counted."""
        keys: set[Key] = set()
        kind = DECIDED.get(self.decision) if self.kind is EventKind.RESOLVED else self.kind
        # Put off by our own mail server: that says nothing of a provider, and is no part of any sum.
        ours = self.kind is EventKind.DEFERRED and self.fault == Fault.RELAY
        # Links opened by a mail scanner count for nobody.
        if kind is not None and not ours and not (kind is EventKind.CLICKED and self.machine):
            keys.add(Key(Account.NEWS, identity_id, provider, kind.value))
            if self.permanence == Permanence.HARD:
                keys.add(Key(Account.HARD, identity_id, provider, kind.value))
        if self.kind in ATTEMPTED and not ours:
            keys.add(Key(Account.TRIED, identity_id, provider, ""))
        if self.kind in REFUSALS:
            keys.add(Key(Account.SAID, 0, provider, self.said))
        return frozenset(keys)

    @property
    def said(self) -> str:
        """What was answered, without the wording."""
        return f"{self.kind.value}|{self.bounce_class}|{self.fault}|{self.code}|{self.enhanced}"


@lru_cache(maxsize=20_000)
def counters_for(shape: str, identity_id: int, provider: str) -> frozenset[Key]:
    """Where a delivery of this lane with such an event is counted; there are few shapes of many events."""
    return Shape.read(shape).counters(identity_id, provider)


class Said(NamedTuple):
    """What was answered, read back from the word of a SAID counter."""

    kind: EventKind
    bounce_class: BounceClass | None
    fault: Fault | None
    code: int | None
    enhanced: str | None

    @classmethod
    def read(cls, word: str) -> "Said":
        """As `Shape.said` wrote it."""
        kind, bounce_class, fault, code, enhanced = word.split("|", 4)
        return cls(
            EventKind(kind),
            BounceClass(bounce_class) if bounce_class else None,
            Fault(fault) if fault else None,
            int(code) if code else None,
            enhanced or None,
        )


@dataclass(slots=True)
class Counted:
    """How much a counter grew, and the first event that made it grow."""

    count: int = 0
    first_event: int = 0

    def grow(self, by: int, event_id: int) -> None:
        """By `by` deliveries, the first of them through `event_id`."""
        self.count += by
        self.first_event = min(self.first_event or event_id, event_id)


class Happened(NamedTuple):
    """One event, or `deliveries` deliveries with one such event each, the first of them `event_id`."""

    campaign_id: int
    identity_id: int
    provider: str
    shape: str
    event_id: int
    delivery_id: int = 0
    deliveries: int = 1


Growth = dict[int, dict[Key, Counted]]
"""By campaign."""


def grow_by_singles(growth: Growth, events: Iterable[Happened]) -> None:
    """Count deliveries that have one event only."""
    for event in events:
        keys = counters_for(event.shape, event.identity_id, event.provider)
        _grow(growth, event, keys, event.deliveries)


def grow_by_histories(growth: Growth, events: Iterable[Happened], *, counted: int) -> None:
    """Count deliveries by all their events; those numbered up to `counted` are counted already."""
    known: dict[int, set[Key]] = {}
    for event in sorted(events, key=_EVENT_ID):
        keys = counters_for(event.shape, event.identity_id, event.provider)
        seen = known.setdefault(event.delivery_id, set())
        if event.event_id > counted and not keys <= seen:
            _grow(growth, event, keys - seen, 1)
        seen |= keys


_EVENT_ID = attrgetter("event_id")


def _grow(growth: Growth, event: Happened, keys: Iterable[Key], by: int) -> None:
    counters = growth.setdefault(event.campaign_id, {})
    for key in keys:
        counters.setdefault(key, Counted()).grow(by, event.event_id)


@dataclass(slots=True)
class Timeline:
    """Answers over time: from the first to the last (microseconds since 1970), in steps of `step` seconds.

    `moments`: (start of the step in seconds since 1970, kind) → answers.
    """

    first: int
    last: int
    step: int
    moments: dict[tuple[int, EventKind], int]

    @classmethod
    def of(cls, first: int, last: int, answers: Iterable[tuple[int, EventKind, int]]) -> "Timeline":
        """From (second since 1970, kind, how many), in the step that fits."""
        step = step_for(first, last)
        moments: dict[tuple[int, EventKind], int] = {}
        for second, kind, count in answers:
            place = (second - second % step, kind)
            moments[place] = moments.get(place, 0) + count
        return cls(first, last, step, moments)

    @property
    def began(self) -> datetime:
        """When the first answer came."""
        return BEGINNING + timedelta(microseconds=self.first)

    @property
    def ended(self) -> datetime:
        """When the last answer came."""
        return BEGINNING + timedelta(microseconds=self.last)

    @property
    def answers(self) -> Iterator[tuple[int, EventKind, int]]:
        """What it is made of."""
        return ((start, kind, count) for (start, kind), count in self.moments.items())

    def merged(self, other: "Timeline") -> "Timeline":
        """Both together, in the step that fits the whole."""
        first, last = min(self.first, other.first), max(self.last, other.last)
        return Timeline.of(first, last, chain(self.answers, other.answers))


def step_for(first: int, last: int) -> int:
    """The smallest step, in seconds, in which there are at most 120 from `first` to `last` (µs)."""
    seconds = (last - first) / MICROSECONDS
    return next((step for step in STEPS_SECONDS if seconds / step < MOST_STEPS), STEPS_SECONDS[-1])
