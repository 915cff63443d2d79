"""What providers declare of our mail, each figure beside what it does not say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from deliverability.feeds.declared_files import read_declared
from deliverability.feeds.declaring import rows_of
from deliverability.feeds.figures import UnreadableFiguresError
from models.declared import DeclaredFeed, DeclaredFigure, DeclaredSource
from store import declared
from web.access import Editor, Reader, Visit
from web.i18n import N_, Tongue
from web.pages.deliverability import PERIODS, days_of
from web.view import page

router = APIRouter()
NO_FILE = N_("Choose a file.")
ROWS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Source:
    """A source on the page: `trap` what its figures do not say, `way` how they come here."""

    key: DeclaredSource
    name: str
    trap: str
    way: str


SOURCES: tuple[Source, ...] = (
    Source(
        DeclaredSource.GMAIL_POSTMASTER,
        "Gmail Postmaster Tools",
        N_(
            "Gmail counts complaints about mail in the inbox only: when everything is in spam, the rate"
            " looks perfect. It comes one or two days late, and is empty on days with little mail."
        ),
        N_(
            "Asked once a day with TOCSIN_POSTMASTER_REFRESH_TOKEN and its client, or a service account; the"
            " domain has to be verified in Postmaster Tools. Or by file: a table with a date, a domain and a"
            " spam rate."
        ),
    ),
    Source(
        DeclaredSource.MICROSOFT_SNDS,
        "Microsoft SNDS",
        N_(
            "It speaks of an IP address: on a shared one, of everybody’s mail. Green means that less than"
            " a tenth was taken for spam, yellow less than nine tenths. Only the owner of the address gets"
            " it."
        ),
        N_(
            "Fetched once a day from the address in TOCSIN_SNDS_URL. Or by file: the table of the SNDS"
            " portal."
        ),
    ),
    Source(
        DeclaredSource.SIGNAL_SPAM,
        "Signal Spam",
        N_(
            "People report here from Orange, SFR and La Poste for the most part. Few complaints are no proof"
            " of the inbox: what nobody sees, nobody reports."
        ),
        N_("For members, by file: a table with a day, an IP address and the complaints."),
    ),
    Source(
        DeclaredSource.YAHOO_CFL,
        "Yahoo (CFL)",
        N_(
            "Yahoo reports complaints by DKIM domain, and counts its own rate on mail in the inbox only."
            " Each complaint also comes as a mail and is counted in the reports of campaigns."
        ),
        N_("By file: a table with a date, a domain and the complaints."),
    ),
)
METRICS: Mapping[str, str] = MappingProxyType(
    {
        "spam_rate": N_("complaints, share of inbox mail"),
        "filter_result": N_("taken for spam"),
        "complaint_rate": N_("complaint rate"),
        "feedback_spam_rate": N_("complaints of one Feedback-ID"),
        "feedback_ids": N_("Feedback-IDs with complaints"),
        "spf_rate": N_("SPF passed"),
        "dkim_rate": N_("DKIM passed"),
        "dmarc_rate": N_("DMARC passed"),
        "tls_rate": N_("encrypted"),
        "delivery_error_rate": N_("refused or deferred"),
        "complaints": N_("complaints"),
        "volume": N_("mails"),
        "recipients": N_("recipients"),
        "rcpt_commands": N_("recipients tried"),
        "data_commands": N_("messages handed over"),
        "trap_hits": N_("spam traps hit"),
    }
)
WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "green": (N_("green: less than a tenth"), "good"),
        "yellow": (N_("yellow: a tenth to nine tenths"), "warn"),
        "red": (N_("red: more than nine tenths"), "bad"),
        "compliant": (N_("fulfilled"), "good"),
        "needs_work": (N_("not fulfilled"), "bad"),
    }
)
"""Words of sources that are known, and how they look."""
COMPLIANCE = "compliance_"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, written as the reader writes it; `tone` of a badge, or ""."""

    on: date
    about: str
    provider: str
    metric: str
    value: str
    tone: str


@dataclass(frozen=True, slots=True)
class Part:
    """A source with what it said."""

    source: Source
    feed: DeclaredFeed | None
    latest: Sequence[Row]
    rows: Sequence[Row]
    more: int


@router.get("/deliverability/declared")
async def declared_page(visit: Reader) -> Response:
    """Every source: its trap, how it was last asked, what it said."""
    return await _show(visit)


@router.post("/deliverability/declared")
async def take_in(visit: Editor) -> Response:
    """Take in a file of one source."""
    upload = visit.form.file("file")
    wanted = next((one.key for one in SOURCES if one.key.value == visit.form.text("source")), None)
    if upload is None or wanted is None:
        return await _show(visit, problems=[NO_FILE])
    raw = await upload.read()
    now = visit.context.clock.now()
    try:
        found = await run_in_threadpool(read_declared, wanted, raw, subject=visit.form.text("subject", 253))
    except UnreadableFiguresError as error:
        return await _show(visit, problems=[error.problem, *([error.advice] if error.advice else [])])
    async with visit.context.database.write() as session:
        new = await declared.put(session, rows_of(found.figures, now))
        await declared.note_feed(session, wanted, at=now, has_news=True)
    return await _show(visit, taken=(len(found.figures), new), problems=found.problems)


async def _show(
    visit: Visit, *, taken: tuple[int, int] | None = None, problems: Sequence[str] = ()
) -> Response:
    days = days_of(visit)
    today = visit.context.clock.now().date()
    async with visit.context.database.read() as session:
        figures = await declared.figures(session, since=today - timedelta(days=days), until=today)
        feeds = {one.source: one for one in await declared.feeds(session)}
    return page(
        visit,
        "declared.html",
        400 if problems and taken is None else 200,
        parts=[_part(one, figures, feeds.get(one.key), visit.tongue) for one in SOURCES],
        taken=taken,
        problems=problems,
        periods=PERIODS,
        days=days,
    )


def _part(
    source: Source, figures: Sequence[DeclaredFigure], feed: DeclaredFeed | None, tongue: Tongue
) -> Part:
    own = [one for one in figures if one.source is source.key]
    newest: dict[tuple[str, str, str], DeclaredFigure] = {}
    for one in own:
        newest.setdefault((one.subject, one.metric, one.provider), one)
    latest = sorted(newest.values(), key=lambda one: (one.subject, _rank(one.metric), one.metric))
    return Part(
        source,
        feed,
        [_row(one, tongue) for one in latest[:ROWS_SHOWN]],
        [_row(one, tongue) for one in own[:ROWS_SHOWN]],
        max(0, len(own) - ROWS_SHOWN),
    )


def _rank(metric: str) -> int:
    """The place of a figure among those of its subject: what counts most comes first."""
    return list(METRICS).index(metric) if metric in METRICS else len(METRICS)


def _row(one: DeclaredFigure, tongue: Tongue) -> Row:
    words, tone = WORDS.get(one.words, (one.words, ""))
    value = tongue.say(words) if tone else words
    if one.value is not None:
        is_share = one.metric.endswith("_rate")
        value = tongue.percent(one.value, 2) if is_share else tongue.number(one.value)
        if is_share and one.words.startswith("<"):
            value = f"< {value}"
    return Row(one.day, one.subject, one.provider, _metric(one.metric, tongue), value, tone)


def _metric(metric: str, tongue: Tongue) -> str:
    if metric.startswith(COMPLIANCE):
        asked = metric.removeprefix(COMPLIANCE).replace("_", " ")
        return tongue.say("asked of senders: %(what)s", what=asked)
    known = METRICS.get(metric)
    return tongue.say(known) if known is not None else metric.replace("_", " ")
