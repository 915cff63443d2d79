"""What the sweep puts in order: claims of workers that are gone, what came too late, campaigns at their end.

Each step is a transaction of its own and small: nobody who sends waits for the broom.
"""

import logging
from collections.abc import Mapping, Sequence

from models.campaign import Campaign
from models.clock import Clock
from models.event import event_about
from models.states import WAITING, CampaignState, Channel, DeliveryState, EventKind
from scheduler.campaigns import close_cancelled
from scheduler.recording import record_lapsed
from store import Database, campaigns, deliveries, events

log = logging.getLogger(__name__)


async def take_back(database: Database, clock: Clock) -> bool:
    """End or requeue what nobody holds any more; True when there is more of it."""
    now = clock.now()
    async with database.write() as session:
        await deliveries.requeue_lapsed(session, now)
        abandoned = await deliveries.abandon_lapsed(session, now)
        await record_lapsed(session, abandoned, now)
    if abandoned:
        log.warning("deliveries left uncertain by a worker that ended", extra={"deliveries": len(abandoned)})
    async with database.write() as session:
        more_cancelled = await close_cancelled(session, now)
    async with database.write() as session:
        expired = await deliveries.close_waiting(
            session, to=DeliveryState.EXPIRED, now=now, reason="its time had passed"
        )
        told = [
            event_about(
                row, EventKind.EXPIRED, source="sweep", source_id=f"{row.id}/expired", at=now, now=now
            )
            for row in expired
        ]
        await events.append_many(session, told)
    return more_cancelled or len(expired) == deliveries.BITE


async def finish_if_done(database: Database, campaign_id: int, clock: Clock) -> None:
    """End a campaign nothing of which waits any more, once its sums are proved."""
    async with database.read() as session:
        if await campaigns.has_waiting(session, campaign_id, tuple(WAITING)):
            return
    now = clock.now()
    async with database.write() as session:
        if await campaigns.has_waiting(session, campaign_id, tuple(WAITING)):
            return
        campaign = await campaigns.get_campaign(session, campaign_id)
        final = sum((await campaigns.progress(session, campaign_id)).values())
        complete = final == campaign.frozen
        ending = CampaignState.FINISHED if complete else CampaignState.INCOMPLETE
        # Paused or cancelled by a person in this very moment: theirs is the word.
        if not await campaigns.move(session, campaign_id, origin=CampaignState.SENDING, to=ending, now=now):
            return
        campaign.finished_at = now
        campaign.problem = (
            ""
            if complete
            else f"{campaign.frozen} deliveries were frozen, {final} have an end: some are missing."
        )
        session.add(campaign)


async def tell_problems(
    database: Database, sending: Sequence[Campaign], obstacles: Mapping[tuple[int, Channel], str]
) -> None:
    """Say on each campaign that is sending what keeps it from its end, and take it back once it is mended."""
    if not sending:
        return
    async with database.read() as session:
        numbers = [campaign.id for campaign in sending]
        held = await campaigns.held(session, numbers)
        senders = await campaigns.senders_of(session, numbers)
    for campaign in sending:
        told = [obstacles.get((sender, campaign.channel), "") for sender in senders.get(campaign.id, [])]
        if campaign.id in held:
            count, reason = held[campaign.id]
            told.append(f"{count} messages are held back and wait for a person. One of the reasons: {reason}")
        problem = " ".join(dict.fromkeys(text for text in told if text))
        if problem != campaign.problem:
            async with database.write() as session:
                await campaigns.tell_problem(session, campaign.id, problem)
