"""Campaigns as JSON: what is asked for, and what is told of them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import AudienceRole, Campaign
from models.canary import CanaryDeed, CanaryPlan, CanaryStage
from models.preflight import LintLevel
from models.states import (
    FINAL,
    CampaignState,
    Channel,
    DeliveryState,
    IdentityRule,
    LatePolicy,
    LeftOutReason,
    LegalBasis,
    Nature,
    Purpose,
)
from scheduler.calendar import windows_from_rows, write_sending_windows
from scheduler.preflight import LintFinding
from store import campaigns, canaries, templates
from web.api.ids import Ids, Kind
from web.api.message_schemas import IdentityRef, TemplateIn, TemplateRef
from web.api.paging import Pickable
from web.api.schemas import Given, Line, Moment, Told
from web.i18n import Tongue
from web.lint_words import say_advice, say_fine, say_what

Ref = Annotated[Line, Field(min_length=1, max_length=200)]
Refs = Annotated[list[Ref], Field(max_length=50)]
Short = Annotated[Line, Field(max_length=300)]


class CanaryIn(Given):
    """A first slice goes ahead of the rest, which waits for what it shows."""

    people: int = Field(default=200, ge=1, le=100_000)
    wait_minutes: int = Field(default=30, ge=5, le=1440)
    when_bad: CanaryDeed = CanaryDeed.HOLD
    when_unknown: CanaryDeed = CanaryDeed.ALERT

    def plan(self) -> CanaryPlan:
        """As the scheduler has it."""
        wait = timedelta(minutes=self.wait_minutes)
        return CanaryPlan(self.people, wait, self.when_bad, self.when_unknown)


class CampaignParts(Given):
    """What a campaign is made of; each part as on the pages."""

    name: Annotated[Line, Field(min_length=1, max_length=200)] | None = None
    template: TemplateIn | None = None
    include: Annotated[Refs, Field(description="Segments to write to, by id or name.")] | None = None
    exclude: Annotated[Refs, Field(description="Segments to spare, by id or name.")] | None = None
    identities: Annotated[Refs, Field(description="Who writes, by id or key.")] | None = None
    identity_rule: IdentityRule | None = None
    basis: LegalBasis | None = None
    with_seeds: bool | None = None
    purpose: Purpose | None = Field(
        default=None,
        description="`transactional` writes past the limits on how often a person is written to, and needs "
        "the scope campaigns:override.",
    )
    urgent: bool | None = None
    not_after: Moment | None = None
    late_policy: LatePolicy | None = None
    late_minutes: int | None = Field(default=None, ge=0, le=43_200)
    windows: Short | None = Field(
        default=None,
        description="When messages may arrive, on recipients' clocks; empty: as the installation has it.",
        examples=["mon-fri 09:00-20:00, sat 10:00-18:00"],
    )
    nature: Nature | None = None
    sponsor: Short | None = None
    vote: Annotated[Line, Field(max_length=200)] | None = None
    spent: Short | None = None
    canary: CanaryIn | None = None


class CampaignIn(CampaignParts):
    """A campaign to be: a draft, which is scheduled apart."""

    name: Annotated[Line, Field(min_length=1, max_length=200, examples=["Réunion publique du 12"])]
    template: TemplateIn
    include: Annotated[Refs, Field(min_length=1, description="Segments to write to, by id or name.")]
    identities: Annotated[Refs, Field(min_length=1, description="Who writes, by id or key.")]


class ScheduleIn(Given):
    """When it starts, and perhaps why in spite of what stands in the way."""

    starts_at: Moment | None = Field(default=None, description="Without one: now.")
    zone: Annotated[Line, Field(max_length=60)] | None = Field(
        default=None, description="The zone in which people see that moment (IANA); else the campaign's."
    )
    override_reason: Annotated[Line, Field(min_length=1, max_length=500)] | None = Field(
        default=None,
        description="Goes past every check that stands in the way, and is kept with the campaign. Needs the "
        "scope campaigns:override.",
    )


class FindingOut(Told):
    """One thing that was looked at before sending. `code` never changes its meaning; sentences may."""

    level: LintLevel
    code: str = Field(examples=["unsubscribe.link"])
    message: str
    advice: str = ""
    values: dict[str, str]
    identities: list[str]


class FindingsOut(Told):
    """What was found; `clear`: nothing stands in the way."""

    clear: bool
    findings: list[FindingOut]


class SegmentRef(Told):
    """A segment of its audience."""

    id: str
    name: str


class FiguresOut(Told):
    """How many messages stand where, seeds aside; `left_out`: people who get none, by reason.

    The proof: `frozen`, the messages made at the launch, is the sum of all states; `adds_up` says so.
    """

    targeted: int
    frozen: int
    total: int
    done: int
    states: dict[DeliveryState, int]
    left_out: dict[LeftOutReason, int] | None = None
    adds_up: bool
    proven_at: datetime | None


class CanaryOut(Told):
    """Where the first slice stands."""

    stage: CanaryStage
    people: int
    wait_minutes: int
    reason: str
    decided_at: datetime | None
    decided_by: str


class CampaignRow(Pickable):
    """A campaign in a list."""

    name: str
    channel: Channel
    state: CampaignState
    problem: str
    test: bool
    starts_at: datetime | None
    launched_at: datetime | None
    finished_at: datetime | None
    created_at: datetime
    updated_at: datetime
    figures: FiguresOut

    @classmethod
    def fill(cls, ids: Ids, campaign: Campaign, figures: FiguresOut, **more: Any) -> Self:
        """What of it stands in its row, with its figures."""
        own = {name: getattr(campaign, name) for name in cls.model_fields if hasattr(campaign, name)}
        told = own | {"id": ids.write(Kind.CAMPAIGN, campaign.id), "figures": figures} | more
        return cls.model_validate(told)


class CampaignOut(CampaignRow):
    """A campaign. `figures` hold its proof."""

    template: TemplateRef
    include: list[SegmentRef]
    exclude: list[SegmentRef]
    identities: list[IdentityRef]
    identity_rule: IdentityRule
    basis: LegalBasis
    with_seeds: bool
    purpose: Purpose
    urgent: bool
    zone: str
    not_after: datetime | None
    late_policy: LatePolicy
    late_minutes: int
    windows: str
    nature: Nature
    sponsor: str
    vote: str
    spent: str
    canary: CanaryOut | None


def figures_of(
    campaign: Campaign,
    states: Mapping[DeliveryState, int],
    left_out: Mapping[LeftOutReason, int] | None = None,
) -> FiguresOut:
    """Its figures and the proof."""
    total = sum(states.values())
    done = sum(count for state, count in states.items() if state in FINAL)
    return FiguresOut(
        targeted=campaign.targeted,
        frozen=campaign.frozen,
        total=total,
        done=done,
        states={state: count for state, count in states.items() if count},
        left_out=None if left_out is None else dict(left_out),
        adds_up=total == campaign.frozen,
        proven_at=campaign.reconciled_at,
    )


async def tell_campaign(session: AsyncSession, ids: Ids, campaign: Campaign) -> CampaignOut:
    """A campaign as it stands."""
    version = await templates.get_version(session, campaign.template_version_id)
    template = await templates.template_of(session, version)
    audience = await campaigns.segments_of(session, campaign.id)
    states = await campaigns.progress(session, campaign.id)
    gate = await canaries.find(session, campaign.id)

    def segments(role: AudienceRole) -> list[SegmentRef]:
        return [
            SegmentRef(id=ids.write(Kind.SEGMENT, one.id), name=one.name)
            for one, its in audience
            if its is role
        ]

    return CampaignOut.fill(
        ids,
        campaign,
        figures_of(campaign, states, await campaigns.left_out(session, campaign.id)),
        template=TemplateRef(
            id=ids.write(Kind.TEMPLATE, template.id), name=template.name, version=version.number
        ),
        include=segments(AudienceRole.INCLUDE),
        exclude=segments(AudienceRole.EXCLUDE),
        identities=[
            IdentityRef(id=ids.write(Kind.IDENTITY, one.id), key=one.key)
            for one in await campaigns.identities_of(session, campaign.id)
        ],
        windows=write_sending_windows(windows_from_rows(campaign.windows)) if campaign.windows else "",
        canary=None
        if gate is None
        else CanaryOut(
            stage=gate.stage,
            people=gate.people,
            wait_minutes=gate.wait_seconds // 60,
            reason=gate.reason,
            decided_at=gate.decided_at,
            decided_by=gate.decided_by,
        ),
    )


def tell_finding(tongue: Tongue, finding: LintFinding) -> FindingOut:
    """A finding in the words of the pages."""
    fine = finding.level is LintLevel.FINE
    return FindingOut(
        level=finding.level,
        code=finding.code,
        message=say_fine(tongue, finding) if fine else say_what(tongue, finding),
        advice="" if fine else say_advice(tongue, finding),
        values=dict(finding.values),
        identities=list(finding.where),
    )
