"""SMTP TLS reports (RFC 8460, section 4): JSON, one object a report."""

import json
from datetime import UTC, datetime
from typing import Any

from deliverability.feeds.markup import decode
from deliverability.feeds.values import TlsFailure, TlsPolicy, TlsReport, UnreadableReportError
from deliverability.signals.mime import clean

MAX_POLICIES = 1000
MAX_DETAILS = 200
MOST_SESSIONS = 10**12


def read_tls(octets: bytes, trouble: str = "") -> TlsReport:
    """The report in a JSON file; UnreadableReportError when it is none."""
    text, odd = decode(octets)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableReportError(
            f"This JSON cannot be read: {error if isinstance(error, ValueError) else 'nested too deep'}."
        ) from error
    policies = _list(found.get("policies")) if isinstance(found, dict) else []
    if not isinstance(found, dict) or not isinstance(found.get("policies"), list):
        raise UnreadableReportError("This is no SMTP TLS report: it has no policies.")
    span = found.get("date-range")
    span = span if isinstance(span, dict) else {}
    begins_at, ends_at = _moment(span.get("start-datetime")), _moment(span.get("end-datetime"))
    if begins_at is None and ends_at is None:
        raise UnreadableReportError("The SMTP TLS report does not say which days it is about.")
    begins_at = begins_at or ends_at or datetime.fromtimestamp(0, UTC)
    org = _line(found.get("organization-name"), 200)
    contact = _line(found.get("contact-info"), 254)
    key = _line(found.get("report-id"), 250)
    if not org and not key:
        raise UnreadableReportError("The SMTP TLS report says neither who it is from nor its number.")
    return TlsReport(
        org=org or contact.rpartition("@")[2] or "?",
        contact=contact,
        key=key or f"{begins_at:%Y%m%d%H%M%S}",
        begins_at=begins_at,
        ends_at=ends_at or begins_at,
        policies=tuple(_policy(one) for one in policies[:MAX_POLICIES] if isinstance(one, dict)),
        problems=tuple(one for one in (trouble, odd) if one),
    )


def _policy(told: dict[str, Any]) -> TlsPolicy:
    policy, summary = told.get("policy"), told.get("summary")
    policy = policy if isinstance(policy, dict) else {}
    summary = summary if isinstance(summary, dict) else {}
    details = [one for one in _list(told.get("failure-details")) if isinstance(one, dict)]
    return TlsPolicy(
        domain=_line(policy.get("policy-domain"), 253).lower().rstrip("."),
        kind=_line(policy.get("policy-type"), 20).lower(),
        successes=_sessions(summary.get("total-successful-session-count")),
        failures=_sessions(summary.get("total-failure-session-count")),
        failure_details=tuple(
            TlsFailure(
                kind=_line(one.get("result-type"), 60),
                sessions=_sessions(one.get("failed-session-count")),
                sending_ip=_line(one.get("sending-mta-ip"), 45),
                receiving_host=_line(one.get("receiving-mx-hostname"), 253),
                reason=_line(one.get("failure-reason-code"), 200)
                or _line(one.get("additional-information"), 200),
            )
            for one in details[:MAX_DETAILS]
        ),
    )


def _list(found: object) -> list[Any]:
    return found if isinstance(found, list) else []


def _sessions(found: object) -> int:
    """A count; some write it as a text."""
    if isinstance(found, str) and found.strip().isascii() and found.strip().isdigit():
        found = int(found.strip()[:13])
    if isinstance(found, bool) or not isinstance(found, int | float) or found != found:  # noqa: PLR0124 - not a number
        return 0
    return int(min(max(found, 0), MOST_SESSIONS))


def _moment(found: object) -> datetime | None:
    """RFC 3339; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(str(found).strip().replace("z", "Z"))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _line(found: object, most: int) -> str:
    return clean(str(found)[: 4 * most])[:most] if isinstance(found, str | int) else ""
