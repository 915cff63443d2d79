"""Everything known of one identity at one provider: what a verdict is taken from."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from deliverability.report_values import Counts
from models.declared import DeclaredSource
from models.health import HealthLevel
from models.incident import IncidentDeed, IncidentKind, IncidentLevel
from models.states import BounceClass, EventKind


@dataclass(frozen=True, slots=True)
class SeedCounts:
    """Seed mailboxes by what was found in them. `rejected` and `awaited` are no part of the placement."""

    inbox: int = 0
    tab: int = 0
    spam: int = 0
    missing: int = 0
    rejected: int = 0
    awaited: int = 0

    def __add__(self, other: "SeedCounts") -> "SeedCounts":
        return SeedCounts(
            self.inbox + other.inbox,
            self.tab + other.tab,
            self.spam + other.spam,
            self.missing + other.missing,
            self.rejected + other.rejected,
            self.awaited + other.awaited,
        )

    @property
    def arrived(self) -> int:
        """In the inbox, under whatever tab."""
        return self.inbox + self.tab

    @property
    def tested(self) -> int:
        """Those that say something of the placement."""
        return self.inbox + self.tab + self.spam + self.missing


@dataclass(frozen=True, slots=True)
class Clicks:
    """People who clicked, of those whose mail server accepted; machines do not count."""

    clicked: int
    delivered: int


class ClickReason(StrEnum):
    """Why a change of clicks can, or cannot, be told."""

    ASSESSED = "assessed"
    TOO_EARLY = "too_early"
    FEW_DELIVERED = "few_delivered"
    FEW_CAMPAIGNS = "few_campaigns"
    FEW_CLICKS = "few_clicks"
    NO_OTHERS = "no_others"


@dataclass(frozen=True, slots=True)
class ClickChange:
    """Clicks at one provider against its own past, and against what changed elsewhere meanwhile.

    `ratio`: the rate now over that of the base (×0.41); `others_ratio` the same of the other providers.
    `difference`: ln(ratio) - ln(others_ratio), below -ln 2 a collapse; `p`: how often chance alone would
    show as much. All None where nothing can be told; `needed`: the fewest that would have been enough of
    what `reason` says there were too few. `collapsed`: both the size and the certainty a collapse takes.
    `campaigns`: how many the base is the median of.
    """

    reason: ClickReason
    now: Clicks
    ratio: float | None = None
    others_ratio: float | None = None
    difference: float | None = None
    p: float | None = None
    collapsed: bool = False
    campaigns: int = 0
    needed: int = 0

    @property
    def assessable(self) -> bool:
        """Whether anything can be told."""
        return self.reason is ClickReason.ASSESSED


@dataclass(frozen=True, slots=True)
class Declared:
    """The newest figure of one source and metric about this sender, of several the worst.

    `provider` "": all those the source speaks of.
    """

    source: DeclaredSource
    metric: str
    day: date
    value: float | None = None
    words: str = ""
    provider: str = ""


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident that has not ended."""

    incident_id: int
    kind: IncidentKind
    level: IncidentLevel
    deed: IncidentDeed
    part: int = 0
    whole: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """One answer of the provider, with its wording, and how many deliveries of this identity heard it.

    `shared`: others heard it too, and how many each is concluded from what each was refused.
    """

    kind: EventKind
    bounce_class: BounceClass | None
    deliveries: int
    example: str = ""
    code: int | None = None
    enhanced: str | None = None
    shared: bool = False


@dataclass(frozen=True, slots=True)
class PassRate:
    """Messages in our name from servers we know, by reports of receivers (DMARC), and those that passed."""

    messages: int
    passed: int


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """What is known; every part may be missing. `provider`: its key (`models.providers`).

    `counts` holds people, `seeds` the seeds. `said`: answers by frequency, those of our own mail server
    left out. `day`: when the newest of it was sent; what a provider declares of days before says nothing
    of it.
    """

    provider: str
    counts: Counts = field(default_factory=Counts)
    seeds: SeedCounts = field(default_factory=SeedCounts)
    clicks: ClickChange | None = None
    declared: tuple[Declared, ...] = ()
    incidents: tuple[OpenIncident, ...] = ()
    said: tuple[Said, ...] = ()
    authentication: PassRate | None = None
    health: HealthLevel = HealthLevel.UNKNOWN
    day: date | None = None
