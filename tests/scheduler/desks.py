"""A transport that answers as told and remembers, and a dispatcher around it."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from models.clock import Clock
from models.errors import TocsinError
from models.states import Channel
from models.tokens import Tokens
from models.values import Accepted, Deferred, EmailEnvelope, Envelope, Outcome, Reply, Uncertain
from scheduler.campaigns import schedule
from scheduler.dispatch import Dispatcher, DispatchOptions
from scheduler.expansion import launch
from scheduler.frequency import FrequencyPolicy
from scheduler.letters import Addresses
from scheduler.pacing import Pace
from scheduler.retry import RetryPolicy
from sender import Parcel, SmtpTransport
from sender.relays import ProviderRelay
from sender.transport import send_one
from store import Database, deliveries
from tests.clocks import START
from tests.factories import KEYRING

log = logging.getLogger(__name__)

TAKEN = Accepted(Reply(250, "2.0.0", "taken"))
FAST = Pace(emails_per_second=1000, sms_per_second=1000, providers={"gmail": 1000, "other": 1000})


@dataclass
class ScriptedTransport:
    """Answers `answers[recipient]`, or takes the message; `before` runs before each answer.

    Over `connections` at a time. Where our own way out is shut, what waits is given back.
    """

    channel: Channel = Channel.EMAIL
    answers: dict[str, Outcome] = field(default_factory=dict)
    before: Callable[[str], Awaitable[None]] | None = None
    clock: Clock | None = None
    routes: frozenset[str] = frozenset()
    connections: int = 8
    sent: list[Envelope] = field(default_factory=list)
    moments: list[datetime] = field(default_factory=list)
    allowed: dict[str, int | None] = field(default_factory=dict)
    waiting: deque[Parcel] = field(default_factory=deque)
    busy: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def recipients(self) -> list[str]:
        """To whom something was sent, in order, doubles included."""
        return [envelope.recipient for envelope in self.sent]

    def route(self, provider: str) -> str:
        """The provider's own way, if it is one of `routes`."""
        return provider if provider in self.routes else ""

    def offer(self, parcel: Parcel) -> None:
        """Queue it for a free connection."""
        assert parcel.provider
        self.waiting.append(parcel)
        if len(self.busy) < self.connections:
            connection = asyncio.get_running_loop().create_task(self._work())
            self.busy.add(connection)

    def withdraw(self) -> None:
        """Give back what waits."""
        while self.waiting:
            self.waiting.popleft().done(None)

    def allow(self, provider: str, connections: int | None, messages: int | None = None) -> None:
        """Remember it."""
        self.allowed[provider] = connections

    async def send(self, envelope: Envelope, *, provider: str) -> Outcome:
        """One message, awaited."""
        return await send_one(self, envelope, provider)

    async def _work(self) -> None:
        try:
            while self.waiting:
                parcel = self.waiting.popleft()
                outcome = await self._carry(parcel)
                if isinstance(outcome, Deferred) and outcome.unreached:
                    self.withdraw()
                parcel.done(outcome)
        finally:
            # At once, not when the task is over: a parcel offered in between must find its connection.
            self.busy.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _carry(self, parcel: Parcel) -> Outcome:
        """Remember and answer."""
        recipient = parcel.envelope.recipient
        answer = self.answers.get(recipient, TAKEN)
        if isinstance(answer, Deferred) and answer.unreached:
            self._remember(parcel)
            return answer
        try:
            parcel.on_wire()
        except TocsinError as error:
            return Deferred(Reply(None, None, str(error)), unreached=True)
        try:
            if self.before is not None:
                await self.before(recipient)
        except Exception as error:
            # Whatever it is, the message may have left.
            log.exception("what was to happen before the answer failed")
            return Uncertain(Reply(None, None, f"the transport failed: {type(error).__name__}"))
        self._remember(parcel)
        return self.answers.get(recipient, TAKEN)

    def _remember(self, parcel: Parcel) -> None:
        self.sent.append(parcel.envelope)
        if self.clock is not None:
            self.moments.append(self.clock.now())

    async def check(self) -> str:
        """It is always there."""
        return "scripted"

    async def close(self) -> None:
        """Nothing to close."""

    def letter_to(self, recipient: str) -> EmailEnvelope:
        """The one e-mail sent to `recipient`."""
        (found,) = [envelope for envelope in self.sent if envelope.recipient == recipient]
        assert isinstance(found, EmailEnvelope)
        return found


def a_dispatcher(
    database: Database,
    transport: ScriptedTransport | SmtpTransport,
    clock: Clock,
    *,
    pace: Pace = FAST,
    lease: timedelta = timedelta(minutes=5),
    span: timedelta = timedelta(seconds=2),
    chunk: int = 200,
    journals: Path | None = None,
    frequency: FrequencyPolicy | None = None,
    worker_id: str = "",
    scribes: int = 0,
    relay: ProviderRelay | None = None,
    zone: str = "UTC",
) -> Dispatcher:
    """A dispatcher with one transport."""
    return Dispatcher(
        database,
        clock,
        transports={transport.channel: transport},
        addresses=Addresses(Tokens(KEYRING), "https://tocsin.exemple.fr", relay),
        keyring=KEYRING,
        options=DispatchOptions(
            pace=pace,
            retry=RetryPolicy(),
            lease=lease,
            batch_span=span,
            chunk=chunk,
            journals=journals,
            frequency=frequency or FrequencyPolicy(),
            scribes=scribes,
            zone=zone,
        ),
        worker_id=worker_id,
    )


async def launched(database: Database, campaign_id: int) -> None:
    """Schedule and launch at once."""
    async with database.write() as session:
        await schedule(session, campaign_id, START.replace(tzinfo=None), "UTC", START)
    await launch(database, campaign_id, START, language="fr")


async def drain_all(database: Database, dispatcher: Dispatcher, now: datetime) -> None:
    """Empty every lane that has something due at `now`."""
    async with database.read() as session:
        lanes = await deliveries.due_lanes(session, now)
    await asyncio.gather(*(dispatcher.drain(lane) for lane in lanes))
