"""Whether the law is kept to, on one page; and the register of political advertising to take away."""

from collections.abc import Callable
from datetime import timedelta

from fastapi import APIRouter
from starlette.responses import Response

from deliverability.register_files import register_csv, register_json
from scheduler.compliance import compliance_of
from scheduler.letters import notice_address
from store.register import contents_of, register_rows
from web.access import Reader, Visit
from web.compliance_desk import counted
from web.compliance_paper import compliance_json, compliance_pdf
from web.compliance_view import Section, sections_of
from web.i18n import N_
from web.report_paper import attachment
from web.view import page

router = APIRouter()
PERIODS: tuple[tuple[int, str], ...] = ((30, N_("30 days")), (90, N_("3 months")), (365, N_("1 year")))
USUAL = 90


@router.get("/compliance")
async def compliance_page(visit: Reader) -> Response:
    """The questions of whoever answers for the mail, each with what is on record."""
    days = _days(visit)
    sections, counted_at = await _sections(visit, days)
    return page(
        visit, "compliance.html", sections=sections, counted_at=counted_at, periods=PERIODS, days=days
    )


@router.get("/compliance.pdf")
async def compliance_on_paper(visit: Reader) -> Response:
    """The same to sign and to keep."""
    days = _days(visit)
    sections, counted_at = await _sections(visit, days)
    made = await compliance_pdf(sections, _span(visit, days), counted_at, visit.tongue)
    return Response(made, media_type="application/pdf", headers=attachment("compliance", 0, "pdf"))


@router.get("/compliance.json")
async def compliance_as_json(visit: Reader) -> Response:
    """The figures behind it, for programs."""
    now, days = visit.context.clock.now(), _days(visit)
    known = await counted(visit.context.database, visit.context.clock, days)
    async with visit.context.database.read() as session:
        found = await compliance_of(session, now - timedelta(days=days), now, known=known.honoured)
    text = compliance_json(found, known.coverage, known.at)
    return Response(text, media_type="application/json", headers=attachment("compliance", 0, "json"))


@router.get("/compliance/register.csv")
async def register_as_csv(visit: Reader) -> Response:
    """Every political campaign that was launched, for spreadsheets."""
    async with visit.context.database.read() as session:
        rows = await register_rows(session)
    text = f"\ufeff{register_csv(rows, _notice_of(visit))}"
    headers = attachment("register", 0, "csv")
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/compliance/register.json")
async def register_as_json(visit: Reader) -> Response:
    """The same with the content of each, for the archive."""
    async with visit.context.database.read() as session:
        rows = await register_rows(session)
        contents = await contents_of(session, rows)
    text = register_json(rows, contents, _notice_of(visit), visit.context.clock.now())
    return Response(text, media_type="application/json", headers=attachment("register", 0, "json"))


async def _sections(visit: Visit, days: int) -> tuple[list[Section], str]:
    """Everything in the reader's words, and when people were counted."""
    context, now = visit.context, visit.context.clock.now()
    known = await counted(context.database, context.clock, days)
    async with context.database.read() as session:
        found = await compliance_of(session, now - timedelta(days=days), now, known=known.honoured)
    sections = sections_of(found, known.coverage, _notice_of(visit), visit.tongue)
    return sections, visit.tongue.moment(known.at)


def _days(visit: Visit) -> int:
    asked = visit.query.number("days")
    return asked if asked in dict(PERIODS) else USUAL


def _span(visit: Visit, days: int) -> str:
    now = visit.context.clock.now()
    return f"{visit.tongue.day(now - timedelta(days=days))} – {visit.tongue.day(now)}"


def _notice_of(visit: Visit) -> Callable[[int], str]:
    context = visit.context
    return lambda number: notice_address(context.tokens, context.public_url, number)
