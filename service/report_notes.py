"""What a report's figures mean for whoever has to act, as far as no assessment says it. Pure.

That is what is wrong with the campaign as a whole, and the shares of text messages; how an e-mail campaign
fares at each provider is `deliverability.assessment`'s to judge. A share of few observations is not judged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from deliverability.report import CampaignReport, ReportRow, Share
from models.states import Channel
from models.text import plural

FEWEST = 30
"""Messages below which a share is not judged."""


class Grade(StrEnum):
    """From good to grave, in the words of the pages. RED: providers react to this.

    UNKNOWN: too little is known for a judgement.
    """

    GREEN = "fine"
    UNKNOWN = "not known"
    AMBER = "look at it"
    RED = "act now"


@dataclass(frozen=True, slots=True)
class Note:
    """One sentence about the campaign, and how grave it is."""

    grade: Grade
    text: str


@dataclass(frozen=True, slots=True)
class Limit:
    """Shares above `amber` are told, above `red` they are grave; of fewer than `FEWEST` neither.

    The whole of Wilson's 95 % interval must be above: two of sixty say nothing against a limit of 2 %.
    """

    amber: float
    red: float

    def grade(self, share: Share) -> Grade:
        """How grave a share is."""
        if share.value is None or share.interval is None or share.whole < FEWEST:
            return Grade.GREEN
        least = share.interval[0]
        if least > self.red:
            return Grade.RED
        return Grade.AMBER if least > self.amber else Grade.GREEN


HARD = Limit(0.02, 0.05)
DEFERRALS = Limit(0.10, 0.30)
STOPS = Limit(0.02, 0.05)


def verdict(report: CampaignReport) -> tuple[Grade, list[Note]]:
    """The grade of the gravest note, and the notes, gravest first; of e-mails `troubles` alone."""
    notes = [*troubles(report), *(_rates(report) if report.channel is Channel.SMS else ())]
    order = list(Grade)
    notes.sort(key=lambda note: -order.index(note.grade))
    gravest = notes[0].grade if notes else Grade.GREEN
    return gravest, notes


def troubles(report: CampaignReport) -> Iterator[Note]:
    """What is wrong with the campaign itself, whichever provider: sums, an obstacle, uncertain messages."""
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
            Grade.UNKNOWN,
            f"Shares are not judged: no provider was sent {FEWEST} messages or more.",
        )
    for row in report.by_provider:
        counts = row.counts
        yield from _judge(row, HARD, counts.hard_rate, "refused or came back for good")
        yield from _judge(row, DEFERRALS, counts.deferral_rate, "deferred at least once")
        yield from _judge(row, STOPS, counts.unsubscribe_rate, "answered STOP")


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


def percent(value: float | None) -> str:
    """A share as a percentage, with as many digits as it deserves; a dash of nothing."""
    if value is None:
        return "–"
    figure = value * 100
    if figure in {0, 100}:
        return f"{figure:.0f} %"
    return f"{figure:.2f} %" if figure < 1 else f"{figure:.1f} %"
