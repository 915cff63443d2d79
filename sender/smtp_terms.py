"""What a connection and its pool agree on: patience, the desk that parcels come from, how a line fails."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from models.errors import SenderError
from models.values import Deferred, Refused
from sender.transport import Parcel

if TYPE_CHECKING:
    from sender.smtp_session import SmtpSession

QUIT_SECONDS = 2.0
ONE_WRITE = 1 << 16
"""Octets of a message that leave together with their dot; of a longer one the kernel must take all before."""
ROOM = 4 * ONE_WRITE
"""What may wait to be written before a connection calls itself full."""
MAIL, RCPT, DATA, VERDICT, RESET, NOTHING, QUIT = (
    *("MAIL", "RCPT", "DATA", "the message", "RSET", "the empty body", "QUIT"),
)
"""The steps a server's replies are awaited to, as people are told of them."""


class LineError(SenderError, ConnectionError):
    """The connection is lost, or the server is silent or does not speak SMTP any more."""

    def __init__(self, problem: str, *, dropped: bool = False) -> None:
        """`dropped`: the connection ended, rather than the time or our patience."""
        super().__init__(problem)
        self.dropped = dropped


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait: `step` for the reply to a command, `verdict` for a message to leave and its reply.

    RFC 5321 section 4.5.3.2 asks for ten minutes for the latter: giving up earlier makes uncertain what the
    server was about to accept. `idle`: how long a connection without a parcel is kept.
    """

    step: timedelta
    verdict: timedelta
    idle: timedelta


class Desk(Protocol):
    """Where a connection gets its parcels from."""

    def next_for(self, session: "SmtpSession") -> Parcel | None:
        """The parcel to carry next; None when there is none for this connection."""
        ...

    def take_back(self, parcel: Parcel) -> None:
        """The server heard nothing of this parcel: another connection may carry it at once."""
        ...

    def rest(self, session: "SmtpSession") -> None:
        """The connection has nothing to do: it may be kept, or told to leave."""
        ...

    def expired(self, session: "SmtpSession") -> None:
        """The connection has had nothing to do for as long as it is kept."""
        ...

    def gone(self, session: "SmtpSession") -> None:
        """The connection is over; told once."""
        ...


@dataclass(slots=True)
class Offer:
    """A parcel whose MAIL, RCPT and DATA are under way; `chained`: with the end of the one before."""

    parcel: Parcel
    chained: bool
    used: bool
    answered: int = 0
    refusal: Deferred | Refused | None = None
    nobody: bool = False
