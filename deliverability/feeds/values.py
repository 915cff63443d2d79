"""Reports of receivers, as values: what a reader found in one, before it becomes rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from itertools import pairwise

from models.errors import BadInputError

A_DAY = timedelta(days=1)
MOST_DAYS = 400
"""Days of a report that are told apart; its span is what a stranger wrote."""


class UnreadableReportError(BadInputError):
    """Bytes that are no report, or one of which nothing can be used."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One DKIM or SPF result. `mark`: the selector of a signature, the scope of an SPF check."""

    domain: str
    result: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class AggregateRow:
    """Mails from one address with one result. `dkim`, `spf`: passed, and aligned with the From domain."""

    source_ip: str
    messages: int
    disposition: str
    dkim: bool
    spf: bool
    header_from: str = ""
    envelope_from: str = ""
    envelope_to: str = ""
    signatures: tuple[Signature, ...] = ()
    senders: tuple[Signature, ...] = ()
    override: str = ""

    @property
    def passed(self) -> bool:
        """Whether DMARC passes: one of the two is enough (RFC 7489 section 4.2)."""
        return self.dkim or self.spf


@dataclass(frozen=True, slots=True)
class AggregateReport:
    """One DMARC aggregate report. `key`: its number as it is written; `report_id`: without what is around it.

    `form`: the version it says it has, "draft" without one. `problems`: what was wrong with the report
    itself, and what the receiver says went wrong, one line each; `remarks`: what was left out of it.
    """

    form: str
    org: str
    org_email: str
    key: str
    domain: str
    begins_at: datetime
    ends_at: datetime
    policy: str
    subdomain_policy: str
    rows: tuple[AggregateRow, ...]
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def report_id(self) -> str:
        """Its number: many write it like a Message-ID, <number@host>."""
        return self.key.replace("<", "").replace(">", "").partition("@")[0]

    @property
    def rows_by_day(self) -> int:
        """Its rows, a row once for each day (UTC) it has mails of where it is about more than a day.

        A row's mails are spread evenly over the time the report is about; a share that is less than a whole
        mail goes to the days with the largest.
        """
        if self.ends_at - self.begins_at <= A_DAY:
            return len(self.rows)
        days = _days(self.begins_at, self.ends_at)
        return sum(_days_with_mails(row.messages, days) for row in self.rows)

    @property
    def messages(self) -> int:
        """All the mails it speaks of."""
        return sum(row.messages for row in self.rows)

    @property
    def passed(self) -> int:
        """Those of them that passed DMARC."""
        return sum(row.messages for row in self.rows if row.passed)


def _days(begins_at: datetime, ends_at: datetime) -> list[float]:
    """Which share of a time lies in each of its days."""
    whole = (ends_at - begins_at).total_seconds()
    cuts = [begins_at]
    midnight = datetime.combine(begins_at, time(), begins_at.tzinfo) + A_DAY
    while midnight < ends_at and len(cuts) < MOST_DAYS:
        cuts.append(midnight)
        midnight += A_DAY
    return [(end - begin).total_seconds() / whole for begin, end in pairwise([*cuts, ends_at])]


def _days_with_mails(messages: int, days: Sequence[float]) -> int:
    """How many days have one, spread in these shares, the largest remainders rounded up."""
    exact = [share * messages for share in days]
    counts = [int(one) for one in exact]
    order = sorted(range(len(days)), key=lambda place: counts[place] - exact[place])
    for place in order[: messages - sum(counts)]:
        counts[place] += 1
    return sum(count > 0 for count in counts)


@dataclass(frozen=True, slots=True)
class FailureReport:
    """One mail in our name that did not pass (RFC 6591, RFC 9991). `failure`: dmarc, dkim or spf.

    `delivery_result`: delivered, spam, policy, reject or other. Addresses of people are in `details` alone.
    """

    domain: str
    arrived_at: datetime
    source_ip: str
    failure: str
    delivery_result: str
    reporter: str
    subject: str
    digest: str
    feedback_type: str = "auth-failure"
    original_mail_from: str = ""
    original_rcpt_to: str = ""
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TlsFailure:
    """Sessions that failed in one way: `kind` as RFC 8460 section 4.3 names it."""

    kind: str
    sessions: int
    sending_ip: str = ""
    receiving_host: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TlsPolicy:
    """What came of one policy (`sts`, `tlsa`, `no-policy-found`) of one domain, in sessions."""

    domain: str
    kind: str
    successes: int
    failures: int
    failure_details: tuple[TlsFailure, ...] = ()


@dataclass(frozen=True, slots=True)
class TlsReport:
    """One SMTP TLS report (RFC 8460)."""

    org: str
    contact: str
    key: str
    begins_at: datetime
    ends_at: datetime
    policies: tuple[TlsPolicy, ...]
    problems: tuple[str, ...] = ()

    @property
    def report_id(self) -> str:
        """Its number: many write it like a Message-ID, <number@host>."""
        return self.key.strip("<>")


Report = AggregateReport | FailureReport | TlsReport
