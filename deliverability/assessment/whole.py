"""What is said of a campaign, and of an identity, as a whole: its verdicts, its estimate, what to do."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from deliverability.assessment.facts import ClickChange, ProviderFacts
from deliverability.assessment.limits import limits
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


def status_of(lanes: Iterable[LaneAssessment]) -> Status:
    """The light of the whole: red, amber or green when enough of the list is; grey while too little is known.

    A red provider with a small part of the list makes the whole amber, a tiny one leaves it as it is.
    """
    rules = limits().campaign
    shares: dict[Status, float] = dict.fromkeys(Status, 0.0)
    alarmed = False
    for lane in lanes:
        status = lane.assessment.status
        shares[status] += lane.list_share
        alarmed |= status.gravity >= Status.AMBER.gravity and lane.list_share >= rules.worth
    if shares[Status.RED] >= rules.red_share:
        return Status.RED
    if alarmed:
        return Status.AMBER
    return Status.GREEN if shares[Status.GREEN] >= rules.green_share else Status.GREY


def in_order(lanes: Iterable[LaneAssessment]) -> tuple[LaneAssessment, ...]:
    """Gravest first, then those with most of the list; always in the same order."""
    return tuple(
        sorted(
            lanes,
            key=lambda lane: (
                -lane.assessment.status.gravity,
                -lane.list_share,
                lane.identity_name,
                lane.identity_id,
                lane.provider,
            ),
        )
    )
