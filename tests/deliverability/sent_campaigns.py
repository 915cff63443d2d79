"""Campaigns as they stand when they were sent, by their counters: thousands of people without a row each."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import AudienceRole, Campaign, CampaignLane, CampaignSegment
from models.event import event_about
from models.identity import Identity
from models.segment import Segment
from models.states import CampaignState, Channel, DeliveryState, EventKind, Purpose
from models.tally import Account, Tally
from store import events
from tests.clocks import START
from tests.deliverability.rows import a_delivery, a_launched_campaign, a_seed

Lanes = Mapping[str, tuple[int, int]]
"""Provider → accepted, clicked."""


async def a_sent_campaign(
    session: AsyncSession,
    identity: Identity,
    lanes: Lanes,
    *,
    launched_at: datetime = START,
    segments: Sequence[int] = (),
    state: CampaignState = CampaignState.FINISHED,
    channel: Channel = Channel.EMAIL,
    purpose: Purpose = Purpose.CAMPAIGN,
) -> Campaign:
    """Finished an hour after its launch."""
    campaign = await a_launched_campaign(session, channel=channel)
    campaign.state, campaign.purpose = state, purpose
    campaign.launched_at, campaign.finished_at = launched_at, launched_at + timedelta(hours=1)
    campaign.frozen = campaign.targeted = sum(accepted for accepted, _ in lanes.values())
    session.add(campaign)
    for segment_id in segments:
        session.add(
            CampaignSegment(campaign_id=campaign.id, segment_id=segment_id, role=AudienceRole.INCLUDE)
        )
    await more_lanes(session, campaign, identity, lanes)
    return campaign


async def more_lanes(session: AsyncSession, campaign: Campaign, identity: Identity, lanes: Lanes) -> None:
    """The same campaign, from another identity too."""
    for provider, (accepted, clicked) in lanes.items():
        session.add(CampaignLane(campaign_id=campaign.id, identity_id=identity.id, provider=provider))
        counted = (
            (Account.STATE, DeliveryState.ACCEPTED.value, accepted),
            (Account.NEWS, EventKind.ACCEPTED.value, accepted),
            (Account.NEWS, EventKind.CLICKED.value, clicked),
            (Account.TRIED, "", accepted),
        )
        for account, word, count in counted:
            await count_more(session, campaign, identity, provider, account=account, word=word, count=count)
    await session.flush()


async def count_more(
    session: AsyncSession,
    campaign: Campaign,
    identity: Identity,
    provider: str,
    *,
    account: Account,
    word: str,
    count: int,
) -> None:
    """One counter more."""
    session.add(
        Tally(
            campaign_id=campaign.id,
            account=account,
            identity_id=identity.id,
            provider=provider,
            word=word,
            shard=0,
            count=count,
        )
    )
    await session.flush()


async def seeds_seen(
    session: AsyncSession, campaign: Campaign, identity: Identity, provider: str, *kinds: EventKind
) -> None:
    """A seed of the provider for each kind, found there."""
    for kind in kinds:
        seed = await a_seed(session, provider=provider)
        delivery = await a_delivery(
            session, campaign=campaign, identity=identity, seed=seed, provider=provider
        )
        delivery.due_at = campaign.launched_at or START
        session.add(delivery)
        for number, each in enumerate((EventKind.ACCEPTED, kind)):
            event = event_about(
                delivery, each, source="test", source_id=f"seed {delivery.id}/{number}", at=START, now=START
            )
            assert await events.append(session, event)


async def a_segment(session: AsyncSession, name: str) -> int:
    segment = Segment(name=name, text="", created_at=START, updated_at=START)
    session.add(segment)
    await session.flush()
    return segment.id
