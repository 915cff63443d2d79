"""One SMTP connection after its greeting, TLS and sign-in: parcels, one after the other.

aiosmtplib opens the connection and then steps aside: it waits for each reply before it writes the next
command (four round trips a message) and does not tell at which octet a line dropped, which decides
whether a message may be sent again. Here, where the server announces PIPELINING (RFC 2920), MAIL, RCPT and
DATA travel together, and with the end of the message before: one round trip a message. The point of no
return is the terminating dot. Before it is written a lost line means `Deferred`, after it `Uncertain`; of
each connection one message at most is undecided at any moment.

Written as a protocol that reacts to replies rather than as a coroutine that awaits them: a task, a timer
and an event for each step cost more than sending 45 kB.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection
from typing import cast

from models.values import Deferred, EmailEnvelope, Outcome, Refused, Reply, Uncertain
from sender import smtp_terms
from sender.replies import (
    SERVICE_CLOSING,
    START_INPUT,
    BadReplyError,
    NumberIn,
    RawReply,
    ReplyReader,
    read_final,
    read_refusal,
)
from sender.smtp_terms import (
    DATA,
    MAIL,
    NOTHING,
    ONE_WRITE,
    QUIT,
    RCPT,
    RESET,
    ROOM,
    VERDICT,
    Desk,
    LineError,
    Offer,
    Patience,
)
from sender.smtp_text import say_mail, say_rcpt, stuff_dots
from sender.transport import Parcel

_TICKS = 4
"""How often one patience is looked at: it may last a quarter longer."""

_log = logging.getLogger(__name__)


class SmtpSession(asyncio.Protocol):
    """Runs on a transport that is connected, encrypted if need be, signed in, and has been greeted."""

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        extensions: Collection[str],
        patience: Patience,
        on_stall: Callable[[], None],
        number_in: NumberIn | None = None,
    ) -> None:
        """Takes the transport over from whoever connected it.

        `extensions`: EHLO keywords, lower case. `on_stall` is called when the server answered the first
        of several commands sent at once and then nothing: it may promise PIPELINING without knowing how.
        `number_in`: see `sender.replies.read_final`.
        """
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._step, self._verdict = patience.step.total_seconds(), patience.verdict.total_seconds()
        self._idle = patience.idle.total_seconds()
        self._on_stall, self._number_in = on_stall, number_in
        self._pipelines, self._declares_size = "pipelining" in extensions, "size" in extensions
        self._desk: Desk | None = None
        self._reader = ReplyReader()
        self._replies: deque[RawReply] = deque()
        self._expected: deque[str] = deque()
        self._offer: Offer | None = None
        self._carried: Parcel | None = None
        self._committed = False
        self._writable = True
        self._draining = False
        self._failure: LineError | None = None
        self._rubbish = False
        self.taken = 0
        self._wait(self._idle)
        self._every = min(self._step, self._verdict, self._idle) / _TICKS
        self._timer = self._loop.call_later(self._every, self._tick)
        self._handlers: dict[str, Callable[[RawReply], None]] = {
            MAIL: self._on_mail,
            RCPT: self._on_rcpt,
            DATA: self._on_data,
            VERDICT: self._on_verdict,
            RESET: self._on_reset,
            NOTHING: self._on_nothing,
            QUIT: self._on_quit,
        }
        transport.set_write_buffer_limits(high=ROOM)
        transport.set_protocol(self)

    @property
    def is_usable(self) -> bool:
        """Whether another parcel may start: still open, and nothing said unasked (421 usually)."""
        return (
            self._failure is None
            and not self._replies
            and not self._rubbish
            and not self._transport.is_closing()
        )

    def serve(self, desk: Desk) -> None:
        """Carry parcels from `desk` from now on, as long as there are any."""
        self._desk = desk
        self.go_on()

    def leave(self) -> None:
        """Take leave (RFC 5321 section 4.1.1.10) and close; after two seconds without a word."""
        self._timer.cancel()
        self._timer = self._loop.call_later(smtp_terms.QUIT_SECONDS, self.abort)
        if self.is_usable:
            self._expected.append(QUIT)
            self._transport.write(b"QUIT\r\n")
        else:
            self._transport.close()

    def abort(self) -> None:
        """Close without a word."""
        self._fail(LineError("The connection was given up."))

    # --- what goes out ---------------------------------------------------------------------------

    def go_on(self) -> None:
        """Carry the next parcel, if the line is good for it and there is one; to be called when idle."""
        desk = cast("Desk", self._desk)
        if self._failure is not None:
            return
        parcel = desk.next_for(self) if self.is_usable else None
        if parcel is None:
            self._wait(self._idle)
            desk.rest(self)
        else:
            self._wait(self._step)
            self._write(self._introduce(parcel, chained=False))

    def _introduce(self, parcel: Parcel, *, chained: bool) -> bytes:
        """What offers a parcel to the server: all three commands at once, or the first of them."""
        envelope = cast("EmailEnvelope", parcel.envelope)
        self._offer = Offer(parcel, chained=chained, used=self.taken > 0)
        self.taken += 1
        mail = say_mail(envelope, declare_size=self._declares_size)
        if not self._pipelines:
            self._expected.append(MAIL)
            return mail
        self._expected += (MAIL, RCPT, DATA)
        return b"%b%bDATA\r\n" % (mail, say_rcpt(envelope))

    def _wait(self, seconds: float) -> None:
        self._deadline = self._loop.time() + seconds

    def _write(self, data: bytes | memoryview) -> None:
        if self._transport.is_closing():
            self._fail(LineError("The server closed the connection.", dropped=True))
        else:
            self._transport.write(data)

    def _hand_over(self, offer: Offer) -> None:
        """Write the body, then the dot. An early reply means the server did not wait for the dot."""
        self._offer, self._carried = None, offer.parcel
        if self._replies:
            self._refuse_early()
            return
        envelope = cast("EmailEnvelope", offer.parcel.envelope)
        data = envelope.data if envelope.proven else stuff_dots(bytes(envelope.data))
        if len(data) <= ONE_WRITE:
            self._end_with_dot(data)
            return
        # So that "writable" means: the kernel has every octet of the body.
        self._transport.set_write_buffer_limits(high=1, low=0)
        self._wait(self._verdict)
        self._write(data)
        self._draining = True
        if self._writable:
            self._end_with_dot(b"")

    def _end_with_dot(self, data: bytes | memoryview) -> None:
        """Write the rest of a message, its dot, and what introduces the next one if there is one."""
        if self._draining:
            self._draining = False
            self._transport.set_write_buffer_limits(high=ROOM)
        if self._transport.is_closing():
            self._fail(LineError("The server closed the connection.", dropped=True))
        if self._failure is not None:
            return
        parcel = cast("Parcel", self._carried)
        try:
            parcel.on_wire()
        except Exception as error:  # noqa: BLE001 - whatever it is, the dot has not left
            self._carried = None
            self._tell(parcel, Deferred(Reply(None, None, str(error)), unreached=True))
            self.abort()
            return
        self._committed = True
        self._expected.append(VERDICT)
        self._wait(self._verdict)
        following = cast("Desk", self._desk).next_for(self) if self._pipelines else None
        introduction = b"" if following is None else self._introduce(following, chained=True)
        self._transport.writelines((data, b".\r\n" + introduction))

    def _refuse_early(self) -> None:
        parcel = cast("Parcel", self._carried)
        self._carried = None
        self._tell(parcel, read_refusal(self._replies.popleft().read()))
        self.abort()

    # --- what comes in ---------------------------------------------------------------------------

    def _on_mail(self, reply: RawReply) -> None:
        offer = cast("Offer", self._offer)
        if reply.code == SERVICE_CLOSING and offer.used and offer.answered == 0:
            # It takes leave of the connection, not of the message.
            self._fail(LineError("The server closed the connection.", dropped=True))
            return
        self._on_introduced(offer, reply, RCPT)

    def _on_rcpt(self, reply: RawReply) -> None:
        offer = cast("Offer", self._offer)
        offer.nobody = offer.nobody or reply.code >= 400
        self._on_introduced(offer, reply, DATA)

    def _on_introduced(self, offer: Offer, reply: RawReply, following: str) -> None:
        offer.answered += 1
        if not reply.is_positive:
            self._note_refusal(offer, reply)
        if self._pipelines or self._failure is not None:
            return
        if offer.refusal is not None:
            self._end_refused()
            return
        self._expected.append(following)
        envelope = cast("EmailEnvelope", offer.parcel.envelope)
        self._write(b"DATA\r\n" if following == DATA else say_rcpt(envelope))

    def _note_refusal(self, offer: Offer, reply: RawReply) -> None:
        """The first refusal counts; those after it only tell in which state the server is."""
        offer.refusal = offer.refusal or read_refusal(reply.read())
        if reply.code == SERVICE_CLOSING:
            self.abort()

    def _on_data(self, reply: RawReply) -> None:
        offer = cast("Offer", self._offer)
        offer.answered += 1
        if reply.code != START_INPUT:
            self._note_refusal(offer, reply)
            if self._failure is None and reply.code < 400:
                # Out of step: what the server says next would be taken for something else.
                self.abort()
            elif self._failure is None:
                self._end_refused()
        elif offer.refusal is None:
            self._hand_over(offer)
        elif offer.nobody:
            # A body was asked for although the recipient is refused (RFC 2920 section 3.1).
            self._expected.append(NOTHING)
            self._write(b".\r\n")
        else:
            # Whoever ended the body now would have an empty message delivered.
            self.abort()

    def _on_nothing(self, reply: RawReply) -> None:
        if reply.code == SERVICE_CLOSING:
            self.abort()
        else:
            self._end_refused()

    def _end_refused(self) -> None:
        """Have the server forget the transaction that it may still have open."""
        self._expected.append(RESET)
        self._write(b"RSET\r\n")

    def _on_reset(self, reply: RawReply) -> None:
        offer = cast("Offer", self._offer)
        self._offer = None
        self._tell(offer.parcel, cast("Deferred | Refused", offer.refusal))
        if reply.is_positive:
            self.go_on()
        else:
            self.abort()

    def _on_verdict(self, reply: RawReply) -> None:
        parcel = cast("Parcel", self._carried)
        self._carried, self._committed = None, False
        outcome = read_final(reply.read(), self._number_in)
        if reply.code == SERVICE_CLOSING:
            self.abort()
        self._tell(parcel, outcome)
        if self._failure is None and self._offer is None:
            self.go_on()

    def _on_quit(self, _reply: RawReply) -> None:
        self._loop.call_soon(self._transport.close)  # once the end of TLS is read, which may have come along

    def _tell(self, parcel: Parcel, outcome: Outcome) -> None:
        try:
            parcel.done(outcome)
        except Exception:  # noqa: BLE001 - the other parcels must go on
            _log.exception("outcome not taken")

    # --- how it ends -----------------------------------------------------------------------------

    def _fail(self, failure: LineError) -> None:
        """The line is no good any more: every parcel on it gets what can be said of it."""
        if self._failure is not None:
            return
        self._failure = failure
        self._timer.cancel()
        self._transport.abort()
        carried, offer, committed = self._carried, self._offer, self._committed
        self._carried = self._offer = None
        lost = Reply(None, None, failure.problem)
        if offer is not None:
            used = offer.used and (offer.chained or failure.dropped)
            if offer.refusal is not None:
                self._tell(offer.parcel, offer.refusal)
            elif used and offer.answered == 0:
                cast("Desk", self._desk).take_back(offer.parcel)
            else:
                self._tell(offer.parcel, Deferred(lost))
        if carried is not None:
            self._tell(carried, Uncertain(lost) if committed else Deferred(lost))
        if self._desk is not None:
            self._desk.gone(self)

    def _tick(self) -> None:
        """One timer a connection: how long it has waited, looked at from time to time."""
        self._timer = self._loop.call_later(self._every, self._tick)
        if self._loop.time() < self._deadline:
            return
        if self._draining:
            self._fail(LineError("The server stopped reading in the midst of the message."))
        elif self._expected:
            self._give_up()
        elif self._desk is not None:
            self._desk.expired(self)

    def _give_up(self) -> None:
        awaited, offer = self._expected[0], self._offer
        patience = self._verdict if awaited == VERDICT else self._step
        if offer is not None and awaited != VERDICT and (offer.answered or offer.chained) and self._pipelines:
            self._on_stall()
        self._fail(LineError(f"The server did not answer {awaited} within {patience:g} s."))

    def data_received(self, data: bytes) -> None:
        """Read what came; called by the event loop, like the four below."""
        try:
            self._replies.extend(self._reader.feed(data))
        except BadReplyError as error:
            # What was said before still counts.
            self._rubbish = True
            self._listen()
            self._fail(LineError(error.problem))
            return
        self._listen()

    def _listen(self) -> None:
        while self._replies and self._failure is None:
            if self._expected:
                self._handlers[self._expected.popleft()](self._replies.popleft())
            elif self._draining:
                self._refuse_early()
            else:
                # Nothing was asked: 421 usually. Not to be taken for the reply to what is asked next.
                self.abort()
        if self._expected:
            self._wait(self._verdict if self._expected[0] == VERDICT else self._step)

    def eof_received(self) -> bool:
        """The server will say no more: SMTP knows no half-closed connections."""
        self._fail(LineError("The server closed the connection.", dropped=True))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, whoever wanted it."""
        _log.debug("connection lost", extra={"error": str(exc or "")})
        self._fail(LineError("The connection was lost.", dropped=True))

    def pause_writing(self) -> None:
        """The kernel did not take all of it."""
        self._writable = False

    def resume_writing(self) -> None:
        """The kernel has taken all of it."""
        self._writable = True
        if self._draining:
            self._end_with_dot(b"")
