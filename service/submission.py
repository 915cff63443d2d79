"""The listener on which programs hand over mail, and its certificate, read again when renewed."""

import logging
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import SettingsError
from service.hosts import is_local
from service.rhythm import usual_windows
from service.settings import Settings

if TYPE_CHECKING:
    from service.assembly import Parts
    from web.submission.ledger import Ledger

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Certificate:
    """A certificate in files that others renew; SettingsError while there has been none that can be used."""

    file: Path
    key: Path | None
    _context: ssl.SSLContext | None = field(default=None, init=False)
    _read_at: tuple[int, ...] = field(default=(), init=False)

    def context(self) -> ssl.SSLContext:
        """What encrypts a new connection. A renewal that cannot be read leaves things as they were."""
        try:
            written = tuple(path.stat().st_mtime_ns for path in (self.file, self.key) if path is not None)
            if self._context is None or written != self._read_at:
                fresh = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                fresh.load_cert_chain(self.file, self.key)
                if self._context is None:
                    self._context = fresh
                else:
                    # The one that is in use: a port that encrypts from the first byte was given it for good.
                    self._context.load_cert_chain(self.file, self.key)
                self._read_at = written
        except OSError as error:  # ssl.SSLError is one
            if self._context is None:
                raise SettingsError(
                    f"{self.file} cannot be used as a certificate: {error.strerror or error}.",
                    "Check TOCSIN_SUBMISSION_CERTIFICATE and TOCSIN_SUBMISSION_KEY.",
                ) from error
            log.warning("renewed certificate cannot be read", extra={"problem": error.strerror or str(error)})
        return self._context


def encryption_of(settings: Settings) -> Certificate | None:
    """The certificate, None for the loopback in the clear; SettingsError where keys would travel openly."""
    if settings.submission_certificate is not None:
        return Certificate(settings.submission_certificate, settings.submission_key)
    on_loopback = is_local(settings.submission_host) and settings.submission_tls_port is None
    if settings.submission_plain and on_loopback:
        return None
    raise SettingsError(
        "Programs would hand over their keys without encryption.",
        "Set TOCSIN_SUBMISSION_CERTIFICATE; or TOCSIN_SUBMISSION_PLAIN=true on the loopback.",
    )


@dataclass(frozen=True, slots=True)
class Listening:
    """The ports on which programs hand over mail, and what is counted there; None where they may not."""

    ports: tuple[int, ...] = ()
    ledger: "Ledger | None" = None


async def start_submission(parts: "Parts", stack: AsyncExitStack) -> Listening:
    """Listen where the settings say. SettingsError for what cannot be used."""
    settings = parts.settings
    wanted = [
        (port, implicit)
        for port, implicit in ((settings.submission_port, False), (settings.submission_tls_port, True))
        if port is not None
    ]
    if not wanted:
        return Listening()
    certificate = encryption_of(settings)
    if certificate is not None:
        certificate.context()
    # Loaded only where programs hand over mail.
    from models.public_ids import Ids
    from scheduler.accepting import Acceptor
    from scheduler.forms import Forms
    from web.submission import SubmissionDesk, SubmissionServer
    from web.submission.entrance import Entrance

    forms = Forms(parts.database, settings.language)
    acceptor = Acceptor(parts.database, parts.clock, forms, usual_windows(settings), settings.zone)
    desk = SubmissionDesk(
        acceptor, Ids(parts.tokens), parts.conductor.wake, settings.language, settings.nature
    )
    entrance = Entrance(parts.database, parts.clock, settings.api_per_minute)
    ports = []
    for port, implicit in wanted:
        server = SubmissionServer(
            desk,
            entrance,
            settings.submission_host,
            port,
            tls=None if certificate is None else certificate.context,
            implicit=implicit,
            hello_name=settings.hello_name,
        )
        await server.start()
        stack.push_async_callback(server.stop)
        ports.append(server.port)
    return Listening(tuple(ports), entrance.ledger)
