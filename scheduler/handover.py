"""From the mark "sending" to the record: every message that may be on the wire gets its outcome.

A transport answers with outcomes; one that raises, or is cut short, leaves an uncertain message, and the
others of its group are recorded as they went. While a server takes its time the lease is renewed: the
sweep takes a delivery for abandoned only when this process is gone.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from models.clock import Clock
from models.delivery import Delivery
from models.errors import StoreError
from models.identity import Identity
from models.states import Channel
from models.values import Deferred, Envelope, Outcome, Reply, Uncertain
from scheduler.outages import Outages, Way
from scheduler.pacer import Pacer
from scheduler.pacing import to_microseconds
from scheduler.recording import Recorder
from sender import Transport
from store import Database, deliveries, pace
from store.claims import ClaimedDelivery
from store.deliveries import Lane

log = logging.getLogger(__name__)

NEVER_LEFT = Deferred(Reply(None, None, "the service stopped before it left"))
CUT_SHORT = Uncertain(Reply(None, None, "the service stopped before the answer came"))
FIRST_WAIT = timedelta(milliseconds=200)
LONGEST_WAIT = timedelta(seconds=5)


Result = tuple[Delivery, Outcome | None]


@dataclass(frozen=True, slots=True)
class Departure:
    """A delivery marked as sending, its message and when that leaves."""

    row: Delivery
    envelope: Envelope
    leave_at: datetime


@dataclass(frozen=True, slots=True)
class Handover:
    """Hands messages to their transports and writes down what became of each."""

    database: Database
    clock: Clock
    transports: Mapping[Channel, Transport]
    recorder: Recorder
    lease: timedelta
    outages: Outages
    pacer: Pacer

    def way(self, channel: Channel, provider: str) -> Way:
        """The way out that messages of a channel to a provider take."""
        return Way(channel, self.transports[channel].route(provider))

    async def carry(self, departures: Sequence[Departure], *, token: str, identity: Identity) -> None:
        """Send the messages side by side; comes back when each has its outcome in the ledger."""
        tasks = {asyncio.create_task(self._send(departure)): departure.row for departure in departures}
        try:
            while tasks:
                # What is answered is recorded no later than a third of a lease after it was sent.
                done, under_way = await asyncio.wait(tasks, timeout=self.lease.total_seconds() / 3)
                await self._record(token, identity, [(tasks.pop(task), task.result()) for task in done])
                await self._renew(token, [tasks[task].id for task in under_way])
        finally:
            # Empty unless this was cancelled.
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            ended = [(row, CUT_SHORT if task.cancelled() else task.result()) for task, row in tasks.items()]
            await self._record(token, identity, ended)

    async def _send(self, departure: Departure) -> Outcome | None:
        """The outcome; None when it was not offered, because our own way out is shut."""
        row = departure.row
        try:
            await self.clock.sleep(departure.leave_at - self.clock.now())
        except asyncio.CancelledError:
            return NEVER_LEFT
        way = self.way(row.channel, row.provider)
        if not self.outages.enter(way, self.clock.now()):
            return None
        try:
            outcome = await self.transports[row.channel].send(departure.envelope, provider=row.provider)
        except asyncio.CancelledError:
            return CUT_SHORT
        except Exception as error:  # whatever it is, the message may have left
            log.exception("transport failed", extra={"delivery_id": row.id})
            return Uncertain(Reply(None, None, f"the transport failed: {type(error).__name__}"))
        else:
            self.outages.learn(way, outcome, row.identity_id, self.clock.now())
            return outcome
        finally:
            self.outages.give_up(way)

    async def _renew(self, token: str, ids: Sequence[int]) -> None:
        if not ids:
            return
        try:
            async with self.database.write() as session:
                until = self.clock.now() + self.lease
                await deliveries.extend_lease(session, ids, token=token, until=until)
        except StoreError:
            log.warning("lease not renewed", extra={"deliveries": len(ids)})

    async def _record(self, token: str, identity: Identity, results: Sequence[Result]) -> None:
        """Write the outcomes, however long the database is away: they are held here until it is back."""
        try:
            await self._write(token, identity, results)
        except Exception:
            # One that cannot be written must not take the others along; its lease makes it uncertain.
            log.exception("outcomes not recorded together", extra={"outcomes": len(results)})
            for result in results:
                try:
                    await self._write(token, identity, [result])
                except Exception:
                    log.exception("outcome not recorded", extra={"delivery_id": result[0].id})

    async def _write(self, token: str, identity: Identity, results: Sequence[Result]) -> None:
        wait = FIRST_WAIT
        while results:
            now = self.clock.now()
            try:
                async with self.database.write() as session:
                    reopened = frozenset(self.outages.reopened)
                    for way in reopened:
                        await pace.open_up(session, key=way.key, now_us=to_microseconds(now))
                    untried = [row.id for row, outcome in results if outcome is None]
                    await deliveries.take_off(session, untried, token=token)
                    for row, outcome in results:
                        if outcome is not None:
                            await self._write_one(session, row, outcome, token=token, now=now)
                            await self._learn(session, identity, row, outcome, now)
            except StoreError:
                log.warning("outcomes wait for the database", extra={"outcomes": len(results)})
                await self.clock.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)
            else:
                self.outages.reopened -= reopened
                return

    async def _write_one(
        self, session: AsyncSession, row: Delivery, outcome: Outcome, *, token: str, now: datetime
    ) -> None:
        reopens_at = None
        if isinstance(outcome, Deferred) and outcome.unreached:
            way = self.way(row.channel, row.provider)
            reopens_at = self.outages.reopens_at(way)
            if reopens_at is not None:
                await pace.push_back(session, key=way.key, until_us=to_microseconds(reopens_at))
        if not await self.recorder.outcome(
            session, row, outcome, token=token, now=now, reopens_at=reopens_at
        ):
            log.warning("outcome came after the lease", extra={"delivery_id": row.id})

    async def _learn(
        self, session: AsyncSession, identity: Identity, row: Delivery, outcome: Outcome, now: datetime
    ) -> None:
        verdict = self.recorder.verdict(row, outcome)
        lane = Lane(row.identity_id, row.provider)
        result = (ClaimedDelivery.of(row), outcome, verdict)
        await self.pacer.learn(session, lane, identity, [result], now)
