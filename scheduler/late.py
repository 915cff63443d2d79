"""A start that comes late: the service was down when a campaign's moment passed.

Asked when the launch is about to begin. A reminder for tonight's meeting is worth nothing tomorrow, a
newsletter is worth as much: so the campaign itself says what happens.
"""

from datetime import datetime, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from models.campaign import Campaign
from models.states import CampaignState, LatePolicy
from store import Database, campaigns


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


def _story(campaign: Campaign, late: timedelta) -> str:
    begins = (campaign.starts_at or campaign.updated_at).astimezone(ZoneInfo(campaign.zone))
    return (
        f"It was to start on {begins:%Y-%m-%d %H:%M} ({campaign.zone}), but nothing ran then: "
        f"it would be {_span(late)} late."
    )


def _span(late: timedelta) -> str:
    minutes = late // timedelta(minutes=1)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} d"


async def _stop(
    database: Database, campaign: Campaign, following: CampaignState, problem: str, now: datetime
) -> None:
    async with database.write() as session:
        if not await campaigns.move(
            session, campaign.id, origin=CampaignState.SCHEDULED, to=following, now=now
        ):
            return  # somebody decided otherwise a moment ago
        row = await campaigns.get_campaign(session, campaign.id)
        row.problem = problem
        row.finished_at = now if following is CampaignState.CANCELLED else None
        session.add(row)
