"""The life of deliveries, chunk by chunk: claimed, written, let through, paced, sent, recorded.

Nothing is open in the database while a server is spoken to, and the steps of one chunk overlap those of
the next: while one is on its way another is written and the one before is recorded. The last question
before the wire is in `scheduler.clearance`, what a crash leaves behind in `scheduler.adoption`.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from models.clock import Clock, is_fresh
from models.errors import StoreError, TocsinError
from models.keyring import Keyring
from models.providers import SANDBOXES, TEXTS
from models.states import Channel
from scheduler.adoption import adopt_journals
from scheduler.clearance import Clearance
from scheduler.draining import Chunk, Drain
from scheduler.flights import Load
from scheduler.handover import Handover
from scheduler.letters import Addresses
from scheduler.lifecycle import may_send, tell_state
from scheduler.options import CHUNK, DispatchOptions
from scheduler.outages import Outages
from scheduler.pacer import Pacer, Permit
from scheduler.post import Desk, open_desk
from scheduler.presence import draw_worker_id
from scheduler.recording import Recorder
from scheduler.room import Room, Share
from scheduler.vigil import Vigil
from scheduler.ways import Ways
from scheduler.workshop import Workshop
from sender import Transport
from store import Database, claims, identities
from store.claims import ClaimedDelivery
from store.deliveries import Lane
from store.installation import installation_key
from store.journal import Journal, JournalError, has_others

__all__ = ["CHUNK", "NO_TRANSPORT", "DispatchOptions", "Dispatcher"]

log = logging.getLogger(__name__)

CHUNKS_UNDER_WAY = 3
"""Chunks of one lane at once: one is written, one on its way, one recorded."""
SLOW_BELOW = 100
"""A lane that may send fewer messages in its span has one chunk under way at a time."""
ROOM = 40 << 20
"""Octets of messages of all lanes in the making and on their way: of which one chunk takes half at most.

With 16 MB the process is smaller by 30 MB, and slower by an eighth.
"""
MOST_MESSAGES = 900
"""The same in messages, of however few octets: each has its row, its moment, its outcome."""
HEAD_START = timedelta(seconds=1)
"""How long before a lane opens its next chunk is claimed and written."""
DESK_LIFE = timedelta(seconds=10)
"""How long an identity's rate, state and keys are taken for known."""
HELP_BELOW_US = 2_000
"""A lane that may send at most one message in so many microseconds is one worker's work."""
TOKEN_BYTES = 10
TURNS = 1 << 20
"""More than there are campaigns in a lane: each is as likely as the others to come first."""
NO_TRANSPORT = {
    Channel.EMAIL: "This installation sends no e-mail. Set TOCSIN_SMTP_URL and start again.",
    Channel.SMS: "This installation sends no text messages. Set TOCSIN_TWILIO_ACCOUNT_SID and start again.",
}


async def _nothing() -> None:
    """Ask nobody."""


class Dispatcher:
    """Sends what is due, lane by lane."""

    before_gates: Callable[[], Awaitable[None]] = staticmethod(_nothing)
    """Awaited before each chunk comes to the gates: who has slept sees first to what is too late by it."""

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
        self._database = database
        self._clock = clock
        self._ways = Ways(transports)
        self._keyring = keyring
        self._options = options
        self._worker_id = worker_id or draw_worker_id()
        outages = self._outages = Outages(options.zone)
        self._pacer = Pacer(
            database, clock, pace=options.pace, span=options.batch_span, outages=outages, zone=options.zone
        )
        self._recorder = Recorder(options.retry, self._pacer)
        self._stopping, self._key = False, ""
        self._vigil = Vigil(options.zone, options.silence_margin)
        policies = (options.lease, options.frequency, options.zone)
        self._clearance = Clearance(database, clock, *policies, self._vigil)
        self._handover = Handover(
            database,
            clock,
            self._ways,
            self._recorder,
            self._clearance,
            options.lease,
            self._outages,
            self._is_stopping,
        )
        self._workshop = Workshop(database, addresses, options)
        self._room = Room(ROOM)
        self._opening = asyncio.Lock()
        self._held = set[str]()
        self._obstacles: dict[tuple[int, Channel], str] = {}

    @property
    def obstacles(self) -> Mapping[tuple[int, Channel], str]:
        """Why an identity sends nothing at present, in words for people; gone when it does again."""
        told = dict(self._obstacles)
        for place, text in self._outages.told():
            told[place] = f"{told[place]} {text}" if place in told else text
        return told

    @property
    def claims_held(self) -> frozenset[str]:
        """The tokens under which this process holds deliveries; it lets go of each by itself."""
        return frozenset(self._held)

    def _is_stopping(self) -> bool:
        return self._stopping

    def stop(self) -> None:
        """Send nothing new: what is not on the wire yet is handed back, what is on it is recorded."""
        self._stopping = True
        for transport in self._ways:
            transport.withdraw()

    async def close(self) -> None:
        """Let go of the threads and of the journal, once no lane is being drained."""
        await self._workshop.close()
        await self._pacer.close()
        if self._handover.journal is not None:
            self._handover.journal.close()
            self._handover.journal = None

    async def open_journal(self) -> None:
        """Begin the journal before any work is taken on: whatever is left behind is then found at once."""
        with suppress(JournalError):  # it keeps us from sending, not from starting: each drain tries again
            await self._open_journal()

    async def take_over(self) -> int:
        """Put the ledger right after workers of this machine that are gone; how many there were."""
        folder = self._options.journals
        if folder is None or not await asyncio.to_thread(has_others, folder, self._worker_id):
            return 0
        return await adopt_journals(
            self._database,
            self._clock,
            folder=folder,
            installation=await self._installation(),
            recorder=self._recorder,
        )

    async def drain(self, lane: Lane, *, helping: bool = False) -> None:
        """Send everything that is due in a lane; what stands in the way is told in `obstacles`.

        `helping`: another worker is at it already; stay only where one worker's strength is what limits it.
        """
        channel = Channel.SMS if lane.provider in TEXTS else Channel.EMAIL
        desk = await self._desk(lane, channel)
        if desk is None:
            return
        drain = Drain(lane, channel, self._handover.way(channel, lane.provider))
        try:
            await self._keep_draining(drain, desk, helping=helping)
            await drain.settle_down(0)
            self._is_shut(drain)  # what shut the way while the last was under way is told, too
        except asyncio.CancelledError:
            for task in drain.under_way:
                task.cancel()
            await asyncio.gather(*drain.under_way, return_exceptions=True)
            raise
        except StoreError:
            await drain.settle_down(0)  # it holds its outcomes until the database is back
            raise
        if drain.failure is not None:
            raise drain.failure

    async def _keep_draining(self, drain: Drain, desk: Desk | None, *, helping: bool) -> None:
        stale_at = self._clock.now() + DESK_LIFE
        while not self._stopping and not drain.stuck:
            # An identity may be suspended, or slowed, while a long lane is emptied.
            if not is_fresh(stale_at, DESK_LIFE, self._clock.now()):
                desk = await self._desk(drain.lane, drain.channel)
                stale_at = self._clock.now() + DESK_LIFE
            if desk is None or self._is_shut(drain):
                return
            permit = await self._pacer.permit(drain.lane, desk.identity, drain.channel, drain.way)
            if helping and any(limit.interval_us > HELP_BELOW_US for limit in permit.limits):
                return
            wait = (permit.opens_at or self._clock.now()) - self._clock.now()
            self._ways.allow(drain.lane.provider, drain.channel, permit.connections, permit.messages)
            # A provider that asked for a rest gets it: nothing is claimed, the sweep asks again.
            if wait > self._options.patience:
                return
            if wait > HEAD_START:
                await self._clock.sleep(wait - HEAD_START)
                continue
            if await self._begin_chunk(drain, desk, permit):
                # A slow lane waits for what it is answered: a provider that asks for a rest gets it at once.
                slow = permit.batch < min(self._options.chunk, SLOW_BELOW)
                await drain.settle_down(0 if slow else CHUNKS_UNDER_WAY - 1)
            elif drain.under_way:
                # What is under way may come back to the queue, or leave room for more.
                await drain.settle_down(len(drain.under_way) - 1)
            else:
                return

    def _is_shut(self, drain: Drain) -> bool:
        """Whether nothing can leave now, whatever the message."""
        if self._outages.is_shut(drain.way, self._clock.now()):
            self._outages.concern(drain.way, drain.lane.identity_id)
            return True
        journal, place = self._handover.journal, (drain.lane.identity_id, drain.channel)
        if journal is not None and journal.problem and not journal.probe():
            self._obstacles[place] = journal.problem
            return True
        return False

    async def _desk(self, lane: Lane, channel: Channel) -> Desk | None:
        """The desk that sends in a lane, None when it cannot at present: what is due waits."""
        place = (lane.identity_id, channel)
        if self._ways.to(channel, lane.provider) is None:
            self._obstacles[place] = NO_TRANSPORT[channel]
            return None
        try:
            await self._open_journal()
            async with self._database.read() as session:
                identity = await identities.get_identity(session, lane.identity_id)
                keys = await identities.keys_of(session, lane.identity_id)
            if not may_send(identity, channel) and lane.provider not in SANDBOXES:
                self._obstacles[place] = tell_state(identity)
                return None
            desk = await asyncio.to_thread(open_desk, identity, keys, self._keyring, channel)
        except StoreError:
            raise
        except TocsinError as error:
            self._obstacles[place] = str(error)
            return None
        self._obstacles.pop(place, None)
        return desk

    async def _open_journal(self) -> None:
        """Begin this worker's journal, where journals are kept; JournalError when that cannot be done."""
        folder = self._options.journals
        async with self._opening:
            if folder is None or self._handover.journal is not None:
                return
            key = await self._installation()
            self._handover.journal = await asyncio.to_thread(Journal, folder, self._worker_id, key)

    async def _installation(self) -> str:
        """The number of the database, asked for once."""
        if not self._key:
            async with self._database.write() as session:
                self._key = await installation_key(session, self._clock.now())
        return self._key

    async def _begin_chunk(self, drain: Drain, desk: Desk, permit: Permit) -> bool:
        """Claim the lane's next chunk and set it on its way; False when nothing is due."""
        # While our own way out is being tried again, one message is enough to find out.
        each = max(self._workshop.octets(drain.channel), ROOM // MOST_MESSAGES)
        most = max(1, min(permit.batch, self._options.chunk, ROOM // 2 // each))
        if self._outages.knows(drain.way):
            most = 1
        places = await self._room.take(most * each)
        token = self._worker_id + secrets.token_hex(TOKEN_BYTES)
        rows: Sequence[ClaimedDelivery] = ()
        self._held.add(token)
        try:
            async with self._database.write(at_once=True) as session:
                rows = await claims.claim_due(
                    session,
                    lane=drain.lane,
                    token=token,
                    now=self._clock.now(),
                    lease=self._options.lease,
                    limit=most,
                    # Drawn: counted over all lanes, those of one could fall to the same campaign each time.
                    turn=secrets.randbelow(TURNS),
                )
        except BaseException:
            self._held.discard(token)
            self._room.give(places)
            raise
        share = Share(self._room, places, most)
        share.keep(len(rows))
        if rows:
            before, drain.turn = drain.turn, asyncio.Event()
            chunk = Chunk(drain, desk, permit, token, rows, before, drain.turn, share)
            drain.under_way.add(asyncio.create_task(self._send_chunk(chunk)))
        else:
            self._held.discard(token)
        return bool(rows)

    async def _send_chunk(self, chunk: Chunk) -> bool:
        """Everything between the claim and the record; whether it came to anything."""
        try:
            try:
                load = await self._prepare(chunk)
            except BaseException as error:
                cut_short = isinstance(error, asyncio.CancelledError)
                await self._handover.take_back(chunk.rows, chunk.token, in_haste=cut_short)
                raise
            return load is None or await self._handover.carry(load)
        finally:
            self._held.discard(chunk.token)
            chunk.share.keep(0)

    async def _prepare(self, chunk: Chunk) -> Load | None:
        """The messages of a chunk that may leave, with their moments; None when there are none."""
        drain, rows = chunk.drain, chunk.rows
        try:
            now = self._clock.now()
            letters = await self._vigil.foresee(self._database, rows, now)
            contents, envelopes, unwritten = await self._workshop.write(chunk.desk, letters, now)
            chunk.share.weigh(max(self._workshop.octets(drain.channel), ROOM // MOST_MESSAGES))
            if chunk.before is not None:
                await chunk.before.wait()
            if drain.ahead is not None:
                await drain.ahead.half_ended.wait()
            await self.before_gates()
            cleared = await self._clearance.clear(chunk.token, rows, contents=contents, unwritten=unwritten)
            chunk.share.keep(len(cleared))
            if not cleared:
                return None
            marked_at = self._clock.now()
            # Shut in the meantime: who would wait too long goes back into the queue.
            latest = marked_at + self._options.patience
            leave_at = await self._pacer.reserve(chunk.permit, len(cleared), latest=latest)
            drain.ahead = Load(
                token=chunk.token,
                identity=chunk.desk.identity,
                way=drain.way,
                rows=cleared,
                envelopes={row.id: envelopes[row.id] for row in cleared},
                contents=contents,
                leave_at=leave_at,
                marked_at=marked_at,
                leased_until=marked_at + self._options.lease,
                seen_at=self._clock.now(),
                leave=chunk.share.leave,
            )
            return drain.ahead
        finally:
            chunk.passed.set()
