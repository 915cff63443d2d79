"""Failure reports (RFC 6591, RFC 9991): one mail in our name that did not pass.

Some mail systems write a letter to people instead ("A message claiming to be from you has failed …"), with
`Name: value` lines and the headers below it; it is read as the same. Other abuse reports (RFC 5965) are
complaints and none of this room's business.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime

from deliverability.feeds.values import FailureReport
from deliverability.signals.mime import (
    addresses_in,
    body_text,
    children_of,
    content_type,
    enclosed_headers,
    fields_of,
    header,
    open_mail,
    parts_of,
    texts_of,
)

KIND = "auth-failure"
OWN_FIELDS = frozenset({"auth-failure", "identity-alignment", "delivery-result"})
"""Fields that only these reports have: some call the kind of theirs otherwise."""
COMPLAINTS = frozenset({"abuse", "fraud", "virus", "not-spam", "opt-out", "opt-out-list"})
"""What a person or a filter says (RFC 5965, RFC 6430); of these alone `Auth-Failure` makes another thing."""
RESULTS = ("delivered", "spam", "policy", "reject", "other")
KEPT = (
    *(
        "authentication-results",
        "dkim-domain",
        "dkim-identity",
        "dkim-selector",
        "spf-dns",
        "identity-alignment",
    ),
    *(
        "original-envelope-id",
        "original-mail-from",
        "original-rcpt-to",
        "user-agent",
        "incidents",
        "message-id",
    ),
)
_LETTER = "claiming to be from you has failed"
_FIELD = re.compile(r"^[ \t]*([A-Za-z][A-Za-z \t-]{1,40}?)[ \t]*:[ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
_FIELD_LINE = re.compile(r"^[A-Za-z][A-Za-z0-9-]{1,60}:", re.MULTILINE)
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{3,45}")
_RESULT_DOMAIN = re.compile(r"header\.from=([A-Za-z0-9.-]{1,253})")
_LETTER_NAMES: Mapping[str, str] = {
    "sender-domain": "reported-domain",
    "sender-ip-address": "source-ip",
    "received-date": "arrival-date",
    "date-received": "arrival-date",
}


def read_failure(mail: Message, now: datetime) -> FailureReport | None:
    """The failure report that a mail is; None when it is something else."""
    part = next((one for one in parts_of(mail) if content_type(one) == "message/feedback-report"), None)
    if part is None:
        return _read_letter(mail, now)
    fields = _fields_of(part)
    kind = fields.get("feedback-type", "").lower()
    own = {"auth-failure"} if kind in COMPLAINTS else OWN_FIELDS
    if kind != KIND and not own & fields.keys():
        return None
    return _report(mail, fields, next(iter(enclosed_headers(mail)), None), now)


def _fields_of(part: Message) -> dict[str, str]:
    """The report's fields by name in lower case, the first of each; some send them in base64."""
    inside = next(iter(children_of(part)), part)
    found: dict[str, str] = {}
    for name, _ in fields_of(inside):
        found.setdefault(name.lower(), header(inside, name))
    if "feedback-type" in found or "source-ip" in found:
        return found
    # Against RFC 5965 it was encoded, and the parser took the code for a message.
    text = body_text(inside) or str(inside.get_payload() if not inside.is_multipart() else "")
    opened = open_mail(_decoded(text))
    return {} if opened is None else {name.lower(): header(opened, name) for name, _ in fields_of(opened)}


def _decoded(text: str) -> bytes:
    import base64  # noqa: PLC0415 - for one odd sender

    try:
        return base64.b64decode(text, validate=False) if ":" not in text[:200] else text.encode()
    except ValueError:
        return text.encode("utf-8", "replace")


def _read_letter(mail: Message, now: datetime) -> FailureReport | None:
    text = next((one for one in texts_of(mail) if _LETTER in one[:5000]), "")
    if not text:
        return None
    told, _, rest = text.partition("detected.")
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(told[:20_000]):
        key = "-".join(name.lower().split())
        fields.setdefault(_LETTER_NAMES.get(key, key), value.strip())
    if "source-ip" not in fields:
        return None
    begin = _FIELD_LINE.search(rest)
    enclosed = open_mail(rest[begin.start() :].encode("utf-8", "replace")) if begin else None
    return _report(mail, fields, enclosed, now)


def _report(
    mail: Message, fields: Mapping[str, str], original: Message | None, now: datetime
) -> FailureReport:
    domain = fields.get("reported-domain", "").strip(" <>[]@\"'").lower().rstrip(".")
    if not domain and original is not None:
        domain = next((one.rpartition("@")[2].lower() for one in addresses_in(header(original, "From"))), "")
    if not domain:
        told = _RESULT_DOMAIN.search(fields.get("authentication-results", ""))
        domain = told[1].lower() if told else ""
    arrived_at = (
        _moment(fields.get("arrival-date", ""))
        or _moment(fields.get("received-date", ""))
        or _moment(header(mail, "Date"))
        or now
    )
    source = _ADDRESS.search(fields.get("source-ip", "").removeprefix("[").removeprefix("IPv6:"))
    subject = header(original, "Subject")[:300] if original is not None else ""
    number = header(original, "Message-ID") if original is not None else ""
    details = {name: fields[name][:1000] for name in KEPT if fields.get(name)}
    if original is not None:
        details["original-from"] = header(original, "From")[:300]
    named = (domain, arrived_at.isoformat(), source[0] if source else "", number, *sorted(details.values()))
    return FailureReport(
        domain=domain[:253],
        arrived_at=arrived_at,
        source_ip=source[0][:45] if source else "",
        failure=",".join(fields.get("auth-failure", "dmarc").lower().replace(",", " ").split())[:60]
        or "dmarc",
        delivery_result=_result(fields.get("delivery-result", "")),
        reporter=next(iter(addresses_in(header(mail, "From"))), "")[:254],
        subject=subject,
        digest=hashlib.sha256("\n".join(named).encode("utf-8", "replace")).hexdigest(),
        feedback_type=fields.get("feedback-type", KIND).lower()[:30] or KIND,
        original_mail_from=fields.get("original-mail-from", "")[:254],
        original_rcpt_to=fields.get("original-rcpt-to", "")[:254],
        details=details,
    )


def _result(text: str) -> str:
    return next((one for one in RESULTS if one in text.lower()), "other")


def _moment(text: str) -> datetime | None:
    """An RFC 5322 date, or an ISO 8601 one; without a zone it is UTC. Years that no clock has are none."""
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            return None
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if 1995 < moment.year < 2200 else None
