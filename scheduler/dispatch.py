"""The life of one delivery, hop by hop: claimed, paced, written, let through, sent, recorded.

Nothing is open in the database while a server is spoken to. The last question before the wire (is the
campaign still sending, the address still allowed?) and the mark "sending" are one transaction: what was
committed before it asked is honoured, a crash finds the group marked or not. On PostgreSQL a pause or an
unsubscription committed in the milliseconds between the question and the mark comes too late for that
group, as it would for a message already on the wire.
"""

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from models.clock import Clock
from models.contact import Contact
from models.delivery import Delivery
from models.errors import StoreError, TocsinError
from models.keyring import Keyring
from models.providers import SMS
from models.states import Channel
from models.suppression import address_hash
from models.values import Envelope
from scheduler import gates
from scheduler.content import Addresses, Content, content_of, people
from scheduler.gates import Stop
from scheduler.handover import Departure, Handover
from scheduler.outages import Outages
from scheduler.pacer import Pacer, Permit
from scheduler.pacing import Pace
from scheduler.post import Desk, open_desk, write_envelope
from scheduler.presence import draw_worker_id
from scheduler.recording import Recorder
from scheduler.retry import RetryPolicy
from scheduler.senders import NOT_SENDING
from sender import Transport
from store import Database, deliveries, identities, suppressions
from store.deliveries import Lane

log = logging.getLogger(__name__)

CONTENTS_KEPT = 32
"""Compiled campaigns kept at hand; one more, and the one used longest ago is compiled anew when needed."""
DESK_LIFE = timedelta(seconds=10)
"""How long an identity's rate, state and keys are taken for known."""
NO_TRANSPORT = {
    Channel.EMAIL: "This installation sends no e-mail. Set TOCSIN_SMTP_URL and start again.",
    Channel.SMS: "This installation sends no text messages. Set TOCSIN_TWILIO_ACCOUNT_SID and start again.",
}
HELP_BELOW_US = 2_000
"""A lane that may send at most one message in so many microseconds is one worker's work."""
ON_THE_WIRE = 8
"""Messages of one lane handed over at a time: the most that a crash can leave uncertain in a lane."""


@dataclass(frozen=True, slots=True)
class DispatchOptions:
    """How this installation sends.

    `batch_span` is how far ahead a lane claims; a lane that opens later than `patience` is left alone.
    `zone`: of the times that people are told.
    """

    pace: Pace = field(default_factory=Pace)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    lease: timedelta = timedelta(minutes=5)
    batch_span: timedelta = timedelta(seconds=2)
    patience: timedelta = timedelta(seconds=10)
    language: str = "fr"
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Batch:
    """Deliveries of one lane, claimed under one token, and the limits they share."""

    token: str
    desk: Desk
    permit: Permit
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
        worker_id: str = "",
    ) -> None:
        """`transports`: one a channel; a channel without one sends nothing and its deliveries wait.

        `worker_id`, 12 hexadecimal digits, begins every claim token; without one, one is drawn.
        """
        self._worker_id = worker_id or draw_worker_id()
        self._database = database
        self._clock = clock
        self._transports = transports
        self._addresses = addresses
        self._keyring = keyring
        self._options = options
        self._outages = Outages(options.zone)
        self._pacer = Pacer(
            database, clock, pace=options.pace, span=options.batch_span, outages=self._outages
        )
        self._recorder = Recorder(options.retry)
        self._handover = Handover(
            database, clock, transports, self._recorder, options.lease, self._outages, self._pacer
        )
        self._contents: OrderedDict[int, Content | Stop] = OrderedDict()
        self._stopping = False
        self._obstacles: dict[tuple[int, Channel], str] = {}

    @property
    def obstacles(self) -> Mapping[tuple[int, Channel], str]:
        """Why an identity sends nothing at present, in words for people; gone when it does again."""
        told = dict(self._obstacles)
        for place, text in self._outages.told():
            told[place] = f"{told[place]} {text}" if place in told else text
        return told

    def stop(self) -> None:
        """Send nothing new: batches under way are handed back after what is on the wire is recorded."""
        self._stopping = True

    async def drain(self, lane: Lane, *, helping: bool = False) -> None:
        """Send everything that is due in a lane; what stands in the way is told in `obstacles`.

        `helping`: another worker is at it already; stay only where one worker's strength is what limits it.
        """
        channel = Channel.SMS if lane.provider == SMS else Channel.EMAIL
        desk: Desk | None = None
        stale_at = self._clock.now()
        while not self._stopping:
            # An identity may be suspended, or slowed, while a long lane is emptied.
            if desk is None or self._clock.now() >= stale_at:
                desk = await self._desk(lane, channel)
                stale_at = self._clock.now() + DESK_LIFE
            if desk is None:
                return
            way = self._handover.way(channel, lane.provider)
            if self._outages.is_shut(way, self._clock.now()):
                self._outages.concern(way, lane.identity_id)
                return
            permit = await self._pacer.permit(lane, desk.identity, channel, way)
            if helping and any(limit.interval_us > HELP_BELOW_US for limit in permit.limits):
                return
            # A provider that asked for a rest gets it: nothing is claimed, the sweep asks again.
            if permit.opens_at and permit.opens_at > self._clock.now() + self._options.patience:
                return
            batch = await self._claim(lane, desk, permit)
            if batch is None:
                return
            await self._send_batch(batch)

    async def _desk(self, lane: Lane, channel: Channel) -> Desk | None:
        """The desk that sends in a lane, None when it cannot at present: what is due waits."""
        place = (lane.identity_id, channel)
        if channel not in self._transports:
            self._obstacles[place] = NO_TRANSPORT[channel]
            return None
        try:
            async with self._database.read() as session:
                identity = await identities.get_identity(session, lane.identity_id)
                keys = await identities.keys_of(session, lane.identity_id)
            if identity.state in NOT_SENDING:
                self._obstacles[place] = f"The identity {identity.key!r} is {identity.state}."
                return None
            desk = await asyncio.to_thread(open_desk, identity, keys, self._keyring, channel)
        except StoreError:
            raise
        except TocsinError as error:
            self._obstacles[place] = str(error)
            return None
        self._obstacles.pop(place, None)
        return desk

    async def _claim(self, lane: Lane, desk: Desk, permit: Permit) -> Batch | None:
        token = self._worker_id + secrets.token_hex(10)
        async with self._database.write() as session:
            rows = await deliveries.claim_due(
                session,
                lane=lane,
                token=token,
                now=self._clock.now(),
                lease=self._options.lease,
                limit=permit.batch,
            )
        return Batch(token, desk, permit, rows) if rows else None

    async def _send_batch(self, batch: Batch) -> None:
        sent_up_to = 0
        way = self._handover.way(batch.rows[0].channel, batch.rows[0].provider)
        try:
            for start in range(0, len(batch.rows), ON_THE_WIRE):
                if self._stopping or self._outages.is_shut(way, self._clock.now()):
                    break
                await self._send_some(batch, batch.rows[start : start + ON_THE_WIRE])
                sent_up_to = start + ON_THE_WIRE
        finally:
            rest = [row.id for row in batch.rows[sent_up_to:]]
            if rest:
                await self._hand_back(rest, batch.token)

    async def _send_some(self, batch: Batch, rows: Sequence[Delivery]) -> None:
        contacts, contents = await self._materials(rows)
        envelopes, unwritten = await self._write(batch.desk, rows, contacts, contents)
        # Slots are taken once the messages are written, so that they leave evenly and not in a bunch.
        leave_at = await self._pacer.reserve(batch.permit, len(rows))
        await self._clock.sleep(leave_at[0] - self._clock.now())
        cleared = await self._clear(batch.token, rows, contacts, unwritten)
        going = [row for row in rows if row.id in cleared]
        # Late together: a slow database must not turn even steps into a bunch.
        lag = max(timedelta(0), self._clock.now() - leave_at[0])
        await self._handover.carry(
            [
                Departure(row, envelopes[row.id], moment + lag)
                for row, moment in zip(going, leave_at, strict=False)
            ],
            token=batch.token,
            identity=batch.desk.identity,
        )

    async def _materials(
        self, rows: Sequence[Delivery]
    ) -> tuple[dict[int, tuple[Contact, list[str]]], dict[int, Content | Stop]]:
        """Who the deliveries go to, and what their campaigns say."""
        async with self._database.read() as session:
            contents = {
                number: await self._content(session, number) for number in {row.campaign_id for row in rows}
            }
            contacts = await people(session, [row.contact_id for row in rows if row.contact_id is not None])
        return contacts, contents

    async def _content(self, session: AsyncSession, campaign_id: int) -> Content | Stop:
        known = self._contents.pop(campaign_id, None)
        if not isinstance(known, Content):
            try:
                known = await content_of(session, campaign_id, language=self._options.language)
            except TocsinError as error:
                known = gates.hold(str(error))
        self._contents[campaign_id] = known
        if len(self._contents) > CONTENTS_KEPT:
            self._contents.popitem(last=False)
        return known

    async def _write(
        self,
        desk: Desk,
        rows: Sequence[Delivery],
        contacts: Mapping[int, tuple[Contact, list[str]]],
        contents: Mapping[int, Content | Stop],
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
                content = contents[row.campaign_id]
                if isinstance(content, Stop):
                    unwritten[row.id] = content
                    continue
                try:
                    envelopes[row.id] = write_envelope(
                        desk, row, content=content, person=person, addresses=self._addresses, now=now
                    )
                except TocsinError as error:
                    unwritten[row.id] = gates.hold(str(error))
                except Exception as error:  # one message must not hold up its lane for ever
                    log.exception("message not written", extra={"delivery_id": row.id})
                    unwritten[row.id] = gates.hold(f"the message cannot be written: {type(error).__name__}")
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

    async def _hand_back(self, ids: Sequence[int], token: str) -> None:
        try:
            async with self._database.write() as session:
                await deliveries.hand_back(session, ids, token=token)
        except StoreError:
            # Their lease runs out and the sweep takes them back.
            log.warning("deliveries left to their lease", extra={"deliveries": len(ids)})
