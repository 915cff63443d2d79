"""What became of a campaign: one page to read and print, JSON and CSV to take away.

The page shows its own proof: the sums it is made of, and whether they come out.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.responses import Response

from deliverability.assessing import assess_report
from deliverability.assessment.whole import CampaignAssessment
from deliverability.changes import campaign_changes, changes_document
from deliverability.report import (
    CampaignReport,
    Counts,
    ReportRow,
    Share,
    campaign_report,
    report_csv,
    report_json,
)
from models.states import CampaignState, Channel
from store import campaigns, incidents
from web.access import Reader, Visit
from web.borrowed import say_borrowed
from web.bounce_overview import bounce_overview
from web.campaign_law import law_on_record
from web.change_view import changes_of
from web.charts import SERIES, WIDE, Drawings, Spec, bars_over_time, draw_both, shares_by_name
from web.i18n import N_, Tongue
from web.pages.places import places_of
from web.report_paper import Sheet, attachment, report_pdf
from web.stream_names import title_of
from web.troubles import trouble_of
from web.verdict_view import verdicts_of
from web.view import page
from web.words import COUNTED, LEFT_OUT, MESSAGES, TARGETED

router = APIRouter()

PARTITION: tuple[tuple[str, str], ...] = (
    ("accepted", N_("accepted")),
    ("refused", N_("refused")),
    ("uncertain", N_("uncertain")),
    ("expired", N_("expired")),
    ("cancelled", N_("cancelled before sending")),
    ("suppressed_since", N_("suppressed since")),
    ("capped", N_("over the frequency limit")),
    ("held", N_("held back")),
    ("waiting", N_("waiting")),
)
"""The columns that add up to the messages: name and heading."""
NOT_SENT = ("expired", "cancelled", "suppressed_since", "capped")
ALWAYS = frozenset({"accepted", "refused", "waiting"})
REACTIONS: tuple[tuple[str, str, str, str, int], ...] = (
    ("sent", N_("Sent"), "", "", 0),
    ("deferred", N_("deferred"), "deferral_rate", N_("of those attempted"), 1),
    ("refused", N_("refused"), "", "", 0),
    ("bounced_hard", N_("Bounced, hard"), "", "", 0),
    ("bounced_soft", N_("Bounced, soft"), "", "", 0),
    ("arrived", N_("Arrived"), "delivery_rate", N_("of those sent"), 1),
    ("delivered", N_("Confirmed"), "", "", 0),
    ("complained", N_("Complained"), "complaint_rate", N_("where they are told"), 2),
    ("unsubscribed", N_("Unsubscribed"), "unsubscribe_rate", N_("of those accepted"), 2),
    ("clicked", N_("Clicked"), "click_rate", N_("of those accepted"), 1),
)
"""Count in the report, heading, the share shown under it, what that is a share of, digits after the point."""
SMS_ONLY, EMAIL_ONLY = frozenset({"delivered"}), frozenset({"complained", "clicked"})
ENDS = (N_("Arrived"), N_("waiting"), N_("Refused or bounced"), N_("uncertain"), N_("Not sent"))
"""How a delivery can end, for the chart by provider."""
ENDED = frozenset({CampaignState.FINISHED, CampaignState.CANCELLED, CampaignState.INCOMPLETE})


Chart = tuple[str, Callable[[int], Spec]]
"""What a chart shows, and how to draw it in a width."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table: `kind` is total, head or sub."""

    label: str
    counts: Counts
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """The sums of the report in words, and whether they come out."""

    targeted: str
    deliveries: str
    problems: Sequence[str]


@router.get("/campaigns/{campaign_id}/report")
async def report_page(visit: Reader, campaign_id: int) -> Response:
    """The report to read."""
    report = await _report(visit, campaign_id)
    async with visit.context.database.read() as session:
        bounces = await bounce_overview(session, report, visit.tongue)
        assessment = await assess_report(session, report)
        changes = await campaign_changes(session, report, assessment)
        troubles = await incidents.list_incidents(session, campaign_id=campaign_id)
        places = await places_of(visit, session, campaign_id)
        law = await law_on_record(visit, session, campaign_id) if report.launched_at else []
    total = report.total.counts
    return page(
        visit,
        "report.html",
        report=report,
        ended=report.state in ENDED,
        total=total,
        columns=[(name, text) for name, text in PARTITION if name in ALWAYS or getattr(total, name)],
        reactions=reactions_of(report.channel),
        groups=list(groups_of(report, visit.tongue)),
        pairs=pairs_of(report),
        proof=prove(report, visit.tongue),
        bounces=bounces,
        places=places,
        law=law,
        verdicts=verdicts_of(assessment, visit.tongue) if assessment else None,
        changes=changes_of(changes, visit.tongue),
        troubles=[trouble_of(one, visit.tongue) for one in troubles],
        seeds=[row for row in report.by_provider if has_seeds(row.counts)],
        shown=lambda share, digits: show_share(share, visit.tongue, digits),
        interval=lambda share: show_interval(share, visit.tongue),
        over_time=await _draw(over_time_chart(report, visit), visit.tongue),
        by_provider=await _draw(by_provider_chart(report, visit.tongue), visit.tongue),
    )


@router.get("/campaigns/{campaign_id}/report.json")
async def report_as_json(visit: Reader, campaign_id: int) -> Response:
    """The report for programs."""
    report, assessment = await _judged(visit, campaign_id)
    async with visit.context.database.read() as session:
        changes = changes_document(await campaign_changes(session, report, assessment))
    text = report_json(report, assessment, changes)
    return Response(text, media_type="application/json", headers=download(report, "json"))


@router.get("/campaigns/{campaign_id}/report.csv")
async def report_as_csv(visit: Reader, campaign_id: int) -> Response:
    """The report for spreadsheets; the mark at its head tells them that it is UTF-8."""
    report, assessment = await _judged(visit, campaign_id)
    text = f"\ufeff{report_csv(report, assessment)}"
    return Response(text, media_type="text/csv; charset=utf-8", headers=download(report, "csv"))


async def _report(visit: Visit, campaign_id: int) -> CampaignReport:
    async with visit.context.database.read() as session:
        report = await campaign_report(session, campaign_id, visit.context.clock.now())
        campaign = await campaigns.get_campaign(session, campaign_id)
        return replace(report, name=await title_of(session, campaign) or report.name)


@router.get("/campaigns/{campaign_id}/report.pdf")
async def report_on_paper(visit: Reader, campaign_id: int) -> Response:
    """The report to print, to sign, to keep."""
    tongue = visit.tongue
    report, assessment = await _judged(visit, campaign_id)
    async with visit.context.database.read() as session:
        known = await incidents.list_incidents(session, campaign_id=campaign_id)
        changes = await campaign_changes(session, report, assessment)
        law = await law_on_record(visit, session, campaign_id) if report.launched_at else []
    proof = prove(report, tongue)
    sheet = Sheet(
        verdicts=verdicts_of(assessment, tongue) if assessment else None,
        proof=(proof.targeted, proof.deliveries, *(say_borrowed(tongue, one) for one in proof.problems)),
        troubles=[trouble_of(one, tongue) for one in known],
        changes=changes_of(changes, tongue),
        law=[(one.on_paper, one.tone) for one in law],
        charts=[
            (drawn[0], drawn[1](WIDE))
            for drawn in (over_time_chart(report, visit), by_provider_chart(report, tongue))
            if drawn is not None
        ],
    )
    made = await report_pdf(report, sheet, tongue)
    return Response(made, media_type="application/pdf", headers=download(report, "pdf"))


async def _judged(visit: Visit, campaign_id: int) -> tuple[CampaignReport, CampaignAssessment | None]:
    async with visit.context.database.read() as session:
        report = await campaign_report(session, campaign_id, visit.context.clock.now())
        return report, await assess_report(session, report)


def download(report: CampaignReport, suffix: str) -> dict[str, str]:
    """The headers of a file to keep, named after the campaign in plain letters."""
    return attachment(report.name, report.campaign_id, suffix)


def reactions_of(channel: Channel) -> list[tuple[str, str, str, str, int]]:
    """The columns that say anything about messages of this channel."""
    silent = SMS_ONLY if channel is Channel.EMAIL else EMAIL_ONLY
    return [reaction for reaction in REACTIONS if reaction[0] not in silent]


def groups_of(report: CampaignReport, tongue: Tongue) -> Iterable[tuple[str, list[Line]]]:
    """The lines of the tables in groups with their headings; groups that only repeat are left out."""
    yield "", [Line(tongue.say("Whole campaign"), report.total.counts, "total")]
    if len(report.by_provider) > 1:
        yield (
            tongue.say("By mailbox provider"),
            [
                Line(say_borrowed(tongue, row.provider_name), row.counts)
                for row in report.by_provider
                if row.counts.deliveries  # a provider of seeds alone has its own table
            ],
        )
    if len(report.by_identity) > 1:
        yield tongue.say("By identity"), [Line(row.identity_name, row.counts) for row in report.by_identity]


def pairs_of(report: CampaignReport) -> Sequence[ReportRow]:
    """Identity × provider; empty when it would only repeat another table."""
    crossed = len(report.by_identity) > 1 and len(report.by_provider) > 1
    return [row for row in report.by_identity_and_provider if row.counts.deliveries] if crossed else ()


def prove(report: CampaignReport, tongue: Tongue) -> Proof:
    """Targeted = left out + messages, and messages = what became of them."""
    counts = report.total.counts
    left_out = sum(report.total.left_out.values())
    parts = [
        tongue.count(COUNTED[name], getattr(counts, name)) for name, _ in PARTITION if getattr(counts, name)
    ]
    targeted = tongue.count(TARGETED, report.total.targeted or 0)
    messages = tongue.count(MESSAGES, counts.deliveries)
    return Proof(
        targeted=f"{targeted} = {tongue.count(LEFT_OUT, left_out)} + {messages}",
        deliveries=f"{messages} = {' + '.join(parts) or tongue.number(0)}",
        problems=report.problems,
    )


def has_seeds(counts: Counts) -> bool:
    """Whether seeds of this row were sent to at all."""
    return bool(counts.placement.whole or counts.seeds_awaited or counts.seeds_refused)


def show_share(share: Share, tongue: Tongue, digits: int) -> str:
    """A percentage, a dash of nothing."""
    return tongue.percent(share.value, digits)


def show_interval(share: Share, tongue: Tongue) -> str:
    """`35–82 %`: where the true share lies, 95 times of 100; a dash of nothing."""
    if share.interval is None:
        return "–"
    low, high = share.interval
    return f"{tongue.number(round(low * 100))}–{tongue.percent(high, 0)}"


def over_time_chart(report: CampaignReport, visit: Visit) -> Chart | None:
    """The chart of outcomes over time; None before there are two steps of it."""
    if len(report.over_time) < 2:
        return None
    tongue, zone = visit.tongue, ZoneInfo(visit.context.zone)
    rows = []
    for moment in report.over_time:
        # Wall-clock time passed off as UTC: the chart's library knows the zone of the machine only.
        ahead = moment.start.astimezone(zone).utcoffset() or timedelta()
        start = int((moment.start + ahead).timestamp())
        rows.append((start, (moment.accepted, moment.deferred, moment.refused)))
    series = [sentence_case(tongue.say(text)) for text in ("accepted", "deferred", "refused")]
    step, count = report.bucket_seconds, tongue.say("Messages")
    return (
        tongue.say("Messages over time"),
        lambda width: bars_over_time(rows, series=series, step=step, count=count, width=width),
    )


def by_provider_chart(report: CampaignReport, tongue: Tongue) -> Chart | None:
    """The chart of what became of the messages at each provider; None for a single provider."""
    providers = [row for row in report.by_provider if row.counts.deliveries]
    if len(providers) < 2:
        return None
    texts = [sentence_case(tongue.say(text)) for text in ENDS]
    texts[-1] = not_sent(report.total.counts, tongue)
    happened = [count > 0 for count in _ends(report.total.counts)]
    rows: list[dict[str, object]] = [
        {"name": say_borrowed(tongue, row.provider_name), "what": texts[rank], "rank": rank, "count": count}
        for row in providers
        for rank, count in enumerate(_ends(row.counts))
        if count
    ]
    names = [say_borrowed(tongue, row.provider_name) for row in providers]
    series = {text: SERIES[rank] for rank, text in enumerate(texts) if happened[rank]}
    axis = tongue.say("Share of the messages")
    return (
        tongue.say("What became of the messages, by provider"),
        lambda width: shares_by_name(rows, names=names, series=series, axis=axis, width=width),
    )


async def _draw(chart: Chart | None, tongue: Tongue) -> Drawings | None:
    return None if chart is None else await draw_both(*chart, tongue.language)


def sentence_case(text: str) -> str:
    """`text` with a capital at its head."""
    return f"{text[:1].upper()}{text[1:]}"


def not_sent(counts: Counts, tongue: Tongue) -> str:
    """What was not sent, and for which reasons: `Not sent (expired, suppressed since)`."""
    reasons = [tongue.say(text) for name, text in PARTITION if name in NOT_SENT and getattr(counts, name)]
    text = tongue.say("Not sent")
    return f"{text} ({', '.join(reasons)})" if reasons else text


def _ends(counts: Counts) -> tuple[int, int, int, int, int]:
    bounced = counts.bounced_hard + counts.bounced_soft
    return (
        counts.arrived,
        counts.waiting + counts.held,
        counts.refused + min(bounced, counts.accepted),
        counts.uncertain,
        sum(getattr(counts, name) for name in NOT_SENT),
    )
