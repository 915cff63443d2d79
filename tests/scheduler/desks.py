"""A transport that answers as told and remembers, and a dispatcher around it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models.clock import Clock
from models.states import Channel
from models.tokens import Tokens
from models.values import Accepted, EmailEnvelope, Envelope, Outcome, Reply
from scheduler.campaigns import schedule
from scheduler.content import Addresses
from scheduler.dispatch import Dispatcher, DispatchOptions
from scheduler.expansion import launch
from scheduler.pacing import Pace
from scheduler.retry import RetryPolicy
from store import Database, deliveries
from tests.clocks import START
from tests.factories import KEYRING

TAKEN = Accepted(Reply(250, "2.0.0", "taken"))
FAST = Pace(emails_per_second=1000, sms_per_second=1000, providers={"gmail": 1000, "other": 1000})


@dataclass
class ScriptedTransport:
    """Answers `answers[recipient]`, or takes the message; `before` runs before each answer."""

    channel: Channel = Channel.EMAIL
    answers: dict[str, Outcome] = field(default_factory=dict)
    before: Callable[[str], Awaitable[None]] | None = None
    clock: Clock | None = None
    routes: frozenset[str] = frozenset()
    sent: list[Envelope] = field(default_factory=list)
    moments: list[datetime] = field(default_factory=list)

    @property
    def recipients(self) -> list[str]:
        """To whom something was sent, in order, doubles included."""
        return [envelope.recipient for envelope in self.sent]

    def route(self, provider: str) -> str:
        """The provider's own way, if it is one of `routes`."""
        return provider if provider in self.routes else ""

    async def send(self, envelope: Envelope, *, provider: str) -> Outcome:
        """Remember and answer."""
        assert provider
        if self.before is not None:
            await self.before(envelope.recipient)
        self.sent.append(envelope)
        if self.clock is not None:
            self.moments.append(self.clock.now())
        return self.answers.get(envelope.recipient, TAKEN)

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
    transport: ScriptedTransport,
    clock: Clock,
    *,
    pace: Pace = FAST,
    lease: timedelta = timedelta(minutes=5),
    span: timedelta = timedelta(seconds=2),
) -> Dispatcher:
    """A dispatcher with one transport."""
    return Dispatcher(
        database,
        clock,
        transports={transport.channel: transport},
        addresses=Addresses(Tokens(KEYRING), "https://tocsin.exemple.fr"),
        keyring=KEYRING,
        options=DispatchOptions(pace=pace, retry=RetryPolicy(), lease=lease, batch_span=span),
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
