"""Servers at the other end of the wire, well-behaved until told otherwise.

Written without the libraries the product uses, so that both cannot share a mistake.
"""

import asyncio
import base64
import contextlib
import json
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qs

__all__ = ["Drop", "HttpAnswer", "HttpRequest", "Manners", "ReceivedMessage", "SmtpPeer", "TwilioPeer"]

STEPS = ("GREETING", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "DOT")


@dataclass
class Manners:
    """How a mail server behaves. Steps are GREETING EHLO AUTH MAIL RCPT DATA BODY (its midst) DOT (its end).

    `replies` replaces the reply at a step, several lines joined by LF; `pieces` sends every octet by
    itself; `flushes` forgets whatever came together with a command; `messages`: then the connection is
    closed, without a word unless `farewell` is one; `unasked` is said right after each message. `mood` is
    asked at each step, for a reply, "drop", "stall" or None; `on_dot` hears whose message has just ended.
    `takes_and_drops`: whether to take a message and hang up without a word of it. `window`: octets that its
    system takes for it while it does not read, some more than those asked for. `notifies_of_end`: after its
    farewell it ends the encryption as it should (RFC 8446 section 6.1).
    """

    extensions: tuple[str, ...] = ("PIPELINING", "SIZE 50000000", "ENHANCEDSTATUSCODES")
    replies: dict[str, str] = field(default_factory=dict)
    drop_at: str | None = None
    stall_at: str | None = None
    endless_at: str | None = None
    pieces: bool = False
    flushes: bool = False
    messages: int | None = None
    farewell: str | None = None
    unasked: str | None = None
    accounts: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    seconds: float = 0.0
    mood: Callable[[str], str | None] | None = None
    on_dot: Callable[[str], None] | None = None
    takes_and_drops: Callable[[], bool] | None = None
    window: int | None = None
    notifies_of_end: bool = False

    def touch(self, step: str) -> bool:
        """Whether a step goes otherwise than usual."""
        return step in self.replies or step in (self.drop_at, self.stall_at, self.endless_at)


@dataclass(frozen=True)
class ReceivedMessage:
    """What the server took responsibility for, dots unstuffed."""

    sender: str
    recipient: str
    content: bytes


class Drop(Exception):  # noqa: N818 - not an error but an order
    """Close the connection now."""


class SmtpPeer:
    """A mail server on 127.0.0.1 and `port`."""

    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self.port = 0
        self.messages: list[ReceivedMessage] = []
        self.commands: list[str] = []
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self._hearing = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> Self:
        tls = self.manners.tls if self.manners.implicit else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        if self.manners.window is not None:
            self._server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.manners.window)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def heard(self, command: str, *, seconds: float = 60) -> None:
        """Wait until a client has said `command`."""
        async with asyncio.timeout(seconds), self._hearing:
            await self._hearing.wait_for(lambda: command in self.commands)

    async def note(self, command: str) -> None:
        async with self._hearing:
            self.commands.append(command)
            self._hearing.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await _Conversation(self, reader, writer).run()
        except (Drop, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        except asyncio.CancelledError:
            # The end of the test: a task of asyncio's streams must not end as cancelled.
            pass
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.transport.abort()


class _Conversation:
    def __init__(self, peer: SmtpPeer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peer, self.manners = peer, peer.manners
        self.reader, self.writer = reader, writer
        self.sender: str | None = None
        self.recipient: str | None = None
        self.taken = 0

    async def run(self) -> None:
        await self.say("GREETING", "220 mx.test ESMTP")
        while True:
            line = (await self.reader.readline()).decode()
            if not line:
                return
            if self.manners.flushes:
                self.reader._buffer.clear()  # type: ignore[attr-defined]
            command = line.strip()
            await self.peer.note(command)
            await self.obey(command.upper().partition(" ")[0], command)

    async def obey(self, verb: str, command: str) -> None:  # noqa: PLR0912 - the table of commands
        match verb:
            case "EHLO":
                lines = ["mx.test", *self.manners.extensions]
                if self.manners.tls is not None and not self.encrypted:
                    lines.append("STARTTLS")
                if self.manners.accounts:
                    lines.append("AUTH PLAIN")
                marked = [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]
                await self.say("EHLO", "\n".join(marked))
            case "HELO":
                await self.write("250 mx.test")
            case "STARTTLS":
                await self.write("220 2.0.0 go ahead")
                assert self.manners.tls is not None
                await self.writer.start_tls(self.manners.tls)
            case "AUTH":
                name, _, password = (
                    base64.b64decode(command.rsplit(maxsplit=1)[-1]).decode()[1:].partition("\0")
                )
                known = self.manners.accounts.get(name) == password
                await self.say("AUTH", "235 2.7.0 welcome" if known else "535 5.7.8 wrong password")
            case "MAIL" if self.sender is not None:
                await self.write("503 5.5.1 nested MAIL")
            case "MAIL":
                if await self.say("MAIL", "250 2.1.0 sender ok"):
                    self.sender = command[command.index("<") + 1 : command.index(">")]
            case "RCPT" if self.sender is None:
                await self.write("503 5.5.1 need MAIL")
            case "RCPT":
                if await self.say("RCPT", "250 2.1.5 recipient ok"):
                    self.recipient = command[command.index("<") + 1 : command.index(">")]
            case "DATA" if self.recipient is None and not self.manners.touch("DATA"):
                await self.write("503 5.5.1 need RCPT")
            case "DATA":
                if await self.say("DATA", "354 go on"):
                    await self.take_body()
            case "RSET" | "QUIT":
                await self.obey_between_messages(verb)
            case _:
                await self.write("500 5.5.2 what?")

    async def obey_between_messages(self, verb: str) -> None:
        if self.manners.drop_at == verb:
            raise Drop
        if self.manners.stall_at == verb:
            await asyncio.sleep(3600)
        if verb == "QUIT":
            await self.write("221 2.0.0 bye")
            if self.manners.notifies_of_end:
                self.writer.close()
                await asyncio.sleep(3600)
            raise Drop
        self.sender = self.recipient = None
        await self.write(self.manners.replies.get("RSET", "250 2.0.0 forgotten"))

    @property
    def encrypted(self) -> bool:
        return self.writer.get_extra_info("ssl_object") is not None

    async def take_body(self) -> None:
        mood = self.manners.mood("BODY") if self.manners.mood is not None else None
        if mood == "stall" or self.manners.stall_at == "BODY":
            await self.reader.read(1000)
            await asyncio.sleep(3600)
        if mood == "drop" or self.manners.drop_at == "BODY":
            await self.reader.read(1000)
            raise Drop
        if "BODY" in self.manners.replies:
            await self.reader.read(1000)
            await self.write(self.manners.replies["BODY"])
            raise Drop
        lines: list[bytes] = []
        while (line := await self.reader.readuntil(b"\r\n")) != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b".") else line)
        if self.manners.on_dot is not None:
            self.manners.on_dot(self.recipient or "")
        await self.peer.note(".")
        message = ReceivedMessage(self.sender or "", self.recipient or "", b"".join(lines))
        self.sender = self.recipient = None
        await asyncio.sleep(self.manners.seconds)
        if not message.recipient and self.manners.drop_at == "NOTHING":
            raise Drop
        if not message.recipient:
            await self.write("554 5.5.1 no valid recipients")
            return
        if self.manners.takes_and_drops is not None and self.manners.takes_and_drops():
            self.peer.messages.append(message)
            raise Drop
        if await self.say("DOT", "250 2.0.0 queued as 1"):
            self.peer.messages.append(message)
            self.taken += 1
        if self.manners.unasked:
            await self.write(self.manners.unasked)
        if self.taken == self.manners.messages:
            if self.manners.farewell:
                await self.write(self.manners.farewell)
            raise Drop

    async def say(self, step: str, usual: str) -> bool:
        """The reply at a step, after whatever manners ask for; whether it was a yes."""
        mood = self.manners.mood(step) if self.manners.mood is not None else None
        if mood == "drop" or self.manners.drop_at == step:
            raise Drop
        if mood == "stall" or self.manners.stall_at == step:
            await asyncio.sleep(3600)
        if self.manners.endless_at == step:
            while True:
                await self.write("\n".join([f"{usual[:3]}-and so on and on"] * 1000))
        reply = mood or self.manners.replies.get(step, usual)
        await self.write(reply)
        return reply[0] in "23"

    async def write(self, text: str) -> None:
        data = b"".join(line.encode("latin-1") + b"\r\n" for line in text.split("\n"))
        pieces = [data[i : i + 1] for i in range(len(data))] if self.manners.pieces else [data]
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            if self.manners.pieces:
                await asyncio.sleep(0)


@dataclass(frozen=True)
class HttpRequest:
    """One request; `form` holds the first value of each field."""

    method: str
    path: str
    user: str
    password: str
    form: dict[str, str]


@dataclass(frozen=True)
class HttpAnswer:
    """One answer, sent as JSON unless `text` is given."""

    status: int
    content: object = None
    text: str | None = None


Handler = Callable[[HttpRequest], Awaitable[HttpAnswer]]


class TwilioPeer:
    """Answers like Twilio's API for one account; `handler` decides instead, and may raise Drop."""

    def __init__(self, account_sid: str, auth_token: str) -> None:
        self.account_sid, self.auth_token = account_sid, auth_token
        self.requests: list[HttpRequest] = []
        self.handler: Handler = self.accept
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def accept(self, request: HttpRequest) -> HttpAnswer:
        if (request.user, request.password) != (self.account_sid, self.auth_token):
            return HttpAnswer(401, {"code": 20003, "message": "Authenticate", "status": 401})
        account = f"/2010-04-01/Accounts/{self.account_sid}"
        if request.method == "GET" and request.path == f"{account}.json":
            return HttpAnswer(200, {"sid": self.account_sid, "friendly_name": "Amis", "status": "active"})
        if request.method == "POST" and request.path == f"{account}/Messages.json":
            return HttpAnswer(201, {"sid": f"SM{len(self.requests):032d}", "status": "queued"})
        return HttpAnswer(404, {"code": 20404, "message": "Not found", "status": 404})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                request = await _read_request(reader)
                self.requests.append(request)
                answer = await self.handler(request)
                body = (answer.text if answer.text is not None else json.dumps(answer.content)).encode()
                head = f"HTTP/1.1 {answer.status} x\r\nContent-Type: application/json\r\n"
                writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        except (Drop, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()


async def _read_request(reader: asyncio.StreamReader) -> HttpRequest:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    user = password = ""
    with contextlib.suppress(KeyError):
        credentials = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
        user, _, password = credentials.partition(":")
    method, path, _ = first.split(" ")
    form = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
    return HttpRequest(method, path, user, password, form)
