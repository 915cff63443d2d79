"""Reports of receivers, kept once each, and added up by domain, day and reporter.

A report belongs to the domain whose policy it quotes; mail of a name below it is found by its From domain.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.authentication import DmarcFailure, DmarcReport, DmarcRow, TlsReport, TlsRow
from store.engine import insert_for
from store.sources import SenderKind, SourceRate, about, pass_rates

__all__ = [
    "DomainReports",
    "Kept",
    "ReportSum",
    "SenderKind",
    "SourceRate",
    "TlsResult",
    "domains",
    "forget_failures",
    "keep_dmarc",
    "keep_failure",
    "keep_tls",
    "list_failures",
    "pass_rates",
    "report_sums",
    "tls_results",
]

ROWS_AT_ONCE = 500
DOMAINS_SHOWN = 500


class Kept(StrEnum):
    """What became of a report. MENDED: it was there in part, or with faults, and is whole now."""

    NEW = "new"
    KNOWN = "known"
    MENDED = "mended"


async def keep_dmarc(session: AsyncSession, report: DmarcReport, rows: Sequence[DmarcRow]) -> Kept:
    """Keep an aggregate report with its rows. By the unique (org, report_key, domain).

    One that had faults, cut off on its way most often, is replaced by one that has none.
    """
    values = report.model_dump(exclude={"id"})
    wish = insert_for(session, DmarcReport).values(**values)
    wish = wish.on_conflict_do_nothing(index_elements=["org", "report_key", "domain"])
    number = (await session.exec(wish.returning(col(DmarcReport.id)))).scalar_one_or_none()
    kept = Kept.NEW
    if number is None:
        known = (
            await session.exec(
                select(DmarcReport).where(
                    DmarcReport.org == report.org,
                    DmarcReport.report_key == report.report_key,
                    DmarcReport.domain == report.domain,
                )
            )
        ).one()
        if not known.problems or report.problems:
            return Kept.KNOWN
        number, kept = known.id, Kept.MENDED
        await session.exec(sa.delete(DmarcRow).where(col(DmarcRow.report_id) == number))
        await session.exec(sa.update(DmarcReport).where(col(DmarcReport.id) == number).values(**values))
    await _insert(session, DmarcRow, number, rows)
    return kept


async def keep_tls(session: AsyncSession, report: TlsReport, rows: Sequence[TlsRow]) -> Kept:
    """Keep a TLS report with its rows. By the unique (org, report_key)."""
    wish = insert_for(session, TlsReport).values(**report.model_dump(exclude={"id"}))
    wish = wish.on_conflict_do_nothing(index_elements=["org", "report_key"])
    number = (await session.exec(wish.returning(col(TlsReport.id)))).scalar_one_or_none()
    if number is None:
        return Kept.KNOWN
    await _insert(session, TlsRow, number, rows)
    return Kept.NEW


async def keep_failure(session: AsyncSession, failure: DmarcFailure) -> Kept:
    """Keep a failure report. By its unique digest."""
    wish = insert_for(session, DmarcFailure).values(**failure.model_dump(exclude={"id"}))
    wish = wish.on_conflict_do_nothing(index_elements=["digest"]).returning(col(DmarcFailure.id))
    return Kept.KNOWN if (await session.exec(wish)).scalar_one_or_none() is None else Kept.NEW


async def _insert(
    session: AsyncSession, table: type[DmarcRow | TlsRow], number: int, rows: Sequence[DmarcRow | TlsRow]
) -> None:
    connection = await session.connection()
    values = [{**row.model_dump(exclude={"id", "report_id"}), "report_id": number} for row in rows]
    for start in range(0, len(values), ROWS_AT_ONCE):
        await connection.execute(sa.insert(table), values[start : start + ROWS_AT_ONCE])


async def forget_failures(session: AsyncSession, before: datetime) -> int:
    """Delete failure reports received before a moment, as they name people; how many. Reads the table."""
    gone = await session.exec(sa.delete(DmarcFailure).where(col(DmarcFailure.received_at) < before))
    return int(gone.rowcount or 0)


@dataclass(frozen=True, slots=True)
class DomainReports:
    """What was reported of one domain: mails, those that passed, and the newest day a report is about."""

    domain: str
    reports: int
    messages: int
    passed: int
    last_at: datetime


async def domains(session: AsyncSession, since: datetime) -> list[DomainReports]:
    """The domains there are reports of, those with most mails first. Reads the reports since then."""
    messages = sa.func.coalesce(sa.func.sum(DmarcRow.messages), 0)
    wanted = (
        sa.select(
            col(DmarcReport.domain),
            sa.func.count(sa.distinct(col(DmarcReport.id))),
            messages,
            _passed(),
            sa.func.max(DmarcReport.ends_at),
        )
        .join(DmarcRow, col(DmarcRow.report_id) == DmarcReport.id)
        .where(col(DmarcReport.begins_at) >= since)
        .group_by(col(DmarcReport.domain))
        .order_by(messages.desc(), col(DmarcReport.domain))
        .limit(DOMAINS_SHOWN)
    )
    return [DomainReports(*row) for row in await _rows(session, wanted)]


@dataclass(frozen=True, slots=True)
class ReportSum:
    """One report of a domain, added up."""

    org: str
    report_key: str
    begins_at: datetime
    ends_at: datetime
    policy: str
    problems: tuple[str, ...]
    messages: int
    passed: int

    @property
    def day(self) -> date:
        """The day in whose middle it lies: receivers begin theirs at any hour."""
        return (self.begins_at + (self.ends_at - self.begins_at) / 2).date()


async def report_sums(session: AsyncSession, domain: str, since: datetime) -> list[ReportSum]:
    """The reports about a domain, newest first. Served by ix_dmarc_report_domain_begins_at."""
    wanted = (
        sa.select(
            col(DmarcReport.org),
            col(DmarcReport.report_key),
            col(DmarcReport.begins_at),
            col(DmarcReport.ends_at),
            col(DmarcReport.policy),
            col(DmarcReport.problems),
            sa.func.sum(DmarcRow.messages),
            _passed(),
        )
        .join(DmarcRow, col(DmarcRow.report_id) == DmarcReport.id)
        .where(col(DmarcReport.begins_at) >= since, about(domain))
        .group_by(col(DmarcReport.id))
        .order_by(col(DmarcReport.begins_at).desc(), col(DmarcReport.id).desc())
    )
    rows = await _rows(session, wanted)
    return [
        ReportSum(
            org=row[0],
            report_key=row[1],
            begins_at=row[2],
            ends_at=row[3],
            policy=row[4],
            problems=tuple(row[5]),
            messages=int(row[6]),
            passed=int(row[7]),
        )
        for row in rows
    ]


async def list_failures(
    session: AsyncSession, domain: str, since: datetime, *, limit: int = 50
) -> list[DmarcFailure]:
    """The newest failure reports of a domain and the names below it, newest first.

    Served by ix_dmarc_failure_domain_arrived_at for the domain's own.
    """
    name = col(DmarcFailure.domain)
    wanted = (
        select(DmarcFailure)
        .where(sa.or_(name == domain, name.endswith(f".{domain}", autoescape=True)))
        .where(col(DmarcFailure.arrived_at) >= since)
        .order_by(col(DmarcFailure.arrived_at).desc(), col(DmarcFailure.id).desc())
        .limit(limit)
    )
    return list((await session.exec(wanted)).all())


@dataclass(frozen=True, slots=True)
class TlsResult:
    """What one reporter says of encrypted delivery to a domain, in sessions; `kinds`: failures by kind."""

    org: str
    policy: str
    successes: int
    failures: int
    kinds: tuple[tuple[str, int], ...]
    last_at: datetime


async def tls_results(session: AsyncSession, domains: Collection[str], since: datetime) -> list[TlsResult]:
    """By reporter and policy, those with most failures first. Served by ix_tls_row_domain."""
    if not domains:
        return []
    wanted = (
        sa.select(
            col(TlsReport.org),
            col(TlsRow.policy),
            col(TlsRow.successes),
            col(TlsRow.failures),
            col(TlsRow.failure_details),
            col(TlsReport.ends_at),
        )
        .join(TlsReport, col(TlsReport.id) == TlsRow.report_id)
        .where(col(TlsRow.domain).in_(sorted(domains)), col(TlsReport.begins_at) >= since)
    )
    sums: dict[tuple[str, str], list[int]] = {}
    kinds: dict[tuple[str, str], Counter[str]] = {}
    last: dict[tuple[str, str], datetime] = {}
    for org, policy, successes, failures, details, ends_at in await _rows(session, wanted):
        name = (org, policy)
        total = sums.setdefault(name, [0, 0])
        total[0] += successes
        total[1] += failures
        last[name] = max(last.get(name, ends_at), ends_at)
        for one in details:
            kinds.setdefault(name, Counter())[str(one.get("kind", ""))] += int(one.get("sessions", 0))
    found = [
        TlsResult(
            org=name[0],
            policy=name[1],
            successes=sums[name][0],
            failures=sums[name][1],
            kinds=tuple(kinds.get(name, Counter()).most_common(10)),
            last_at=last[name],
        )
        for name in sums
    ]
    return sorted(found, key=lambda one: (-one.failures, -one.successes, one.org))


def _passed() -> sa.ColumnElement[int]:
    passed = sa.or_(col(DmarcRow.dkim), col(DmarcRow.spf))
    return sa.func.coalesce(sa.func.sum(sa.case((passed, DmarcRow.messages), else_=0)), 0)


async def _rows(session: AsyncSession, wanted: Any) -> list[Any]:
    connection = await session.connection()
    return list((await connection.execute(wanted)).all())
