"""Messages between the gates and their outcome: a chunk's load, and the flight of each of its messages."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from models.clock import is_fresh
from models.identity import Identity
from models.values import Envelope, Outcome
from scheduler.content import Content
from scheduler.gates import Stop
from scheduler.outages import Way
from scheduler.recording import Ending
from store.claims import ClaimedDelivery

ASK_AGAIN: Final = timedelta(seconds=2)
"""How long after the gates a message may still leave without its campaign being asked again."""

A_STEP: Final = timedelta(seconds=10)
"""Clocks are put right by small steps now and then: what waits, waits so much longer or shorter."""


@dataclass(slots=True)
class Load:
    """Deliveries of one lane that were marked together, with their messages and moments of departure.

    `leave`: called of each message that is not needed any more. `set_back`: how far the clock was set back
    since, and the moments of departure with it; `seen_at`: what it told last.
    """

    token: str
    identity: Identity
    way: Way
    rows: Sequence[ClaimedDelivery]
    envelopes: dict[int, Envelope]
    contents: Mapping[int, Content | Stop]
    leave_at: Sequence[datetime]
    marked_at: datetime
    leased_until: datetime
    seen_at: datetime
    set_back: timedelta = timedelta(0)
    leave: Callable[[], None] = lambda: None
    given_up: bool = False
    under_way: dict[int, "Flight"] = field(default_factory=dict)
    ended: list[Ending] = field(default_factory=list)
    half_ended: asyncio.Event = field(default_factory=asyncio.Event)
    all_ended: asyncio.Event = field(default_factory=asyncio.Event)

    def look(self, now: datetime) -> datetime:
        """`now`, as the clock tells it at present; none of ours may wait for a moment it has left behind."""
        if self.seen_at - now > A_STEP:
            self.set_back += self.seen_at - now
        self.seen_at = now
        return now

    def wait_for(self, leave_at: datetime, now: datetime) -> timedelta:
        """How long a moment of departure is still to come."""
        now = self.look(now)
        return leave_at - self.set_back - now

    def asked_lately(self, now: datetime) -> bool:
        """Whether what the gates said of these messages still holds."""
        return is_fresh(self.marked_at + ASK_AGAIN, ASK_AGAIN, now)

    def end(self, row: ClaimedDelivery, outcome: Outcome | None) -> None:
        """Note an outcome, to be recorded."""
        self.under_way.pop(row.id, None)
        self.ended.append((row, outcome))
        self.leave()
        if len(self.under_way) <= len(self.rows) // 2:
            self.half_ended.set()
            if not self.under_way:
                self.all_ended.set()


class Tower(Protocol):
    """Who lets messages go, and hears of them; see `scheduler.handover`."""

    def obstacle(self, load: Load, flight: "Flight") -> str:
        """Why it must stay; "" when it may go."""
        ...

    def let_go(self, load: Load, flight: "Flight") -> None:
        """Allow it on the wire; raises when it must stay."""
        ...

    def arrive(self, load: Load, flight: "Flight", outcome: Outcome | None) -> None:
        """Take note of what came of it."""
        ...


class Flight:
    """One message between its offer and its outcome; its methods are the transport's to call."""

    __slots__ = ("_load", "_tower", "called_back", "held", "left", "row")

    def __init__(self, tower: Tower, load: Load, row: ClaimedDelivery) -> None:
        """`left`: it may be with the other side; `held`: it was kept from going there.

        `called_back`: the gates, asked again, keep it here; its outcome is settled, whoever still carries it.
        """
        self._tower = tower
        self._load = load
        self.row = row
        self.left = False
        self.held = False
        self.called_back = False

    def is_wanted(self) -> bool:
        """Whether it would be let go."""
        return not self._tower.obstacle(self._load, self)

    def on_wire(self) -> None:
        """The last moment at which it can be kept; raises to keep it."""
        self.held = True
        self._tower.let_go(self._load, self)
        self.held = False
        self.left = True

    def done(self, outcome: Outcome | None) -> None:
        """What came of it."""
        if not self.called_back:
            self._tower.arrive(self._load, self, outcome)
