"""E-mail over SMTP: to one relay, or to a server of its own for each mailbox provider.

The only file that knows aiosmtplib, which connects, upgrades to TLS and signs in; the transactions are
run by `sender.smtp_session`, and connections are kept by `sender.smtp_pool`.
"""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import cast

import aiosmtplib

from models.errors import SettingsError
from models.providers import OTHER_PROVIDER, PROVIDER_BY_KEY
from models.states import Channel
from models.values import Deferred, EmailEnvelope, Envelope, Outcome, Refused, Reply
from sender.replies import NumberIn, reply_from_text
from sender.smtp_pool import SmtpPool
from sender.smtp_session import SmtpSession
from sender.smtp_terms import QUIT_SECONDS, Patience
from sender.smtp_text import find_problem
from sender.smtp_trouble import explain_trouble
from sender.transport import (
    CertificateError,
    Parcel,
    TransportAuthenticationError,
    TransportError,
    TransportUnavailableError,
    send_one,
)

_log = logging.getLogger(__name__)


class Tls(StrEnum):
    """How a connection is encrypted: not at all, by STARTTLS (required, not merely tried), or at once."""

    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where to connect, and as whom; `username` None: without signing in.

    `ca_file` names the authorities to trust instead of the system's; `verify_certificate` False trusts
    anybody and is for rehearsals.
    """

    host: str
    port: int
    tls: Tls = Tls.STARTTLS
    username: str | None = None
    password: str = field(default="", repr=False)
    verify_certificate: bool = True
    ca_file: Path | None = None

    @property
    def name(self) -> str:
        """Host and port, for people and logs."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SmtpOptions:
    """`routes` by provider key come first, `relay` serves every other provider; one of the two must be there.

    `hello_name` is what EHLO says: this machine's own DNS name. On a route, the provider's own limits on
    connections and messages (`models.providers`) hold where they are stricter. `timeout` bounds the
    connecting as a whole and each step after; `verdict_timeout` the wait for the reply to a message;
    `idle_timeout` how long a connection is kept for nothing: servers close theirs after anything from ten
    seconds to five minutes, and it is better to be gone before. `number_in` finds in a reply what the
    relay calls a message; nothing is looked for in those of routes.
    """

    relay: SmtpServer | None = None
    routes: Mapping[str, SmtpServer] = field(default_factory=dict)
    hello_name: str = "localhost"
    connections_per_server: int = 10
    messages_per_connection: int = 100
    timeout: timedelta = timedelta(seconds=60)
    verdict_timeout: timedelta = timedelta(minutes=10)
    idle_timeout: timedelta = timedelta(seconds=10)
    number_in: NumberIn | None = None


class SmtpTransport:
    """The transport for e-mail; see `sender.transport.Transport`."""

    channel = Channel.EMAIL

    def __init__(self, options: SmtpOptions) -> None:
        """Connects to nothing yet. SettingsError when there is nowhere to send to."""
        if options.relay is None and not options.routes:
            raise SettingsError("No mail server is named.", "Set TOCSIN_SMTP_URL.")
        self._options = options
        self._doors = {server: _Door(server, options) for server in self._servers()}
        self._routes = {
            provider: self._pool(server, PROVIDER_BY_KEY.get(provider, OTHER_PROVIDER).connections, provider)
            for provider, server in options.routes.items()
        }
        self._relay = (
            None if options.relay is None else self._pool(options.relay, options.connections_per_server, None)
        )

    def route(self, provider: str) -> str:
        """See `Transport.route`: the provider's own server, if it has one."""
        return provider if provider in self._routes else ""

    async def send(self, envelope: Envelope, *, provider: str) -> Outcome:
        """Hand one e-mail over; see `Transport.send`. Refused at once if it could not be said in SMTP."""
        return await send_one(self, envelope, provider)

    def offer(self, parcel: Parcel) -> None:
        """See `Transport.offer`. Refused at once if it could not be said in SMTP."""
        if not isinstance(parcel.envelope, EmailEnvelope):
            raise TypeError("An SMTP transport takes e-mails only.")
        pool = self._routes.get(parcel.provider, self._relay)
        if not parcel.envelope.proven and (problem := find_problem(parcel.envelope)):
            parcel.done(Refused(Reply(None, None, problem)))
        elif pool is None:
            parcel.done(Deferred(Reply(None, None, f"No mail server is set for {parcel.provider}.")))
        else:
            pool.offer(parcel)

    def withdraw(self) -> None:
        """See `Transport.withdraw`."""
        for pool in self._pools():
            pool.withdraw()

    def allow(self, provider: str, connections: int | None, messages: int | None = None) -> None:
        """See `Transport.allow`."""
        pool = self._routes.get(provider, self._relay)
        if pool is not None:
            pool.allow(connections, messages)

    async def check(self) -> str:
        """Connect to every server and sign in; one line of what was found. TransportError from the first."""
        return "; ".join([await door.check() for door in self._doors.values()])

    async def close(self) -> None:
        """Wait for the e-mails under way and take leave of every server."""
        await asyncio.gather(*(pool.close() for pool in self._pools()))

    def _pools(self) -> list[SmtpPool]:
        return [*self._routes.values(), *([] if self._relay is None else [self._relay])]

    def _servers(self) -> list[SmtpServer]:
        relay = [] if self._options.relay is None else [self._options.relay]
        return list(dict.fromkeys([*relay, *self._options.routes.values()]))

    def _pool(self, server: SmtpServer, connections: int, provider: str | None) -> SmtpPool:
        messages = self._options.messages_per_connection
        if provider is not None:
            messages = min(messages, PROVIDER_BY_KEY.get(provider, OTHER_PROVIDER).messages_per_connection)
        return SmtpPool(
            self._doors[server].open,
            connections=min(connections, self._options.connections_per_server),
            messages=messages,
        )


class _Door:
    """Opens connections to one server, with aiosmtplib: TCP, TLS, sign-in, EHLO."""

    def __init__(self, server: SmtpServer, options: SmtpOptions) -> None:
        self._server = server
        self._options = options
        self._tls: ssl.SSLContext | None = None
        self._pipelining = True

    async def open(self) -> SmtpSession:
        """A session ready for its first transaction; TransportError when there cannot be one."""
        client = await self._connect()
        options = self._options
        # Nothing may be awaited in between: what the server says next is for the session.
        return SmtpSession(
            cast("asyncio.Transport", client.transport),
            extensions=client.esmtp_extensions
            if self._pipelining
            else set(client.esmtp_extensions) - {"pipelining"},
            patience=Patience(options.timeout, options.verdict_timeout, options.idle_timeout),
            on_stall=self._stop_pipelining,
            number_in=options.number_in if self._server == options.relay else None,
        )

    def _stop_pipelining(self) -> None:
        _log.warning("server promises pipelining and stalls", extra={"server": self._server.name})
        self._pipelining = False

    async def check(self) -> str:
        """One line: host, TLS version, sign-in, extensions; TransportError when it does not get that far."""
        client = await self._connect()
        tls = client.get_transport_info("ssl_object")
        extensions = ", ".join(sorted(keyword.upper() for keyword in client.esmtp_extensions))
        try:
            await client.quit(timeout=QUIT_SECONDS)
        except (aiosmtplib.SMTPException, OSError):
            client.close()
        encrypted = tls.version() if tls else "not encrypted"
        signed_in = f"signed in as {self._server.username}" if self._server.username else "not signed in"
        return f"{self._server.name}, {encrypted}, {signed_in}, {extensions or 'no extensions'}"

    async def _connect(self) -> aiosmtplib.SMTP:
        server, seconds = self._server, self._options.timeout.total_seconds()
        if self._tls is None and server.tls is not Tls.NONE:
            self._tls = await asyncio.to_thread(_make_tls_context, server)
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password if server.username else None,
            local_hostname=self._options.hello_name,
            timeout=seconds,
            use_tls=server.tls is Tls.IMPLICIT,
            start_tls=server.tls is Tls.STARTTLS,
            tls_context=self._tls,
        )
        try:
            async with asyncio.timeout(seconds):
                await client.connect()
                if client.is_ehlo_or_helo_needed:
                    await _greet(client)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            client.close()
            raise _explain(server, error) from error
        except BaseException:
            client.close()
            raise
        return client


async def _greet(client: aiosmtplib.SMTP) -> None:
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()


def _make_tls_context(server: SmtpServer) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=server.ca_file)
    except OSError as error:
        raise CertificateError(
            f"The file of certificate authorities {server.ca_file} cannot be used: {error}.",
            "Name a PEM file, or none to trust the system's.",
        ) from error
    if not server.verify_certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _explain(server: SmtpServer, error: Exception) -> TransportError:
    """The error of our own family that says what went wrong while connecting, and what to do."""
    match error:
        case aiosmtplib.SMTPAuthenticationError(code=code, message=text) if code >= 500:
            reply = reply_from_text(code, text)
            return TransportAuthenticationError(
                f"The mail server {server.name} refused to let {server.username} sign in:"
                f" {code} {reply.text.rstrip('.')}.",
                "Check the user name and the password.",
                reply,
            )
        case aiosmtplib.SMTPResponseException(code=code, message=text) if code > 0:
            reply = reply_from_text(code, text)
            return TransportUnavailableError(
                f"The mail server {server.name} does not take mail now: {code} {reply.text.rstrip('.')}.",
                "",
                reply,
            )
        case _:
            return explain_trouble(server.name, server.host, error, implicit_tls=server.tls is Tls.IMPLICIT)
