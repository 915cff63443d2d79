"""What a report holds: counts that add up, and shares that name what they are shares of."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import chain

from deliverability.assessment.intervals import clustered_interval
from deliverability.assessment.limits import limits
from models import providers
from models.states import BounceClass, CampaignState, Channel, EventKind, LeftOutReason

FEEDLESS = providers.FEEDLESS
_REPORTED_BY = re.compile(r"(?i)^(?:smtp|x-[a-z0-9-]+)\s*;\s*")
"""The type of a diagnostic code (RFC 3464, 2.3.6), which some providers pass on with the reply."""


@dataclass(frozen=True, slots=True)
class Share:
    """`part` of `whole`; both are shown, because 1 of 2 and 500 of 1,000 are not the same news.

    `correlation`: of any two of them; those that agree with each other say less than they are.
    """

    part: int
    whole: int
    correlation: float = field(default=0.0, compare=False)

    @classmethod
    def at_least(cls, part: int, known: int) -> "Share":
        """Of `known`, or of `part` where fewer are known: what somebody answered to had been sent.

        An answer may come to a message whose acceptance was never heard of.
        """
        return cls(part, max(part, known))

    @property
    def value(self) -> float | None:
        """Between 0 and 1; None of nothing."""
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval, honest for few observations too; None of nothing."""
        return clustered_interval(self.part, self.whole, self.correlation)


@dataclass(frozen=True, slots=True)
class Counts:
    """Deliveries by what became of them. Seeds are in the `seeds_*` columns and in no other.

    The first nine add up to `deliveries`. `waiting` is not settled yet, `deferred_waiting` the part of it
    that was deferred and waits for its next attempt. `deferred` were put off at least once, `delivered`
    are confirmed by the operator (text messages), `bounced_*` came back after they were accepted,
    `accepted_with_feed` were accepted by providers that report complaints, `clicked` counts people.
    """

    accepted: int = 0
    refused: int = 0
    uncertain: int = 0
    expired: int = 0
    cancelled: int = 0
    suppressed_since: int = 0
    capped: int = 0
    held: int = 0
    waiting: int = 0
    deliveries: int = 0
    deferred_waiting: int = 0
    attempted: int = 0
    deferred: int = 0
    refused_hard: int = 0
    bounced_hard: int = 0
    bounced_soft: int = 0
    delivered: int = 0
    complained: int = 0
    accepted_with_feed: int = 0
    unsubscribed: int = 0
    clicked: int = 0
    seeds_inbox: int = 0
    seeds_tab: int = 0
    seeds_spam: int = 0
    seeds_missing: int = 0
    seeds_awaited: int = 0
    seeds_refused: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in COLUMNS})

    @property
    def sent(self) -> int:
        """Handed to the other side, whatever it said in the end."""
        return self.accepted + self.refused + self.uncertain

    @property
    def settled_or_waiting(self) -> int:
        """The sum of the nine columns that must be `deliveries`."""
        return sum(getattr(self, name) for name in PARTITION)

    @property
    def arrived(self) -> int:
        """Accepted and not come back.

        People react to messages that come back later, too: what they do is a share of those accepted.
        """
        return max(0, self.accepted - self.bounced_hard - self.bounced_soft)

    @property
    def delivery_rate(self) -> Share:
        """Accepted and not come back, of those sent."""
        return Share(self.arrived, self.sent)

    @property
    def hard_rate(self) -> Share:
        """Refused or come back for good, of those sent."""
        return Share.at_least(self.refused_hard + self.bounced_hard, self.sent)

    @property
    def deferral_rate(self) -> Share:
        """Put off at least once, of those attempted."""
        return Share(self.deferred, self.attempted)

    @property
    def complaint_rate(self) -> Share:
        """Complaints, of those accepted by providers that report them."""
        return Share.at_least(self.complained, self.accepted_with_feed)

    @property
    def unsubscribe_rate(self) -> Share:
        """Unsubscriptions, of those accepted."""
        return Share.at_least(self.unsubscribed, self.accepted)

    @property
    def click_rate(self) -> Share:
        """People who clicked, of those accepted."""
        return Share.at_least(self.clicked, self.accepted)

    @property
    def placement(self) -> Share:
        """Seeds found in the inbox or one of its tabs, of those found anywhere or missing.

        Refused ones are no part of it: they are counted apart.
        """
        found = self.seeds_inbox + self.seeds_tab
        return Share(found, found + self.seeds_spam + self.seeds_missing, limits().seeds.correlation)


COLUMNS = tuple(column.name for column in fields(Counts))
PARTITION = COLUMNS[:9]
RATES = (
    "delivery_rate",
    "hard_rate",
    "deferral_rate",
    "complaint_rate",
    "unsubscribe_rate",
    "click_rate",
    "placement",
)


FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe_cell(text: str) -> str:
    """`text`, with an apostrophe before it when a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One line of the report. Identity and provider are None where the line is about all of them.

    `targeted` and `left_out` are known for the whole campaign only: who is left out has no identity yet.
    """

    identity_id: int | None
    identity_name: str
    provider: str | None
    provider_name: str
    counts: Counts
    targeted: int | None = None
    left_out: dict[LeftOutReason, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a provider says, in one wording of it (addresses hidden), and how many deliveries heard it.

    `ours`: our own mail server (or SMS account) could not be used; no provider was asked, `provider`
    is "" and `provider_name` says whose it is.
    """

    provider: str
    provider_name: str
    kind: EventKind
    bounce_class: BounceClass | None
    code: int | None
    enhanced: str | None
    example: str
    deliveries: int
    ours: bool = False

    @property
    def said(self) -> str:
        """The reply with its code and status, which many servers repeat in their text."""
        text = _REPORTED_BY.sub("", self.example.strip())
        if self.code is not None and text.startswith(str(self.code)):
            return text
        if self.enhanced and not text.startswith(self.enhanced):
            text = f"{self.enhanced} {text}"
        return text if self.code is None else f"{self.code} {text}".rstrip()


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of the chart: how often the answer was accepted, deferred or refused from `start` on."""

    start: datetime
    accepted: int
    deferred: int
    refused: int


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """Everything a campaign's report page, its JSON and its CSV show, as of `made_at`."""

    campaign_id: int
    name: str
    channel: Channel
    state: CampaignState
    problem: str
    starts_at: datetime | None
    launched_at: datetime | None
    finished_at: datetime | None
    made_at: datetime
    expanded: bool
    frozen: int
    total: ReportRow
    by_identity: tuple[ReportRow, ...]
    by_provider: tuple[ReportRow, ...]
    by_identity_and_provider: tuple[ReportRow, ...]
    refusals: tuple[Refusal, ...]
    bucket_seconds: int
    over_time: tuple[Moment, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Every sum that does not come out, in words; empty when the report proves itself."""
        tables = (self.by_identity, self.by_provider, self.by_identity_and_provider)
        return (
            *self._launch_problems(),
            *(
                f"{_about(row)}: what became of the messages adds up to {row.counts.settled_or_waiting:,},"
                f" not to {row.counts.deliveries:,}."
                for row in (self.total, *chain.from_iterable(tables))
                if row.counts.settled_or_waiting != row.counts.deliveries
            ),
            *(
                "A table's lines do not add up to the total."
                for table in tables
                if sum((row.counts for row in table), Counts()) != self.total.counts
            ),
        )

    def _launch_problems(self) -> Iterator[str]:
        """What was noted at launch, against what is there; nothing before the launch is complete."""
        deliveries, left_out = self.total.counts.deliveries, sum(self.total.left_out.values())
        targeted = self.total.targeted or 0
        if self.expanded and targeted != left_out + deliveries:
            yield f"Targeted: {targeted:,}, but left out: {left_out:,}, messages: {deliveries:,}."
        if self.expanded and self.frozen != deliveries:
            yield f"Messages at the launch: {self.frozen:,}, now: {deliveries:,}."


def _about(row: ReportRow) -> str:
    return " × ".join(name for name in (row.identity_name, row.provider_name) if name) or "Total"
