"""Answers of Gmail's Postmaster Tools API v2, read: statistics by domain and day, and compliance.

From Google's reference (`domains.domainStats:query`, `QueryDomainStatsResponse`, `MetricDefinition`,
`domains.getComplianceStatus`) and its generated clients: `domainStats[]` with `metric` (the name asked for),
`date {year, month, day}` and `value`, a union of intValue (as text), floatValue, doubleValue, stringValue,
stringList; `complianceData.rowData[]` with a requirement and a status. Assumed: that rates are shares between
0 and 1, as in v1, and that a day without enough traffic is simply not there.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

from deliverability.feeds.figures import Figure, Figures
from models.declared import DeclaredSource

GMAIL = "gmail"
METRICS: tuple[tuple[str, str, str], ...] = (
    ("spam_rate", "SPAM_RATE", ""),
    ("spf_rate", "AUTH_SUCCESS_RATE", 'auth_type = "spf"'),
    ("dkim_rate", "AUTH_SUCCESS_RATE", 'auth_type = "dkim"'),
    ("dmarc_rate", "AUTH_SUCCESS_RATE", 'auth_type = "dmarc"'),
    ("tls_rate", "TLS_ENCRYPTION_RATE", 'traffic_direction = "inbound"'),
    ("delivery_error_rate", "DELIVERY_ERROR_RATE", ""),
    ("feedback_ids", "FEEDBACK_LOOP_ID", ""),
)
"""Our name for each, Google's, and the filter it needs."""
FEEDBACK_RATE = "feedback_spam_rate"
_VALUES = ("doubleValue", "floatValue", "intValue")


def read_stats(answer: object, *, subject: str = "") -> Figures:
    """The figures of one answer, or of a list of them; what is in no known form is passed over."""
    answers = answer if isinstance(answer, list) else [answer]
    return Figures(tuple(one for found in answers for one in _figures(found, subject)))


def _figures(answer: object, subject: str) -> Iterator[Figure]:
    stats = answer.get("domainStats") if isinstance(answer, dict) else None
    for stat in stats if isinstance(stats, list) else []:
        if not isinstance(stat, dict):
            continue
        on, metric = _day(stat.get("date")), stat.get("metric")
        about = subject or _domain(stat.get("name"))
        value, texts = _value(stat.get("value"))
        if on is None or not isinstance(metric, str) or not about or (value is None and not texts):
            continue
        yield Figure(
            DeclaredSource.GMAIL_POSTMASTER,
            about.lower()[:253],
            metric.lower()[:60],
            on,
            value,
            "" if value is not None else ", ".join(texts)[:200],
            GMAIL,
            {"ids": texts[:100]} if texts else {},
        )


def _value(found: object) -> tuple[float | None, list[str]]:
    if not isinstance(found, dict):
        return None, []
    for name in _VALUES:
        if name in found:
            try:
                return float(found[name]), []
            except (TypeError, ValueError):
                return None, []
    if isinstance(found.get("stringValue"), str):
        return None, [found["stringValue"][:200]]
    listed = found.get("stringList")
    texts = listed.get("values") if isinstance(listed, dict) else None
    return None, [str(one)[:200] for one in texts] if isinstance(texts, list) else []


def _day(found: object) -> date | None:
    if not isinstance(found, dict):
        return None
    try:
        return date(int(found["year"]), int(found["month"]), int(found["day"]))
    except (KeyError, TypeError, ValueError):
        return None


def _domain(name: object) -> str:
    """`domains/news.parti.example/domainStats/…` → `news.parti.example`."""
    parts = name.split("/") if isinstance(name, str) else []
    return parts[1] if len(parts) > 1 and parts[0] == "domains" else ""


def read_compliance(answer: object, domain: str, on: date) -> Figures:
    """What Gmail asks of bulk senders and whether it finds it, as words of that day."""
    found: list[Figure] = []
    data = _of(answer, "subdomainComplianceData") or _of(answer, "complianceData")
    rows = data.get("rowData")
    told = [
        (str(row.get("requirement", "")), _status(row.get("status")))
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict)
    ]
    told.append(("one_click_unsubscribe", _status(_of(data, "oneClickUnsubscribeVerdict").get("status"))))
    told.append(("honor_unsubscribe", _status(_of(data, "honorUnsubscribeVerdict").get("status"))))
    for requirement, status in told:
        if requirement and status:
            metric = f"compliance_{requirement.lower()}"[:60]
            source = DeclaredSource.GMAIL_POSTMASTER
            found.append(Figure(source, domain, metric, on, None, status.lower()[:200], GMAIL))
    return Figures(tuple(found))


def _of(found: object, name: str) -> dict[str, Any]:
    inside = found.get(name) if isinstance(found, dict) else None
    return inside if isinstance(inside, dict) else {}


def _status(found: object) -> str:
    """A status, or the one inside a status."""
    inside = found.get("status") if isinstance(found, dict) else found
    return inside if isinstance(inside, str) else ""
