"""Whether a campaign is still what somebody looked at: another fingerprint says that it was changed."""

import hashlib
from collections.abc import Iterable

from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.identity import Identity
from scheduler.campaigns import NewCampaign, parts_of
from store import campaigns

_MOVING = {"state", "state_reason", "state_since", "health", "health_at"}
"""What changes of an identity by itself."""


def fingerprint_of(parts: NewCampaign | None, senders: Iterable[Identity]) -> str:
    """Of a campaign's parts and of those who write."""
    seen = [parts, [identity.model_dump(exclude=_MOVING) for identity in senders]]
    return hashlib.sha256(repr(seen).encode()).hexdigest()


async def fingerprint_now(session: AsyncSession, campaign: Campaign) -> str:
    """Of a campaign as it is."""
    senders = await campaigns.identities_of(session, campaign.id)
    return fingerprint_of(await parts_of(session, campaign), senders)
