"""Tells those who send that there is something to send: soon, and once for many calls.

A call is not held up by it, nor does it fail by it: what was accepted is on record, where the next sweep
finds it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request

log = logging.getLogger(__name__)
APART_S: Final = 0.2
"""Whoever is woken five times a second is awake."""


class Bell:
    """Rings for one process."""

    def __init__(self, wake: Callable[[], Awaitable[None]]) -> None:
        """`wake`: what is done."""
        self._wake = wake
        self._ringing: asyncio.Task[None] | None = None
        self._again = False

    def ring(self) -> None:
        """Wake them now, or right after those who were woken a moment ago."""
        if self._ringing is not None and not self._ringing.done():
            self._again = True
            return
        self._ringing = asyncio.get_running_loop().create_task(self._ring())

    async def _ring(self) -> None:
        self._again = True
        while self._again:
            self._again = False
            try:
                await self._wake()
            except Exception:
                log.exception("nobody woken")
            await asyncio.sleep(APART_S)


def ring(request: Request, wake: Callable[[], Awaitable[None]]) -> None:
    """Ring this process's bell."""
    state = request.app.state
    bell: Bell | None = getattr(state, "bell", None)
    if bell is None:
        bell = state.bell = Bell(wake)
    bell.ring()
