"""A lane being emptied, and the chunks of it that are under way at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from models.states import Channel
from scheduler.flights import Load
from scheduler.outages import Way
from scheduler.pacer import Permit
from scheduler.post import Desk
from scheduler.room import Share
from store.claims import ClaimedDelivery
from store.deliveries import Lane


@dataclass(slots=True)
class Drain:
    """A lane being emptied: what is under way, and whether going on makes sense.

    The gates are asked for one chunk after the other (`turn`: of the last one), once half of the one before
    (`ahead`) has left: what was let through and has not left yet is what a pause comes too late for.
    """

    lane: Lane
    channel: Channel
    way: Way
    turn: asyncio.Event | None = None
    ahead: Load | None = None
    under_way: set[asyncio.Task[bool]] = field(default_factory=set)
    stuck: bool = False
    failure: BaseException | None = None

    async def settle_down(self, most: int) -> None:
        """Wait until at most so many chunks are under way."""
        while len(self.under_way) > most:
            done, self.under_way = await asyncio.wait(self.under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                self.failure = self.failure or task.exception()
                # Nothing of it left: trying on would turn in circles, the sweep asks again.
                self.stuck |= self.failure is not None or not task.result()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Deliveries claimed under one token; `before`: the chunk ahead has `passed` the gates.

    `share`: what their messages take up until each has its outcome.
    """

    drain: Drain
    desk: Desk
    permit: Permit
    token: str
    rows: Sequence[ClaimedDelivery]
    before: asyncio.Event | None
    passed: asyncio.Event
    share: Share
