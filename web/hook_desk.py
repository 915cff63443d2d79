"""What the webhooks of providers share between requests."""

import asyncio
from dataclasses import dataclass, field

from deliverability.hook_fetch import Fetch, Remembered, fetch

MOST_AT_ONCE = 4
"""Calls read at the same time: a body may hold megabytes."""


@dataclass
class HookDesk:
    """What is open at once, and the certificates read so far; nothing here has to survive a restart."""

    fetch: Fetch = fetch
    reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_AT_ONCE))
    certificates: Remembered = field(init=False)

    def __post_init__(self) -> None:
        """Remember what is fetched."""
        self.certificates = Remembered(self.fetch)
