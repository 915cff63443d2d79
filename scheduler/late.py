"""What comes late: the service was down when a campaign's moment passed, or went down in its midst.

Asked when the launch is about to begin, and when somebody works again after nobody did. A reminder for
tonight's meeting is worth nothing tomorrow, a newsletter is worth as much: so the campaign itself says what
happens.
"""

from datetime import datetime, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.canary import CanaryStage
from models.states import CampaignState, LatePolicy
from store import Database, campaigns, canaries


def lateness(campaign: Campaign, now: datetime) -> timedelta:
    """By how much a scheduled campaign misses its moment, if it began now; zero when it does not.

    Counted from the last decision about it when that came later: a person who schedules for a moment gone,
    or lets a paused campaign go on, means at once.
    """
    if campaign.starts_at is None:
        return timedelta(0)
    return max(timedelta(0), now - max(campaign.starts_at, campaign.updated_at))


async def may_start(database: Database, campaign: Campaign, now: datetime) -> bool:
    """Whether a campaign whose moment has come is to begin; one too late is skipped, or paused, here."""
    late = lateness(campaign, now)
    too_late = late > timedelta(minutes=campaign.late_minutes)
    if campaign.state is not CampaignState.SCHEDULED or not too_late:
        return True
    match campaign.late_policy:
        case LatePolicy.SEND:
            return True
        case LatePolicy.SKIP:
            await _stop(
                database, campaign, CampaignState.CANCELLED, f"{_story(campaign, late)} It was skipped.", now
            )
        case LatePolicy.ASK:
            question = "Resume it to send it now, or cancel it."
            await _stop(database, campaign, CampaignState.PAUSED, f"{_story(campaign, late)} {question}", now)
        case _:
            assert_never(campaign.late_policy)
    return False


async def stop_interrupted(database: Database, silent_since: datetime, now: datetime) -> None:
    """Skip or pause campaigns under way whose messages have become too late by a silence of all workers.

    Safe to repeat: a campaign about which somebody has decided since is not late.
    """
    async with database.read() as session:
        under_way = await campaigns.list_in_state(session, CampaignState.LAUNCHING, CampaignState.SENDING)
    for campaign in under_way:
        since = max(silent_since, campaign.updated_at)
        allowed = timedelta(minutes=campaign.late_minutes)
        if now - since <= allowed:
            continue
        story = f"It was interrupted: nothing ran from {_wall(since, campaign)} on, for {_span(now - since)}."
        match campaign.late_policy:
            case LatePolicy.SEND:
                continue
            case LatePolicy.SKIP:
                following, problem = CampaignState.CANCELLED, f"{story} The rest was skipped."
            case LatePolicy.ASK:
                following = CampaignState.PAUSED
                problem = f"{story} Resume it to send the rest now, or cancel it."
            case _:
                assert_never(campaign.late_policy)
        if campaign.state is CampaignState.SENDING:
            async with database.read() as session:
                # What waited for its hours, or for a second attempt, has missed nothing.
                if not (
                    await campaigns.has_been_due(session, campaign.id, now - allowed)
                    or await _rest_has_missed(session, campaign.id, now - allowed)
                ):
                    continue
        await _stop(database, campaign, following, problem, now)


async def _rest_has_missed(session: AsyncSession, campaign_id: int, since: datetime) -> bool:
    """Whether what waits for a canary would have left by `since`, had anybody been there to decide."""
    gate = await canaries.find(session, campaign_id)
    if gate is None or gate.sent_at is None or gate.stage is CanaryStage.HELD:
        return False
    decided_by = gate.decided_at or gate.sent_at + timedelta(seconds=gate.wait_seconds)
    return decided_by <= since and await canaries.holds_any(session, campaign_id)


def _story(campaign: Campaign, late: timedelta) -> str:
    begins = _wall(campaign.starts_at or campaign.updated_at, campaign)
    return f"It was to start on {begins}, but nothing ran then: it would be {_span(late)} late."


def _wall(moment: datetime, campaign: Campaign) -> str:
    return f"{moment.astimezone(ZoneInfo(campaign.zone)):%Y-%m-%d %H:%M} ({campaign.zone})"


def _span(late: timedelta) -> str:
    minutes = late // timedelta(minutes=1)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} d"


async def _stop(
    database: Database, campaign: Campaign, following: CampaignState, problem: str, now: datetime
) -> None:
    async with database.write() as session:
        if not await campaigns.move(session, campaign.id, origin=campaign.state, to=following, now=now):
            return  # somebody decided otherwise a moment ago
        row = await campaigns.get_campaign(session, campaign.id)
        row.problem = problem
        row.finished_at = now if following is CampaignState.CANCELLED else None
        session.add(row)
