"""The receiving half of SMTP (RFC 5321), reduced to what a rehearsal needs and able to misbehave.

Not aiosmtpd: it cannot greet with a refusal, hang up in the middle of a pipeline or say something else
to the third connection than to the first, and it takes a few hundred messages a second where this takes
thousands. PIPELINING (RFC 2920) costs nothing here: lines are answered in the order they come.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

MAX_MESSAGE_BYTES = 20 * 1024 * 1024
MAX_LINE_BYTES = 4096
MAX_RECIPIENTS = 100
# How long a client that was told 421 may take to hang up by itself.
LINGER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says. Lines are split at LF; each starts with its code. `hang_up`: and it leaves."""

    text: str
    hang_up: bool = False

    @property
    def positive(self) -> bool:
        """Whether the client may go on."""
        return self.text[0] in "23"


@dataclass(slots=True)
class Transaction:
    """One message on its way: who it is from, for whom, and whether 8-bit bytes were declared."""

    return_path: str
    eight_bit: bool
    recipients: list[str] = field(default_factory=list)


class MailHost(Protocol):
    """Decides what is answered. Every method returns at once."""

    def greet(self, peer: str, open_connections: int) -> Answer:
        """The first line; `open_connections` counts this one too."""
        ...

    def start(self, transaction: Transaction, peer: str, taken_before: int) -> Answer:
        """MAIL FROM, after `taken_before` messages on the same connection."""
        ...

    def add_recipient(self, transaction: Transaction, recipient: str) -> Answer:
        """RCPT TO. A positive answer makes `recipient` one of the transaction's."""
        ...

    def take(self, transaction: Transaction, content: bytes, peer: str) -> Answer:
        """The end of DATA. `content` has CRLF as it came and no dot-stuffing any more."""
        ...


class SmtpServer:
    """One listening port of the loopback in front of one `MailHost`."""

    def __init__(self, host: MailHost, hello_name: str) -> None:
        """`hello_name` is what the server calls itself in its answer to EHLO."""
        self.host = host
        self.hello_name = hello_name
        self.conversations: set[Conversation] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> tuple[str, int]:
        """Listen on a free port; returns host and port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Conversation(self), "127.0.0.1", 0)
        address: tuple[str, int] = self._server.sockets[0].getsockname()
        return address

    async def stop(self) -> None:
        """Stop listening and hang up on everybody."""
        if self._server is None:
            return
        self._server.close()
        for conversation in list(self.conversations):
            conversation.abort()
        await self._server.wait_closed()
        # The transports close in the next turn of the loop.
        await asyncio.sleep(0)
        self._server = None


class Conversation(asyncio.Protocol):
    """One connection: takes lines, and messages after DATA, out of the stream and answers each."""

    def __init__(self, server: SmtpServer) -> None:
        """Not connected yet."""
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._searched = 0
        self._transaction: Transaction | None = None
        self._receiving = False
        self._leaving = False
        self._taken = 0
        self._peer = ""
        self._commands: dict[str, Callable[[str], Answer]] = {
            "EHLO": self._ehlo,
            "HELO": lambda _: Answer(f"250 {server.hello_name}"),
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._reset,
            "NOOP": lambda _: Answer("250 2.0.0 Ok"),
            "VRFY": lambda _: Answer("252 2.1.5 Send some mail and see"),
            "QUIT": lambda _: Answer("221 2.0.0 Bye", hang_up=True),
        }

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet, or turn away."""
        if not isinstance(transport, asyncio.Transport):  # pragma: no cover - a stream server has no other
            return
        self._transport = transport
        self._peer = str(transport.get_extra_info("peername")[0])
        self._server.conversations.add(self)
        present = sum(1 for one in self._server.conversations if not one._leaving)  # noqa: SLF001 - its own kind
        self._say(self._server.host.greet(self._peer, present))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it ended changes nothing
        """Nothing to answer any more; an unfinished message is forgotten."""
        self._leaving = True
        self._server.conversations.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer everything that has come in whole."""
        self._buffer += data
        while self._read_next():
            pass

    def abort(self) -> None:
        """Close at once."""
        self._leaving = True
        if self._transport is not None:
            self._transport.abort()

    def _read_next(self) -> bool:
        """Answer the next command or message; False when there is none, or nobody listens any more."""
        if self._leaving:
            self._buffer.clear()
            return False
        return self._read_message() if self._receiving else self._read_line()

    def _read_line(self) -> bool:
        """Answer one command; False when there is no whole line."""
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > MAX_LINE_BYTES:
                self._say(Answer("500 5.5.2 Line too long", hang_up=True))
            return False
        line = bytes(self._buffer[:end]).rstrip(b"\r").decode("utf-8", "replace")
        del self._buffer[: end + 1]
        verb, _, rest = line.partition(" ")
        command = self._commands.get(verb.upper())
        self._say(command(rest.strip()) if command else Answer("502 5.5.2 Command not recognised"))
        return True

    def _read_message(self) -> bool:
        """Hand on one message; False when its end has not come yet."""
        if self._buffer.startswith(b".\r\n"):
            end, size = 0, 3
        else:
            end = self._buffer.find(b"\r\n.\r\n", max(0, self._searched - 4))
            size = 5
        if end < 0:
            self._searched = len(self._buffer)
            if self._searched > MAX_MESSAGE_BYTES:
                self._say(Answer("552 5.3.4 Message too big", hang_up=True))
            return False
        content = bytes(self._buffer[: end + size - 3])
        del self._buffer[: end + size]
        self._searched = 0
        self._receiving = False
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            content = content.removeprefix(b".") if content.startswith(b"..") else content
            answer = self._server.host.take(transaction, content.replace(b"\r\n..", b"\r\n."), self._peer)
            self._taken += answer.positive
            self._say(answer)
        return True

    def _ehlo(self, _: str) -> Answer:
        self._transaction = None
        extensions = ("PIPELINING", f"SIZE {MAX_MESSAGE_BYTES}", "8BITMIME", "SMTPUTF8")
        lines = [self._server.hello_name, *extensions]
        return Answer("\n".join([*(f"250-{line}" for line in lines), "250 ENHANCEDSTATUSCODES"]))

    def _mail(self, rest: str) -> Answer:
        if self._transaction is not None:
            return Answer("503 5.5.1 One message at a time")
        path, options = read_path(rest, "FROM:")
        if path is None:
            return Answer("501 5.5.4 Syntax: MAIL FROM:<address>")
        transaction = Transaction(path, "BODY=8BITMIME" in options.upper())
        answer = self._server.host.start(transaction, self._peer, self._taken)
        if answer.positive:
            self._transaction = transaction
        return answer

    def _rcpt(self, rest: str) -> Answer:
        if self._transaction is None:
            return Answer("503 5.5.1 MAIL FROM first")
        path, _ = read_path(rest, "TO:")
        if not path:
            return Answer("501 5.5.4 Syntax: RCPT TO:<address>")
        if len(self._transaction.recipients) >= MAX_RECIPIENTS:
            return Answer("452 4.5.3 Too many recipients")
        answer = self._server.host.add_recipient(self._transaction, path)
        if answer.positive:
            self._transaction.recipients.append(path)
        return answer

    def _data(self, _: str) -> Answer:
        if self._transaction is None:
            return Answer("503 5.5.1 MAIL FROM first")
        if not self._transaction.recipients:
            return Answer("554 5.5.1 No valid recipients")
        self._receiving = True
        return Answer("354 End data with <CR><LF>.<CR><LF>")

    def _reset(self, _: str) -> Answer:
        self._transaction = None
        return Answer("250 2.0.0 Ok")

    def _say(self, answer: Answer) -> None:
        transport = self._transport
        if transport is None or self._leaving:
            return
        transport.write(answer.text.replace("\n", "\r\n").encode() + b"\r\n")
        if answer.hang_up:
            self._leaving = True
            # Closing with unread bytes in the socket resets the connection and the client would lose the
            # very reply that explains why: say that nothing follows, and let it hang up.
            transport.write_eof()
            asyncio.get_running_loop().call_later(LINGER_SECONDS, transport.abort)


def read_path(text: str, keyword: str) -> tuple[str | None, str]:
    """The address between the angle brackets after `keyword` and the ESMTP options behind it.

    None when there is no such path; "" for the null path `<>`.
    """
    if text[: len(keyword)].upper() != keyword:
        return None, ""
    rest = text[len(keyword) :].strip()
    path, found, options = rest.partition(">")
    if not found or not path.startswith("<"):
        return None, ""
    return path[1:], options.strip()
