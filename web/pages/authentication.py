"""Who sends in our name, by the reports of receivers: pass rates, unknown senders, encryption, failures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from deliverability.dns_records import domain_of, report_address_of
from deliverability.feeds.filing import Filed, file_reports
from deliverability.feeds.reading import Sighting, read_reports
from deliverability.feeds.values import UnreadableReportError
from models.authentication import DmarcFailure
from models.errors import NotFoundError
from models.identity import Identity
from store import authentication, identities
from store.authentication import DomainReports, ReportSum, SenderKind, SourceRate
from web.access import Editor, Reader, Visit
from web.charts import Drawings, bars_over_time, draw_both
from web.i18n import N_, Tongue
from web.pages.deliverability import PERIODS, days_of
from web.view import page

router = APIRouter()
SOURCES_SHOWN = 100
UNKNOWN_SHOWN = 10
REPORTS_SHOWN = 30
FAILURES_SHOWN = 30
NO_FILE = N_("Choose a file.")
A_DAY = 86_400
KINDS = {
    SenderKind.OURS: (N_("ourselves"), "good"),
    SenderKind.ALLOWED: (N_("allowed"), "good"),
    SenderKind.FORWARDER: (N_("passes our mail on"), "calm"),
    SenderKind.SERVICE: (N_("a service that does not sign for us"), "warn"),
    SenderKind.STRANGER: (N_("unknown"), "bad"),
}
"""What a source is called, and how its badge looks."""


@dataclass(frozen=True, slots=True)
class Line:
    """One domain of ours, or of which there are reports; `reported` None: there is none yet."""

    domain: str
    address: str
    reported: DomainReports | None

    @property
    def share(self) -> float | None:
        """Of its mail, what passed."""
        found = self.reported
        return found.passed / found.messages if found is not None and found.messages else None


@dataclass(frozen=True, slots=True)
class Day:
    """What was reported for one day."""

    on: date
    passed: int
    failed: int


@dataclass(frozen=True, slots=True)
class Reporter:
    """What one receiver reported."""

    org: str
    reports: int
    messages: int
    passed: int


@router.get("/deliverability/authentication")
async def overview(visit: Reader) -> Response:
    """Our domains with what is reported of them, and the form for files."""
    return await _show(visit)


@router.post("/deliverability/authentication")
async def take_in(visit: Editor) -> Response:
    """Take in a file of reports."""
    upload = visit.form.file("file")
    if upload is None:
        return await _show(visit, problems=[NO_FILE])
    raw = await upload.read()
    now = visit.context.clock.now()
    try:
        sighting: Sighting = await run_in_threadpool(read_reports, raw, now)
    except UnreadableReportError as error:
        return await _show(visit, problems=[error.problem])
    async with visit.context.database.write() as session:
        filed = await file_reports(session, sighting.reports, now)
    return await _show(visit, filed=filed, problems=sighting.problems)


@router.get("/deliverability/authentication/{domain}")
async def domain_page(visit: Reader, domain: str) -> Response:
    """One domain: who sends in its name, since when, who says so, and what to do."""
    now, days = visit.context.clock.now(), days_of(visit)
    domain = domain.lower().rstrip(".")
    since = now - timedelta(days=days)
    async with visit.context.database.read() as session:
        senders = [one for one in await identities.list_identities(session) if one.from_email]
        own = _own(senders).get(domain)
        sums = await authentication.report_sums(session, domain, since)
        own_ips = visit.context.lookout.setup.sending_ips
        rates = await authentication.pass_rates(session, domain, since, addresses=own_ips)
        failures = await authentication.list_failures(session, domain, since, limit=FAILURES_SHOWN)
        names = sorted({domain, *_tls_names(senders, domain)})
        tls = await authentication.tls_results(session, names, since)
    if own is None and not (sums or failures or tls) and not await _is_known(visit, domain):
        raise NotFoundError("There is no such domain.")
    by_day = days_in(sums)
    return page(
        visit,
        "authentication_domain.html",
        domain=domain,
        address=own,
        periods=PERIODS,
        days=days,
        sums=sums,
        messages=sum(one.messages for one in sums),
        passed=sum(one.passed for one in sums),
        rates=rates[:SOURCES_SHOWN],
        more=max(0, len(rates) - SOURCES_SHOWN),
        unknown=[one for one in rates if not one.known][:UNKNOWN_SHOWN],
        unknown_all=[one for one in rates if not one.known],
        weak=[one for one in rates if is_weak(one)],
        kinds=KINDS,
        by_day=by_day,
        chart=await _draw(by_day, visit.tongue),
        reporters=reporters_in(sums),
        faulty=[one for one in sums if one.problems][:REPORTS_SHOWN],
        policy=sums[0].policy if sums else "",
        tls=tls,
        failures=[_told(one) for one in failures],
    )


async def _show(visit: Visit, *, filed: Filed | None = None, problems: Sequence[str] = ()) -> Response:
    days = days_of(visit)
    since = visit.context.clock.now() - timedelta(days=days)
    async with visit.context.database.read() as session:
        lines = await _lines(session, since)
    return page(
        visit,
        "authentication.html",
        400 if problems and filed is None else 200,
        lines=lines,
        filed=filed,
        problems=problems,
        periods=PERIODS,
        days=days,
        listens=bool(visit.context.listens),
        place=visit.context.bounce_place,
    )


async def _lines(session: AsyncSession, since: datetime) -> list[Line]:
    reported = {one.domain: one for one in await authentication.domains(session, since)}
    own = _own([one for one in await identities.list_identities(session) if one.from_email])
    names = [*reported, *sorted(own.keys() - reported.keys())]
    return [Line(name, own.get(name, ""), reported.get(name)) for name in names]


def _own(senders: Sequence[Identity]) -> dict[str, str]:
    """The From domains of our identities, with the address their DMARC record should name."""
    return {domain_of(one.from_email): report_address_of(one) for one in senders if one.from_email}


def _tls_names(senders: Sequence[Identity], domain: str) -> set[str]:
    """The domains below which mail comes back to us: reports on encryption are about those."""
    return {
        one.return_path_domain
        for one in senders
        if one.return_path_domain and one.from_email and domain_of(one.from_email) == domain
    }


async def _is_known(visit: Visit, domain: str) -> bool:
    """Whether there ever was a report of it: its page is empty then, and not missing."""
    async with visit.context.database.read() as session:
        return bool(await authentication.report_sums(session, domain, datetime(1970, 1, 1, tzinfo=UTC)))


def is_weak(one: SourceRate) -> bool:
    """Whether one of our own fails often enough to be looked at."""
    return one.kind in {SenderKind.OURS, SenderKind.ALLOWED} and one.failed * 50 > one.messages


def days_in(sums: Sequence[ReportSum]) -> list[Day]:
    """What was reported day by day, the latest first; days without a report are left out."""
    passed: Counter[date] = Counter()
    messages: Counter[date] = Counter()
    for one in sums:
        passed[one.day] += one.passed
        messages[one.day] += one.messages
    return [Day(on, passed[on], messages[on] - passed[on]) for on in sorted(messages, reverse=True)]


def reporters_in(sums: Sequence[ReportSum]) -> list[Reporter]:
    """What each receiver reported, those with most mails first."""
    found: dict[str, list[ReportSum]] = {}
    for one in sums:
        found.setdefault(one.org, []).append(one)
    rows = [
        Reporter(org, len(many), sum(one.messages for one in many), sum(one.passed for one in many))
        for org, many in found.items()
    ]
    return sorted(rows, key=lambda one: (-one.messages, one.org))[:REPORTS_SHOWN]


async def _draw(by_day: Sequence[Day], tongue: Tongue) -> Drawings | None:
    """Mails that passed and that did not, day by day; None before there are two days."""
    if len(by_day) < 2:
        return None
    rows = [
        (int(datetime.combine(one.on, time(), UTC).timestamp()), (one.passed, one.failed))
        for one in reversed(by_day)
    ]
    series = [tongue.say("Passed"), tongue.say("Not passed")]
    count = tongue.say("Mails")
    return await draw_both(
        tongue.say("Mails that passed and that did not, day by day"),
        lambda width: bars_over_time(rows, series=series, step=A_DAY, count=count, width=width),
        tongue.language,
    )


@dataclass(frozen=True, slots=True)
class Failed:
    """One failure report; `people` names addresses, and is for those who write to people."""

    at: datetime
    source_ip: str
    failure: str
    result: str
    reporter: str
    subject: str
    people: Sequence[str]


def _told(one: DmarcFailure) -> Failed:
    names = ("original-from", "original-mail-from", "original-rcpt-to")
    people = [str(one.details.get(name, "")) for name in names]
    return Failed(
        one.arrived_at,
        one.source_ip,
        one.failure,
        one.delivery_result,
        one.reporter,
        one.subject,
        [text for text in people if text],
    )
