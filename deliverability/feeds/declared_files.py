"""Files with declared figures: Microsoft SNDS, Signal Spam, Yahoo's feedback loop, Postmaster Tools.

What was found, and where. SNDS: the columns of its page and of its automated CSV are described by several
vendors' manuals (IP, period, RCPT and DATA commands, recipients, filter result, complaint rate, trap hits,
sample HELO and MAIL FROM); that the automated file has no headings, this order, and American dates is from
memory, so a file with headings is read by them, and days that fit only the European order are taken for that.
Signal Spam and Yahoo publish no format: a member's export is read by its headings in French or English, one
row a day or one row a complaint. Columns nobody knows are kept in `details`. Postmaster Tools: answers of its
API kept as files (`deliverability.feeds.postmaster`), or a table with a date, a domain and a spam rate.
"""

import ipaddress
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType

from deliverability.feeds.figures import (
    Figure,
    Figures,
    UnreadableFiguresError,
    cells,
    day,
    headings,
    merge,
    number,
    others,
    read_table,
    share,
)
from deliverability.feeds.postmaster_answers import read_stats
from models.declared import DeclaredSource

MAX_PROBLEMS = 20
SNDS_ORDER = (
    *(
        "ip",
        "begin",
        "end",
        "rcpt_commands",
        "data_commands",
        "recipients",
        "filter_result",
        "complaint_rate",
    ),
    *("trap_begin", "trap_end", "trap_hits", "helo", "mail_from", "comments"),
)
SNDS_NAMES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "ip": ("ip address", "ip", "adresse ip"),
        "begin": (
            "activity start",
            "activity period start",
            "activity start time",
            "date",
            "activity period",
        ),
        "end": ("activity end", "activity period end", "activity end time"),
        "rcpt_commands": ("rcpt commands", "rcpt"),
        "data_commands": ("data commands", "data"),
        "recipients": ("message recipients", "recipients", "message recipient"),
        "filter_result": ("filter result", "filter results"),
        "complaint_rate": ("complaint rate", "complaints"),
        "trap_hits": ("trap hits", "trap message hits"),
        "helo": ("sample helo",),
        "mail_from": ("sample mail from", "sample mailfrom", "jmr p1 sender"),
    }
)
COUNT_NAMES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "day": ("date", "jour", "day", "date de reception", "arrival date", "reported on", "report date"),
        "ip": ("ip", "adresse ip", "ip address", "ip source", "source ip", "ip d envoi", "ip emettrice"),
        "domain": (
            "domaine",
            "domain",
            "domaine dkim",
            "dkim domain",
            "d",
            "signing domain",
            "domaine expediteur",
        ),
        "provider": ("fai", "operateur", "fournisseur", "provider", "isp", "messagerie", "source"),
        "complaints": (
            *("plaintes", "signalements", "nombre de plaintes", "nombre de signalements", "nb signalements"),
            *("complaints", "complaint count", "reports", "spam votes", "count", "nombre"),
        ),
        "volume": ("volume", "envois", "messages", "delivered", "inbox delivered", "livres", "sent"),
        "complaint_rate": ("taux de plaintes", "taux", "taux de plainte", "complaint rate", "rate"),
    }
)
POSTMASTER_NAMES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "day": ("date", "jour", "day"),
        "domain": ("domain", "domaine"),
        "spam_rate": ("spam rate", "user reported spam rate", "user reported spam", "taux de spam"),
        "dkim_rate": ("dkim", "dkim success rate"),
        "spf_rate": ("spf", "spf success rate"),
        "dmarc_rate": ("dmarc", "dmarc success rate"),
        "tls_rate": ("tls", "tls inbound", "inbound encryption rate", "tls rate"),
        "delivery_error_rate": ("delivery errors", "delivery error rate", "erreurs de distribution"),
    }
)
PROVIDER_BY_WORD = MappingProxyType(
    {
        "orange": "orange",
        "wanadoo": "orange",
        "sfr": "sfr",
        "laposte": "laposte",
        "poste": "laposte",
        "free": "free",
    }
)


def read_declared(source: DeclaredSource, raw: bytes, *, subject: str = "") -> Figures:
    """The figures in a source's file; `subject`: of all rows, where the file does not name one.

    UnreadableFiguresError when there is none.
    """
    if not raw.strip():
        raise UnreadableFiguresError("The file is empty.")
    match source:
        case DeclaredSource.MICROSOFT_SNDS:
            found = read_snds(raw)
        case DeclaredSource.GMAIL_POSTMASTER:
            found = _read_postmaster(raw, subject)
        case DeclaredSource.SIGNAL_SPAM:
            found = _read_counts(source, raw, ("ip", "domain"), subject)
        case DeclaredSource.YAHOO_CFL:
            found = _read_counts(source, raw, ("domain", "ip"), subject)
    if not found.figures:
        first = f" {found.problems[0]}" if found.problems else ""
        raise UnreadableFiguresError(f"The file holds no figure that can be read.{first}")
    return found


def read_snds(raw: bytes) -> Figures:
    """The CSV of Smart Network Data Services, with headings or without; empty when there was no traffic."""
    rows = read_table(raw)
    if not rows:
        return Figures(())
    head: Sequence[str] = rows[0]
    places = headings(head, SNDS_NAMES)
    if "ip" in places and "begin" in places:
        rows = rows[1:]
    elif _is_ip(head[0]):
        head, places = SNDS_ORDER, {name: place for place, name in enumerate(SNDS_ORDER)}
    else:
        raise UnreadableFiguresError(
            "This is no SNDS file: it has neither an IP address in front nor SNDS's headings."
        )
    american = not any(_european_only(row[places["begin"]]) for row in rows if len(row) > places["begin"])
    figures: list[Figure] = []
    problems: list[str] = []
    for line, row in enumerate(rows, 1):
        told = cells(row, places)
        on = _snds_day(told["begin"], american=american)
        if not _is_ip(told["ip"]) or on is None:
            problems.append(f"Row {line} has no IP address or no day.")
            continue
        rest = others(row, head, places) | {
            name: told[name] for name in ("end", "helo", "mail_from", "comments") if told.get(name)
        }
        figures.extend(_snds_figures(told, on, rest))
    return Figures(tuple(merge(figures)), tuple(problems[:MAX_PROBLEMS]))


def _snds_figures(told: Mapping[str, str], on: date, rest: dict[str, str]) -> list[Figure]:
    source = DeclaredSource.MICROSOFT_SNDS
    found: list[Figure] = []
    result = told.get("filter_result", "").lower()
    if result in {"green", "yellow", "red"}:
        found.append(Figure(source, told["ip"], "filter_result", on, None, result, "outlook", rest))
    rate = told.get("complaint_rate", "")
    value = share(rate)
    if value is not None:
        found.append(Figure(source, told["ip"], "complaint_rate", on, value, rate, "outlook"))
    for metric in ("rcpt_commands", "data_commands", "recipients", "trap_hits"):
        count = number(told.get(metric, ""))
        if count is not None:
            found.append(Figure(source, told["ip"], metric, on, count, "", "outlook"))
    return found


def _snds_day(text: str, *, american: bool) -> date | None:
    """`3/1/2026 12:00 AM`, month first unless the file says otherwise, or as others write it."""
    parts = text.split()
    if parts and parts[0].count("/") == 2 and len(parts[0].partition("/")[0]) <= 2:
        try:
            form = "%m/%d/%Y" if american else "%d/%m/%Y"
            return datetime.strptime(parts[0], form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            return None
    return day(text) or (day(parts[0]) if parts else None)


def _european_only(text: str) -> bool:
    first = text.partition("/")[0]
    return first.isdigit() and 12 < int(first) <= 31


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _read_counts(source: DeclaredSource, raw: bytes, subjects: Sequence[str], subject: str) -> Figures:
    """Complaints by address or domain and day; without a column that counts, each row is one complaint."""
    rows = read_table(raw)
    head = rows[0] if rows else []
    places = headings(head, COUNT_NAMES)
    if "day" not in places or not (subject or any(name in places for name in subjects)):
        raise UnreadableFiguresError(
            "The file has no headings that are known: a date, and an IP address or a domain.",
            "The first row has to name the columns, as in: date, domain, complaints.",
        )
    figures: list[Figure] = []
    problems: list[str] = []
    for line, row in enumerate(rows[1:], 2):
        told = cells(row, places)
        on = day(told["day"])
        about = next((told[name].lower() for name in subjects if told.get(name)), subject.lower())
        if on is None or not about:
            problems.append(f"Row {line} has no day, or nothing it is about.")
            continue
        provider = _provider(told.get("provider", ""), source)
        rest = others(row, head, places)
        counted = number(told["complaints"]) if "complaints" in places else 1.0
        if counted is not None:
            figures.append(Figure(source, about[:253], "complaints", on, counted, "", provider, rest))
        volume, rate = number(told.get("volume", "")), share(told.get("complaint_rate", ""))
        if volume is not None:
            figures.append(Figure(source, about[:253], "volume", on, volume, "", provider))
        if rate is not None:
            figures.append(Figure(source, about[:253], "complaint_rate", on, rate, "", provider))
    return Figures(tuple(merge(figures)), tuple(problems[:MAX_PROBLEMS]))


def _provider(text: str, source: DeclaredSource) -> str:
    if source is DeclaredSource.YAHOO_CFL:
        return "yahoo"
    lower = text.lower()
    return next((key for word, key in PROVIDER_BY_WORD.items() if word in lower), lower[:60])


def _read_postmaster(raw: bytes, subject: str) -> Figures:
    if raw.lstrip()[:1] in {b"{", b"["}:
        try:
            return read_stats(json.loads(raw), subject=subject)
        except (ValueError, RecursionError) as error:
            raise UnreadableFiguresError("This JSON cannot be read.") from error
    rows = read_table(raw)
    head = rows[0] if rows else []
    places = headings(head, POSTMASTER_NAMES)
    rates = [name for name in places if name.endswith("_rate")]
    if "day" not in places or not rates or not (subject or "domain" in places):
        raise UnreadableFiguresError(
            "The file has no headings that are known: a date, a domain, a spam rate.",
            "Where it is about one domain that it does not name, name it.",
        )
    figures: list[Figure] = []
    problems: list[str] = []
    for line, row in enumerate(rows[1:], 2):
        told = cells(row, places)
        on, about = day(told["day"]), (told.get("domain") or subject).lower()
        if on is None or not about:
            problems.append(f"Row {line} has no day or no domain.")
            continue
        rest = others(row, head, places)
        for name in rates:
            value = share(told[name])
            if value is not None:
                source = DeclaredSource.GMAIL_POSTMASTER
                figures.append(Figure(source, about[:253], name, on, value, "", "gmail", rest))
    return Figures(tuple(merge(figures)), tuple(problems[:MAX_PROBLEMS]))
