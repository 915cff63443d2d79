"""The listener on which programs hand over mail: SMTP with sign-in, encrypted (RFC 6409, 4954, 8314).

A key never travels in the clear: before STARTTLS nothing is heard of it, but on the loopback where the
settings say so. What is not offered is refused, chunks (RFC 3030) by hanging up, since what follows them
would be read as commands; addresses beyond ASCII (RFC 6531) are not offered, as few servers take them.
"""

import asyncio
import contextlib
import logging
import re
from base64 import b64decode
from collections.abc import Callable
from contextvars import ContextVar
from ssl import SSLContext
from typing import Any, Final, NoReturn

from aiosmtpd.smtp import SMTP, Envelope, Session, TLSSetupException, syntax
from aiosmtpd.smtp import log as library_log

from audience.addresses import AddressError, read_email
from models.errors import SettingsError
from web.submission.desk import SubmissionDesk
from web.submission.entrance import TOO_MANY, Entrance, Guest

log = logging.getLogger(__name__)

MAX_MAIL_BYTES: Final = 2_000_000
MAX_LINE_BYTES: Final = 256 * 1024
"""Programs write HTML without any line breaks; it is written anew anyway."""
MAX_RECIPIENTS: Final = 500
MAX_SESSIONS: Final = 200
MAX_TRIES: Final = 3
GOODBYE_S: Final = 1.0
STRANGER_S, GUEST_S = 60.0, 300.0
"""How long somebody may be silent before they signed in, and afterwards (RFC 5321 section 4.5.3.2.7)."""
_AUTH_PARAMETER = re.compile(r"\s+AUTH=\S*", re.IGNORECASE)

_KEYS_ARE_SAID: Final[ContextVar[bool]] = ContextVar("keys are said", default=False)
# The library logs each line it hears: a program that does not wait for answers may say its key in any.
library_log.addFilter(lambda _record: not _KEYS_ARE_SAID.get())


class SubmissionServer:
    """One port. `tls` gives what encrypts a new connection: None, the loopback in the clear.

    `implicit`: encrypted from the first byte, in place of STARTTLS. Port 0 takes a free one.
    """

    def __init__(
        self,
        desk: SubmissionDesk,
        entrance: Entrance,
        host: str,
        port: int,
        *,
        tls: Callable[[], SSLContext] | None,
        implicit: bool = False,
        hello_name: str = "localhost",
        patience_s: tuple[float, float] = (STRANGER_S, GUEST_S),
    ) -> None:
        """`patience_s`: how long a stranger and a guest may be silent."""
        self._handler = _Handler(desk, entrance, patience_s[1])
        entrance.ledger.open_lines.append(lambda: len(self._handler.lines))
        self._host, self._port, self._hello_name = host, port, hello_name
        self._tls, self._implicit = tls, implicit
        self._patience_s = patience_s[0]
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on; the one asked for until it has started."""
        return self._port if self._server is None else int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen; SettingsError when the address is taken or may not be used."""
        context = self._tls() if self._implicit and self._tls else None
        try:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self._session, self._host, self._port, ssl=context)
        except OSError as error:
            raise SettingsError(
                f"The listener for programs cannot use {self._host}:{self._port}: {error.strerror or error}.",
                "Choose another TOCSIN_SUBMISSION_HOST or port.",
            ) from error
        log.info("submission listener started", extra={"port": self.port, "implicit_tls": self._implicit})

    async def stop(self) -> None:
        """Stop listening, after the mails that are being taken."""
        if self._server is None:
            return
        self._server.close()
        await self._handler.idle()
        for line in tuple(self._handler.lines.values()):
            line.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await self._handler.alone()
        # Whoever does not answer the end of an encrypted line would hold us up for half a minute.
        for line in tuple(self._handler.lines.values()):
            line.abort()
        await self._server.wait_closed()
        self._server = None

    def _session(self) -> "_Session":
        context = self._tls() if self._tls else None
        session = _Session(
            self._handler,
            hostname=self._hello_name,
            ident="Tocsin",
            data_size_limit=MAX_MAIL_BYTES,
            auth_required=True,
            tls_context=None if self._implicit else context,
            require_starttls=True,
            timeout=self._patience_s,
            loop=asyncio.get_running_loop(),
        )
        session.is_private = self._implicit or context is None
        return session


class _Session(SMTP):
    """One connection. `is_private` before any STARTTLS: encrypted already, or the loopback.

    `leaves`: it has been hung up on, and counts no more.
    """

    line_length_limit = MAX_LINE_BYTES
    AuthLoginUsernameChallenge = "Username:"
    AuthLoginPasswordChallenge = "Password:"
    is_private = False
    guest: Guest | None = None
    leaves = False
    tries = 0

    @property
    def may_sign_in(self) -> bool:
        """Whether a password may travel."""
        return self.is_private or self._tls_protocol is not None

    @property
    def origin(self) -> str:
        """The address at the other end."""
        peer = None if self.transport is None else self.transport.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) else "unknown"

    async def push(self, status: Any) -> None:
        """Answer; what is refused is counted."""
        handler: _Handler = self.event_handler
        handler.entrance.ledger.note(str(status))
        await super().push(status)

    async def dismiss(self, answer: str) -> NoReturn:
        """Say a last word; what was said to us meanwhile is not heard."""
        await self.push(answer)
        if self.transport is not None:
            self.transport.close()
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
        await asyncio.sleep(0)
        raise ConnectionResetError

    @syntax("AUTH <mechanism>")
    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Sign in; aiosmtpd's own asks nobody who has to be waited for, and knows no implicit TLS."""
        if await self.check_helo_needed("EHLO"):
            return
        if not self.may_sign_in:
            await self.push("538 5.7.11 Encryption required: begin with STARTTLS")
        elif isinstance(self.guest, Guest):
            await self.push("503 5.5.1 Already signed in")
        else:
            mechanism, _, first = (arg or "").partition(" ")
            secret = await self._hear_secret(mechanism.upper(), first.strip())
            if secret is not None:
                await self._sign_in(secret)

    async def _hear_secret(self, mechanism: str, first: str) -> str | None:
        """The password; None when another answer was given already."""
        secret: bytes | None = None
        if mechanism == "PLAIN":
            heard = await self._hear("", first)
            if heard is not None:
                # Who they are, on behalf of whom, is of no account: the key says it.
                parts = heard.split(b"\0")
                secret = parts[2] if len(parts) == len(("authorised", "name", "password")) else None
                if secret is None:
                    await self.push("501 5.5.2 AUTH PLAIN is three parts")
        elif mechanism == "LOGIN":
            name = await self._hear(self.AuthLoginUsernameChallenge, first)
            secret = None if name is None else await self._hear(self.AuthLoginPasswordChallenge, "")
        else:
            await self.push("504 5.5.4 Sign in by PLAIN or LOGIN")
        return None if secret is None else secret.decode("utf-8", "replace").strip()

    async def _hear(self, challenge: str, first: str) -> bytes | None:
        """What was said in base64, at once or when asked; None when another answer was given already."""
        if not first:
            heard = await self.challenge_auth(challenge)
            return heard if isinstance(heard, bytes) else None
        try:
            return b64decode(first, validate=True)
        except ValueError:
            await self.push("501 5.5.2 Can't decode base64")
            return None

    async def _sign_in(self, secret: str) -> None:
        handler: _Handler = self.event_handler
        found = await handler.entrance.admit(secret, self.origin)
        if isinstance(found, Guest):
            self.guest = found
            self._timeout_duration = handler.patience_s
            self._reset_timeout()
            if self.session is not None:
                self.session.authenticated = True
            await self.push("235 2.7.0 Welcome")
            return
        self.tries += 1
        log.info("sign-in refused", extra={"origin": self.origin, "answer": found[:9]})
        if self.tries >= MAX_TRIES and not found.startswith("421"):
            found = "421 4.7.0 Too many tries"
        if found.startswith("421"):
            await self.dismiss(found)
        await self.push(found)

    @syntax("MAIL FROM: <address>", extended=" [SP <mail-parameters>]")
    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Begin a mail; AUTH=, which may stand there (RFC 4954 section 5), says nothing we believe."""
        await super().smtp_MAIL(_AUTH_PARAMETER.sub("", arg) if arg else arg)

    async def smtp_BDAT(self, _arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Refuse chunks, and what comes after the command with them."""
        await self.dismiss("502 5.5.1 Chunks are not taken, send DATA")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        handler: _Handler = self.event_handler
        if self not in handler.lines and isinstance(transport, asyncio.WriteTransport):
            peer = transport.get_extra_info("peername")
            full = not handler.has_room()
            if full or (isinstance(peer, tuple) and handler.entrance.is_shut(str(peer[0]))):
                answer = "421 4.3.2 Too many connections, come back later" if full else TOO_MANY
                transport.write(f"{answer}\r\n".encode())
                handler.entrance.ledger.note(answer)
                transport.close()
                return
        if self not in handler.lines and isinstance(transport, asyncio.WriteTransport):
            # The one below the encryption, which ends when it is told to.
            handler.lines[self] = transport
        # What is heard is heard in a task that begins here, and knows it.
        before = _KEYS_ARE_SAID.set(True)
        super().connection_made(transport)
        _KEYS_ARE_SAID.reset(before)

    def connection_lost(self, error: Exception | None) -> None:
        handler: _Handler = self.event_handler
        # One that was turned away was never begun.
        if handler.lines.pop(self, None) is not None:
            handler.left.set()
            super().connection_lost(error)


class _Handler:
    """What the listener says to each command; the names of its methods are aiosmtpd's."""

    def __init__(self, desk: SubmissionDesk, entrance: Entrance, patience_s: float) -> None:
        """`patience_s`: how long a guest may be silent."""
        self.entrance = entrance
        self.patience_s = patience_s
        self.lines: dict[_Session, asyncio.WriteTransport] = {}
        self._desk = desk
        self._busy = 0
        self._free = asyncio.Event()
        self._free.set()
        self.left = asyncio.Event()

    def has_room(self) -> bool:
        """Whether one more may come: the stranger who is there longest gives way, a guest never does."""
        there = [session for session in self.lines if not session.leaves]
        if len(there) < MAX_SESSIONS:
            return True
        stranger = next((session for session in there if session.guest is None), None)
        if stranger is None:
            return False
        stranger.leaves = True
        self.lines[stranger].abort()
        return True

    async def idle(self) -> None:
        """Come back when no mail is being taken on."""
        await self._free.wait()

    async def alone(self) -> None:
        """Come back when nobody is there any more."""
        while self.lines:
            self.left.clear()
            await self.left.wait()

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: _Session, session: Session, _envelope: Envelope, hostname: str, _usual: list[str]
    ) -> list[str]:
        """What is offered at this moment."""
        session.host_name = hostname
        offered = [server.hostname, f"SIZE {MAX_MAIL_BYTES}", "8BITMIME", "PIPELINING"]
        offered.append("AUTH PLAIN LOGIN" if server.may_sign_in else "STARTTLS")
        return [*(f"250-{one}" for one in offered[:-1]), f"250 {offered[-1]}"]

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: _Session, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Begin a mail, if the key still opens: a session may outlive it."""
        if server.guest is None:
            return "530 5.7.0 Authentication required"
        found = await self.entrance.refresh(server.guest)
        if not isinstance(found, Guest):
            await server.dismiss(found)
        server.guest = found
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: _Session, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient, in the normal form of their address."""
        if server.guest is None:
            return "530 5.7.0 Authentication required"
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return f"452 4.5.3 No more than {MAX_RECIPIENTS} recipients a mail"
        try:
            recipient = read_email(address)
        except AddressError as error:
            return f"553 5.1.3 {error.reason}".encode("ascii", "replace").decode()
        wait = self.entrance.wait(server.guest)
        if wait:
            return f"451 4.7.1 This key named too many recipients, try again in {wait} s"
        envelope.rcpt_tos.append(recipient)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: _Session, _session: Session, envelope: Envelope
    ) -> str:
        """Take the mail on; 250 once it is committed."""
        if server.guest is None:
            return "530 5.7.0 Authentication required"
        content = envelope.content
        raw = content if isinstance(content, bytes) else (content or "").encode()
        self._busy += 1
        self._free.clear()
        try:
            answer = await self._desk.take(server.guest, raw, envelope.rcpt_tos)
            self.entrance.ledger.taken += answer.startswith("2")
            return answer
        finally:
            self._busy -= 1
            if not self._busy:
                self._free.set()

    async def handle_exception(self, error: Exception) -> str:
        """Say nothing of what failed to whoever is there."""
        if isinstance(error, TLSSetupException):
            log.info("encryption failed", extra={"problem": str(error.__cause__)[:200]})
            return "454 4.7.0 Encryption failed"
        log.error("submission session failed", exc_info=error)
        return "451 4.3.0 Something failed here, try again later"
