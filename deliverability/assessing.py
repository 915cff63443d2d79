"""Everything known of a campaign, or of an identity, gathered and judged: one source for pages and files."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.assessment.study import StudyTable
from deliverability.assessment.whole import CampaignAssessment, IdentityAssessment
from deliverability.report_values import CampaignReport


async def assess_campaign(
    session: AsyncSession, campaign_id: int, now: datetime, *, report: CampaignReport | None = None
) -> CampaignAssessment:
    """The verdicts on a campaign as things stand; NotFoundError when there is no such campaign.

    `report`: the campaign's, where it was made already.
    """
    raise NotImplementedError


async def assess_identity(
    session: AsyncSession, identity_id: int, since: datetime, now: datetime
) -> IdentityAssessment:
    """The verdicts on an identity by everything it sent since then; NotFoundError when there is none."""
    raise NotImplementedError


async def study(session: AsyncSession, since: datetime, until: datetime, zone: ZoneInfo) -> StudyTable:
    """The table of the 2022 study over a period: mailings a week by sender, and how many met spam."""
    raise NotImplementedError
