"""The mail listener, by SMTP or LMTP (RFC 2033): where bounces, complaints and unsubscriptions arrive.

It takes mail for addresses this installation signed, for the complaint address and for those of receivers'
reports, and nothing else, so that it can stand on the internet's port 25 without becoming anybody's mailbox
or relay. A mail is acknowledged once its news is committed; when the database is in trouble the sender is
told to come back. Large mails are taken, too, as their news stands in front: the beginning is kept, the rest
let pass.
LMTP is for a mail server of one's own, which hands over what came for the return path's domain: each
recipient has its own answer, so that what one of them met does not send the others' news again.
"""

import asyncio
import logging
import re
from contextlib import AbstractContextManager
from pathlib import Path

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session, syntax

from deliverability.arrival import (
    COMPLAINT_LOCAL_PARTS,
    KEPT_BYTES,
    REPORT_LOCAL_PARTS,
    is_signed,
    on_the_way,
    take_mail,
)
from deliverability.signals.mail import read_inbound
from models.clock import Clock
from models.errors import SettingsError
from models.tokens import Tokens
from models.values import Cover
from store import Database

__all__ = ["InboundServer", "read_inbound"]
log = logging.getLogger(__name__)

MAX_MAIL_BYTES = 100_000_000
PATIENT_BYTES = 100_000
"""So much has to come within the time of silence, so that a large mail may take its time, and a tease not."""
MAX_RECIPIENTS = 20
MAX_REFUSALS = 10
MAX_MAILS_A_SESSION = 200
MAX_SESSIONS = 100
SILENCE_SECONDS = 60.0
_PLAIN_PATH = re.compile(
    r"<((?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+(?:[.][A-Za-z0-9-]+)*)?)>((?: .*)?)", re.DOTALL
)
SOCKET_MODE = 0o666
"""Who may hand over mail is decided by the folder the socket is in."""


class InboundServer:
    """A server for what comes back. `host`, `port` say where it listens; port 0 takes a free one."""

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        clock: Clock,
        host: str,
        port: int,
        *,
        hello_name: str = "localhost",
        complaint_address: str = "",
        lmtp: bool = False,
        path: Path | None = None,
    ) -> None:
        """`complaint_address` is accepted whole, besides `fbl@`, `abuse@` and `complaints@` of any domain.

        `lmtp`: that, in place of SMTP. `path`: of a Unix socket, in place of host and port.
        """
        self._handler = _Handler(database, tokens, clock, complaint_address.lower())
        self._host = host
        self._port = port
        self._hello_name = hello_name
        self._kind = _LmtpSession if lmtp else _SmtpSession
        self._path = path
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on; the one asked for until it has started, and on a Unix socket."""
        if self._server is None or self._path is not None:
            return self._port
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen; SettingsError when the address is taken or may not be used."""
        loop = asyncio.get_running_loop()
        try:
            # aiosmtpd's own Controller cannot start on port 0 and brings a thread.
            if self._path is not None:
                self._server = await loop.create_unix_server(self._session, self._path)
                self._path.chmod(SOCKET_MODE)
            else:
                self._server = await loop.create_server(self._session, self._host, self._port)
        except OSError as error:
            place = self._path or f"{self._host}:{self._port}"
            setting = "TOCSIN_INBOUND_HOST or TOCSIN_INBOUND_PORT"
            raise SettingsError(
                f"The mail listener cannot use {place}: {error.strerror or error}.",
                f"Choose another {'TOCSIN_INBOUND_LMTP' if self._kind is _LmtpSession else setting}.",
            ) from error
        log.info("mail listener started", extra={"port": self.port})

    async def stop(self) -> None:
        """Stop listening, after the mails that are being taken."""
        if self._server is None:
            return
        self._server.close()
        await self._handler.idle()
        for line in tuple(self._handler.lines.values()):
            line.close()
        await self._server.wait_closed()
        self._server = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _session(self) -> "_SmtpSession":
        return self._kind(
            self._handler,
            hostname=self._hello_name,
            ident="Tocsin",
            data_size_limit=MAX_MAIL_BYTES,
            enable_SMTPUTF8=True,
            timeout=SILENCE_SECONDS,
            loop=asyncio.get_running_loop(),
        )


class _SmtpSession(SMTP):
    """One connection, counted, so that strangers cannot hold all of them.

    `refusals` are unknown recipients so far, `mails` those taken.
    """

    counts_refusals = True
    refusals = 0
    mails = 0

    @property
    def answers(self) -> int:
        """How many a mail gets."""
        return 1

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """The address of MAIL or RCPT and what follows it; of the plain ones without taking them apart."""
        plain = _PLAIN_PATH.fullmatch(arg)
        if plain is None or self.local_part_limit:
            return super()._getaddr(arg)
        return plain[1] or "<>", plain[2]

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Take a mail, of any size announced or below the limit; aiosmtpd would refuse long lines, too."""
        if await self.check_helo_needed():
            return
        if self.envelope is None or not self.envelope.rcpt_tos or arg:
            await self.push("501 5.5.4 Syntax: DATA" if arg else "503 5.5.1 Error: need RCPT command")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        handler: _Handler = self.event_handler
        with handler.hearing():
            content, size = await self._hear_mail()
        if size > MAX_MAIL_BYTES:
            answer = "\r\n".join(["552 5.3.4 Too large"] * self.answers)
        else:
            self.envelope.content = content
            answer = await self._call_handler_hook("DATA")
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        await self.push(answer)

    async def _hear_mail(self) -> tuple[bytes, int]:
        """The beginning of a mail, without its dot-stuffing, and how long it was; the rest is let pass.

        Not line by line: a large mail has a million of them.
        """
        kept, tail = bytearray(), b"\r\n"
        size = patience = 0
        while tail != b"\r\n.\r\n":
            try:
                piece: bytes = await self._reader.readuntil(b".\r\n")
            except asyncio.LimitOverrunError as long:
                piece = await self._reader.read(max(1, long.consumed))
            tail = (tail + piece[-5:])[-5:]
            size += len(piece)
            if size // PATIENT_BYTES > patience:
                patience = size // PATIENT_BYTES
                self._reset_timeout()
            if len(kept) < KEPT_BYTES:
                kept += piece
        beginning = bytes(kept[:-3] if len(kept) == size else kept)
        return (b"\r\n" + beginning).replace(b"\r\n.", b"\r\n")[2:], size

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        handler: _Handler = self.event_handler
        if len(handler.lines) >= MAX_SESSIONS and isinstance(transport, asyncio.WriteTransport):
            transport.write(b"421 4.3.2 Too many connections, come back later\r\n")
            transport.close()
            return
        handler.lines[self] = transport
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        handler: _Handler = self.event_handler
        # One that was turned away was never begun.
        if handler.lines.pop(self, None) is not None:
            super().connection_lost(error)


class _LmtpSession(_SmtpSession, LMTP):
    """One connection of our own mail server, which may ask for any name and is answered for each."""

    counts_refusals = False

    @property
    def answers(self) -> int:
        """After a mail, as many as it has recipients (RFC 2033 section 4.2)."""
        return len(self.envelope.rcpt_tos) if self.envelope else 1


class _Handler:
    """What the listener says to each command; the names of its methods are aiosmtpd's."""

    def __init__(self, database: Database, tokens: Tokens, clock: Clock, complaint_address: str) -> None:
        self._database = database
        self._tokens = tokens
        self._clock = clock
        self._complaint_address = complaint_address
        self.lines: dict[_SmtpSession, asyncio.BaseTransport] = {}
        self._busy = 0
        self._free = asyncio.Event()
        self._free.set()

    def hearing(self) -> AbstractContextManager[None]:
        """Within this block a mail comes in."""
        return on_the_way(self._database)

    async def idle(self) -> None:
        """Come back when no mail is being recorded."""
        await self._free.wait()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: _SmtpSession, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take the addresses we signed, those of complaints and of reports; refuse the rest as unknown."""
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        if not self._is_ours(address):
            server.refusals += server.counts_refusals
            if server.refusals > MAX_REFUSALS and server.transport is not None:
                # Somebody tries addresses; ours cannot be guessed.
                asyncio.get_running_loop().call_soon(server.transport.close)
                return "421 4.7.0 Too many unknown recipients"
            return "550 5.1.1 No such address here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: _SmtpSession, _session: Session, envelope: Envelope
    ) -> str:
        """Record the mail's news and answer; 451 unless it is committed."""
        server.mails += 1
        if server.mails > MAX_MAILS_A_SESSION:
            return "452 4.5.3 Too many messages on this connection, open another"
        content = envelope.content
        raw = content if isinstance(content, bytes) else (content or "").encode()
        sender = (envelope.mail_from or "").strip("<>")
        if not isinstance(server, _LmtpSession):
            return await self._take(raw, Cover("smtp", tuple(envelope.rcpt_tos), sender))
        covers = [Cover("lmtp", (one,), sender) for one in envelope.rcpt_tos]
        return "\r\n".join([await self._take(raw, cover) for cover in covers])

    async def _take(self, raw: bytes, cover: Cover) -> str:
        self._busy += 1
        self._free.clear()
        try:
            await take_mail(self._database, self._tokens, raw, cover, self._clock.now())
        except Exception:
            # Whatever it is, the mail is not recorded: the sender keeps it and tries again.
            log.exception("mail not recorded")
            return "451 4.3.0 Not recorded, try again later"
        finally:
            self._busy -= 1
            if not self._busy:
                self._free.set()
        return "250 2.0.0 Recorded"

    def _is_ours(self, address: str) -> bool:
        return (
            address.rpartition("@")[0].lower() in COMPLAINT_LOCAL_PARTS | REPORT_LOCAL_PARTS
            or (bool(self._complaint_address) and address.lower() == self._complaint_address)
            or is_signed(address, self._tokens)
        )
