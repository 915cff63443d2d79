"""A campaign in plain words on one page, to read, to print, to hand over."""

import asyncio

from fastapi import APIRouter
from starlette.responses import Response

from deliverability.assessing import assess_report
from deliverability.changes import campaign_changes
from deliverability.report import CampaignReport, campaign_report
from web.access import Reader, Visit
from web.campaign_law import law_on_record
from web.i18n import Tongue
from web.pages.report import ENDED
from web.paper import Block, Document, Heading, Title, Words, print_document
from web.report_paper import attachment
from web.summary import Known, Part, summary_of
from web.view import page

router = APIRouter()


@router.get("/campaigns/{campaign_id}/summary")
async def summary_page(visit: Reader, campaign_id: int) -> Response:
    """The page."""
    report, parts = await _summary(visit, campaign_id)
    return page(visit, "summary.html", report=report, parts=parts, span=_span(report, visit.tongue))


@router.get("/campaigns/{campaign_id}/summary.pdf")
async def summary_on_paper(visit: Reader, campaign_id: int) -> Response:
    """The same on paper."""
    report, parts = await _summary(visit, campaign_id)
    tongue = visit.tongue
    blocks: list[Block] = [Title(report.name, _span(report, tongue))]
    for part in parts:
        blocks.append(Heading(part.title))
        blocks += [Words(line.on_paper, "" if line.tone == "quiet" else line.tone) for line in part.lines]
    foot = tongue.say(
        "%(campaign)s · as of %(moment)s", campaign=report.name, moment=tongue.moment(report.made_at)
    )
    made = await asyncio.to_thread(print_document, Document(report.name, tongue.language, foot, blocks))
    headers = attachment(report.name, report.campaign_id, "pdf")
    return Response(made, media_type="application/pdf", headers=headers)


async def _summary(visit: Visit, campaign_id: int) -> tuple[CampaignReport, list[Part]]:
    async with visit.context.database.read() as session:
        report = await campaign_report(session, campaign_id, visit.context.clock.now())
        assessment = await assess_report(session, report)
        changes = await campaign_changes(session, report, assessment)
        law = []
        if report.launched_at is not None:
            law = await law_on_record(visit, session, campaign_id, plain=True)
    known = Known(report, report.state in ENDED, law, assessment, changes)
    return report, summary_of(known, visit.tongue)


def _span(report: CampaignReport, tongue: Tongue) -> str:
    if report.launched_at is None:
        return tongue.say("Nothing has been sent yet.")
    first, last = tongue.day(report.launched_at), tongue.day(report.finished_at or report.made_at)
    return first if first == last else f"{first} – {last}"
