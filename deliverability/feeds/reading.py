"""Any file or mail becomes the reports in it: what it is, is seen from its first signs, not from its name."""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import Message

from deliverability.feeds.aggregate import read_aggregate
from deliverability.feeds.containers import (
    MAX_FILE,
    MAX_IN_MAIL,
    MAX_UNPACKED,
    Allowance,
    Content,
    is_packed,
    unpack,
)
from deliverability.feeds.failure import read_failure
from deliverability.feeds.tls import read_tls
from deliverability.feeds.values import AggregateReport, Report, TlsReport, UnreadableReportError
from deliverability.signals.mime import (
    STATUS_PARTS,
    content_type,
    open_mail,
    parts_of,
)

NO_REPORT = "This is no report: neither DMARC (XML), nor SMTP TLS (JSON), nor a mail that carries one."
NO_DOMAIN = "The failure report does not say which domain it is about."
AHEAD = timedelta(days=366)
"""How wrong the clock of a receiver may be; what is further ahead would stay the newest for ever."""
MAX_REPORTS = 200
"""Reports of one file or mail: more than anybody sends."""
_FIELD = re.compile(rb"(?:From [^\r\n]+|>?[A-Za-z][A-Za-z0-9-]{1,60}:[^\r\n]*)\r?\n")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]+\Z")
_XML_BEGINS = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?\s*<(?:\?xml|!--|!DOCTYPE|[A-Za-z0-9_]{0,20}:?feedback\b)", re.IGNORECASE
)
_TEXTS = frozenset({"text/plain", "text/html", "text/rfc822-headers"})
_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Sighting:
    """The reports of a mail, and what was carried beside them and could not be read, one line each."""

    reports: tuple[Report, ...] = ()
    problems: tuple[str, ...] = ()


def read_reports(raw: bytes, now: datetime) -> Sighting:
    """The reports in a file: XML, JSON, gzip, zip, or a mail. UnreadableReportError when there is none."""
    if not raw.strip():
        raise UnreadableReportError("The file is empty.")
    found: list[Report] = []
    problems: list[str] = []
    for content in unpack(_plain(raw)):
        try:
            if _is_mail(content.octets):
                sighting = read_mail(content.octets, now, most=MAX_FILE)
                found.extend(sighting.reports)
                problems.extend(sighting.problems or ([NO_REPORT] if not sighting.reports else []))
            else:
                found.append(_read(content, now))
        except UnreadableReportError as error:
            problems.append(error.problem)
    if not found:
        raise UnreadableReportError(problems[0] if problems else NO_REPORT)
    return Sighting(tuple(found[:MAX_REPORTS]), tuple(problems))


def read_mail(raw: bytes, now: datetime, *, most: int | None = None) -> Sighting:
    """The reports that a mail carries; nothing when it carries none, as most mails do. Never raises.

    `most`: octets of it that are read, where that is more than of other mails. What a delivery report
    returns is the returned mail's own and no report to us.
    """
    if not might_carry(raw):
        return Sighting()
    mail = open_mail(raw) if most is None else open_mail(raw, most)
    if mail is None or any(content_type(part) in STATUS_PARTS for part in parts_of(mail)):
        return Sighting()
    failure = read_failure(mail, now)
    if failure is not None:
        return Sighting((failure,)) if failure.domain else Sighting(problems=(NO_DOMAIN,))
    found: list[Report] = []
    problems: list[str] = []
    allowance = Allowance.of(raw, MAX_IN_MAIL if most is None else MAX_UNPACKED)
    for part in parts_of(mail):
        for octets in _carried(part):
            try:
                found.extend(_read(content, now) for content in unpack(octets, allowance))
            except UnreadableReportError as error:
                problems.append(error.problem)
    if not found and not _is_announced(mail):
        # A photograph in a zip file is no broken report.
        return Sighting()
    return Sighting(tuple(found[:MAX_REPORTS]), tuple(problems))


_SIGNS = (
    *(b"feedback-report", b"tlsrpt", b"application/", b"text/xml", b"<feedback", b"claiming to be from you"),
    *(b".xml", b".json", b"filename", b"policy-domain"),
)


def might_carry(raw: bytes) -> bool:
    """Whether it is worth taking apart: mails without any of these signs are nearly all there are."""
    lower = raw.lower()
    if b"message/delivery-status" in lower:
        return False
    return any(sign in lower for sign in _SIGNS)


_ANNOUNCED = re.compile(r"(?i)\breport[- ]?domain\s*:|\bdmarc\b.{0,40}\breport|\btls[- ]?rpt\b|^tls-report")


def _is_announced(mail: Message) -> bool:
    """Whether its subject is that of a report: `Report Domain: … Submitter: … Report-ID: …`."""
    return _ANNOUNCED.search(str(mail.get("Subject", ""))[:500]) is not None


def _carried(part: Message) -> Iterator[bytes]:
    """The octets of a part that may be a report: by what they begin with."""
    if part.is_multipart():
        return
    try:
        octets = part.get_payload(decode=True)
    except Exception:  # noqa: BLE001 - broken transfer encodings of strangers
        return
    if not isinstance(octets, bytes):
        return
    octets = _plain(octets)
    texts = content_type(part) in _TEXTS
    is_json = octets[:200].lstrip().startswith(b"{") and (not texts or b"policies" in octets[:20_000])
    if is_json or is_packed(octets) or _XML_BEGINS.match(octets[:200]) is not None:
        yield octets


def _read(content: Content, now: datetime) -> Report:
    report = _read_content(content)
    if max(report.begins_at, report.ends_at) > now + AHEAD:
        raise UnreadableReportError("The report is about days that are yet to come.")
    return report


def _read_content(content: Content) -> AggregateReport | TlsReport:
    beginning = content.octets[:4].lstrip()
    if not content.octets.strip():
        raise UnreadableReportError(content.problem or "The file is empty.")
    if content.octets.lstrip()[:1] == b"{" or content.octets.lstrip()[:4] == b"\xef\xbb\xbf{":
        return read_tls(content.octets, content.problem)
    if beginning.startswith(_MARKS) or content.octets.lstrip(b" \t\r\n\xef\xbb\xbf\0")[:1] == b"<":
        return read_aggregate(content.octets, content.problem)
    raise UnreadableReportError(NO_REPORT)


def _is_mail(octets: bytes) -> bool:
    return _FIELD.match(octets[:2000].lstrip()) is not None


def _plain(octets: bytes) -> bytes:
    """Without the base64 around, where a file or a part was sent with it twice."""
    beginning = octets[:400].strip()
    if is_packed(octets) or not beginning or not _BASE64.match(beginning):
        return octets
    try:
        decoded = base64.b64decode(b"".join(octets.split()))
    except (binascii.Error, ValueError):
        return octets
    return decoded if is_packed(decoded) or _XML_BEGINS.match(decoded[:200]) else octets
