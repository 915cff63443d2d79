"""Domains that only programs write to get to know their provider, too.

A campaign asks about all its domains before it is launched. Who takes a program's message on has no time
to wait for name servers, so the first message to a domain nobody knows goes among the unlisted; here the
domain is looked up a moment later, and what follows has the limits of the provider that receives it.
"""

from datetime import timedelta
from typing import Final

from models.clock import Clock
from scheduler.destinations import providers_for
from store import Database, mail_domains

AT_ONCE: Final = 2_000
"""Messages looked through at a time."""
AT_FIRST: Final = 5_000
"""The same after a start: those before were looked through by whoever was there."""
BUDGET: Final = timedelta(seconds=20)


class NewDomains:
    """Looks through what programs asked for; remembers how far it came."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Nothing is looked through yet."""
        self._database = database
        self._clock = clock
        self._up_to: int | None = None

    async def look(self) -> None:
        """Look up the domains of what came since the last time, and those whose answer has expired."""
        while True:
            async with self._database.read() as session:
                if self._up_to is None:
                    self._up_to = max(0, await mail_domains.newest_message(session) - AT_FIRST)
                found = await mail_domains.asked_for_after(session, self._up_to, AT_ONCE)
            domains = {address.rpartition("@")[2].lower() for _, address in found if "@" in address}
            if domains:
                await providers_for(self._database, domains, self._clock, budget=BUDGET)
            if found:
                self._up_to = found[-1][0]
            if len(found) < AT_ONCE:
                return
