"""DMARC aggregate reports: RFC 7489 appendix C, the drafts before it, and RFC 9990 (namespace dmarc-2.0).

Receivers write these forms with a freedom of their own: results in capitals, elements left out, several of
what there should be one of, no version, a version that is not the namespace's. The rows decide: whatever
names an address, a count and an evaluation is counted as the receiver counted it. A report without a row,
a domain or a period is none. What is odd is told in `problems` and stops nothing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from deliverability.feeds.markup import Harvest, Node, decode, read_xml
from deliverability.feeds.values import AggregateReport, AggregateRow, Signature, UnreadableReportError
from deliverability.health.grammar import registered_domain
from deliverability.signals.mime import clean

WANTED = frozenset({"version", "report_metadata", "policy_published", "record"})
ROOT = "feedback"
MAX_ROWS = 200_000
MAX_PROBLEMS = 20
MOST_MESSAGES = 10**9
"""Of one row: enough for anybody, and too few for all reports to add up to more than a database can."""
MILLISECONDS = 10**11
"""A moment beyond this many seconds, the year 5138, was written in milliseconds."""
_DAYS = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")


class _Found:
    """What one reading of a text gathered."""

    def __init__(self) -> None:
        self.harvest = Harvest(WANTED, self._take)
        self.version = ""
        self.head: Node | None = None
        self.policy: Node | None = None
        self.rows: list[AggregateRow] = []
        self.lost = 0
        self.why_lost = ""

    def _take(self, node: Node) -> None:
        match node.tag:
            case "record":
                self._take_row(node)
            case "report_metadata":
                self.head = self.head or node
            case "policy_published":
                self.policy = self.policy or node
            case _:
                self.version = self.version or node.text.strip()

    def _take_row(self, node: Node) -> None:
        try:
            row = read_row(node)
        except ValueError as error:
            self.lost += 1
            self.why_lost = self.why_lost or str(error)
            return
        if len(self.rows) >= MAX_ROWS:
            raise UnreadableReportError(f"The report has more than {MAX_ROWS:,} rows.")
        self.rows.append(row)


def read_aggregate(octets: bytes, trouble: str = "") -> AggregateReport:
    """The report in an XML file; UnreadableReportError when it is none. `trouble`: what its packing had."""
    text, odd = decode(octets)
    tries: list[_Found] = []

    def make() -> Harvest:
        tries.append(_Found())
        return tries[-1].harvest

    problem = read_xml(text, make)
    found = tries[-1]
    if ROOT not in found.harvest.tags:
        raise UnreadableReportError("This is no DMARC report: it has no <feedback>.")
    problems = [clean(one) for one in (trouble, problem) if one]
    return _report(found, problems, [odd] if odd else [])


def _report(found: _Found, problems: list[str], remarks: list[str]) -> AggregateReport:
    head, policy = found.head, found.policy
    if head is None:
        raise UnreadableReportError(
            "The DMARC report does not say who it is from: <report_metadata> is missing."
        )
    domain = _name(policy.say("domain")) if policy is not None else ""
    if policy is None or not domain:
        raise UnreadableReportError("The DMARC report does not say which domain it is about.")
    if not found.rows and found.why_lost:
        raise UnreadableReportError(f"The DMARC report has no row that can be read: {found.why_lost}.")
    if not found.rows:
        raise UnreadableReportError("The DMARC report has no row that can be read.")
    if found.lost:
        remarks.append(f"Rows that could not be read: {found.lost} ({found.why_lost})")
    span = head.first("date_range") or Node("date_range")
    begins_at, ends_at = _moment(span.say("begin")), _moment(span.say("end"))
    if begins_at is None and ends_at is None:
        raise UnreadableReportError("The DMARC report does not say which days it is about.")
    email = _line(head.say("email"), 254)
    key = _line(head.say("report_id"), 250)
    told = [_line(one.text, 300) for one in head.every("error") if one.text.strip()]
    begins_at = begins_at or ends_at or datetime.fromtimestamp(0, UTC)
    return AggregateReport(
        form=_line(found.version, 20) or "draft",
        org=_organisation(_line(head.say("org_name"), 200) or _line(email.rpartition("@")[2], 200)),
        org_email=email,
        key=key or f"{domain}/{begins_at:%Y%m%d%H%M%S}",
        domain=domain,
        begins_at=begins_at,
        ends_at=ends_at or begins_at,
        policy=_word(policy.say("p")),
        subdomain_policy=_word(policy.say("sp")),
        rows=tuple(found.rows),
        problems=tuple([*problems, *told][:MAX_PROBLEMS]),
        remarks=tuple(remarks),
    )


def _organisation(told: str) -> str:
    """A reporter's name; that of a host is its organisation's, so that all its hosts are one reporter."""
    if " " in told or "." not in told:
        return told or "?"
    return registered_domain(told.lower().strip(".")) or told


def read_row(record: Node) -> AggregateRow:
    """One <record>; ValueError with the reason when it has no address, no count or no evaluation."""
    row = record.first("row")
    if row is None:
        raise ValueError("a record has no <row>")
    source = _line(row.say("source_ip"), 45)
    if not source:
        raise ValueError("a row has no source address")
    evaluated = row.first("policy_evaluated")
    if evaluated is None:
        raise ValueError("a row has no evaluation")
    if not record.whole and record.first("auth_results") is None:
        raise ValueError("a record is cut off")
    names = record.first("identifiers", "identities") or Node("identifiers")
    results = record.every("auth_results")
    disposition = _word(evaluated.say("disposition"))
    return AggregateRow(
        source_ip=source,
        messages=_count(row.say("count")),
        # Some write that the mail passed, which is no disposition: nothing was done to it.
        disposition="none" if disposition in {"", "pass"} else disposition,
        dkim=_word(evaluated.say("dkim")) == "pass",
        spf=_word(evaluated.say("spf")) == "pass",
        header_from=_name(names.say("header_from")),
        envelope_from=_name(names.say("envelope_from")),
        envelope_to=_name(names.say("envelope_to")),
        signatures=_signatures(results, "dkim", "selector"),
        senders=_signatures(results, "spf", "scope"),
        override=_overrides(evaluated),
    )


def _signatures(results: Sequence[Node], kind: str, mark: str) -> tuple[Signature, ...]:
    found = [one for result in results for one in result.every(kind)]
    return tuple(
        Signature(_name(one.say("domain")), _word(one.say("result")) or "none", _line(one.say(mark), 63))
        for one in found[:50]
        if one.say("domain") or one.say("result")
    )


def _overrides(evaluated: Node) -> str:
    """Why the receiver did otherwise than the policy asks: `forwarded; mailing_list: list.example`."""
    told = []
    for reason in evaluated.every("reason")[:10]:
        kind, comment = _word(reason.say("type")), _line(reason.say("comment"), 200)
        if kind or comment:
            told.append(": ".join(one for one in (kind, comment) if one))
    return "; ".join(told)[:300]


def _count(text: str) -> int:
    written = text.strip()
    if not written.isascii() or not written.isdigit() or len(written) > 12:
        raise ValueError("a row has no count")
    return min(int(written), MOST_MESSAGES)


def _moment(text: str) -> datetime | None:
    """Seconds since 1970, as asked for; milliseconds and ISO 8601 are met, too. Without a zone it is UTC."""
    written = text.strip()
    try:
        seconds = float(written)
        return datetime.fromtimestamp(int(seconds / 1000 if seconds > MILLISECONDS else seconds), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    for form in _DAYS:
        try:
            moment = datetime.strptime(written, form)  # noqa: DTZ007 - the zone is looked at below
        except ValueError:
            continue
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return None


def _name(text: str) -> str:
    """A domain, or the address of somebody, in lower case and without a final dot."""
    return _line(text, 253).lower().rstrip(".")


def _word(text: str) -> str:
    return _line(text, 20).lower()


def _line(text: str, most: int) -> str:
    return clean(text[: 4 * most])[:most]
