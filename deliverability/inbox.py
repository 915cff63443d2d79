"""The mail listener: where bounces, complaints and unsubscriptions by mail arrive.

It takes mail for addresses this installation signed and for the complaint address, and nothing else, so
that it can stand on the internet's port 25 without becoming anybody's mailbox or relay. A mail is
acknowledged once its news is committed; when the database is in trouble the sender is told to come back.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from aiosmtpd.smtp import SMTP, Envelope, Session

from deliverability.feedback import Applied, apply
from deliverability.signals.mail import read_inbound
from deliverability.signals.origin import bounced_delivery, left_delivery
from models.clock import Clock
from models.errors import SettingsError
from models.tokens import Tokens
from store import Database, incoming

__all__ = ["InboundServer", "read_inbound"]
log = logging.getLogger(__name__)

MAX_MAIL_BYTES = 2_000_000
MAX_RECIPIENTS = 20
MAX_REFUSALS = 10
MAX_MAILS_A_SESSION = 200
MAX_SESSIONS = 100
SILENCE_SECONDS = 60.0
COMPLAINT_LOCAL_PARTS = frozenset({"fbl", "abuse", "complaints"})


class InboundServer:
    """An SMTP server for what comes back. `host`, `port` say where it listens; port 0 takes a free one."""

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
    ) -> None:
        """`complaint_address` is accepted whole, besides `fbl@`, `abuse@` and `complaints@` of any domain."""
        self._handler = _Handler(database, tokens, clock, complaint_address.lower())
        self._host = host
        self._port = port
        self._hello_name = hello_name
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on; the one asked for until it has started."""
        return self._server.sockets[0].getsockname()[1] if self._server is not None else self._port

    async def start(self) -> None:
        """Listen; SettingsError when the address is taken or may not be used."""
        loop = asyncio.get_running_loop()
        try:
            # aiosmtpd's own Controller cannot start on port 0 and brings a thread.
            self._server = await loop.create_server(self._session, self._host, self._port)
        except OSError as error:
            raise SettingsError(
                f"The mail listener cannot use {self._host}:{self._port}: {error.strerror or error}.",
                "Choose another TOCSIN_INBOUND_HOST or TOCSIN_INBOUND_PORT.",
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

    def _session(self) -> "_SmtpSession":
        return _SmtpSession(
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

    refusals = 0
    mails = 0

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

    async def idle(self) -> None:
        """Come back when no mail is being recorded."""
        await self._free.wait()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: _SmtpSession, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take the addresses we signed and the complaint address; refuse the rest as unknown."""
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        if not self._is_ours(address):
            server.refusals += 1
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
        self._busy += 1
        self._free.clear()
        try:
            await self._record(raw, envelope.rcpt_tos, self._clock.now())
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
        local_part = address.rpartition("@")[0].lower()
        return (
            local_part in COMPLAINT_LOCAL_PARTS
            or (bool(self._complaint_address) and address.lower() == self._complaint_address)
            or bounced_delivery(address, self._tokens) is not None
            or left_delivery(address, self._tokens) is not None
        )

    async def _record(self, raw: bytes, recipients: Sequence[str], now: datetime) -> None:
        # Parsing a large mail takes long enough to keep others waiting.
        signals = await asyncio.to_thread(read_inbound, raw, recipients, self._tokens, now)
        async with self._database.write() as session:
            if not signals:
                await incoming.keep(session, source="mail", raw=raw, matched=False, now=now)
            for signal in signals:
                applied = await apply(session, signal, now)
                if applied is Applied.UNMATCHED:
                    log.info("news of no known message", extra={"source": signal.source})
        log.info("mail recorded", extra={"signals": len(signals)})
