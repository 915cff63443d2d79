"""Ways out that are shut: our own mail server or SMS account cannot be used, whatever the message.

What nobody answers says nothing about a message or its provider. So the first such outcome shuts the way
for everybody who takes it, half a minute first and twice as long each time until five minutes; then one
message is offered, and the answer to it, whichever it is, opens the way for the others. The moment is
shared with other workers as a pace row; a worker that has just started asks for itself, since a setting
may have been mended.

The same holds where message after message is taken and left without an answer, as by a relay whose filter
fails or a proxy that ends connections: each next one would be lost to its person, or sent twice by a guess.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from models.clock import is_fresh
from models.states import Channel
from models.values import Deferred, Outcome, Uncertain

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=5)
LOST_IN_A_ROW = 5
"""So many messages without an answer, and none with one in between, shut a way."""


@dataclass(frozen=True, slots=True)
class Way:
    """What messages share on their way out: a channel's server, or a provider's own `route`."""

    channel: Channel
    route: str = ""

    @property
    def key(self) -> str:
        """The pace row that every worker shares."""
        return f"relay:{self.channel.value}" + (f":{self.route}" if self.route else "")


@dataclass(slots=True)
class _Outage:
    """`told` is a sentence; `probing`: one message is on its way to find out."""

    told: str
    until: datetime
    pause: timedelta
    probing: bool = False
    identities: set[int] = field(default_factory=set)


class Outages:
    """The ways that are shut in this process; none at first."""

    def __init__(self, zone: str = "UTC") -> None:
        """`zone`: of the times that people are told."""
        self._zone = ZoneInfo(zone)
        self._known: dict[Way, _Outage] = {}
        self._lost: dict[Way, int] = {}
        self.reopened: set[Way] = set()
        """Ways that proved to be open again, until their pace rows say so too."""

    def knows(self, way: Way) -> bool:
        """Whether the way was shut when it was last tried."""
        return way in self._known

    def reopens_at(self, way: Way) -> datetime | None:
        """When the way is tried again; None for one that is open."""
        outage = self._known.get(way)
        return None if outage is None else outage.until

    def is_shut(self, way: Way, now: datetime) -> bool:
        """Whether nothing may be offered: it is not time, or somebody is finding out."""
        outage = self._known.get(way)
        return outage is not None and (outage.probing or is_fresh(outage.until, outage.pause, now))

    def concern(self, way: Way, identity_id: int) -> None:
        """Note that an identity waits for the way, so that its campaigns say so."""
        if way in self._known:
            self._known[way].identities.add(identity_id)

    def enter(self, way: Way, now: datetime) -> bool:
        """Whether a message may be offered now; then `learn` or `give_up` must follow."""
        if not self._known:
            return True
        if self.is_shut(way, now):
            return False
        if way in self._known:
            self._known[way].probing = True
        return True

    def learn(self, way: Way, outcome: Outcome, identity_id: int, now: datetime) -> bool:
        """Take note of what came of an offer; any answer at all ends an outage.

        True when the way is shut by it and what waits for a connection must not follow.
        """
        if isinstance(outcome, Uncertain):
            lost = self._lost[way] = self._lost.get(way, 0) + 1
            if way not in self._known and lost < LOST_IN_A_ROW:
                return False
            told = f"Message after message is left without an answer: {outcome.reply.text}"
            self._shut(way, told, identity_id, now)
            return True
        if isinstance(outcome, Deferred) and outcome.unreached:
            self._shut(way, outcome.reply.text, identity_id, now)
            return False  # the transport has given back what waited
        if self._lost:
            self._lost.pop(way, None)
        if self._known and self._known.pop(way, None) is not None:
            self.reopened.add(way)
        return False

    def _shut(self, way: Way, told: str, identity_id: int, now: datetime) -> None:
        self.reopened.discard(way)
        outage = self._known.get(way)
        if outage is None:
            outage = self._known[way] = _Outage(told, now + FIRST_PAUSE, FIRST_PAUSE)
        # Of several that failed together, the first counts.
        elif not is_fresh(outage.until, outage.pause, now):
            outage.pause = min(outage.pause * 2, LONGEST_PAUSE)
            outage.until = now + outage.pause
        outage.told, outage.probing = told, False
        outage.identities.add(identity_id)

    def give_up(self, way: Way) -> None:
        """The offer came to nothing that teaches anything: the next one finds out."""
        if way in self._known:
            self._known[way].probing = False

    def told(self) -> Iterator[tuple[tuple[int, Channel], str]]:
        """What stands in the way of each identity, in words for people."""
        for way, outage in self._known.items():
            again = outage.until.astimezone(self._zone)
            text = f"{outage.told.rstrip('.')}. Messages wait; it is tried again at {again:%H:%M}."
            for identity_id in sorted(outage.identities):
                yield (identity_id, way.channel), text
