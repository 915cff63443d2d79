"""What programs call things by, remembered for a moment: five hundred messages name one template."""

import time
from collections.abc import Awaitable, Callable
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

    async def get(self, key: tuple[object, ...], ask: Callable[[], Awaitable[T | None]]) -> T | None:
        """What goes by `key`; `ask` finds it where it is not known, or no longer."""
        until, found = self._known.get(key, (0.0, None))
        now = time.monotonic()
        if until > now:
            return cast("T", found)
        asked = await ask()
        if asked is not None:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = (now + LIFE_S, asked)
        return asked


def names_of(request: Request) -> Names:
    """Those of this process."""
    state = request.app.state
    found: Names | None = getattr(state, "names", None)
    if found is None:
        found = state.names = Names()
    return found
