"""A campaign's clicks held against those of the campaigns like it before, for one identity at a time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.assessment.clicks import change_everywhere, click_changes
from deliverability.assessment.facts import ClickChange, ClickReason, Clicks
from deliverability.assessment.limits import limits
from models.campaign import Campaign
from models.states import CampaignState
from store.comparisons import Reactions, comparable, reactions

ENDED = frozenset({CampaignState.FINISHED, CampaignState.INCOMPLETE, CampaignState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Compared:
    """What became of the clicks, at each provider and as a whole; `base`: the campaigns compared with."""

    everywhere: ClickChange
    by_provider: Mapping[str, ClickChange] = field(default_factory=dict)
    base: tuple[int, ...] = ()
    same_segments: bool = False

    @property
    def assessable(self) -> bool:
        """Whether anything can be told of any provider."""
        return any(change.assessable for change in self.by_provider.values())


async def compare_clicks(
    session: AsyncSession, campaign: Campaign, identity_id: int, clicks: Mapping[str, Clicks], now: datetime
) -> Compared:
    """How `clicks`, by provider, differ from what is usual for this identity.

    Too early while messages still leave and for some hours after: a provider that takes mail slowly would
    look like one that hides it.
    """
    rules = limits().clicks
    if not _has_settled(campaign, now):
        early = {
            provider: ClickChange(ClickReason.TOO_EARLY, each, needed=rules.settled_hours)
            for provider, each in clicks.items()
        }
        whole = Clicks(
            sum(one.clicked for one in clicks.values()), sum(one.delivered for one in clicks.values())
        )
        return Compared(ClickChange(ClickReason.TOO_EARLY, whole, needed=rules.settled_hours), early)
    base, same = await comparable(
        session, campaign.id, identity_id, most=rules.campaigns, fewest=rules.fewest_campaigns
    )
    before = clicks_by_campaign(await reactions(session, base), identity_id)
    usual = [before.get(number, {}) for number in base]
    return Compared(change_everywhere(clicks, usual), click_changes(clicks, usual), tuple(base), same)


def clicks_by_campaign(found: Iterable[Reactions], identity_id: int) -> dict[int, dict[str, Clicks]]:
    """Of one identity, by campaign and provider."""
    clicks: dict[int, dict[str, Clicks]] = {}
    for one in found:
        if one.identity_id == identity_id:
            clicks.setdefault(one.campaign_id, {})[one.provider] = Clicks(one.clicked, one.delivered)
    return clicks


def _has_settled(campaign: Campaign, now: datetime) -> bool:
    ended_at = campaign.finished_at or campaign.launched_at
    if campaign.state not in ENDED or ended_at is None:
        return False
    return now - ended_at >= timedelta(hours=limits().clicks.settled_hours)
