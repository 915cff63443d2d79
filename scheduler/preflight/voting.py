"""What votes mean for a campaign that is looked at before it is scheduled."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from scheduler.forecast import ForecastOptions, forecast
from scheduler.preflight.examined import VotesAhead
from scheduler.silence import Votes, binds, closes_at, home_within, silence_of
from scheduler.waivers import votes_near
from store import campaigns

EVE: Final = timedelta(hours=48)
"""Before silence begins: when others can hardly answer any more (code électoral, L48-2)."""


async def votes_ahead(
    session: AsyncSession,
    campaign_id: int,
    outlook: ForecastOptions,
    *,
    now: datetime,
    starts_at: datetime,
) -> VotesAhead | None:
    """Whom silence keeps from getting a campaign that starts then; None for one that it does not bind."""
    campaign = await campaigns.get_campaign(session, campaign_id)
    if not binds(campaign.nature, campaign.purpose):
        return None
    votes = await votes_near(
        session,
        campaign.nature,
        campaign.purpose,
        campaign_id=campaign_id,
        at=starts_at,
        rhythm=outlook.rhythm,
    )
    if not votes:
        return VotesAhead()
    found = await forecast(session, campaign_id, now, outlook, starts_at=starts_at)
    zone = ZoneInfo(outlook.rhythm.zone)
    late = found.missed if found.for_vote else 0
    return VotesAhead(
        silenced=found.silenced,
        receiving=found.people,
        missed=late,
        cut_off=_told(found.not_after, zone) if late else "",
        votes=", ".join(day.name for day in votes.days),
        over=_told(max(map(closes_at, votes.days)), zone),
        begins=_told(_begins(votes, starts_at), zone),
    )


def _begins(votes: Votes, starts_at: datetime) -> datetime | None:
    """When the next silence begins for most who vote, where that is soon."""
    known = (silence_of(day, home_within(day), zone=votes.zone) for day in votes.days)
    soon = [one.starts_at for one in known if one and starts_at < one.starts_at <= starts_at + EVE]
    return min(soon, default=None)


def _told(moment: datetime | None, zone: ZoneInfo) -> str:
    return "" if moment is None else f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"
