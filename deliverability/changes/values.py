"""Changes as codes and values, never as sentences."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from deliverability.assessment.values import Values
from deliverability.health.findings import HealthFinding


class Turn(StrEnum):
    """Which way things went, the gravest first. NEWS: neither good nor bad by itself."""

    WORSE = "worse"
    NEWS = "news"
    BETTER = "better"


class ChangeCode(StrEnum):
    """What kind of change it is, in the order of the list."""

    STATUS = "status"
    VERDICT = "verdict"
    INCIDENT_BEGAN = "incident_began"
    SHARE = "share"
    FINDING_NEW = "finding_new"
    FEED_SILENT = "feed_silent"
    SUPPRESSED = "suppressed"
    INCIDENT_ENDED = "incident_ended"
    FINDING_GONE = "finding_gone"


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `values` belong in its sentence; `provider` "": not about one.

    `at`: when it happened, where that is known; `reference`: an incident's number, else "". `finding`: of
    the DNS, with the words it is told in.
    """

    code: ChangeCode
    turn: Turn
    values: Values = field(default_factory=dict)
    provider: str = ""
    identity_id: int | None = None
    at: datetime | None = None
    reference: str = ""
    finding: HealthFinding | None = None


@dataclass(frozen=True, slots=True)
class Earlier:
    """The campaign compared with; `same_segments`: whether it went to the same segments."""

    campaign_id: int
    name: str
    launched_at: datetime
    same_segments: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed from `since` to `until`, the gravest first.

    `earlier`: the campaign compared with; None for a period, or where there is none yet. `days`: of a
    period, how long each of the two is; else 0. `comparable` False: there was nothing before to compare with.
    `early`: what people did is not compared yet, they need so many hours.
    """

    since: datetime
    until: datetime
    comparable: bool
    listed: tuple[Change, ...] = ()
    earlier: Earlier | None = None
    days: int = 0
    early: int = 0


def in_order(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Worse first, then by kind, then by provider; always in the same order."""
    turns, codes = list(Turn), list(ChangeCode)
    return tuple(
        sorted(
            changes,
            key=lambda one: (
                turns.index(one.turn),
                codes.index(one.code),
                one.provider,
                str(one.values.get("key", "")),
                one.reference,
            ),
        )
    )
