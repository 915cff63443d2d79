"""From the mark "sending" to the record: every message that may be on the wire gets its outcome.

Messages are offered to the transport at their moments. The journal is told right before each could be
taken, and of each answer. What is answered is recorded together, at the latest a second later, however
long the database is away: outcomes are held here until it is back. While a server takes its time the lease
is renewed, and what still waits for a connection is asked at the gates again, lest a pause or an
unsubscription come too late for it; once it has run out all the same (the database was away, the machine
asleep) nothing of it goes on the wire any more, since somebody may have been told that it did not.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.clock import Clock
from models.errors import StoreError, TocsinError
from models.states import Channel
from models.values import Deferred, Outcome, Reply, Uncertain
from scheduler.clearance import Clearance
from scheduler.flights import Flight, Load
from scheduler.outages import Outages, Way
from scheduler.pacing import to_microseconds
from scheduler.recording import Ending, OvertakenError, Recorder, give_back
from scheduler.ways import Ways
from sender import Parcel, Transport
from store import Database, claims, pace
from store.claims import ClaimedDelivery
from store.journal import Journal

log = logging.getLogger(__name__)

CUT_SHORT = Uncertain(Reply(None, None, "the service stopped before the answer came"))
FIRST_WAIT = timedelta(milliseconds=200)
LONGEST_WAIT = timedelta(seconds=5)
RECORD_EVERY_S = 1.0
"""How long an outcome waits at most for the others of its chunk."""
NAP = timedelta(milliseconds=500)


class GivenUpError(TocsinError):
    """The message does not leave: its worker stops, or holds it no longer."""


class UnrecordedError(TocsinError):
    """The process ends while the database is away: its journal tells who comes next."""


@dataclass(slots=True)
class Handover:
    """Hands messages to their transports and writes down what became of each."""

    database: Database
    clock: Clock
    ways: Ways
    recorder: Recorder
    clearance: Clearance
    lease: timedelta
    outages: Outages
    stopping: Callable[[], bool]
    journal: Journal | None = None

    def way(self, channel: Channel, provider: str) -> Way:
        """The way out that messages of a channel to a provider take."""
        return Way(channel, self._transport(channel, provider).route(provider))

    def _transport(self, channel: Channel, provider: str) -> Transport:
        found = self.ways.to(channel, provider)
        if found is None:
            raise LookupError(f"no transport for {channel}")
        return found

    async def carry(self, load: Load) -> bool:
        """Send the messages; comes back when each has its outcome in the ledger. False: none has left."""
        load.under_way = {row.id: Flight(self, load, row) for row in load.rows}
        offering = asyncio.create_task(self._offer_all(load))
        moved = False
        try:
            while load.under_way or load.ended:
                moved |= await self._record_ended(load)
                await self._keep_places(load)
                await self._keep(load)
                await _wait(load.all_ended, min(RECORD_EVERY_S, self.lease.total_seconds() / 3))
        except asyncio.CancelledError:
            await self._cut_short(load)
            raise
        finally:
            offering.cancel()
            await asyncio.gather(offering, return_exceptions=True)
        return moved

    def obstacle(self, load: Load, flight: Flight) -> str:
        """Why a message that passed the gates must stay all the same; "" when it may go."""
        now, not_after = self.clock.now(), flight.row.not_after
        if load.given_up or flight.called_back or now >= load.leased_until:
            return "The message was given up before it left."
        # Passed the gates in time, and then waited for a server that takes its time.
        if not_after is not None and now >= not_after:
            return "The message came too late while it waited for a connection."
        return ""

    def let_go(self, load: Load, flight: Flight) -> None:
        """Allow a message on the wire, in the journal first; raises when it must stay."""
        obstacle = self.obstacle(load, flight)
        if obstacle:
            raise GivenUpError(obstacle)
        if self.journal is not None:
            self.journal.on_wire(flight.row.id, load.token)

    def arrive(self, load: Load, flight: Flight, outcome: Outcome | None) -> None:
        """Take note of what came of one message."""
        row, now = flight.row, self.clock.now()
        if flight.held:
            outcome = None  # kept here: it says nothing of the way out
        if outcome is None:
            self.outages.give_up(load.way)
        else:
            if self.outages.learn(load.way, outcome, row.identity_id, now):
                # Not here: the transport is in the midst of telling what came of this one.
                asyncio.get_running_loop().call_soon(self._transport(row.channel, row.provider).withdraw)
            if self.journal is not None:
                self.journal.answered(row.id, load.token, outcome, now)
        load.end(row, outcome)

    async def _offer_all(self, load: Load) -> None:
        """Offer each message at its moment; what is not offered ends as never having left."""
        transport = self._transport(load.way.channel, load.rows[0].provider)
        try:
            for row, leave_at in zip(load.rows, load.leave_at, strict=False):
                flight = load.under_way.get(row.id)
                if flight is None:
                    continue  # ended while others waited for their moment
                now = load.look(self.clock.now())
                # Most may leave at once; one whose moment is still to come is asked for more carefully.
                if leave_at <= now < load.leased_until and load.asked_lately(now):
                    given_up = load.given_up or flight.called_back or self.stopping()
                    allowed = not given_up and self.outages.enter(load.way, now)
                else:
                    allowed = await self._may_leave(load, flight, leave_at)
                if not allowed:
                    load.end(row, None)
                    continue
                envelope = load.envelopes.pop(row.id)
                parcel = Parcel(envelope, row.provider, flight.on_wire, flight.done, flight.is_wanted)
                try:
                    transport.offer(parcel)
                except Exception:
                    self._call_back(load, [flight])  # whether it was queued or not, it stays
                    raise
        except Exception:
            log.exception("messages not offered", extra={"claim": load.token})
        finally:
            for row_id in load.envelopes.keys() & load.under_way.keys():
                load.end(load.under_way[row_id].row, None)

    async def _may_leave(self, load: Load, flight: Flight, leave_at: datetime) -> bool:
        while not self._given_up(load) and (wait := load.wait_for(leave_at, self.clock.now())) > timedelta(0):
            await self.clock.sleep(min(wait, NAP))
        if self._given_up(load):
            return False
        row = flight.row
        if not load.asked_lately(self.clock.now()):
            load.marked_at = self.clock.now()
            async with self.database.read() as session:
                sending = await claims.still_sending(session, {each.campaign_id for each in load.rows})
            for other in [each.row for each in load.under_way.values()]:
                if other.campaign_id not in sending and other.id in load.envelopes and other is not row:
                    del load.envelopes[other.id]
                    load.end(other, None)
            if row.campaign_id not in sending or self._given_up(load):
                return False
        # Last of all: a way that somebody enters who then stays stays shut for everybody.
        return not flight.called_back and self.outages.enter(load.way, self.clock.now())

    def _given_up(self, load: Load) -> bool:
        return load.given_up or self.stopping() or self.clock.now() >= load.leased_until

    async def _keep(self, load: Load) -> None:
        """Renew the lease of what is under way, in good time; what still waits passes the gates for it."""
        left = load.leased_until - self.clock.now()
        # More is left than it ever was: the clock was set back, and what waits is asked for all the same.
        if not load.under_way or self.lease * 2 / 3 < left <= self.lease:
            return
        waiting = [flight for flight in load.under_way.values() if not flight.left]
        until = self.clock.now() + self.lease
        try:
            async with self.database.write() as session:
                rows = [flight.row for flight in waiting]
                clear = await self.clearance.still_clear(session, rows, load.contents) if rows else set()
                ours = set(load.under_way)
                if await claims.extend_lease(session, ours, token=load.token, until=until) < len(ours):
                    # The lease had run out, and somebody was told that these did not leave.
                    ours = await claims.still_held(session, ours, token=load.token)
            lost = [flight for flight in load.under_way.values() if flight.row.id not in ours]
            self._call_back(load, [*lost, *(flight for flight in waiting if flight.row.id not in clear)])
            load.leased_until = until
        except StoreError:
            log.warning("lease not renewed", extra={"deliveries": len(load.under_way)})

    async def _keep_places(self, load: Load) -> None:
        """Connections that are shared out are held for less time than a lease may last."""
        try:
            await self.recorder.pacer.keep(load.way)
        except StoreError:
            log.warning("connections not kept", extra={"way": load.way.key})

    def _call_back(self, load: Load, flights: Sequence[Flight]) -> None:
        """Keep messages here that may not leave any more: they go back to the gates, which say why."""
        for flight in flights:
            if flight.left or flight.called_back or flight.row.id not in load.under_way:
                continue  # gone while the gates were asked
            if flight.row.id not in load.envelopes:
                self.arrive(load, flight, None)  # waits for a connection
            flight.called_back = True

    async def _cut_short(self, load: Load) -> None:
        """The process ends: what may have left is uncertain, the rest goes later."""
        load.given_up = True
        for flight in list(load.under_way.values()):
            load.end(flight.row, CUT_SHORT if flight.left else None)
        await self._record_ended(load)

    async def _record_ended(self, load: Load) -> bool:
        """Write the outcomes there are; whether any of them was an answer."""
        endings, load.ended = load.ended, []
        if not endings:
            return False
        recorded = endings
        try:
            await self._write(load, endings)
        except UnrecordedError:
            log.warning("outcomes left to the journal", extra={"outcomes": len(endings)})
            recorded = []
        except Exception as error:
            # One that cannot be written must not take the others along; its lease makes it uncertain.
            if not isinstance(error, OvertakenError):
                log.exception("outcomes not recorded together", extra={"outcomes": len(endings)})
            recorded = [ending for ending in endings if await self._write_alone(load, ending)]
        if self.journal is not None:
            # What is uncertain keeps its token: an heir who missed it here would take it for never sent.
            self.journal.recorded([row.id for row, outcome in recorded if not isinstance(outcome, Uncertain)])
        return any(outcome is not None for _, outcome in endings)

    async def _write(self, load: Load, endings: Sequence[Ending]) -> None:
        async def write(now: datetime) -> None:
            async with self.database.write(at_once=True) as session:
                reopened = frozenset(self.outages.reopened)
                for way in reopened:
                    await pace.open_up(session, key=way.key, now_us=to_microseconds(now))
                no_answer = any(
                    isinstance(end, Uncertain) or (isinstance(end, Deferred) and end.unreached)
                    for _, end in endings
                )
                reopens_at = self.outages.reopens_at(load.way) if no_answer else None
                if reopens_at is not None:
                    await pace.push_back(session, key=load.way.key, until_us=to_microseconds(reopens_at))
                await self.recorder.record(
                    session,
                    endings,
                    token=load.token,
                    identity=load.identity,
                    now=now,
                    reopens_at=reopens_at,
                )
            self.outages.reopened -= reopened

        await self._insist(write, len(endings), lambda: load.given_up)

    async def _write_alone(self, load: Load, ending: Ending) -> bool:
        row, outcome = ending

        async def write(now: datetime) -> None:
            async with self.database.write() as session:
                if outcome is None:
                    await give_back(session, [row], token=load.token, now=now)
                elif not await self.recorder.record_one(
                    session, row, outcome, token=load.token, identity=load.identity, now=now
                ):
                    log.warning("outcome of a delivery that is another's", extra={"delivery_id": row.id})

        try:
            await self._insist(write, 1, lambda: load.given_up)
        except Exception:
            log.exception("outcome not recorded", extra={"delivery_id": row.id})
            return False
        return True

    async def take_back(self, rows: Sequence[ClaimedDelivery], token: str, *, in_haste: bool) -> None:
        """Give back claims, marked or not, of which nothing was offered to anybody.

        However long the database is away: left to their lease, marked ones would be taken for uncertain.
        Where the process ends, or the work is cut short (`in_haste`), the journal tells that none has left.
        """

        async def write(now: datetime) -> None:
            async with self.database.write() as session:
                await claims.hand_back(session, [row.id for row in rows], token=token)
                await give_back(session, rows, token=token, now=now)

        try:
            await self._insist(write, len(rows), lambda: in_haste or self.stopping())
        except UnrecordedError:
            log.warning("unsent deliveries left to the journal", extra={"deliveries": len(rows)})

    async def _insist(
        self, write: Callable[[datetime], Awaitable[None]], count: int, in_haste: Callable[[], bool]
    ) -> None:
        """Do it until the database lets it be done; UnrecordedError when the process cannot wait for it."""
        wait = FIRST_WAIT
        while True:
            try:
                await write(self.clock.now())
            except OvertakenError:
                raise
            except StoreError as error:
                if in_haste() and wait >= LONGEST_WAIT:
                    raise UnrecordedError(error.problem) from error
                log.warning("outcomes wait for the database", extra={"outcomes": count})
                await self.clock.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)
            else:
                return


async def _wait(event: asyncio.Event, seconds: float) -> None:
    if event.is_set():
        return
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
