"""`tocsin dmarc`: what receivers report on authentication and encryption, taken in and shown."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, assert_never

import typer

from models.errors import BadInputError
from models.text import plural
from service.commands import examples, noun
from service.desk import Desk, work
from service.terminal import print_table, progress_bar, put, say, warn

if TYPE_CHECKING:
    from deliverability.feeds.filing import Filed
    from deliverability.feeds.reading import Sighting
    from deliverability.feeds.values import AggregateReport, Report
    from models.authentication import DmarcFailure
    from store.authentication import ReportSum, SourceRate, TlsResult

group = noun("Reports of receivers on mail in our name: DMARC, failures, encryption (SMTP TLS).")
SOURCES_SHOWN = 30
FAILURES_SHOWN = 10
KIND_WORDS = {
    "ours": "ours",
    "allowed": "allowed",
    "forwarder": "passes our mail on",
    "service": "a service, not for us",
    "stranger": "UNKNOWN",
}


def files_in(paths: list[Path]) -> Iterator[Path]:
    """The files named, and those in the folders named, in order; hidden ones of folders are left out."""
    for path in paths:
        if path.is_dir():
            inside = (one for one in path.rglob("*") if one.is_file())
            yield from sorted(one for one in inside if not one.name.startswith("."))
        else:
            yield path


@group.command(
    "import", epilog=examples("tocsin dmarc import report.xml.gz", "tocsin dmarc import ~/Mail/dmarc")
)
def import_reports(
    paths: Annotated[
        list[Path], typer.Argument(help="Files, or folders of them.", metavar="FILE|DIR", show_default=False)
    ],
) -> None:
    """Take in reports of receivers: XML, JSON, gzip, zip, or mails that carry them.

    Each is kept once, however often it comes. A file that is no report is told in one line, and the others
    are taken in all the same; the exit status is 1 then.
    """
    from deliverability.feeds.filing import Filed, file_reports

    files = list(files_in(paths))
    if not files:
        raise BadInputError("There is no file in there.", "Name files with reports, or a folder of them.")

    async def take(desk: Desk) -> tuple["Filed", list[str], int]:
        filed, unreadable = Filed(), 0
        bad: list[str] = []
        with progress_bar() as bar:
            task = bar.add_task("Reading", total=len(files))
            for file in files:
                sighting = _read(file, desk, bad)
                if sighting is None:
                    unreadable += 1
                else:
                    async with desk.database.write() as session:
                        filed += await file_reports(session, sighting.reports, desk.clock.now())
                bar.advance(task)
        return filed, bad, unreadable

    filed, bad, unreadable = work(take)
    for line in bad:
        warn(line)
    unread = f" {plural(unreadable, 'file')} could not be." if unreadable else ""
    say(f"{plural(len(files) - unreadable, 'file')} read. {told_of(filed)}{unread}")
    if bad:
        raise typer.Exit(1)


def _read(file: Path, desk: Desk, bad: list[str]) -> "Sighting | None":
    from deliverability.feeds.containers import MAX_FILE
    from deliverability.feeds.reading import read_reports
    from deliverability.feeds.values import UnreadableReportError

    try:
        with file.open("rb") as stream:
            # One octet more than may be, so that a larger file is told apart from a full one.
            raw = stream.read(MAX_FILE + 1)
        sighting = read_reports(raw, desk.clock.now())
    except OSError as error:
        bad.append(f"{file}: {error.strerror or error}.")
        return None
    except UnreadableReportError as error:
        bad.append(f"{file}: {error.problem}")
        return None
    bad.extend(f"{file}: {problem}" for problem in sighting.problems)
    return sighting


def told_of(filed: "Filed") -> str:
    """What became of reports: `2 new reports, 1 known already.`."""
    parts = [plural(filed.new, "new report"), f"{filed.known:,} known already"]
    if filed.mended:
        parts.append(f"{filed.mended:,} whole now")
    return ", ".join(parts) + "."


@group.command("read", epilog=examples("tocsin dmarc read report.xml.gz", "tocsin dmarc read samples/*"))
def read_only(
    paths: Annotated[
        list[Path], typer.Argument(help="Files, or folders of them.", metavar="FILE|DIR", show_default=False)
    ],
) -> None:
    """Read reports and print what they add up to, a line of JSON each; nothing is kept.

    Of a report about more than a day, records counts a row once for each day it has mails of; raw_records
    counts the rows as they are written.
    """
    from deliverability.feeds.containers import MAX_FILE
    from deliverability.feeds.reading import read_reports
    from deliverability.feeds.values import UnreadableReportError
    from models.clock import SystemClock

    failed = False
    for file in files_in(paths):
        try:
            with file.open("rb") as stream:
                sighting = read_reports(stream.read(MAX_FILE + 1), SystemClock().now())
        except (OSError, UnreadableReportError) as error:
            failed = True
            put(json.dumps({"file": str(file), "type": None, "error": str(error)}, ensure_ascii=False))
            continue
        for report in sighting.reports:
            put(json.dumps({"file": str(file), **summary(report)}, ensure_ascii=False))
    if failed:
        raise typer.Exit(1)


def summary(report: "Report") -> dict[str, object]:
    """A report added up, as `tocsin dmarc read` prints it; moments in UTC."""
    from deliverability.feeds.values import AggregateReport, FailureReport, TlsReport

    match report:
        case AggregateReport():
            return _aggregate(report)
        case FailureReport():
            return {
                "type": "failure",
                "feedback_type": report.feedback_type,
                "arrival_date_utc": f"{report.arrived_at:%Y-%m-%d %H:%M:%S}",
                "reported_domain": report.domain,
                "original_mail_from": report.original_mail_from or None,
                "original_rcpt_to": report.original_rcpt_to or None,
                "delivery_result": report.delivery_result,
                "auth_failure": str(report.failure.split(",")),
                "source_ip": report.source_ip,
            }
        case TlsReport():
            return {
                "type": "smtp_tls",
                "org": report.org,
                "report_id": report.report_id,
                "begin": f"{report.begins_at:%Y-%m-%d %H:%M:%S}",
                "end": f"{report.ends_at:%Y-%m-%d %H:%M:%S}",
                "policies": len(report.policies),
                "success": sum(one.successes for one in report.policies),
                "failure": sum(one.failures for one in report.policies),
            }
        case _:
            assert_never(report)


def _aggregate(report: "AggregateReport") -> dict[str, object]:
    rows = report.rows
    return {
        "type": "aggregate",
        "schema": report.form,
        "org": report.org,
        "report_id": report.report_id,
        "begin": f"{report.begins_at:%Y-%m-%d %H:%M:%S}",
        "end": f"{report.ends_at:%Y-%m-%d %H:%M:%S}",
        "domain": report.domain,
        "p": report.policy,
        "errors": list(report.problems),
        "records": report.rows_by_day,
        "messages": report.messages,
        "dmarc_pass": report.passed,
        "spf_aligned": sum(row.messages for row in rows if row.spf),
        "dkim_aligned": sum(row.messages for row in rows if row.dkim),
        "raw_records": len(rows),
        "raw_messages": report.messages,
        "notes": list(report.remarks),
    }


@group.command(
    "show", epilog=examples("tocsin dmarc show parti.example", "tocsin dmarc show parti.example --names")
)
def show(
    domain: Annotated[str, typer.Argument(help="A From domain.", metavar="DOMAIN")],
    days: Annotated[int, typer.Option(help="How many days to look back.", metavar="DAYS", min=1)] = 30,
    names: Annotated[
        bool, typer.Option("--names", help="Ask the DNS for the names of unknown senders.")
    ] = False,
) -> None:
    """Show who sent in a domain's name, as receivers report it: ourselves, others we allowed, strangers."""
    from store import authentication

    domain = domain.lower().strip(".")

    async def look(
        desk: Desk,
    ) -> "tuple[list[ReportSum], list[SourceRate], list[TlsResult], list[DmarcFailure], dict[str, str]]":
        since = desk.clock.now() - timedelta(days=days)
        async with desk.database.read() as session:
            sums = await authentication.report_sums(session, domain, since)
            own_ips = [part.strip() for part in desk.settings.sending_ips.split(",") if part.strip()]
            rates = await authentication.pass_rates(session, domain, since, addresses=own_ips)
            tls = await authentication.tls_results(session, [domain], since)
            failures = await authentication.list_failures(session, domain, since, limit=FAILURES_SHOWN)
        unknown = [one.source_ip for one in rates if not one.known][:SOURCES_SHOWN] if names else []
        return sums, rates, tls, failures, await _names_of(desk, unknown)

    sums, rates, tls, failures, found = work(look)
    if not sums and not tls and not failures:
        say(
            f"No report about {domain} of the last {plural(days, 'day')}. They are sent to the address after"
            " rua= in its DMARC record: see `tocsin identity dns`; those you have: `tocsin dmarc import`."
        )
        return
    _print_rates(domain, sums, rates, found)
    _print_troubles(tls, failures)


def _print_troubles(tls: "list[TlsResult]", failures: "list[DmarcFailure]") -> None:
    if tls:
        print_table(
            ("reporter", "policy", "#encrypted", "#failed", "how"),
            [
                (one.org, one.policy, one.successes, one.failures, ", ".join(kind for kind, _ in one.kinds))
                for one in tls
            ],
            empty="",
        )
    if failures:
        print_table(
            ("when (UTC)", "from", "failed", "became", "subject"),
            [
                (
                    f"{one.arrived_at:%Y-%m-%d %H:%M}",
                    one.source_ip,
                    one.failure,
                    one.delivery_result,
                    one.subject,
                )
                for one in failures
            ],
            empty="",
        )


def _print_rates(
    domain: str, sums: "list[ReportSum]", rates: "list[SourceRate]", names: dict[str, str]
) -> None:
    messages = sum(one.messages for one in sums)
    passed = sum(one.passed for one in sums)
    share = f", {passed / messages:.1%} passed" if messages else ""
    say(f"{domain}: {plural(messages, 'mail')} in {plural(len(sums), 'report')}{share}.")
    print_table(
        ("source", "is", "#mails", "#passed", "#dkim", "#spf", "#stopped", "signed by", "name"),
        [
            (
                one.source_ip,
                KIND_WORDS[one.kind.value],
                f"{one.messages:,}",
                f"{one.passed / one.messages:.1%}" if one.messages else "",
                f"{one.dkim:,}",
                f"{one.spf:,}",
                f"{one.stopped:,}",
                ", ".join(one.names),
                names.get(one.source_ip, ""),
            )
            for one in rates[:SOURCES_SHOWN]
        ],
        empty="No mail is reported.",
    )
    strangers = [one for one in rates if not one.known]
    if strangers:
        many = sum(one.messages for one in strangers)
        say(
            f"{plural(len(strangers), 'unknown sender')} with {plural(many, 'mail')}. A service of yours has"
            " to sign for the domain; anybody else is kept out by p=quarantine, then p=reject."
        )


async def _names_of(desk: Desk, sources: list[str]) -> dict[str, str]:
    """The names the DNS has for addresses; none for those it has none for."""
    if not sources:
        return {}
    import ipaddress

    from deliverability.resolver import CannotAskError
    from service.pacing import resolver_of

    found: dict[str, str] = {}
    resolver = resolver_of(desk.settings.dns_servers)
    if resolver is None:
        return found
    for source in sources:
        try:
            answers = await resolver.records(ipaddress.ip_address(source).reverse_pointer, "PTR")
        except (CannotAskError, ValueError):
            continue
        if answers:
            found[source] = answers[0]
    return found


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="dmarc", rich_help_panel="Prepare")
