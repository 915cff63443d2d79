"""The life of one delivery, hop by hop: claimed, paced, written, let through, sent, recorded.

Nothing is open in the database while a server is spoken to. The last question before the wire (is the
campaign still sending, the address still allowed?) and the mark "sending" are one transaction, so a
pause, an unsubscribe or a crash falls on one side of it or the other and never in between.
"""

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models.clock import Clock
from models.contact import Contact
from models.delivery import Delivery
from models.errors import StoreError, TocsinError
from models.keyring import Keyring
from models.states import Channel
from models.suppression import address_hash
from models.values import Envelope, Outcome
from scheduler import gates
from scheduler.content import Addresses, Content, content_of, people
from scheduler.gates import Stop
from scheduler.pacing import (
    Limit,
    Pace,
    batch_size,
    departures,
    from_microseconds,
    limits_of,
    to_microseconds,
)
from scheduler.post import Desk, open_desk, write_envelope
from scheduler.recording import Recorder
from scheduler.retry import RetryPolicy
from sender import Transport
from store import Database, deliveries, identities, suppressions
from store import pace as pace_rows
from store.deliveries import Lane

log = logging.getLogger(__name__)

ON_THE_WIRE = 8
"""Messages of one lane handed over at a time: the most that a crash can leave uncertain in a lane."""


@dataclass(frozen=True, slots=True)
class DispatchOptions:
    """How this installation sends.

    `batch_span` is how far ahead a lane claims; a lane that opens later than `patience` is left alone.
    """

    pace: Pace = field(default_factory=Pace)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    lease: timedelta = timedelta(minutes=5)
    batch_span: timedelta = timedelta(seconds=2)
    patience: timedelta = timedelta(seconds=10)
    language: str = "fr"


@dataclass(frozen=True, slots=True)
class Batch:
    """Deliveries of one lane, claimed under one token, and the limits they share with others."""

    token: str
    desk: Desk
    limits: Sequence[Limit]
    rows: Sequence[Delivery]


class Dispatcher:
    """Sends what is due, lane by lane."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        transports: Mapping[Channel, Transport],
        addresses: Addresses,
        keyring: Keyring,
        options: DispatchOptions,
    ) -> None:
        """`transports`: one a channel; a channel without one sends nothing and its deliveries wait."""
        self._database = database
        self._clock = clock
        self._transports = transports
        self._addresses = addresses
        self._keyring = keyring
        self._options = options
        self._recorder = Recorder(options.retry, options.pace)
        self._contents: dict[int, Content] = {}
        self._stopping = False

    def stop(self) -> None:
        """Send nothing new: batches under way are handed back after what is on the wire is recorded."""
        self._stopping = True

    async def drain(self, lane: Lane) -> None:
        """Send everything that is due in a lane."""
        channel = Channel.SMS if lane.provider == "sms" else Channel.EMAIL
        if channel not in self._transports:
            return
        desk = await self._desk(lane, channel)
        rate = desk.identity.emails_per_second if channel is Channel.EMAIL else desk.identity.sms_per_second
        limits = limits_of(channel, lane.identity_id, lane.provider, rate, self._options.pace)
        while not self._stopping:
            # A provider that asked for a rest gets it: nothing is claimed, the sweep asks again.
            if await self._opens_at(limits) > self._clock.now() + self._options.patience:
                return
            batch = await self._claim(lane, desk, limits)
            if batch is None:
                return
            await self._send_batch(batch)

    async def _desk(self, lane: Lane, channel: Channel) -> Desk:
        async with self._database.read() as session:
            identity = await identities.get_identity(session, lane.identity_id)
            keys = await identities.keys_of(session, lane.identity_id)
        return await asyncio.to_thread(open_desk, identity, keys, self._keyring, channel)

    async def _opens_at(self, limits: Sequence[Limit]) -> datetime:
        async with self._database.read() as session:
            arrivals = await pace_rows.arrivals(session, [limit.key for limit in limits])
        return from_microseconds(max(arrivals, default=0))

    async def _claim(self, lane: Lane, desk: Desk, limits: Sequence[Limit]) -> Batch | None:
        token = uuid.uuid4().hex
        async with self._database.write() as session:
            rows = await deliveries.claim_due(
                session,
                lane=lane,
                token=token,
                now=self._clock.now(),
                lease=self._options.lease,
                limit=batch_size(limits, self._options.batch_span),
            )
        return Batch(token, desk, limits, rows) if rows else None

    async def _send_batch(self, batch: Batch) -> None:
        sent_up_to = 0
        try:
            for start in range(0, len(batch.rows), ON_THE_WIRE):
                if self._stopping:
                    break
                await self._send_some(batch, batch.rows[start : start + ON_THE_WIRE])
                sent_up_to = start + ON_THE_WIRE
        finally:
            rest = [row.id for row in batch.rows[sent_up_to:]]
            if rest:
                await self._hand_back(rest, batch.token)

    async def _send_some(self, batch: Batch, rows: Sequence[Delivery]) -> None:
        contacts = await self._people(rows)
        envelopes, unwritten = await self._write(batch.desk, rows, contacts)
        # Slots are taken once the messages are written, so that they leave evenly and not in a bunch.
        leave_at = await self._reserve(batch.limits, len(rows))
        await self._clock.sleep(leave_at[0] - self._clock.now())
        cleared = await self._clear(batch.token, rows, contacts, unwritten)
        going = [row for row in rows if row.id in cleared]
        # Late together: a slow database must not turn even steps into a bunch.
        lag = max(timedelta(0), self._clock.now() - leave_at[0])
        async with asyncio.TaskGroup() as tasks:
            sending = [
                tasks.create_task(self._send_one(row, envelopes[row.id], moment + lag))
                for row, moment in zip(going, leave_at, strict=False)
            ]
        outcomes = [task.result() for task in sending]
        await self._record(batch.token, list(zip(going, outcomes, strict=True)))

    async def _reserve(self, limits: Sequence[Limit], count: int) -> list[datetime]:
        now_us = to_microseconds(self._clock.now())
        async with self._database.write() as session:
            first_slots = [
                await pace_rows.reserve(
                    session, key=limit.key, now_us=now_us, interval_us=limit.interval_us, slots=count
                )
                for limit in limits
            ]
        return departures(first_slots, limits, count)

    async def _people(self, rows: Sequence[Delivery]) -> dict[int, tuple[Contact, list[str]]]:
        async with self._database.read() as session:
            for campaign_id in {row.campaign_id for row in rows} - self._contents.keys():
                self._contents[campaign_id] = await content_of(
                    session, campaign_id, language=self._options.language
                )
            return await people(session, [row.contact_id for row in rows if row.contact_id is not None])

    async def _write(
        self, desk: Desk, rows: Sequence[Delivery], contacts: Mapping[int, tuple[Contact, list[str]]]
    ) -> tuple[dict[int, Envelope], dict[int, Stop]]:
        """Envelopes by delivery number, and those that could not be written with the reason."""
        now = self._clock.now()

        def write_all() -> tuple[dict[int, Envelope], dict[int, Stop]]:
            envelopes: dict[int, Envelope] = {}
            unwritten: dict[int, Stop] = {}
            for row in rows:
                person = contacts.get(row.contact_id) if row.contact_id is not None else None
                if person is None and row.contact_id is not None:
                    continue  # gone: the gate says so
                try:
                    envelopes[row.id] = write_envelope(
                        desk,
                        row,
                        content=self._contents[row.campaign_id],
                        person=person,
                        addresses=self._addresses,
                        now=now,
                    )
                except TocsinError as error:
                    unwritten[row.id] = gates.hold(str(error))
            return envelopes, unwritten

        return await asyncio.to_thread(write_all)

    async def _clear(
        self,
        token: str,
        rows: Sequence[Delivery],
        contacts: Mapping[int, tuple[Contact, list[str]]],
        unwritten: Mapping[int, Stop],
    ) -> set[int]:
        """Ask every gate and mark the rest as sending, in one transaction; the numbers that may go."""
        now = self._clock.now()
        channel = rows[0].channel
        prints = {row.id: address_hash(channel, row.address) for row in rows}
        async with self._database.write() as session:
            suppressed = await suppressions.suppressed_hashes(session, channel, list(prints.values()), now)
            # Read again inside the transaction: a consent may have been withdrawn since.
            fresh = await people(session, [row.contact_id for row in rows if row.contact_id is not None])
            may_go: list[int] = []
            for row in rows:
                contact = fresh[row.contact_id][0] if row.contact_id in fresh else None
                stop = (
                    gates.stop_if_too_late(row, now)
                    or gates.stop_if_suppressed(prints[row.id], suppressed if row.seed_id is None else ())
                    or gates.stop_if_gone(row, contact if row.contact_id in contacts else None)
                    or gates.stop_if_withdrawn(contact, channel)
                    or unwritten.get(row.id)
                )
                if stop is None:
                    may_go.append(row.id)
                else:
                    await self._recorder.stop(session, row, stop, token=token, now=now)
            cleared = await deliveries.mark_sending(
                session, may_go, token=token, now=now, lease=self._options.lease
            )
            # Not cleared: the campaign was paused or cancelled. They go back as they were.
            if left := set(may_go) - cleared:
                await deliveries.hand_back(session, left, token=token)
            return cleared

    async def _send_one(self, row: Delivery, envelope: Envelope, leave_at: datetime) -> Outcome:
        await self._clock.sleep(leave_at - self._clock.now())
        return await self._transports[row.channel].send(envelope, provider=row.provider)

    async def _record(self, token: str, results: Sequence[tuple[Delivery, Outcome]]) -> None:
        """Write the outcomes, however long the database is away: they are held here until it is back."""
        wait = timedelta(milliseconds=200)
        while results:
            now = self._clock.now()
            try:
                async with self._database.write() as session:
                    for row, outcome in results:
                        if not await self._recorder.outcome(session, row, outcome, token=token, now=now):
                            log.warning("outcome came after the lease", extra={"delivery_id": row.id})
            except StoreError:
                log.warning("outcomes wait for the database", extra={"outcomes": len(results)})
                await self._clock.sleep(wait)
                wait = min(wait * 2, timedelta(seconds=5))
            else:
                return

    async def _hand_back(self, ids: Sequence[int], token: str) -> None:
        try:
            async with self._database.write() as session:
                await deliveries.hand_back(session, ids, token=token)
        except StoreError:
            # Their lease runs out and the sweep takes them back.
            log.warning("deliveries left to their lease", extra={"deliveries": len(ids)})
