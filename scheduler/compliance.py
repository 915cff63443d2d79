"""What whoever answers for the mail is asked: gathered for a time, and for one campaign.

Nothing here decides anything: consent, silence and suppression are kept to where messages are made and leave.
This says, from what is on record, whether they were; what is not on record is said to be so.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.election import ElectionDay, SilenceWaiver
from models.preflight import PreflightOverride
from models.states import LeftOutReason
from scheduler.silence import binds
from store import election_calendar, elections, preflights
from store.campaigns import get_campaign
from store.compliance_log import (
    Honoured,
    Kept,
    campaigns_between,
    honoured,
    kept_back,
    overrides_between,
    waivers_between,
)
from store.register import RegisterRow, register_row, register_rows

MOST_REGISTERED = 20
AHEAD = timedelta(days=60)
"""So far ahead a day of voting is part of the log: its silence is prepared."""


@dataclass(frozen=True, slots=True)
class Compliance:
    """The log of a time. `kept` and `stopped` (by a vote, once queued) are by campaign.

    `register`: the newest political campaigns; `votes`: days of voting of the time and soon after it,
    `taken_away`: those that somebody took out of the calendar in it.
    """

    since: datetime
    until: datetime
    campaigns: tuple[Campaign, ...]
    kept: Mapping[int, Kept]
    stopped: Mapping[int, int]
    register: tuple[RegisterRow, ...]
    votes: tuple[ElectionDay, ...]
    taken_away: tuple[ElectionDay, ...]
    waivers: tuple[tuple[SilenceWaiver, str], ...]
    overrides: tuple[tuple[PreflightOverride, str], ...]
    honoured: Honoured

    @property
    def left_out(self) -> dict[LeftOutReason, int]:
        """People who were not written to, by reason, over all the campaigns."""
        sums: Counter[LeftOutReason] = Counter()
        for one in self.kept.values():
            sums.update(one.left_out)
        return {reason: sums[reason] for reason in LeftOutReason if sums[reason]}


@dataclass(frozen=True, slots=True)
class CampaignCompliance:
    """The same of one campaign; `register` None: it is no political advertising. `bound`: by silence."""

    campaign: Campaign
    kept: Kept
    stopped: int
    bound: bool
    register: RegisterRow | None
    waivers: tuple[SilenceWaiver, ...]
    overrides: tuple[PreflightOverride, ...]


async def compliance_of(
    session: AsyncSession, since: datetime, until: datetime, *, known: Honoured | None = None
) -> Compliance:
    """The log of a time, as it stands on record; `known`: what was found of suppressions a moment ago."""
    campaigns = await campaigns_between(session, since, until)
    kept = await kept_back(session, [one.id for one in campaigns])
    late = [one.id for one in campaigns if one.id in kept and kept[one.id].expired]
    stopped = {number: await elections.stopped_in_silence(session, number) for number in late}
    first, last = since.date(), (until + AHEAD).date()
    votes = [one for one in await election_calendar.days_in_force(session) if first <= one.day <= last]
    gone = [
        one
        for one in await election_calendar.days_taken_away(session)
        if one.removed_at is not None and since <= one.removed_at < until
    ]
    return Compliance(
        since=since,
        until=until,
        campaigns=tuple(campaigns),
        kept=kept,
        stopped={number: count for number, count in stopped.items() if count},
        register=tuple(await register_rows(session, limit=MOST_REGISTERED)),
        votes=tuple(votes),
        taken_away=tuple(gone),
        waivers=tuple(await waivers_between(session, since, until)),
        overrides=tuple(await overrides_between(session, since, until)),
        honoured=known or await honoured(session, since),
    )


async def campaign_compliance(session: AsyncSession, campaign_id: int) -> CampaignCompliance:
    """What one campaign kept to; NotFoundError when there is none."""
    campaign = await get_campaign(session, campaign_id)
    kept = (await kept_back(session, [campaign_id])).get(campaign_id, Kept())
    return CampaignCompliance(
        campaign=campaign,
        kept=kept,
        stopped=await elections.stopped_in_silence(session, campaign_id) if kept.expired else 0,
        bound=binds(campaign.nature, campaign.purpose),
        register=await register_row(session, campaign_id),
        waivers=tuple(await elections.waivers_of(session, campaign_id)),
        overrides=tuple(await preflights.overrides_of(session, campaign_id)),
    )
