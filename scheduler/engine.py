"""The seam to whatever carries jobs. Rows are the schedule; a job only says "look now".

Losing every job loses nothing, since a sweep finds what is due and asks again; doubling one costs
nothing, since expansion is safe to repeat and claims are exclusive.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

JobFunction = Callable[..., Awaitable[None]]


class Engine(Protocol):
    """Runs named jobs now, at a moment, or again and again.

    At least once each; of one `key` at most one job is pending, and the earliest moment asked for wins.
    A job that runs does not count as pending: a wake-up during it is kept.
    """

    def job(self, name: str, function: JobFunction) -> None:
        """Make `function` known under `name`; before `run`."""
        ...

    async def defer(
        self, name: str, *, key: str, at: datetime | None = None, args: dict[str, int | str] | None = None
    ) -> bool:
        """Ask for a run, at once or at a moment; False when a pending one is at least as early."""
        ...

    async def cancel(self, key: str) -> bool:
        """Forget the pending job of `key`; one that runs goes on."""
        ...

    def every(self, span: timedelta, name: str) -> None:
        """Run `name` again and again, `span` apart; before `run`."""
        ...

    async def run(self) -> None:
        """Work until cancelled; jobs under way are then given time to end."""
        ...

    async def close(self) -> None:
        """Let go of whatever is open; for those who only asked, and never ran."""
        ...
