"""The seam between the scheduler and the wire: what every transport promises, and how one can fail.

A transport answers with an `Outcome`, because a refusal is an expected value. It raises only for what
concerns every message alike (`check`), so that a caller never has to guess which of the two it got.
"""

from typing import Protocol

from models.errors import BadInputError, SenderError
from models.states import Channel
from models.values import Envelope, Outcome, Reply


class Transport(Protocol):
    """Carries envelopes of one channel to the outside. Any number of tasks may call `send` at once."""

    @property
    def channel(self) -> Channel:
        """What kind of envelope it takes."""
        ...

    def route(self, provider: str) -> str:
        """Which way out a message to `provider` takes: "" for the common one, else the name of its own."""
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


class SigningKeyError(SenderError, ValueError):
    """A DKIM key cannot be used to sign: make a new one."""


class MessageError(BadInputError):
    """This one message cannot be written as an e-mail: correct its content or its address."""
