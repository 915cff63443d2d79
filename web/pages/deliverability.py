"""How each sender fares at each mailbox provider, and the study's table of who wrote how often into spam."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from deliverability.assessing import assess_identities, assess_identity
from deliverability.assessing import study as study_of
from deliverability.assessment.study import StudyRow, StudyTable
from deliverability.assessment.values import Figure
from deliverability.assessment.whole import IdentityAssessment
from deliverability.assessment_files import identity_csv, identity_json, study_csv
from deliverability.burden import burden_of
from deliverability.changes import changes_document, identity_changes
from deliverability.history import history_of
from deliverability.pressure import pressure_of_all
from deliverability.pressure_files import burden_document
from models.identity import Identity
from models.incident import Incident
from models.states import IdentityState
from store import identities, incidents
from web.access import Reader, Visit
from web.assessment_words import WORDS
from web.change_view import changes_of
from web.charts import WIDE, draw_both
from web.deliverability_charts import came_back, charts_of, providers_of
from web.i18n import N_
from web.pressure_desk import burden_on_paper, burden_parts
from web.pressure_view import everybody
from web.report_paper import attachment, identity_pdf
from web.troubles import Trouble, trouble_of
from web.verdict_view import Verdicts, verdicts_of
from web.view import page

router = APIRouter()
PERIODS: tuple[tuple[int, str], ...] = (
    (7, N_("7 days")),
    (30, N_("30 days")),
    (90, N_("3 months")),
    (365, N_("1 year")),
)
USUAL = 30
MOST = 60
"""Identities on one page."""


@dataclass(frozen=True, slots=True)
class Card:
    """One identity at a glance."""

    identity: Identity
    campaigns: int
    verdicts: Verdicts


@dataclass(frozen=True, slots=True)
class StudyLine:
    """One line of the study's table, written as the reader writes numbers."""

    name: str
    identity_id: int | None
    identities: str
    mailings: str
    messages: str
    a_week: str
    most_a_week: str
    in_spam: str
    interval: str


def days_of(visit: Visit) -> int:
    """The period asked for, one of those offered."""
    asked = visit.query.number("days")
    return asked if asked in dict(PERIODS) else USUAL


@router.get("/deliverability")
async def overview(visit: Reader) -> Response:
    """Every identity that sent e-mail lately, the gravest first."""
    now, days = visit.context.clock.now(), days_of(visit)
    async with visit.context.database.read() as session:
        senders = [
            one
            for one in await identities.list_identities(session)
            if one.from_email and one.state is not IdentityState.RETIRED
        ]
        found = await assess_identities(session, senders[:MOST], now - timedelta(days=days), now)
        troubles = await incidents.list_incidents(session, open_only=True, limit=10)
        pressure = await pressure_of_all(session)
    pairs = sorted(
        zip(senders, found, strict=False), key=lambda pair: (-pair[1].status.gravity, pair[0].name)
    )
    cards = [Card(one, judged.campaigns, verdicts_of(judged, visit.tongue)) for one, judged in pairs]
    return page(
        visit,
        "deliverability.html",
        cards=cards,
        more=max(0, len(senders) - MOST),
        troubles=[trouble_of(one, visit.tongue) for one in troubles],
        everybody=everybody(pressure, visit.tongue),
        periods=PERIODS,
        days=days,
    )


@router.get("/deliverability/identities/{identity_id}")
async def identity_page(visit: Reader, identity_id: int) -> Response:
    """One identity at each provider: verdicts, estimate, advice, incidents."""
    now, days = visit.context.clock.now(), days_of(visit)
    async with visit.context.database.read() as session:
        identity = await identities.get_identity(session, identity_id)
        since = now - timedelta(days=days)
        found = await assess_identity(session, identity_id, since, now)
        past = await history_of(session, identity_id, since, now)
        changes = await identity_changes(session, found)
        known = await incidents.list_incidents(session, identity_id=identity_id, limit=20)
        burden = await burden_of(session, identity_id, since, now, visit.context.zone)
    troubles: list[Trouble] = [trouble_of(one, visit.tongue) for one in known]
    return page(
        visit,
        "deliverability_identity.html",
        identity=identity,
        campaigns=found.campaigns,
        verdicts=verdicts_of(found, visit.tongue),
        troubles=troubles,
        changes=changes_of(changes, visit.tongue),
        past=past,
        providers=(providers := providers_of(found, visit.tongue)),
        places=WORDS,
        back=(back := came_back(found, visit.tongue)),
        charts=[
            await draw_both(title, spec, visit.tongue.language)
            for title, spec in charts_of(past, providers, back, visit.tongue)
        ],
        periods=PERIODS,
        days=days,
        **await burden_parts(burden, visit.tongue),
    )


@router.get("/deliverability/identities/{identity_id}/report.json")
async def identity_as_json(visit: Reader, identity_id: int) -> Response:
    """The assessment for programs."""
    found, _ = await _assessed(visit, identity_id)
    async with visit.context.database.read() as session:
        changes = changes_document(await identity_changes(session, found))
        burden = await burden_of(session, identity_id, found.since, found.until, visit.context.zone)
    text = identity_json(found, changes, burden_document(burden))
    headers = attachment(found.identity_name, identity_id, "json")
    return Response(text, media_type="application/json", headers=headers)


@router.get("/deliverability/identities/{identity_id}/report.csv")
async def identity_as_csv(visit: Reader, identity_id: int) -> Response:
    """The assessment for spreadsheets."""
    found, _ = await _assessed(visit, identity_id)
    headers = attachment(found.identity_name, identity_id, "csv")
    return Response(f"\ufeff{identity_csv(found)}", media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/deliverability/identities/{identity_id}/report.pdf")
async def identity_on_paper(visit: Reader, identity_id: int) -> Response:
    """The assessment to print."""
    found, known = await _assessed(visit, identity_id)
    async with visit.context.database.read() as session:
        past = await history_of(session, identity_id, found.since, found.until)
        changes = await identity_changes(session, found)
        burden = await burden_of(session, identity_id, found.since, found.until, visit.context.zone)
    tongue, providers = visit.tongue, providers_of(found, visit.tongue)
    drawn = charts_of(past, providers, came_back(found, tongue), tongue)
    made = await identity_pdf(
        found,
        verdicts_of(found, tongue),
        [trouble_of(one, tongue) for one in known],
        [(title, draw_in(WIDE)) for title, draw_in in drawn],
        tongue,
        changes=changes_of(changes, tongue),
        more=await burden_on_paper(burden, tongue),
    )
    headers = attachment(found.identity_name, identity_id, "pdf")
    return Response(made, media_type="application/pdf", headers=headers)


async def _assessed(visit: Visit, identity_id: int) -> tuple[IdentityAssessment, list[Incident]]:
    now = visit.context.clock.now()
    async with visit.context.database.read() as session:
        since = now - timedelta(days=days_of(visit))
        found = await assess_identity(session, identity_id, since, now)
        return found, await incidents.list_incidents(session, identity_id=identity_id, limit=20)


@router.get("/deliverability/study")
async def study_page(visit: Reader) -> Response:
    """The 2022 study's own table, of this installation."""
    days = days_of(visit)
    table, names = await _study(visit, days)
    return page(
        visit,
        "study.html",
        total=study_line(visit, table.total, names),
        senders_in_spam=_share(visit, table.total.senders_in_spam),
        lines=[study_line(visit, row, names) for row in table.rows],
        table=table,
        periods=PERIODS,
        days=days,
    )


@router.get("/deliverability/study.csv")
async def study_file(visit: Reader) -> Response:
    """The same table for spreadsheets; shares are fractions between 0 and 1."""
    table, names = await _study(visit, days_of(visit))
    headers = attachment("study", 0, "csv")
    return Response(f"\ufeff{study_csv(table, names)}", media_type="text/csv; charset=utf-8", headers=headers)


async def _study(visit: Visit, days: int) -> tuple[StudyTable, dict[int, str]]:
    """The table of the whole days of the period up to now, and the names of its identities."""
    zone = ZoneInfo(visit.context.zone)
    now = visit.context.clock.now()
    first = datetime.combine(now.astimezone(zone).date() - timedelta(days=days), time(), zone)
    async with visit.context.database.read() as session:
        table = await study_of(session, first, now, zone)
        names = await _names(session)
    return table, names


async def _names(session: AsyncSession) -> dict[int, str]:
    return {one.id: one.name for one in await identities.list_identities(session)}


def study_line(visit: Visit, row: StudyRow, names: dict[int, str]) -> StudyLine:
    """A line as it is read; the line of all has no name."""
    tongue = visit.tongue
    return StudyLine(
        name=names.get(row.identity_id or 0, ""),
        identity_id=row.identity_id,
        identities=tongue.number(row.identities),
        mailings=tongue.number(row.mailings),
        messages=tongue.number(row.messages),
        a_week=tongue.number(round(row.a_week, 1)),
        most_a_week=tongue.number(row.most_a_week),
        in_spam=_share(visit, row.in_spam),
        interval=_interval(visit, row.in_spam),
    )


def _share(visit: Visit, figure: Figure | None) -> str:
    """A percentage; that few are not assessable, and that none were tested, is said."""
    tongue = visit.tongue
    if figure is None or not figure.whole:
        return tongue.say("not tested")
    of = tongue.say("%(part)s of %(whole)s", part=figure.part, whole=figure.whole)
    return of if figure.assessable else f"{of}, {tongue.say('not assessable')}"


def _interval(visit: Visit, figure: Figure) -> str:
    if figure.low is None or figure.high is None or not figure.assessable:
        return ""
    return f"{visit.tongue.number(round(figure.low * 100))}–{visit.tongue.percent(figure.high, 0)}"
