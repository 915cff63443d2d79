"""What programs call things by, remembered for a moment: five hundred messages name one template."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, TypeVar, cast

from starlette.requests import Request

LIFE_S: Final = 2.0
"""A new version, or an identity that was renamed, is known to every process after that long."""
MOST: Final = 10_000
T = TypeVar("T")


class Names:
    """Answers of one process, each for a moment; a thing that is not there is asked for every time."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._known: dict[tuple[object, ...], tuple[float, Any]] = {}
        self._asking: dict[tuple[object, ...], asyncio.Task[Any]] = {}

    async def get(self, key: tuple[object, ...], ask: Callable[[], Awaitable[T | None]]) -> T | None:
        """What goes by `key`; `ask` finds it where it is not known, or no longer: once for all who wait."""
        until, found = self._known.get(key, (0.0, None))
        if until > time.monotonic():
            return cast("T", found)
        others = self._asking.get(key)
        if others is not None:
            # What goes wrong is told in the words of whoever asked: then everybody asks for themselves.
            with suppress(Exception):
                return cast("T | None", await asyncio.shield(others))
            return await ask()
        mine = self._asking[key] = asyncio.ensure_future(self._ask(key, ask))
        # Who hangs up leaves the others' question alone.
        return cast("T | None", await asyncio.shield(mine))

    async def _ask(self, key: tuple[object, ...], ask: Callable[[], Awaitable[T | None]]) -> T | None:
        try:
            asked = await ask()
        finally:
            del self._asking[key]
        if asked is not None:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = (time.monotonic() + LIFE_S, asked)
        return asked


def names_of(request: Request) -> Names:
    """Those of this process."""
    state = request.app.state
    found: Names | None = getattr(state, "names", None)
    if found is None:
        found = state.names = Names()
    return found
