"""One SMTP connection after its greeting, TLS and sign-in: transactions, one after the other.

aiosmtplib opens the connection and then steps aside: it waits for each reply before it writes the next
command (four round trips a message) and does not tell at which octet a line dropped, which decides
whether a message may be sent again. Here MAIL, RCPT and DATA travel together where the server announces
PIPELINING (RFC 2920), and the point of no return is the terminating dot: before it is written a lost line
means `Deferred`, after it `Uncertain`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

from models.errors import SenderError
from models.values import Deferred, EmailEnvelope, Outcome, Refused, Reply, Uncertain
from sender.replies import (
    SERVICE_CLOSING,
    START_INPUT,
    BadReplyError,
    ReplyReader,
    is_positive,
    is_refusing,
    read_final,
    read_refusal,
)

QUIT_SECONDS = 2.0

_log = logging.getLogger(__name__)


class LineError(SenderError, ConnectionError):
    """The connection is lost, or the server is silent or does not speak SMTP any more."""

    def __init__(self, problem: str, *, dropped: bool = False) -> None:
        """`dropped`: the connection ended, rather than the time or our patience."""
        super().__init__(problem)
        self.dropped = dropped


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait: `step` for the reply to a command, `verdict` for a message to leave and its reply.

    RFC 5321 section 4.5.3.2 asks for ten minutes for the latter: giving up earlier makes uncertain
    what the server was about to accept.
    """

    step: timedelta
    verdict: timedelta


class SmtpSession(asyncio.Protocol):
    """Runs on a transport that is connected, encrypted if need be, signed in, and has been greeted."""

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        extensions: Collection[str],
        patience: Patience,
        on_stall: Callable[[], None],
    ) -> None:
        """Takes the transport over from whoever connected it.

        `extensions`: EHLO keywords, lower case. `on_stall` is called when the server answered the first
        of several commands sent at once and then nothing: it may promise PIPELINING without knowing how.
        """
        self._transport = transport
        self._patience = patience
        self._on_stall = on_stall
        self._pipelines = "pipelining" in extensions
        self._declares_size = "size" in extensions
        self._reader = ReplyReader()
        self._replies: deque[Reply] = deque()
        self._failure: LineError | None = None
        self._writable = True
        self._news = asyncio.Event()
        self._closed = asyncio.Event()
        self._committed = False
        self._answered = 0
        self.transactions = 0
        self.was_stale = False
        # So that "writable" means: the kernel has every octet of the body.
        transport.set_write_buffer_limits(high=1, low=0)
        transport.set_protocol(self)

    @property
    def is_usable(self) -> bool:
        """Whether another transaction may start: still open, and nothing said unasked (421 usually)."""
        return self._failure is None and not self._replies and not self._transport.is_closing()

    async def deliver(self, envelope: EmailEnvelope, on_wire: Callable[[], None]) -> Outcome:
        """Run one transaction. Whatever goes wrong is an outcome; afterwards look at `is_usable`.

        `on_wire` is called right before the dot.

        `was_stale` then tells that a used connection turned out to be closed before the server heard
        anything: the same envelope may be tried at once on another connection.
        """
        used = self.transactions > 0
        self.transactions += 1
        self._committed, self._answered = False, 0
        self._on_wire = on_wire
        try:
            return await self._transact(envelope)
        except LineError as error:
            self.was_stale = used and error.dropped and self._answered == 0
            self.abort()
            reply = Reply(None, None, error.problem)
            return Uncertain(reply) if self._committed else Deferred(reply)
        except BaseException:
            # Cancelled: nobody knows where the conversation stands.
            self.abort()
            raise

    async def quit(self) -> None:
        """Take leave (RFC 5321 section 4.1.1.10) and close; never waits for more than two seconds."""
        try:
            async with asyncio.timeout(QUIT_SECONDS):
                if self.is_usable:
                    self._transport.write(b"QUIT\r\n")
                    await self._reply("QUIT", self._patience.step)
                self._transport.close()
                await self._closed.wait()
        except (LineError, TimeoutError):
            self.abort()
            await asyncio.sleep(0)

    def abort(self) -> None:
        """Close without a word."""
        self._fail(LineError("The connection was given up."))
        self._transport.abort()

    async def _transact(self, envelope: EmailEnvelope) -> Outcome:
        data = stuff_dots(envelope.data)
        commands = self._commands(envelope, len(envelope.data))
        refusal = await (self._offer_at_once(commands) if self._pipelines else self._offer_in_turn(commands))
        if refusal is None:
            return await self._hand_over(data)
        if self.is_usable:
            await self._reset()
        return refusal

    def _commands(self, envelope: EmailEnvelope, size: int) -> tuple[tuple[str, bytes], ...]:
        declared = b" SIZE=%d" % size if self._declares_size else b""
        return (
            ("MAIL", b"MAIL FROM:<%b>%b\r\n" % (envelope.return_path.encode("ascii"), declared)),
            ("RCPT", b"RCPT TO:<%b>\r\n" % envelope.recipient.encode("ascii")),
            ("DATA", b"DATA\r\n"),
        )

    async def _offer_in_turn(self, commands: tuple[tuple[str, bytes], ...]) -> Deferred | Refused | None:
        """Each command after the reply to the one before. None: the server waits for the body."""
        for name, line in commands:
            self._write(line)
            reply = await self._reply(name, self._patience.step)
            if not _goes_on(name, reply):
                return self._refusal(reply)
        return None

    async def _offer_at_once(self, commands: tuple[tuple[str, bytes], ...]) -> Deferred | Refused | None:
        """All commands in one write. None: the server waits for the body.

        The first refusal counts; the replies after it only tell in which state the server is.
        """
        self._write(b"".join(line for _, line in commands))
        refusal: Deferred | Refused | None = None
        nobody = False
        for name, _ in commands:
            try:
                reply = await self._reply(name, self._patience.step)
            except LineError as error:
                if not error.dropped and self._answered > 0:
                    self._on_stall()
                if refusal is None:
                    raise
                self.abort()
                return refusal
            if not _goes_on(name, reply):
                latest = self._refusal(reply)
                refusal = refusal or latest
                if reply.code == SERVICE_CLOSING:
                    return refusal
                nobody = nobody or (name == "RCPT" and is_refusing(reply))
            elif refusal is not None and name == "DATA":
                await self._send_nothing(nobody=nobody)
        return refusal

    async def _send_nothing(self, *, nobody: bool) -> None:
        """End a body the server asked for although it had refused the recipient (RFC 2920 section 3.1).

        Unless the recipient is refused without a doubt: an empty message would be delivered.
        """
        if not nobody:
            self.abort()
            return
        try:
            self._write(b".\r\n")
            await self._reply("the empty body", self._patience.step)
        except LineError:
            self.abort()

    async def _hand_over(self, data: bytes) -> Outcome:
        """Write the body, then the dot. An early reply means the server did not wait for the dot."""
        self._write(data)
        await self._drain()
        if self._replies:
            refusal = self._refusal(self._replies.popleft())
            self.abort()
            return refusal
        self._write(b"")
        try:
            self._on_wire()
        except Exception as error:  # noqa: BLE001 - whatever it is, the dot has not left
            self.abort()
            return Deferred(Reply(None, None, str(error)), unreached=True)
        self._committed = True
        self._transport.write(b".\r\n")
        reply = await self._reply("the message", self._patience.verdict)
        if reply.code == SERVICE_CLOSING:
            self.abort()
        return read_final(reply)

    async def _reset(self) -> None:
        """Forget the transaction that the server may still have open after a refusal."""
        try:
            self._write(b"RSET\r\n")
            if not is_positive(await self._reply("RSET", self._patience.step)):
                self.abort()
        except LineError:
            self.abort()

    def _refusal(self, reply: Reply) -> Deferred | Refused:
        if reply.code == SERVICE_CLOSING:
            self.abort()
        return read_refusal(reply)

    def _write(self, data: bytes) -> None:
        if self._failure is not None:
            raise LineError(self._failure.problem, dropped=self._failure.dropped)
        if self._transport.is_closing():
            raise LineError("The server closed the connection.", dropped=True)
        self._transport.write(data)

    async def _reply(self, to: str, patience: timedelta) -> Reply:
        """The next reply; what the server said before the line dropped is read first."""
        try:
            async with asyncio.timeout(patience.total_seconds()):
                while not self._replies:
                    if self._failure is not None:
                        raise LineError(f"{self._failure.problem} ({to})", dropped=self._failure.dropped)
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError as error:
            raise LineError(
                f"The server did not answer {to} within {patience.total_seconds():g} s."
            ) from error
        self._answered += 1
        return self._replies.popleft()

    async def _drain(self) -> None:
        """Wait until all is written, or there is no more point in it; LineError when time runs out."""
        try:
            async with asyncio.timeout(self._patience.verdict.total_seconds()):
                while not self._writable and self._failure is None and not self._replies:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError as error:
            raise LineError("The server stopped reading in the midst of the message.") from error

    def _fail(self, failure: LineError) -> None:
        self._failure = self._failure or failure
        self._news.set()

    def data_received(self, data: bytes) -> None:
        """Read what came; called by the event loop, like the four below."""
        try:
            self._replies.extend(self._reader.feed(data))
        except BadReplyError as error:
            self._fail(LineError(error.problem))
            self._transport.abort()
        self._news.set()

    def eof_received(self) -> bool:
        """The server will say no more: SMTP knows no half-closed connections."""
        self._fail(LineError("The server closed the connection.", dropped=True))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, whoever wanted it."""
        _log.debug("connection lost", extra={"error": str(exc or "")})
        self._fail(LineError("The connection was lost.", dropped=True))
        self._closed.set()

    def pause_writing(self) -> None:
        """The kernel did not take all of it."""
        self._writable = False

    def resume_writing(self) -> None:
        """The kernel has taken all of it."""
        self._writable = True
        self._news.set()


def stuff_dots(data: bytes) -> bytes:
    """The message as DATA carries it (RFC 5321 section 4.5.2), ending in CRLF, without the final dot."""
    if b"\r\n." in data:
        data = data.replace(b"\r\n.", b"\r\n..")
    if data.startswith(b"."):
        data = b"." + data
    return data if data.endswith(b"\r\n") else data + b"\r\n"


def _goes_on(command: str, reply: Reply) -> bool:
    return reply.code == START_INPUT if command == "DATA" else is_positive(reply)
