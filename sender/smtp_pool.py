"""Connections to one mail server: at most so many at once, each used for so many messages, none kept idle."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import cast

from models.values import Deferred, EmailEnvelope, Outcome
from sender.parcels import ParcelQueue
from sender.smtp_session import SmtpSession
from sender.transport import Parcel, TransportAuthenticationError, TransportError

IDLE = timedelta(seconds=10)
"""Servers close idle connections after anything from ten seconds to five minutes: be gone before."""

QUIET_SECONDS = 60.0
"""A server that cannot be used is worth one line a minute, not one a message."""

_log = logging.getLogger(__name__)


class SmtpPool:
    """Carries the parcels it is offered in turn, on as many connections at a time as it is allowed."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[SmtpSession]],
        *,
        connections: int,
        messages: int,
        idle: timedelta = IDLE,
    ) -> None:
        """`connect` opens a session or raises a TransportError; `messages` is the most for one connection."""
        self._connect = connect
        self._messages = messages
        self._idle_seconds = idle.total_seconds()
        self._queue = ParcelQueue(self._carry, workers=connections)
        self._idle: dict[SmtpSession, asyncio.TimerHandle] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._quiet_until = 0.0

    def offer(self, parcel: Parcel) -> None:
        """Queue a parcel for the next free connection."""
        self._queue.offer(parcel)

    def withdraw(self) -> None:
        """Give back what no connection carries yet."""
        self._queue.withdraw()

    def allow(self, connections: int | None) -> None:
        """From now on at most so many connections; None: as many as it was made with."""
        self._queue.allow(connections)

    async def _carry(self, parcel: Parcel) -> Outcome:
        """Send on a connection that is open, or on a new one; never twice what may have arrived once.

        A kept connection may have been closed by the server meanwhile: then, and only if the server
        answered nothing at all, the envelope goes out on another connection.
        """
        while True:
            try:
                session = self._take() or await self._connect()
            except TransportError as error:
                refusal = self._explain(error)
                if refusal.unreached:
                    self.withdraw()
                return refusal
            try:
                outcome = await session.deliver(cast("EmailEnvelope", parcel.envelope), parcel.on_wire)
            finally:
                self._give_back(session)
            if not session.was_stale:
                return outcome

    def _explain(self, error: TransportError) -> Deferred:
        """What a connection that cannot be had means for a message; a refused sign-in is our own, too."""
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET_SECONDS
            _log.warning("mail server unavailable", extra={"problem": error.problem})
        ours = error.reply.code is None or isinstance(error, TransportAuthenticationError)
        reply = replace(error.reply, text=error.problem) if ours else error.reply
        return Deferred(reply, unreached=ours)

    async def close(self) -> None:
        """Wait for the deliveries under way, then take leave of the server on every connection."""
        await self._queue.close()
        for session in list(self._idle):
            self._leave(self._remove(session))
        while self._leaving:
            await asyncio.wait(self._leaving)

    def _take(self) -> SmtpSession | None:
        """The connection used last, so that those not needed grow old; None when there is none."""
        while self._idle:
            session = self._remove(next(reversed(self._idle)))
            if session.is_usable:
                return session
            self._leave(session)
        return None

    def _give_back(self, session: SmtpSession) -> None:
        if session.is_usable and session.transactions < self._messages:
            loop = asyncio.get_running_loop()
            self._idle[session] = loop.call_later(self._idle_seconds, self._expire, session)
        else:
            self._leave(session)

    def _remove(self, session: SmtpSession) -> SmtpSession:
        self._idle.pop(session).cancel()
        return session

    def _expire(self, session: SmtpSession) -> None:
        del self._idle[session]
        self._leave(session)

    def _leave(self, session: SmtpSession) -> None:
        task = asyncio.get_running_loop().create_task(session.quit())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
