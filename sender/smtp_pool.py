"""Connections to one mail server: at most so many at once, each used for so many messages, none kept idle."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace

from models.values import Deferred
from sender.smtp_session import SmtpSession
from sender.transport import CLOSED, Parcel, TransportAuthenticationError, TransportError

QUIET_SECONDS = 60.0
"""A server that cannot be used is worth one line a minute, not one a message."""

CONTENT_SECONDS = 5.0
"""How long the connections there are must do when the server takes no more of them."""

_log = logging.getLogger(__name__)


class SmtpPool:
    """Gives the parcels it is offered, in turn, to as many connections as it is allowed.

    The first connection is made alone: nobody storms a server that is down. Once one stands, others follow
    side by side as long as parcels wait.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[SmtpSession]],
        *,
        connections: int,
        messages: int,
    ) -> None:
        """`connect` opens a session or raises a TransportError; `messages` is the most for one connection."""
        self._connect = connect
        self._configured = self._allowed = connections
        self._messages = self._usual_messages = messages
        self._waiting: deque[Parcel] = deque()
        self._sessions: set[SmtpSession] = set()
        # In the order they came to rest: the one used last is used next, so that those not needed grow old.
        self._idle: dict[SmtpSession, None] = {}
        self._leaving: set[SmtpSession] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._reached = False
        self._content_until = 0.0
        self._quiet_until = 0.0
        self._closed = False
        self._empty = asyncio.Event()

    def offer(self, parcel: Parcel) -> None:
        """Queue a parcel for the next free connection."""
        if self._closed:
            parcel.done(CLOSED)
            return
        self._waiting.append(parcel)
        self._serve()

    def withdraw(self) -> None:
        """Give back what no connection carries yet."""
        waiting, self._waiting = self._waiting, deque()
        for parcel in waiting:
            parcel.done(None)

    def allow(self, connections: int | None, messages: int | None = None) -> None:
        """From now on at most so many connections, and never more than it was made with; None: as many.

        `messages`: the most for one connection, None: as it was made with.
        """
        self._messages = self._usual_messages if messages is None else max(1, messages)
        self._allowed = (
            self._configured if connections is None else max(1, min(connections, self._configured))
        )
        while self._idle and len(self._sessions) - len(self._leaving) > self._allowed:
            self._dismiss(next(iter(self._idle)))
        self._serve()

    async def close(self) -> None:
        """Wait for what is under way, then take leave of the server on every connection."""
        self._closed = True
        self.withdraw()
        for session in list(self._idle):
            self._dismiss(session)
        while self._sessions or self._connecting:
            self._empty.clear()
            await self._empty.wait()

    # --- what sessions ask (sender.smtp_terms.Desk) ----------------------------------------------

    def next_for(self, session: SmtpSession) -> Parcel | None:
        """See `Desk.next_for`."""
        if self._is_spent(session):
            return None
        while self._waiting:
            parcel = self._waiting.popleft()
            if parcel.is_wanted():
                return parcel
            parcel.done(None)
        return None

    def take_back(self, parcel: Parcel) -> None:
        """See `Desk.take_back`."""
        if self._closed:
            parcel.done(None)
        else:
            self._waiting.appendleft(parcel)
            self._serve()

    def rest(self, session: SmtpSession) -> None:
        """See `Desk.rest`."""
        if self._closed or self._is_spent(session) or not session.is_usable:
            self._dismiss(session)
            self._serve()
        else:
            self._idle[session] = None

    def expired(self, session: SmtpSession) -> None:
        """See `Desk.expired`."""
        self._dismiss(session)

    def gone(self, session: SmtpSession) -> None:
        """See `Desk.gone`."""
        self._sessions.discard(session)
        self._leaving.discard(session)
        self._idle.pop(session, None)
        self._serve()
        self._tell_if_empty()

    # --- connections ------------------------------------------------------------------------------

    def _is_spent(self, session: SmtpSession) -> bool:
        """Whether the connection has carried its share, or there are more than are allowed now."""
        return session.taken >= self._messages or len(self._sessions) - len(self._leaving) > self._allowed

    def _dismiss(self, session: SmtpSession) -> None:
        self._idle.pop(session, None)
        if session in self._sessions and session not in self._leaving:
            self._leaving.add(session)
            session.leave()

    def _serve(self) -> None:
        """Have idle connections carry what waits, and open new ones for the rest."""
        while self._waiting and self._idle:
            session, _ = self._idle.popitem()
            session.go_on()
        while self._waiting and not self._closed and self._may_connect():
            task = asyncio.get_running_loop().create_task(self._open())
            self._connecting.add(task)

    def _may_connect(self) -> bool:
        connecting = len(self._connecting)
        if connecting and not self._reached:
            return False
        return (
            connecting < len(self._waiting)
            and connecting + len(self._sessions) < self._allowed
            and (not self._sessions or asyncio.get_running_loop().time() >= self._content_until)
        )

    async def _open(self) -> None:
        error: TransportError | None = None
        session: SmtpSession | None = None
        try:
            session = await self._connect()
        except TransportError as caught:
            error = caught
        except asyncio.CancelledError:
            # Nobody is left to wait for.
            self._closed = True
            self.withdraw()
            raise
        except Exception as caught:  # noqa: BLE001 - whoever waits must be told
            _log.exception("connection failed")
            error = TransportError(f"The mail server cannot be used: {type(caught).__name__}.")
        finally:
            self._connecting.discard(asyncio.current_task())
            self._reached = session is not None
            if session is not None:
                self._sessions.add(session)
                session.serve(self)
            elif error is not None:
                self._explain(error)
            self._serve()
            self._tell_if_empty()

    def _explain(self, error: TransportError) -> None:
        """What a connection that cannot be had means: nothing while there are others, else an outcome.

        Only the parcel it was for gets one; the others have been offered to nobody. A refused sign-in is
        our own trouble, too.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET_SECONDS
            _log.warning("mail server unavailable", extra={"problem": error.problem})
        if len(self._sessions) > len(self._leaving):
            self._content_until = now + CONTENT_SECONDS
            loop.call_later(CONTENT_SECONDS, self._serve)
            return
        if not self._waiting:
            return
        ours = error.reply.code is None or isinstance(error, TransportAuthenticationError)
        reply = replace(error.reply, text=error.problem) if ours else error.reply
        parcel = self._waiting.popleft()
        self.withdraw()
        parcel.done(Deferred(reply, unreached=ours))

    def _tell_if_empty(self) -> None:
        if not self._sessions and not self._connecting:
            self._empty.set()
