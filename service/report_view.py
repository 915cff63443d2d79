"""A campaign's report on the terminal: what was sent, what became of it, where, and whether it adds up.

Narrow terminals lose columns, the least needed first, and never a figure within one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from deliverability.assessment.whole import CampaignAssessment
from deliverability.changes import Changes
from deliverability.report import CampaignReport, ReportRow
from deliverability.report_values import FEEDLESS
from models.states import Channel
from models.text import plural
from service.change_print import print_changes
from service.report_notes import Grade, percent, verdict
from service.terminal import screen, words
from service.verdict_print import print_verdicts, verdicts_in_english

COLOURS = MappingProxyType(
    {Grade.GREEN: "green", Grade.UNKNOWN: "cyan", Grade.AMBER: "yellow", Grade.RED: "red"}
)
MARKS = MappingProxyType({Grade.GREEN: "·", Grade.UNKNOWN: "?", Grade.AMBER: "!", Grade.RED: "✗"})
NAME_WIDTH = 24
WIDE, WIDE_NAME_WIDTH = 120, 40
REFUSALS_SHOWN = 8
OUTCOMES = (
    ("accepted", "accepted"),
    ("refused", "refused"),
    ("uncertain", "uncertain"),
    ("expired", "expired"),
    ("cancelled", "cancelled"),
    ("suppressed_since", "suppressed since"),
    ("capped", "over the frequency limit"),
    ("held", "held"),
    ("waiting", "waiting"),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One column: shown on terminals of `width` characters and more, for the channels it makes sense for."""

    heading: str
    cell: Callable[[ReportRow], str]
    width: int = 0
    channels: frozenset[Channel] = frozenset(Channel)


EMAIL, SMS = frozenset({Channel.EMAIL}), frozenset({Channel.SMS})
LEGEND = MappingProxyType(
    {
        "confirmed": "the operator says it was delivered",
        "deferred": "asked to try later at least once",
        "bounced": "came back after it was accepted, for good/for now",
        "unsub": "unsubscribed",
        "stop": "answered STOP",
        "seeds": "in the inbox/in a tab/in spam/nowhere",
        "inbox": "the share of mail in the inbox, as far as the seeds can tell",
    }
)


def _complaints(row: ReportRow) -> str:
    """How many, or that this provider tells nobody."""
    if row.provider in FEEDLESS and not row.counts.complained:
        return "no feed"
    return f"{row.counts.complained:,}"


def _bounces(row: ReportRow) -> str:
    counts = row.counts
    return f"{counts.bounced_hard:,}/{counts.bounced_soft:,}"


def _seeds(row: ReportRow) -> str:
    counts = row.counts
    if not counts.placement.whole:
        return f"{counts.seeds_awaited} awaited" if counts.seeds_awaited else "–"
    return f"{counts.seeds_inbox}/{counts.seeds_tab}/{counts.seeds_spam}/{counts.seeds_missing}"


def _interval(row: ReportRow) -> str:
    # Of several providers together it takes their shares of the list: the estimate below says it.
    interval = row.counts.placement.interval if row.provider else None
    if interval is None:
        return ""
    low, high = interval
    return f"{low * 100:.0f}–{high * 100:.0f} %"


FIGURES = (
    Figure("sent", lambda row: f"{row.counts.sent:,}"),
    Figure("accepted", lambda row: f"{row.counts.accepted:,}"),
    Figure("confirmed", lambda row: f"{row.counts.delivered:,}", channels=SMS),
    Figure("deferred", lambda row: f"{row.counts.deferred:,}"),
    Figure("refused", lambda row: f"{row.counts.refused:,}"),
    Figure("waiting", lambda row: f"{row.counts.waiting:,}" if row.counts.waiting else "", 120),
    Figure("bounced", _bounces),
    Figure("complaints", _complaints, 92, EMAIL),
    Figure("unsub", lambda row: f"{row.counts.unsubscribed:,}", 92, EMAIL),
    Figure("stop", lambda row: f"{row.counts.unsubscribed:,}", channels=SMS),
    Figure("clicked", lambda row: f"{row.counts.clicked:,}", 100, EMAIL),
    Figure("seeds", _seeds, channels=EMAIL),
    Figure("inbox", _interval, 110, EMAIL),
)
RATES = (
    ("arrived", "delivery_rate", frozenset(Channel)),
    ("deferred", "deferral_rate", frozenset(Channel)),
    ("refused or bounced for good", "hard_rate", frozenset(Channel)),
    ("complained", "complaint_rate", EMAIL),
    ("unsubscribed", "unsubscribe_rate", EMAIL),
    ("answered STOP", "unsubscribe_rate", SMS),
    ("clicked", "click_rate", EMAIL),
)


def print_report(
    report: CampaignReport,
    zone: str = "UTC",
    console: Console | None = None,
    *,
    assessment: CampaignAssessment | None = None,
    changes: Changes | None = None,
    stopped: int = 0,
) -> None:
    """The whole report; moments in `zone`. `console` instead of the terminal.

    `assessment`: of an e-mail campaign; without it only what is wrong with the whole is told of one.
    `changes`: since the campaign before it. `stopped`: messages that were queued before election silence and
    could not leave in time.
    """
    console = console or screen()
    _print_head(console, report, zone)
    if stopped:
        _line(console, f"Stopped by election silence: {plural(stopped, 'message')} that had not left in time")
    if report.launched_at is None and not report.total.counts.deliveries:
        _line(console, "Nothing has been sent, so there is nothing to report yet.")
        return
    _print_rows(console, report, "Provider", report.by_provider, lambda row: row.provider_name)
    if len(report.by_identity) > 1:
        _print_rows(console, report, "Sender", report.by_identity, lambda row: row.identity_name)
    _print_legend(console, report)
    _print_rates(console, report)
    if assessment is None:
        _print_verdict(console, report)
    else:
        print_verdicts(console, report, verdicts_in_english(assessment, zone))
    print_changes(console, changes, zone)
    _print_refusals(console, report)
    _print_proof(console, report)


def _line(console: Console, *parts: str | tuple[str, str]) -> None:
    """One sentence, broken between words on a terminal only."""
    console.print(Text.assemble(*parts), soft_wrap=not console.is_terminal)


def _print_head(console: Console, report: CampaignReport, zone: str) -> None:
    kind = "e-mail" if report.channel is Channel.EMAIL else "SMS"
    if console.is_terminal:
        console.print(Rule(style="dim"))
    console.print(Text(report.name, style="bold"))
    facts = [f"Campaign {report.campaign_id}", kind, words(report.state)]
    facts += filter(None, [_span(report.launched_at or report.starts_at, report.finished_at, ZoneInfo(zone))])
    _line(console, (" · ".join(facts), "dim"))
    total, counts = report.total, report.total.counts
    flow = [
        f"{total.targeted or 0:,} targeted",
        plural(counts.deliveries, "message"),
        f"{counts.sent:,} sent",
    ]
    flow.append(f"{counts.accepted:,} accepted")
    if report.channel is Channel.SMS:
        flow.append(f"{counts.delivered:,} confirmed")
    _line(console, " → ".join(flow))
    if reasons := [f"{words(reason)} {count:,}" for reason, count in total.left_out.items() if count]:
        _line(console, f"Left out: {' · '.join(reasons)}")


def _span(start: datetime | None, end: datetime | None, zone: ZoneInfo) -> str:
    """`13 March 2026, 18:30 to 19:12 (Europe/Paris)`, as far as it has gone."""
    if start is None:
        return ""
    first = start.astimezone(zone)
    text = f"{first.day} {first:%B %Y, %H:%M}"
    if end is not None:
        last = end.astimezone(zone)
        same_day = last.date() == first.date()
        text += f" to {last:%H:%M}" if same_day else f" to {last.day} {last:%B, %H:%M}"
    return f"{text} ({zone.key})"


def _shown(console: Console, report: CampaignReport) -> list[Figure]:
    """The columns this terminal has room for."""
    return [
        figure for figure in FIGURES if report.channel in figure.channels and console.width >= figure.width
    ]


def _print_rows(
    console: Console,
    report: CampaignReport,
    heading: str,
    rows: Iterable[ReportRow],
    name: Callable[[ReportRow], str],
) -> None:
    table = Table(
        box=box.SIMPLE_HEAD if console.is_terminal else None,
        padding=(0, 1 if console.is_terminal else 2, 0, 0),
        pad_edge=False,
        show_footer=True,
        footer_style="bold",
    )
    table.add_column(
        heading,
        "Total",
        min_width=8,
        max_width=WIDE_NAME_WIDTH if console.width >= WIDE else NAME_WIDTH,
        overflow="fold",
    )
    figures = _shown(console, report)
    ordered = sorted(rows, key=lambda row: -row.counts.deliveries)
    for figure in figures:
        cells = [figure.heading, *(figure.cell(row) for row in (*ordered, report.total))]
        # Where there is not room for all, names give way and figures do not.
        width = max(len(cell) for cell in cells)
        table.add_column(
            figure.heading, figure.cell(report.total), justify="right", no_wrap=True, min_width=width
        )
    for row in ordered:
        table.add_row(Text(name(row)), *(figure.cell(row) for figure in figures))
    if not console.is_terminal:
        console.print()
    console.print(table)


def _print_legend(console: Console, report: CampaignReport) -> None:
    meanings = [
        f"{figure.heading}: {LEGEND[figure.heading]}"
        for figure in _shown(console, report)
        if figure.heading in LEGEND
    ]
    if not console.is_terminal:
        console.print()
    _line(console, (" · ".join(meanings), "dim"))


def _print_rates(console: Console, report: CampaignReport) -> None:
    counts = report.total.counts
    shares = [
        f"{percent(getattr(counts, rate).value)} {word}"
        for word, rate, channels in RATES
        if report.channel in channels
    ]
    console.print()
    _line(console, ("Rates: ", "bold"), " · ".join(shares))


def _print_verdict(console: Console, report: CampaignReport) -> None:
    grade, notes = verdict(report)
    if report.channel is Channel.EMAIL and not notes:
        return
    console.print()
    _line(console, ("Verdict: ", "bold"), (grade.value.upper(), f"bold {COLOURS[grade]}"))
    for note in notes:
        _line(console, (f"{MARKS[note.grade]} ", COLOURS[note.grade]), note.text)


def _print_refusals(console: Console, report: CampaignReport) -> None:
    """What the providers said most often, in their own words."""
    if not report.refusals:
        return
    console.print()
    console.print(Text("What they said", style="bold"))
    for refusal in sorted(report.refusals, key=lambda each: -each.deliveries)[:REFUSALS_SHOWN]:
        line = Text.assemble(
            f"{refusal.deliveries:>6,} × ",
            (refusal.provider_name, "bold"),
            f"  {words(refusal.kind)}",
        )
        if refusal.bounce_class is not None:
            line.append(f", {words(refusal.bounce_class)}")
        console.print(line)
        said = Text(refusal.said, style="dim")
        if console.is_terminal:
            said.truncate(max(20, console.width - 9), overflow="ellipsis")
        console.print(Padding(said, (0, 0, 0, 9), expand=False), soft_wrap=not console.is_terminal)


def _print_proof(console: Console, report: CampaignReport) -> None:
    """Both sums, written out, so that anybody can add them up."""
    total = report.total
    counts = total.counts
    parts = [f"{getattr(counts, name):,} {word}" for name, word in OUTCOMES if getattr(counts, name)]
    left_out, messages = sum(total.left_out.values()), plural(counts.deliveries, "message")
    console.print()
    mark, colour = ("✗", "red") if report.problems else ("✓", "green")
    lines = (
        f"{total.targeted or 0:,} targeted = {left_out:,} left out + {messages}",
        f"{messages} = {' + '.join(parts) or '0'}",
    )
    for line in lines:
        console.print(Text.assemble((mark, colour), " ", line), soft_wrap=not console.is_terminal)
