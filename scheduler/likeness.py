"""Whether a campaign is still what somebody looked at: another fingerprint says that it was changed."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign, CampaignSegment
from models.identity import Identity
from models.segment import Segment
from scheduler.campaigns import NewCampaign, parts_of
from store import campaigns

_MOVING = {"state", "state_reason", "state_since", "health", "health_at"}
"""What changes of an identity by itself."""


def fingerprint_of(parts: NewCampaign | None, senders: Iterable[Identity]) -> str:
    """Of a campaign's parts and of those who write, their records and limits included."""
    parts = parts and replace(parts, spent="")
    return _digest([parts, [identity.model_dump(exclude=_MOVING) for identity in senders]])


async def fingerprint_now(session: AsyncSession, campaign: Campaign) -> str:
    """Of what two people can agree to: the message, who writes, to whom, by which rules.

    When it starts, how fast its senders are and what it cost do not count: they may change under way.
    """
    parts = replace(await parts_of(session, campaign), zone="", spent="")
    rules = [(tie.frozen_text or segment.text) for segment, tie in await _audience(session, campaign)]
    return _digest([parts, rules])


async def _audience(session: AsyncSession, campaign: Campaign) -> list[tuple[Segment, CampaignSegment]]:
    return sorted(await campaigns.audience_of(session, campaign.id), key=lambda pair: pair[0].id)


def _digest(seen: object) -> str:
    return hashlib.sha256(repr(seen).encode()).hexdigest()
