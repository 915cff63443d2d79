"""The seam between the scheduler and the wire: what every transport promises, and how one can fail.

A transport answers with an `Outcome`, because a refusal is an expected value. It raises only for what
concerns every message alike (`check`), so that a caller never has to guess which of the two it got.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from models.errors import SenderError
from models.states import Channel
from models.values import Deferred, Envelope, Outcome, Reply

CLOSED = Deferred(Reply(None, None, "The transport is closed."))
GIVEN_BACK = Deferred(Reply(None, None, "The message was given back before it left."), unreached=True)


@dataclass(slots=True)
class Parcel:
    """One envelope on its way, and whom to tell of it; both are called on the event loop and must be quick.

    `on_wire` is called at most once, right before the octets after which the other side may have the message
    (the terminating dot; the HTTP request of a text message). If it raises, nothing was sent and the outcome
    is `Deferred` with `unreached` and the error's sentence. `done` is called exactly once; with None when
    the envelope was never offered to anybody: withdrawn, or our own way out is shut. `is_wanted` may be asked
    when its turn comes: what is not wanted any more is given back, and costs nobody a conversation.
    """

    envelope: Envelope
    provider: str
    on_wire: Callable[[], None]
    done: Callable[[Outcome | None], None]
    is_wanted: Callable[[], bool] = lambda: True


class Transport(Protocol):
    """Carries envelopes of one channel to the outside; to be used from one event loop."""

    @property
    def channel(self) -> Channel:
        """What kind of envelope it takes."""
        ...

    def route(self, provider: str) -> str:
        """Which way out a message to `provider` takes: "" for the common one, else the name of its own."""
        ...

    def offer(self, parcel: Parcel) -> None:
        """Queue a parcel for the next free connection; never blocks. TypeError for another channel's."""
        ...

    def withdraw(self) -> None:
        """Give back whatever is still queued: its `done` is called with None before this returns."""
        ...

    def allow(self, provider: str, connections: int | None, messages: int | None = None) -> None:
        """From now on at most so many connections, at least one, on the way that leads to a provider.

        That is its own route, or the one it shares with others: then it holds for all of them. `messages`:
        the most for one connection. None: the numbers it was made with. Fewer connections take effect as
        they end what they carry, more at once.
        """
        ...

    async def send(self, envelope: Envelope, *, provider: str) -> Outcome:
        """Hand one envelope over, once; returns within the transport's time limits.

        `provider` is the destination's key (`models.providers`), which may choose the route. Whatever
        happens on the way is an outcome: a server that cannot be reached or that refuses the sign-in
        gives `Deferred` with `unreached`, a line that drops when the other side may already have the
        message gives `Uncertain`. TypeError for an envelope of another channel.
        """
        ...

    async def check(self) -> str:
        """Connect and sign in without sending anything; one line of what was found, or a SenderError."""
        ...

    async def close(self) -> None:
        """Wait for what is under way, then let go of every connection. Safe to call twice."""
        ...


async def send_one(transport: Transport, envelope: Envelope, provider: str) -> Outcome:
    """Offer one envelope and wait for its outcome; cancelled before it is on the wire, it does not leave."""
    answer: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()

    def on_wire() -> None:
        if answer.done():
            raise SenderError("The message was given up before it left.")

    def done(outcome: Outcome | None) -> None:
        if not answer.done():
            answer.set_result(outcome)

    transport.offer(Parcel(envelope, provider, on_wire, done))
    return await answer or GIVEN_BACK


class TransportError(SenderError):
    """A transport could not be used; `reply` is what the other side said, as far as it said anything."""

    def __init__(self, problem: str, advice: str = "", reply: Reply | None = None) -> None:
        """`reply` defaults to the problem itself, without a code."""
        super().__init__(problem, advice)
        self.reply = reply if reply is not None else Reply(None, None, problem)


class TransportUnavailableError(TransportError, ConnectionError):
    """The server cannot be reached, or does not want to talk now: try again later, or check the address."""


class TransportTimeoutError(TransportUnavailableError, TimeoutError):
    """The server did not answer in time: try again later."""


class TransportAuthenticationError(TransportError):
    """The server refused the user name or the password: correct them, trying again will not help."""


class CertificateError(TransportError):
    """The server's certificate cannot be trusted: correct the host name or name its authority's file."""
