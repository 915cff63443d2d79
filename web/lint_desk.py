"""Looks at campaigns before they are sent, beside the requests: the DNS, a filter and seeds take their time.

One look at a campaign at a time, of this process. What it finds is kept with the campaign; nothing else has
to survive a restart.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deliverability.exchangers import AsksTheDns
from deliverability.filters import SpamFilter
from deliverability.health import SendingSetup
from models.errors import ConflictError, TocsinError
from scheduler.preflight import Means
from sender.relays import ProviderRelay
from web.i18n import N_

if TYPE_CHECKING:
    from web.context import WebContext

log = logging.getLogger(__name__)


@dataclass
class LintDesk:
    """What is looked with, and the looks under way; `problems`: why the last one of a campaign failed."""

    resolver: AsksTheDns | None = None
    setup: SendingSetup = field(default_factory=SendingSetup)
    blocklists: tuple[str, ...] = ()
    spam_filter: SpamFilter | None = None
    relay: ProviderRelay | None = None
    problems: dict[int, str] = field(default_factory=dict)
    _under_way: dict[int, asyncio.Task[None]] = field(default_factory=dict, init=False)

    def means_of(self, context: "WebContext") -> Means:
        """Everything a look needs."""
        return Means(
            keyring=context.keyring,
            clock=context.clock,
            public_url=context.public_url,
            language=context.language,
            relay=self.relay,
            resolver=self.resolver,
            setup=self.setup,
            blocklists=self.blocklists,
            spam_filter=self.spam_filter,
            outlook=context.outlook,
            channels=frozenset(context.transports),
        )

    def busy(self, campaign_id: int) -> bool:
        """Whether a look at it is under way."""
        task = self._under_way.get(campaign_id)
        return task is not None and not task.done()

    def begin(self, campaign_id: int, look: Callable[[], Awaitable[object]]) -> None:
        """Start a look; ConflictError while another at the same campaign is under way."""
        if self.busy(campaign_id):
            raise ConflictError(N_("It is being looked at already."), N_("Wait until that is done."))
        self.problems.pop(campaign_id, None)
        self._under_way[campaign_id] = asyncio.create_task(self._look(campaign_id, look))

    async def wait(self, campaign_id: int) -> None:
        """Until the look at it is done."""
        if self.busy(campaign_id):
            await self._under_way[campaign_id]

    async def _look(self, campaign_id: int, look: Callable[[], Awaitable[object]]) -> None:
        try:
            await look()
        except TocsinError as error:
            self.problems[campaign_id] = str(error)
        except Exception:
            log.exception("look before sending failed", extra={"campaign_id": campaign_id})
            self.problems[campaign_id] = N_("It failed; the reason is in the log of the service.")
        finally:
            self._under_way.pop(campaign_id, None)
