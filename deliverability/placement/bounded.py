"""imapclient with bounds: what a server may say in all, and a line that another thread can end at any moment.

imaplib reads whatever length a server announces, hands its socket out only after the greeting, and its
`shutdown` waits for whoever is reading: a server that drips would hold the thread that wants to hang up.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError
from imapclient.imap4 import IMAP4WithTimeout
from imapclient.tls import IMAP4_TLS

MOST_OCTETS = 64 * 1024 * 1024
"""For one sign-in, or one step of a longer one: hundreds of the longest headers."""
LINE_FACTOR, LINE_COST = 8, 2048
"""Lines are taken apart into numbers and names, and weigh more in memory than on the wire."""
OnOpen = Callable[[socket.socket], None]
T = TypeVar("T")


class TooMuchError(OSError):
    """A server that says more than any mailbox has to say."""


class Meter:
    """Counts what a server says; TooMuchError once it is too much, and ever after."""

    def __init__(self, most: int = MOST_OCTETS) -> None:
        self._most = self._left = most

    def charge(self, octets: int) -> None:
        """To be called before that much is kept."""
        self._left -= octets
        if self._left < 0:
            self._left = -1
            raise TooMuchError("its server says more than a mailbox can hold")

    def renew(self) -> None:
        """Another step begins, unless it has been too much already."""
        if self._left >= 0:
            self._left = self._most


class _Metered:
    """What both kinds of imaplib's lines have in common; stands before them among the bases."""

    def __init__(self, meter: Meter, on_open: OnOpen, *place: Any) -> None:
        self._meter, self._on_open = meter, on_open
        super().__init__(*place)

    def open(self, *place: Any, **options: Any) -> None:
        """Before the greeting is awaited, the socket is told to whoever may have to cut it."""
        super().open(*place, **options)  # type: ignore[misc]
        self._on_open(self.sock)  # type: ignore[attr-defined]

    def read(self, size: int) -> bytes:
        """A literal, whose length the server has announced (RFC 3501 section 4.3)."""
        self._meter.charge(size)
        return super().read(size)  # type: ignore[misc, no-any-return]

    def readline(self) -> bytes:
        """A line; imaplib itself takes none of more than a million octets."""
        line: bytes = super().readline()  # type: ignore[misc]
        self._meter.charge(LINE_FACTOR * len(line) + LINE_COST)
        return line


class _Plain(_Metered, IMAP4WithTimeout):
    pass


class _Encrypted(_Metered, IMAP4_TLS):
    pass


class BoundedClient(IMAPClient):
    """An IMAPClient whose server may say so much and no more; `on_open` gets its socket."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: bool,
        trusted: ssl.SSLContext | None,
        timeout_seconds: float,
        on_open: OnOpen,
    ) -> None:
        """Connects; OSError. `trusted` None: whom this machine trusts. `timeout_seconds`: each answer."""
        self._on_open, self._seconds = on_open, timeout_seconds
        self._meter = Meter()
        super().__init__(host, port, ssl=tls, ssl_context=trusted, timeout=timeout_seconds)

    def _create_IMAP4(self) -> IMAP4WithTimeout | IMAP4_TLS:  # noqa: N802 - theirs
        if self.ssl:
            return _Encrypted(
                *(self._meter, self._on_open, self.host, self.port), self.ssl_context, self._seconds
            )
        return _Plain(self._meter, self._on_open, self.host, self.port, self._seconds)

    def starttls(self, ssl_context: ssl.SSLContext | None = None) -> object:
        """From here on encrypted (RFC 3501 section 6.2.1), over another socket."""
        answer: object = super().starttls(ssl_context)
        self._on_open(self._imap.sock)
        return answer

    def begin_step(self) -> None:
        """What the server says is counted anew: for lines that stay open through thousands of mails."""
        self._meter.renew()


def cut(line: socket.socket) -> None:
    """End a line that another thread may be reading: that one finds its end, and closes it."""
    with suppress(OSError):
        # Not the method of an encrypted socket, which would put away what the other thread reads with.
        socket.socket.shutdown(line, socket.SHUT_RDWR)


class _Leaves(Protocol):
    def logout(self) -> object: ...
    def shutdown(self) -> None: ...


def leave(client: _Leaves) -> None:
    """Sign out; where the server does not listen any more, hang up."""
    try:
        client.logout()
    except (OSError, IMAPClientError):
        with suppress(OSError, IMAPClientError):
            client.shutdown()


async def in_thread(work: Callable[[], T], *, seconds: float, end: Callable[[], None]) -> T:
    """Blocking `work` in a thread; `end` ends it from outside after `seconds`, or when nobody waits any more.

    TimeoutError then; the thread is not waited for.
    """
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(task)
    finally:
        if not task.done():
            end()
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
