"""How a running process is: whether it can work at present, and its figures."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from models.clock import Clock
from models.errors import StoreError
from service.hosts import is_local
from service.settings import Settings
from store import Database

if TYPE_CHECKING:
    from web import Vitals
    from web.submission.ledger import Ledger

PATIENCE_S = 5.0
"""How long the database may take to answer."""
UNREACHABLE = "database unreachable"


@dataclass
class Pulse:
    """What readiness is made of; `stopping` is set once the process is told to end.

    `submission`: what the listener for programs' mail counts, where there is one.
    """

    database: Database
    stopping: bool = False
    submission: "Ledger | None" = None

    async def trouble(self) -> str:
        """Why this process cannot work at present; empty when it can."""
        if self.stopping:
            return "stopping"
        asking = asyncio.create_task(self.database.pending_migration())
        # Not waited for any longer once it is late: a driver takes its time to give up a question, too.
        await asyncio.wait({asking}, timeout=PATIENCE_S)
        if not asking.done():
            asking.add_done_callback(_heard)
            asking.cancel()
            return UNREACHABLE
        try:
            pending = asking.result()
        except StoreError:
            return UNREACHABLE
        return "database of another version" if pending is not None else ""


def _heard(asking: "asyncio.Task[str | None]") -> None:
    """Whatever came of a question that nobody waits for any more."""
    if not asking.cancelled():
        asking.exception()


def make_vitals(settings: Settings, pulse: Pulse, clock: Clock) -> "Vitals":
    """What `web` shows to those who watch over this process."""
    from web import Vitals

    async def tell() -> bytes:
        # Loaded when first asked for: most installations are never scraped.
        from service.metrics import figures

        return await figures(pulse.database, clock, settings.data_dir, pulse.submission)

    token = settings.metrics_token
    host = urlsplit(settings.public_url).hostname or ""
    return Vitals(
        pulse.trouble,
        tell,
        "" if token is None else token.get_secret_value(),
        "" if is_local(host) else host,
    )
