"""What is said of a campaign, and of an identity, as a whole: its verdicts, its estimate, what to do."""

from dataclasses import dataclass, field
from datetime import datetime

from deliverability.assessment.facts import ClickChange, ProviderFacts
from deliverability.assessment.placement import ListEstimate
from deliverability.assessment.values import Advice, Assessment, Note, Status


@dataclass(frozen=True, slots=True)
class LaneAssessment:
    """One identity at one provider: what is known, and what follows. `list_share`: between 0 and 1."""

    identity_id: int
    identity_name: str
    provider: str
    provider_name: str
    list_share: float
    facts: ProviderFacts
    assessment: Assessment


@dataclass(frozen=True, slots=True)
class SenderEstimate:
    """The inbox placement of one identity's part of a list, and what its clicks did as a whole.

    `base`: the campaigns it was compared with, newest first; `same_segments`: whether they went to the
    same segments, else to whatever the identity sent.
    """

    identity_id: int
    identity_name: str
    estimate: ListEstimate
    clicks: ClickChange | None = None
    base: tuple[int, ...] = ()
    same_segments: bool = False


@dataclass(frozen=True, slots=True)
class CampaignAssessment:
    """A campaign, judged: the gravest status of its lanes, each lane, the whole list.

    `lanes`: gravest first, then by their share of the list. `gaps`: what is not known, and why.
    """

    campaign_id: int
    made_at: datetime
    status: Status
    lanes: tuple[LaneAssessment, ...]
    estimate: ListEstimate
    senders: tuple[SenderEstimate, ...]
    advice: tuple[Advice, ...] = ()
    gaps: tuple[Note, ...] = ()

    def lane(self, identity_id: int, provider: str) -> LaneAssessment | None:
        """That of one identity at one provider."""
        return _found(self.lanes, identity_id, provider)


@dataclass(frozen=True, slots=True)
class IdentityAssessment:
    """An identity over a period: everything it sent since then, by provider.

    `campaigns`: how many. Clicks are those of the newest campaign that can be compared with others.
    """

    identity_id: int
    identity_name: str
    since: datetime
    until: datetime
    status: Status
    campaigns: int
    lanes: tuple[LaneAssessment, ...]
    estimate: ListEstimate
    advice: tuple[Advice, ...] = field(default=())
    gaps: tuple[Note, ...] = field(default=())

    def lane(self, provider: str) -> LaneAssessment | None:
        """That at one provider."""
        return _found(self.lanes, self.identity_id, provider)


def _found(lanes: tuple[LaneAssessment, ...], identity_id: int, provider: str) -> LaneAssessment | None:
    return next(
        (lane for lane in lanes if (lane.identity_id, lane.provider) == (identity_id, provider)), None
    )
