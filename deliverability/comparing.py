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
from store.campaigns import get_campaign
from store.comparisons import comparable, reactions

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

    def by_lane(self, identity_id: int) -> dict[tuple[int, str], ClickChange]:
        """The same by identity and provider."""
        return {(identity_id, provider): change for provider, change in self.by_provider.items()}


class Past:
    """What was looked up of campaigns and of their clicks, once for all identities that are compared."""

    def __init__(self, session: AsyncSession) -> None:
        """For as long as the session's transaction lasts."""
        self.session = session
        self._campaigns: dict[int, Campaign] = {}
        self._clicks: dict[int, dict[int, dict[str, Clicks]]] = {}

    async def campaign(self, number: int) -> Campaign:
        """One of them; NotFoundError."""
        if number not in self._campaigns:
            self._campaigns[number] = await get_campaign(self.session, number)
        return self._campaigns[number]

    async def clicks(self, numbers: Iterable[int], identity_id: int) -> list[Mapping[str, Clicks]]:
        """Of one identity by provider, in each of these campaigns."""
        wanted = list(numbers)
        new = sorted(set(wanted) - self._clicks.keys())
        self._clicks.update((number, {}) for number in new)
        for one in await reactions(self.session, new):
            of_sender = self._clicks[one.campaign_id].setdefault(one.identity_id, {})
            of_sender[one.provider] = Clicks(one.clicked, one.delivered)
        return [self._clicks[number].get(identity_id, {}) for number in wanted]


async def compare_clicks(
    past: Past, campaign: Campaign, identity_id: int, clicks: Mapping[str, Clicks], now: datetime
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
        past.session, campaign.id, identity_id, most=rules.campaigns, fewest=rules.fewest_campaigns
    )
    usual = await past.clicks(base, identity_id)
    return Compared(change_everywhere(clicks, usual), click_changes(clicks, usual), tuple(base), same)


def _has_settled(campaign: Campaign, now: datetime) -> bool:
    ended_at = campaign.finished_at or campaign.launched_at
    if campaign.state not in ENDED or ended_at is None:
        return False
    return now - ended_at >= timedelta(hours=limits().clicks.settled_hours)
