"""The pages of a running Tocsin, or without them what answers for a worker; served by uvicorn.

Apart from the assembly, so that a process that serves nothing loads none of it.
"""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.assembly import Parts
from service.identity_watch import lookout_of
from service.lint_means import lint_desk_of
from service.rhythm import forecast_options
from service.settings import Settings
from service.vitals import Pulse, make_vitals
from web import Vitals, WebContext, create_app, create_health_app

if TYPE_CHECKING:
    from fastapi import FastAPI

GRACE_S = 10
"""How long open requests may take to end once the service stops."""
KEPT_OPEN_S = 75
"""How long a connection may be silent: longer than proxies and programs keep theirs (nginx: 60 s), so that
none of them calls on one that has just been closed here."""


MOST_HEAD = 64 << 10
"""Octets of a request before its body, or of what follows it, besides the piece in which it begins."""


class BoundedHttp(HttpToolsProtocol):
    """HTTP read by a parser in C, in half the time of one in Python; which would take headers without end."""

    _head: int | None = 0
    _begun = False

    def data_received(self, data: bytes) -> None:
        """What came; the line is closed when a request goes on and on before it begins."""
        self._begun = False
        super().data_received(data)
        # The piece in which it begins is not counted: before it there may be the end of another's body.
        if self._head is None or self._begun:
            return
        self._head += len(data)
        if self._head > MOST_HEAD and not self.transport.is_closing():
            self.send_400_response("These headers are too long.")

    def on_message_begin(self) -> None:
        """A request begins: its head is counted."""
        super().on_message_begin()
        self._head, self._begun = 0, True

    def on_headers_complete(self) -> None:
        """Its head has ended; bodies are counted by the application."""
        self._head = None
        super().on_headers_complete()


class _WebServer(uvicorn.Server):
    """uvicorn without its signal handlers: the service stops as a whole, in its own order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(parts: Parts, pulse: Pulse, machine_span: timedelta | None) -> uvicorn.Server:
    """A server for the pages, or for health and figures alone when there is no `machine_span`."""
    vitals = make_vitals(parts.settings, pulse, parts.clock)
    app = create_health_app(vitals) if machine_span is None else _web_app(parts, machine_span, vitals)
    return _WebServer(_web_config(parts.settings, app))


def _web_app(parts: Parts, machine_span: timedelta, vitals: Vitals) -> "FastAPI":
    settings = parts.settings
    token = settings.twilio_auth_token
    return create_app(
        WebContext(
            database=parts.database,
            clock=parts.clock,
            tokens=parts.tokens,
            keyring=parts.keyring,
            public_url=settings.public_url,
            setup_code=parts.setup_code,
            wake=parts.conductor.wake,
            transports=parts.transports,
            twilio_auth_token="" if token is None else token.get_secret_value(),
            hook_secrets=settings.hook_secrets,
            lint=lint_desk_of(settings),
            bounce_place=settings.bounce_mailbox.place if settings.bounce_mailbox else "",
            listens=_listens(parts),
            zone=settings.zone,
            language=settings.language,
            nature=settings.nature,
            data_dir=settings.data_dir,
            api=settings.api,
            api_per_minute=settings.api_per_minute,
            price=settings.price,
            webhooks_here=settings.webhook_http,
            machine_span=machine_span,
            vitals=vitals,
            outlook=forecast_options(settings),
            lookout=lookout_of(settings),
        )
    )


def _listens(parts: Parts) -> tuple[str, ...]:
    """Where mail is received, as it is told on pages."""
    settings = parts.settings
    smtp = () if parts.inbound_port is None else (f"SMTP {settings.inbound_host}:{parts.inbound_port}",)
    return smtp if settings.inbound_lmtp is None else (*smtp, f"LMTP {settings.inbound_lmtp}")


def _web_config(settings: Settings, app: "FastAPI") -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=settings.log_level == "debug",
        server_header=False,
        http=BoundedHttp,
        ws="none",
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_keep_alive=KEPT_OPEN_S,
        timeout_graceful_shutdown=GRACE_S,
    )
