"""Calls about campaigns, awaited.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.campaigns import (
    CampaignIn,
    CampaignOut,
    CampaignParts,
    CampaignRow,
    CampaignsListQuery,
    FindingsOut,
    ScheduleIn,
)
from tocsin_client.wire import AsyncWire, part


class AsyncCampaigns:
    """Calls about campaigns, awaited."""

    def __init__(self, wire: AsyncWire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[CampaignsListQuery]) -> AsyncIterator[CampaignRow]:
        """Campaigns with their figures, the newest first."""
        return self._wire.pages(Call("GET", "/campaigns", query=query))

    async def add(self, *, idempotency_key: str | None = None, **body: Unpack[CampaignIn]) -> CampaignOut:
        """Make a draft. One that a test key makes can be looked at and checked, and is never sent."""
        found: CampaignOut = await self._wire.make(
            Call("POST", "/campaigns", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    async def get(self, campaign_id: str, /) -> CampaignOut:
        """One campaign with its figures and their proof."""
        found: CampaignOut = await self._wire.make(Call("GET", f"/campaigns/{part(campaign_id)}"))
        return found

    async def change(self, campaign_id: str, /, **body: Unpack[CampaignParts]) -> CampaignOut:
        """Change parts of a draft, or of a blocked campaign; what is not given stays."""
        found: CampaignOut = await self._wire.make(
            Call("PATCH", f"/campaigns/{part(campaign_id)}", body=body)
        )
        return found

    async def get_report(self, campaign_id: str, /) -> Any:
        """What became of it: the report of the pages as JSON, with its verdicts and its sums."""
        found: Any = await self._wire.make(Call("GET", f"/campaigns/{part(campaign_id)}/report"))
        return found

    async def schedule(self, campaign_id: str, /, **body: Unpack[ScheduleIn]) -> CampaignOut:
        """Set when it starts, once it was looked at."""
        found: CampaignOut = await self._wire.make(
            Call("POST", f"/campaigns/{part(campaign_id)}:schedule", body=body)
        )
        return found

    async def check(self, campaign_id: str, /) -> FindingsOut:
        """Look at it as scheduling would, and tell all that was found. Takes a while."""
        found: FindingsOut = await self._wire.make(Call("POST", f"/campaigns/{part(campaign_id)}:check"))
        return found

    async def unschedule(self, campaign_id: str, /) -> CampaignOut:
        """Take the schedule away, before the launch: it is a draft again."""
        found: CampaignOut = await self._wire.make(Call("POST", f"/campaigns/{part(campaign_id)}:unschedule"))
        return found

    async def pause(self, campaign_id: str, /) -> CampaignOut:
        """Let nothing more leave."""
        found: CampaignOut = await self._wire.make(Call("POST", f"/campaigns/{part(campaign_id)}:pause"))
        return found

    async def resume(self, campaign_id: str, /) -> CampaignOut:
        """Go on after a pause; what a canary holds back follows, too."""
        found: CampaignOut = await self._wire.make(Call("POST", f"/campaigns/{part(campaign_id)}:resume"))
        return found

    async def approve(self, campaign_id: str, /) -> CampaignOut:
        """Let the rest follow its first messages, without waiting for what they show."""
        found: CampaignOut = await self._wire.make(Call("POST", f"/campaigns/{part(campaign_id)}:approve"))
        return found

    async def release(self, campaign_id: str, /) -> CampaignOut:
        """Try again what was held back, once its reason is mended."""
        found: CampaignOut = await self._wire.make(Call("POST", f"/campaigns/{part(campaign_id)}:release"))
        return found

    async def cancel(self, campaign_id: str, /) -> CampaignOut:
        """Stop it for good: what has not left never will."""
        found: CampaignOut = await self._wire.make(Call("POST", f"/campaigns/{part(campaign_id)}:cancel"))
        return found
