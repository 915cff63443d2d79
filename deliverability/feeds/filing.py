"""Reports become rows, each once: however often and by whichever way it comes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import assert_never

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.feeds.values import (
    AggregateReport,
    AggregateRow,
    FailureReport,
    Report,
    Signature,
    TlsReport,
)
from models.authentication import DmarcFailure, DmarcReport, DmarcRow, TlsRow
from models.authentication import TlsReport as TlsReportRow
from store import authentication


@dataclass(frozen=True, slots=True)
class Filed:
    """What became of reports: `new`, `known` already, and `mended`: known, and now whole."""

    new: int = 0
    known: int = 0
    mended: int = 0

    def __add__(self, other: "Filed") -> "Filed":
        return Filed(self.new + other.new, self.known + other.known, self.mended + other.mended)


_BY_WORD = {
    authentication.Kept.NEW: Filed(new=1),
    authentication.Kept.KNOWN: Filed(known=1),
    authentication.Kept.MENDED: Filed(mended=1),
}


async def file_reports(session: AsyncSession, reports: Sequence[Report], now: datetime) -> Filed:
    """Put reports on record, within the caller's transaction."""
    filed = Filed()
    for report in reports:
        match report:
            case AggregateReport():
                kept = await authentication.keep_dmarc(session, *_dmarc(report, now))
            case FailureReport():
                kept = await authentication.keep_failure(session, _failure(report, now))
            case TlsReport():
                kept = await authentication.keep_tls(session, *_tls(report, now))
            case _:
                assert_never(report)
        filed += _BY_WORD[kept]
    return filed


def _dmarc(report: AggregateReport, now: datetime) -> tuple[DmarcReport, list[DmarcRow]]:
    head = DmarcReport(
        org=report.org,
        org_email=report.org_email,
        report_key=report.key,
        domain=report.domain,
        form=report.form,
        begins_at=report.begins_at,
        ends_at=report.ends_at,
        policy=report.policy,
        subdomain_policy=report.subdomain_policy,
        problems=[*report.problems, *report.remarks],
        received_at=now,
    )
    return head, [_row(one) for one in report.rows]


def _row(row: AggregateRow) -> DmarcRow:
    signed = _foremost(row.signatures, row.header_from)
    sent = _foremost(row.senders, row.header_from)
    return DmarcRow(
        source_ip=row.source_ip,
        messages=row.messages,
        disposition=row.disposition,
        dkim=row.dkim,
        spf=row.spf,
        header_from=row.header_from,
        envelope_from=row.envelope_from,
        envelope_to=row.envelope_to,
        dkim_domain=signed.domain,
        dkim_selector=signed.mark,
        dkim_result=signed.result,
        spf_domain=sent.domain,
        spf_result=sent.result,
        override=row.override,
    )


_NOTHING = Signature("", "")


def _foremost(results: Sequence[Signature], header_from: str) -> Signature:
    """The one result that says most: passed and of the From domain, then passed, then of that domain."""
    return max(
        results,
        key=lambda one: (one.result == "pass") * 2 + _is_near(one.domain, header_from),
        default=_NOTHING,
    )


def _is_near(one: str, other: str) -> bool:
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _failure(report: FailureReport, now: datetime) -> DmarcFailure:
    details = dict(report.details)
    return DmarcFailure(
        digest=report.digest,
        domain=report.domain,
        arrived_at=report.arrived_at,
        source_ip=report.source_ip,
        failure=report.failure,
        delivery_result=report.delivery_result,
        reporter=report.reporter,
        subject=report.subject,
        details=details,
        received_at=now,
    )


def _tls(report: TlsReport, now: datetime) -> tuple[TlsReportRow, list[TlsRow]]:
    head = TlsReportRow(
        org=report.org,
        contact=report.contact,
        report_key=report.key,
        begins_at=report.begins_at,
        ends_at=report.ends_at,
        received_at=now,
    )
    rows = [
        TlsRow(
            domain=one.domain,
            policy=one.kind,
            successes=one.successes,
            failures=one.failures,
            failure_details=[asdict(failure) for failure in one.failure_details],
        )
        for one in report.policies
    ]
    return head, rows
