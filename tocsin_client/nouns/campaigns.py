"""Calls about campaigns, and their shapes.

Written by `python -m tests.web.api_description`; not by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NotRequired, TypedDict, Unpack

from tocsin_client.conversation import Call
from tocsin_client.nouns.shared import Channel, IdentityRef, Nature, Purpose, TemplateIn, TemplateRef
from tocsin_client.wire import Wire, part

CampaignState = Literal[
    "draft", "scheduled", "launching", "sending", "paused", "blocked", "finished", "incomplete", "cancelled"
]

CanaryDeed = Literal["go_on", "alert", "hold"]

CanaryStage = Literal["ready", "sending", "waiting", "passed", "held", "released"]

DeliveryState = Literal[
    "queued",
    "claimed",
    "sending",
    "accepted",
    "deferred",
    "refused",
    "uncertain",
    "held",
    "suppressed",
    "capped",
    "expired",
    "cancelled",
]

IdentityRule = Literal["one", "territory", "rotate"]

LatePolicy = Literal["send", "skip", "ask"]

LeftOutReason = Literal[
    "excluded",
    "no_address",
    "no_consent",
    "withdrawn",
    "suppressed",
    "capped",
    "no_identity",
    "election",
    "no_targeting_consent",
    "too_young",
]

LegalBasis = Literal["consent", "legitimate_interest"]

LintLevel = Literal["block", "warn", "fine"]


class CampaignIn(TypedDict):
    """A campaign to be: a draft, which is scheduled apart."""

    name: str
    template: TemplateIn
    include: list[str]
    exclude: NotRequired[list[str] | None]
    identities: list[str]
    identity_rule: NotRequired[IdentityRule | None]
    basis: NotRequired[LegalBasis | None]
    with_seeds: NotRequired[bool | None]
    purpose: NotRequired[Purpose | None]
    urgent: NotRequired[bool | None]
    not_after: NotRequired[str | None]
    late_policy: NotRequired[LatePolicy | None]
    late_minutes: NotRequired[int | None]
    windows: NotRequired[str | None]
    nature: NotRequired[Nature | None]
    sponsor: NotRequired[str | None]
    vote: NotRequired[str | None]
    spent: NotRequired[str | None]
    canary: NotRequired[CanaryIn | None]


class CampaignOut(TypedDict):
    """A campaign. `figures` hold its proof."""

    id: str
    name: NotRequired[str]
    channel: NotRequired[Channel]
    state: NotRequired[CampaignState]
    problem: NotRequired[str]
    test: NotRequired[bool]
    starts_at: NotRequired[str | None]
    launched_at: NotRequired[str | None]
    finished_at: NotRequired[str | None]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    figures: NotRequired[FiguresOut]
    template: NotRequired[TemplateRef]
    include: NotRequired[list[SegmentRef]]
    exclude: NotRequired[list[SegmentRef]]
    identities: NotRequired[list[IdentityRef]]
    identity_rule: NotRequired[IdentityRule]
    basis: NotRequired[LegalBasis]
    with_seeds: NotRequired[bool]
    purpose: NotRequired[Purpose]
    urgent: NotRequired[bool]
    zone: NotRequired[str]
    not_after: NotRequired[str | None]
    late_policy: NotRequired[LatePolicy]
    late_minutes: NotRequired[int]
    windows: NotRequired[str]
    nature: NotRequired[Nature]
    sponsor: NotRequired[str]
    vote: NotRequired[str]
    spent: NotRequired[str]
    canary: NotRequired[CanaryOut | None]


class CampaignParts(TypedDict):
    """What a campaign is made of; each part as on the pages."""

    name: NotRequired[str | None]
    template: NotRequired[TemplateIn | None]
    include: NotRequired[list[str] | None]
    exclude: NotRequired[list[str] | None]
    identities: NotRequired[list[str] | None]
    identity_rule: NotRequired[IdentityRule | None]
    basis: NotRequired[LegalBasis | None]
    with_seeds: NotRequired[bool | None]
    purpose: NotRequired[Purpose | None]
    urgent: NotRequired[bool | None]
    not_after: NotRequired[str | None]
    late_policy: NotRequired[LatePolicy | None]
    late_minutes: NotRequired[int | None]
    windows: NotRequired[str | None]
    nature: NotRequired[Nature | None]
    sponsor: NotRequired[str | None]
    vote: NotRequired[str | None]
    spent: NotRequired[str | None]
    canary: NotRequired[CanaryIn | None]


class CampaignRow(TypedDict):
    """A campaign in a list."""

    id: str
    name: NotRequired[str]
    channel: NotRequired[Channel]
    state: NotRequired[CampaignState]
    problem: NotRequired[str]
    test: NotRequired[bool]
    starts_at: NotRequired[str | None]
    launched_at: NotRequired[str | None]
    finished_at: NotRequired[str | None]
    created_at: NotRequired[str]
    updated_at: NotRequired[str]
    figures: NotRequired[FiguresOut]


class CanaryIn(TypedDict):
    """A first slice goes ahead of the rest, which waits for what it shows."""

    people: NotRequired[int]
    wait_minutes: NotRequired[int]
    when_bad: NotRequired[CanaryDeed]
    when_unknown: NotRequired[CanaryDeed]


class CanaryOut(TypedDict):
    """Where the first slice stands."""

    stage: CanaryStage
    people: int
    wait_minutes: int
    reason: str
    decided_at: str | None
    decided_by: str


class FiguresOut(TypedDict):
    """How many messages stand where, seeds aside; `left_out`: people who get none, by reason."""

    targeted: int
    frozen: int
    total: int
    done: int
    states: dict[str, int]
    left_out: NotRequired[dict[str, int] | None]
    adds_up: bool
    proven_at: str | None


class FindingOut(TypedDict):
    """One thing that was looked at before sending. `code` never changes its meaning."""

    level: LintLevel
    code: str
    message: str
    advice: NotRequired[str]
    values: dict[str, str]
    identities: list[str]


class FindingsOut(TypedDict):
    """What was found; `clear`: nothing stands in the way."""

    clear: bool
    findings: list[FindingOut]


class ScheduleIn(TypedDict):
    """When it starts, and perhaps why in spite of what stands in the way."""

    starts_at: NotRequired[str | None]
    zone: NotRequired[str | None]
    override_reason: NotRequired[str | None]


class SegmentRef(TypedDict):
    """A segment of its audience."""

    id: str
    name: str


class CampaignsListQuery(TypedDict):
    """What `list` may be asked."""

    state: NotRequired[list[CampaignState] | None]
    channel: NotRequired[Channel | None]
    name: NotRequired[str]
    limit: NotRequired[int]
    fields: NotRequired[str | None]


class Campaigns:
    """Calls about campaigns."""

    def __init__(self, wire: Wire) -> None:
        """`wire`: makes them."""
        self._wire = wire

    def list(self, **query: Unpack[CampaignsListQuery]) -> Iterator[CampaignRow]:
        """Campaigns with their figures, the newest first."""
        return self._wire.pages(Call("GET", "/campaigns", query=query))

    def add(self, *, idempotency_key: str | None = None, **body: Unpack[CampaignIn]) -> CampaignOut:
        """Make a draft. One that a test key makes can be looked at and checked, and is never sent."""
        found: CampaignOut = self._wire.make(
            Call("POST", "/campaigns", body=body, takes_key=True, key=idempotency_key)
        )
        return found

    def get(self, campaign_id: str, /) -> CampaignOut:
        """One campaign with its figures and their proof."""
        found: CampaignOut = self._wire.make(Call("GET", f"/campaigns/{part(campaign_id)}"))
        return found

    def change(self, campaign_id: str, /, **body: Unpack[CampaignParts]) -> CampaignOut:
        """Change parts of a draft, or of a blocked campaign; what is not given stays."""
        found: CampaignOut = self._wire.make(Call("PATCH", f"/campaigns/{part(campaign_id)}", body=body))
        return found

    def get_report(self, campaign_id: str, /) -> Any:
        """What became of it: the report of the pages as JSON, with its verdicts and its sums."""
        found: Any = self._wire.make(Call("GET", f"/campaigns/{part(campaign_id)}/report"))
        return found

    def schedule(self, campaign_id: str, /, **body: Unpack[ScheduleIn]) -> CampaignOut:
        """Set when it starts, once it was looked at."""
        found: CampaignOut = self._wire.make(
            Call("POST", f"/campaigns/{part(campaign_id)}:schedule", body=body)
        )
        return found

    def check(self, campaign_id: str, /) -> FindingsOut:
        """Look at it as scheduling would, and tell all that was found. Takes a while."""
        found: FindingsOut = self._wire.make(Call("POST", f"/campaigns/{part(campaign_id)}:check"))
        return found

    def unschedule(self, campaign_id: str, /) -> CampaignOut:
        """Take the schedule away, before the launch: it is a draft again."""
        found: CampaignOut = self._wire.make(Call("POST", f"/campaigns/{part(campaign_id)}:unschedule"))
        return found

    def pause(self, campaign_id: str, /) -> CampaignOut:
        """Let nothing more leave."""
        found: CampaignOut = self._wire.make(Call("POST", f"/campaigns/{part(campaign_id)}:pause"))
        return found

    def resume(self, campaign_id: str, /) -> CampaignOut:
        """Go on after a pause; what a canary holds back follows, too."""
        found: CampaignOut = self._wire.make(Call("POST", f"/campaigns/{part(campaign_id)}:resume"))
        return found

    def approve(self, campaign_id: str, /) -> CampaignOut:
        """Let the rest follow its first messages, without waiting for what they show."""
        found: CampaignOut = self._wire.make(Call("POST", f"/campaigns/{part(campaign_id)}:approve"))
        return found

    def release(self, campaign_id: str, /) -> CampaignOut:
        """Try again what was held back, once its reason is mended."""
        found: CampaignOut = self._wire.make(Call("POST", f"/campaigns/{part(campaign_id)}:release"))
        return found

    def cancel(self, campaign_id: str, /) -> CampaignOut:
        """Stop it for good: what has not left never will."""
        found: CampaignOut = self._wire.make(Call("POST", f"/campaigns/{part(campaign_id)}:cancel"))
        return found
