"""A campaign's report on paper: a page for whoever signs it, then the figures for whoever keeps them.

The first page says in plain words how it went, at which providers, and what to do next; the tables after
it are those of the page. Nothing is on paper only.
"""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deliverability.assessment.whole import IdentityAssessment
from deliverability.report import CampaignReport
from models.states import Channel
from models.text import fold
from web.borrowed import say_borrowed
from web.change_view import ChangeList
from web.charts import Spec, draw_picture
from web.i18n import N_, Tongue
from web.paper import Block, Document, Figures, Grid, Heading, Picture, Title, Words, print_document
from web.troubles import Trouble
from web.verdict_view import LaneView, Verdicts
from web.words import word_for

MOST_ANSWERS = 20
MOST_LANES = 200
"""Senders at providers that are printed, the gravest: a thousand take ten seconds to set."""
DISCLAIMER = N_(
    "Measured: counted by Tocsin, by seeds that were read and answers of mail servers. Inferred: concluded "
    "from what people did. Declared: the provider says so. Intervals hold the truth 95 times of 100."
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What goes on paper besides the report: verdicts in words, the proof, incidents, charts, the law.

    `law`: sentences, each with its tone.
    """

    verdicts: Verdicts | None
    proof: Sequence[str]
    troubles: Sequence[Trouble]
    charts: Sequence[tuple[str, Spec]]
    changes: ChangeList | None = None
    law: Sequence[tuple[str, str]] = ()


async def report_pdf(report: CampaignReport, sheet: Sheet, tongue: Tongue) -> bytes:
    """The report as a PDF in the reader's language."""
    pictures = [
        Picture(await draw_picture(spec, language=tongue.language), title) for title, spec in sheet.charts
    ]
    blocks = blocks_of(report, sheet, tongue, pictures)
    foot = tongue.say(
        "%(campaign)s · as of %(moment)s", campaign=report.name, moment=tongue.moment(report.made_at)
    )
    name = tongue.say("Report: %(campaign)s", campaign=report.name)
    document = Document(name, tongue.language, foot, blocks)
    return await asyncio.to_thread(print_document, document)


async def identity_pdf(
    found: IdentityAssessment,
    verdicts: Verdicts,
    troubles: Sequence[Trouble],
    charts: Sequence[tuple[str, Spec]],
    tongue: Tongue,
    *,
    changes: ChangeList | None = None,
    more: Sequence[Block] = (),
) -> bytes:
    """What is said of one identity over a period, as a PDF in the reader's language.

    `more`: what else there is, before its end.
    """
    pictures = [Picture(await draw_picture(spec, language=tongue.language), title) for title, spec in charts]
    span = f"{tongue.day(found.since)} – {tongue.day(found.until)}"
    campaigns = tongue.say_plural("%(count)s campaign", "%(count)s campaigns", found.campaigns)
    blocks: list[Block] = [Title(found.identity_name, f"{span} · {campaigns}"), *_verdict(verdicts, tongue)]
    blocks += [*changes_on_paper(changes, tongue), *pictures, *lanes_of(verdicts, tongue)]
    if troubles:
        blocks += [Heading(tongue.say("Incidents")), _trouble_grid(troubles, tongue)]
    blocks += [*more, Words(tongue.say(DISCLAIMER), small=True)]
    name = tongue.say("Deliverability of %(identity)s", identity=found.identity_name)
    document = Document(name, tongue.language, f"{name} · {span}", blocks)
    return await asyncio.to_thread(print_document, document)


def attachment(name: str, number: int, suffix: str) -> dict[str, str]:
    """The headers of a file to keep, named in plain letters; `number` 0: none."""
    plain = re.sub(r"[^a-z0-9]+", "-", fold(name)).strip("-")[:60] or "report"
    whole = f"{plain}-{number}" if number else plain
    return {
        "Content-Disposition": f'attachment; filename="{whole}.{suffix}"',
        "Cache-Control": "no-store",
    }


def blocks_of(
    report: CampaignReport, sheet: Sheet, tongue: Tongue, pictures: Sequence[Picture] = ()
) -> list[Block]:
    """Everything the document holds, in its order."""
    return [*_first_page(report, sheet, tongue), *pictures, *_tables(report, sheet, tongue)]


def _first_page(report: CampaignReport, sheet: Sheet, tongue: Tongue) -> Iterator[Block]:
    span = tongue.moment(report.launched_at)
    if report.finished_at:
        span += f" – {tongue.moment(report.finished_at)}"
    kind = tongue.say(word_for(report.channel))
    yield Title(report.name, " · ".join((tongue.say(word_for(report.state)), kind, span)))
    if report.problem:
        yield Words(say_borrowed(tongue, report.problem), "bad")
    yield Figures(tuple(_figures(report, tongue)))
    for sentence in sheet.proof:
        yield Words(sentence)
    if sheet.verdicts is not None:
        yield from _verdict(sheet.verdicts, tongue)
    yield from changes_on_paper(sheet.changes, tongue)


def changes_on_paper(changes: ChangeList | None, tongue: Tongue) -> Iterator[Block]:
    """What changed since the last time; nothing where there is no list."""
    if changes is None:
        return
    yield Heading(tongue.say("What changed since the last time"))
    yield Words(changes.head, small=True)
    for one in changes.lines:
        detail = f" ({one.detail})" if one.detail else ""
        yield Words(f"{one.text}{detail}", one.tone)
    for note in changes.notes:
        yield Words(note, small=True)


def _verdict(verdicts: Verdicts, tongue: Tongue) -> Iterator[Block]:
    """The light, the estimate, what to do."""
    yield Heading(tongue.say("Verdict, by mailbox provider"))
    yield Words(f"{verdicts.status}. {verdicts.headline}", verdicts.tone)
    for sentence in verdicts.estimate:
        yield Words(sentence)
    if verdicts.advice:
        yield Heading(tongue.say("What to do next"))
        for one in verdicts.advice:
            yield Words(one.text, one.tone)


def _figures(report: CampaignReport, tongue: Tongue) -> Iterator[tuple[str, str, str]]:
    counts = report.total.counts
    yield tongue.say("Sent"), tongue.number(counts.sent), ""
    yield tongue.say("Arrived"), tongue.number(counts.arrived), tongue.percent(counts.delivery_rate.value)
    back = counts.refused + counts.bounced_hard + counts.bounced_soft
    yield tongue.say("Refused or bounced"), tongue.number(back), ""
    if report.channel is Channel.EMAIL:
        yield (
            tongue.say("People who clicked"),
            tongue.number(counts.clicked),
            tongue.percent(counts.click_rate.value),
        )
        yield tongue.say("Complaints"), tongue.number(counts.complained), ""
    yield tongue.say("Unsubscriptions"), tongue.number(counts.unsubscribed), ""


def _tables(report: CampaignReport, sheet: Sheet, tongue: Tongue) -> Iterator[Block]:
    if sheet.verdicts is not None:
        yield from lanes_of(sheet.verdicts, tongue)
    if report.total.left_out:
        yield Heading(tongue.say("Left out before sending"))
        yield Grid(
            (tongue.say("Reason"), tongue.say("People")),
            [
                (tongue.say(word_for(reason)), tongue.number(count))
                for reason, count in report.total.left_out.items()
            ],
            frozenset({1}),
            (4, 1),
        )
    if sheet.troubles:
        yield Heading(tongue.say("Incidents"))
        yield _trouble_grid(sheet.troubles, tongue)
    if report.refusals:
        yield Heading(tongue.say("What the providers answered"))
        yield _answers(report, tongue)
    if sheet.law:
        yield Heading(tongue.say("Whether the law was kept to"))
        yield from (Words(text, tone) for text, tone in sheet.law)
    yield Words(tongue.say(DISCLAIMER), small=True)


def lanes_of(verdicts: Verdicts, tongue: Tongue) -> Iterator[Block]:
    """Each provider, each sender there, how believable each sender is, and what is not known."""
    if not verdicts.providers:
        return
    yield Heading(tongue.say("Each provider"))
    yield _verdict_grid(verdicts.providers, tongue, whose=False)
    if verdicts.several_identities:
        yield Heading(tongue.say("Each sender at each provider"))
        yield _verdict_grid(verdicts.lanes[:MOST_LANES], tongue, whose=True)
        more = len(verdicts.lanes) - MOST_LANES
        if more > 0:
            said = tongue.say_plural(
                "%(count)s more is on the page and in the files.",
                "%(count)s more are on the page and in the files.",
                more,
            )
            yield Words(said, small=True)
    yield Heading(tongue.say("Whether receivers can believe that it is us"))
    yield Grid(
        [tongue.say(head) for head in ("Sender", "DNS", "Passed DMARC")],
        [(one.name, one.health, one.passed) for one in verdicts.senders],
        tones=[one.tone for one in verdicts.senders],
    )
    for gap in verdicts.gaps:
        yield Words(gap, small=True)


def _verdict_grid(lanes: Sequence[LaneView], tongue: Tongue, *, whose: bool) -> Grid:
    heads = ("Provider", "Verdict", "Sent", "Accepted", "Hard bounces", "Complaints", "Seeds", "Clicks")
    return Grid(
        heads=[tongue.say(head) for head in heads],
        lines=[
            (
                f"{lane.provider} · {lane.identity}" if whose else lane.provider,
                f"{lane.word}. {lane.main.text} ({lane.main.basis})",
                *(lane.sent, lane.accepted, lane.hard),
                " ".join(filter(None, (lane.complaints, lane.complaints_basis))),
                " ".join(filter(None, (lane.seeds, lane.placement))),
                lane.clicks,
            )
            for lane in lanes
        ],
        numbers=frozenset(range(2, 8)),
        # A name with its sender takes more room than the name of a provider.
        widths=(3.8 if whose else 2.2, 4.6, 1.3, 1.4, 1.6, 1.9, 1.8, 1.5),
        tones=[lane.tone for lane in lanes],
    )


def _trouble_grid(troubles: Sequence[Trouble], tongue: Tongue) -> Grid:
    heads = ("Began", "What happened", "What was done", "Ended")
    return Grid(
        heads=[tongue.say(head) for head in heads],
        lines=[
            (
                tongue.moment(one.began_at, "short"),
                " · ".join(filter(None, (one.what, one.where))),
                one.deed,
                tongue.moment(one.ended_at, "short") if one.ended_at else tongue.say("open"),
            )
            for one in troubles
        ],
        widths=(1.6, 3, 2, 1.6),
    )


def _answers(report: CampaignReport, tongue: Tongue) -> Grid:
    heads = ("Provider", "Outcome", "Answer", "Messages")
    return Grid(
        heads=[tongue.say(head) for head in heads],
        lines=[
            (
                say_borrowed(tongue, refusal.provider_name),
                tongue.say(word_for(refusal.kind)),
                refusal.said,
                tongue.number(refusal.deliveries),
            )
            for refusal in sorted(report.refusals, key=lambda each: -each.deliveries)[:MOST_ANSWERS]
        ],
        numbers=frozenset({3}),
        widths=(1.4, 1.4, 5.5, 1),
    )
