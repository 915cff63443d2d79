"""The table of the study of the 2022 mailings: who wrote how often, and how much of it landed in spam.

Its unit is the mailing, not the message: a campaign of an identity counts once, and so does a week.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from deliverability.assessment.intervals import wilson_interval
from deliverability.assessment.values import Basis, Figure

FEWEST_TESTED = 5
"""Mailings with seeds below which the share in spam is not judged."""


@dataclass(frozen=True, slots=True)
class Mailing:
    """One campaign from one identity. `tested` seeds say where it landed, `in_spam` of them in spam."""

    campaign_id: int
    identity_id: int
    sent_at: datetime
    messages: int = 0
    tested: int = 0
    in_spam: int = 0


@dataclass(frozen=True, slots=True)
class StudyRow:
    """A line of the table; `identity_id` None: all together.

    `mailings` is what the study calls messages. `a_week`: their mean over the weeks of the period;
    `most_a_week`: those of the fullest week (from Monday). `in_spam`: mailings of which a seed was in spam,
    of those that had any seed to tell. `senders_in_spam`: the same of sender identities, for the line of all.
    """

    identity_id: int | None
    identities: int
    mailings: int
    messages: int
    a_week: float
    most_a_week: int
    in_spam: Figure
    senders_in_spam: Figure | None = None


@dataclass(frozen=True, slots=True)
class StudyTable:
    """The table for a period; `total` stands for all identities together, `rows` are by identity."""

    since: datetime
    until: datetime
    weeks: float
    total: StudyRow
    rows: tuple[StudyRow, ...]


def study_table(mailings: Iterable[Mailing], since: datetime, until: datetime, zone: ZoneInfo) -> StudyTable:
    """The table of what was sent from `since` until before `until`; weeks as they are in `zone`."""
    sent = [one for one in mailings if since <= one.sent_at < until]
    weeks = max((until - since) / timedelta(weeks=1), 1.0)
    numbers = sorted({one.identity_id for one in sent})
    rows = tuple(
        _row(number, [one for one in sent if one.identity_id == number], weeks, zone) for number in numbers
    )
    return StudyTable(since, until, weeks, _total(sent, rows, weeks, zone), rows)


def _row(number: int | None, sent: Sequence[Mailing], weeks: float, zone: ZoneInfo) -> StudyRow:
    tested = [one for one in sent if one.tested]
    by_week: dict[date, int] = {}
    for one in sent:
        week = _monday(one.sent_at, zone)
        by_week[week] = by_week.get(week, 0) + 1
    return StudyRow(
        identity_id=number,
        identities=len({one.identity_id for one in sent}),
        mailings=len(sent),
        messages=sum(one.messages for one in sent),
        a_week=len(sent) / weeks,
        most_a_week=max(by_week.values(), default=0),
        in_spam=_figure("mailings_in_spam", sum(one.in_spam > 0 for one in tested), len(tested)),
    )


def _total(sent: Sequence[Mailing], rows: Sequence[StudyRow], weeks: float, zone: ZoneInfo) -> StudyRow:
    tested = [row for row in rows if row.in_spam.whole]
    whole = _row(None, sent, weeks, zone)
    return StudyRow(
        identity_id=None,
        identities=whole.identities,
        mailings=whole.mailings,
        messages=whole.messages,
        a_week=whole.a_week,
        most_a_week=whole.most_a_week,
        in_spam=whole.in_spam,
        senders_in_spam=_figure("senders_in_spam", sum(row.in_spam.part > 0 for row in tested), len(tested)),
    )


def _figure(key: str, part: int, whole: int) -> Figure:
    low, high = wilson_interval(part, whole) or (None, None)
    basis = Basis.MEASURED if whole else Basis.UNKNOWN
    return Figure(key, part, whole, low, high, basis, FEWEST_TESTED)


def _monday(at: datetime, zone: ZoneInfo) -> date:
    day = at.astimezone(zone).date()
    return day - timedelta(days=day.weekday())
