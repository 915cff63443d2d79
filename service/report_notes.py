"""What a report's figures mean for whoever has to act: a verdict and the notes it rests on. Pure.

The limits are those the mailbox providers publish or senders live by, set a little below the point at
which providers react. A share of few observations is told with its interval, or not judged at all.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from deliverability.report import CampaignReport, ReportRow, Share
from models.states import Channel
from models.text import plural

FEWEST = 30
"""Messages below which a share is not judged."""
FEWEST_FOR_COMPLAINTS = 1000
"""To tell 0.3 % from 0.1 % takes some 5,000 messages; below 1,000 there is nothing to judge."""


class Grade(StrEnum):
    """GREEN: as it should be. AMBER: to be looked at. RED: providers react to this.

    TOO_FEW: not enough messages to any provider for a judgement.
    """

    GREEN = "green"
    TOO_FEW = "too few to tell"
    AMBER = "amber"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Note:
    """One sentence about the campaign, and how grave it is."""

    grade: Grade
    text: str


@dataclass(frozen=True, slots=True)
class Limit:
    """Shares above `amber` are told, above `red` they are grave; fewer than `fewest` are not judged.

    With `surely`, the whole of Wilson's 95 % interval must be above: two of sixty say nothing against a
    limit of 2 %.
    """

    amber: float
    red: float
    fewest: int = FEWEST
    surely: bool = True

    def grade(self, share: Share) -> Grade:
        """How grave a share is."""
        if share.value is None or share.interval is None or share.whole < self.fewest:
            return Grade.GREEN
        least = share.interval[0] if self.surely else share.value
        if least > self.red:
            return Grade.RED
        return Grade.AMBER if least > self.amber else Grade.GREEN


HARD = Limit(0.02, 0.05)
DEFERRALS = Limit(0.10, 0.30)
# Providers act on complaints long before they are many enough to be sure of.
COMPLAINTS = Limit(0.0008, 0.002, FEWEST_FOR_COMPLAINTS, surely=False)
STOPS = Limit(0.02, 0.05)


def verdict(report: CampaignReport) -> tuple[Grade, list[Note]]:
    """The grade of the gravest note, and the notes, gravest first."""
    notes = [*_proof(report), *_rates(report), *_seeds(report)]
    order = list(Grade)
    notes.sort(key=lambda note: -order.index(note.grade))
    gravest = notes[0].grade if notes else Grade.GREEN
    return gravest, notes


def troubles(report: CampaignReport) -> Iterator[Note]:
    """What is wrong with the campaign itself, whichever provider: sums, an obstacle, uncertain messages."""
    return _proof(report)


def _proof(report: CampaignReport) -> Iterator[Note]:
    for problem in report.problems:
        yield Note(Grade.RED, f"The figures do not add up: {problem}")
    if report.problem:
        yield Note(Grade.RED, report.problem)
    counts = report.total.counts
    if counts.deferred_waiting and not counts.sent:
        yield Note(
            Grade.AMBER,
            "No message has been taken yet, and"
            f" {plural(counts.deferred_waiting, 'is', 'are')} to be tried again:"
            " `tocsin doctor` says whether the relay can be reached.",
        )
    uncertain = counts.uncertain
    if uncertain:
        yield Note(
            Grade.AMBER,
            f"{uncertain:,} uncertain: the line dropped after the message was handed over; not sent again.",
        )


def _rates(report: CampaignReport) -> Iterator[Note]:
    if report.total.counts.sent and all(row.counts.sent < FEWEST for row in report.by_provider):
        yield Note(
            Grade.TOO_FEW,
            f"Shares are not judged: no provider was sent {FEWEST} messages or more.",
        )
    for row in report.by_provider:
        counts = row.counts
        yield from _judge(row, HARD, counts.hard_rate, "refused or came back for good")
        yield from _judge(row, DEFERRALS, counts.deferral_rate, "deferred at least once")
        if report.channel is Channel.SMS:
            yield from _judge(row, STOPS, counts.unsubscribe_rate, "answered STOP")
        else:
            yield from _judge(row, COMPLAINTS, counts.complaint_rate, "complained")


def _judge(row: ReportRow, limit: Limit, share: Share, what: str) -> Iterator[Note]:
    grade = limit.grade(share)
    if grade is Grade.GREEN:
        return
    bound = limit.red if grade is Grade.RED else limit.amber
    yield Note(
        grade,
        f"{row.provider_name}: {percent(share.value)} {what} ({share.part:,} of {share.whole:,};"
        f" {'too many from' if grade is Grade.RED else 'to be looked at from'} {bound * 100:g} % on).",
    )


def _seeds(report: CampaignReport) -> Iterator[Note]:
    if report.channel is not Channel.EMAIL:
        return
    total = report.total.counts
    if not total.placement.whole and not total.seeds_awaited:
        yield Note(Grade.GREEN, "No seed mailbox received this campaign: inbox or spam is not known.")
    for row in report.by_provider:
        counts = row.counts
        spam = replace(counts.placement, part=counts.seeds_spam)
        if not spam.part or spam.interval is None:
            continue
        low, high = spam.interval
        majority = spam.part * 2 > spam.whole
        yield Note(
            Grade.RED if majority and spam.part > 1 else Grade.AMBER,
            f"{row.provider_name}: {spam.part} of {plural(spam.whole, 'seed')} in spam,"
            f" so that {low * 100:.0f} to {high * 100:.0f} % of the mail may be there.",
        )
    if total.seeds_missing:
        yield Note(
            Grade.AMBER,
            f"{plural(total.seeds_missing, 'seed')} never saw the message: accepted, and nowhere.",
        )


def percent(value: float | None) -> str:
    """A share as a percentage, with as many digits as it deserves; a dash of nothing."""
    if value is None:
        return "–"
    figure = value * 100
    if figure in {0, 100}:
        return f"{figure:.0f} %"
    return f"{figure:.2f} %" if figure < 1 else f"{figure:.1f} %"
