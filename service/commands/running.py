"""The service itself: pages and sending, sending alone, the rehearsal, and mail piped in."""

import asyncio
import sys
from typing import Annotated, BinaryIO

import typer

from models.errors import BadInputError, ConflictError, TocsinError
from service.commands import examples
from service.desk import Desk, read_settings, work
from service.loops import run
from service.secret_key import make_data_dir
from service.terminal import moment, say

A_GULP = 1024 * 1024


class NotRecordedError(TocsinError):
    """A mail that was piped in is not in the ledger; whoever brought it keeps it (EX_TEMPFAIL)."""

    exit_code = 75


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to serve on, instead of TOCSIN_BIND_HOST.", metavar="ADDRESS")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to serve on, instead of TOCSIN_BIND_PORT.", min=0, max=65535)
    ] = None,
    without_worker: Annotated[
        bool, typer.Option("--no-worker", help="Serve the pages and send nothing: workers do.")
    ] = False,
) -> None:
    """Run Tocsin: web pages, sending, and the listener for bounces.

    Ctrl-C or SIGTERM stops it: what is on the wire is finished, the rest waits in the database for the
    next start.
    """
    from service.running import run_service

    given = {"bind_host": host, "bind_port": port}
    settings = read_settings(**{name: value for name, value in given.items() if value is not None})
    make_data_dir(settings)
    run(run_service(settings, with_web=True, with_worker=not without_worker))


def worker() -> None:
    """Run the sending alone, without pages (PostgreSQL only).

    Any number of them, on any number of machines, share the work of one database.
    """
    from service.running import run_service

    settings = read_settings()
    if settings.uses_sqlite:
        raise ConflictError(
            "A worker beside the service needs PostgreSQL, and TOCSIN_DATABASE_URL is SQLite.",
            "On SQLite, `tocsin serve` does the sending itself.",
        )
    make_data_dir(settings)
    run(run_service(settings, with_web=False))


def workers() -> None:
    """List the sending processes, and when each was last heard of."""
    say(work(_list_workers))


async def _list_workers(desk: Desk) -> str:
    from datetime import timedelta

    from store.workers import SILENCE, list_workers

    now = desk.clock.now()
    async with desk.database.read() as session:
        found = await list_workers(session, since=now - timedelta(days=1))
    lines = []
    for worker in found:
        silent = (now - worker.seen_at).total_seconds()
        if worker.stopped_at is not None:
            state = f"ended {moment(worker.stopped_at, desk.settings.zone)}"
        elif silent > SILENCE.total_seconds():
            state = f"silent for {silent:.0f} s: its work goes to the others"
        else:
            state = f"heard of {max(0.0, silent):.0f} s ago"
        place = f"{worker.host}, process {worker.pid}"
        lines.append(f"{worker.id}  {worker.role:<6}  {place}, version {worker.version or '?'}: {state}")
    return "\n".join(lines) or "No process has sent from this database lately."


def demo(
    exit_after: Annotated[
        bool, typer.Option("--exit", help="End once the campaigns are finished and the figures agree.")
    ] = False,
    port: Annotated[int | None, typer.Option(help="Port of the web pages.", min=0, max=65535)] = None,
) -> None:
    """Rehearse campaigns in a small outside world of their own.

    2,000 people, mail servers with the manners of the big providers, seed mailboxes, an SMS provider:
    everything runs on this machine, and no message leaves it.
    """
    from service.demo import run_demo

    asyncio.run(run_demo(exit_after=exit_after, port=port))


def inbound(
    recipient: Annotated[
        list[str] | None,
        typer.Option(
            help="Address the mail was delivered to, as the mail server knows it; may be given several times."
            " Without it, the headers are asked.",
            metavar="ADDRESS",
        ),
    ] = None,
    sender: Annotated[
        str, typer.Option(help="Sender of its envelope; empty for a bounce.", metavar="ADDRESS")
    ] = "",
) -> None:
    """Take in one bounce or complaint from standard input.

    For mail servers that deliver to a command. Nothing is answered to anybody, and mail that says
    nothing about a message of ours changes nothing. While it cannot be recorded, the exit status is 75,
    at which a mail server keeps the mail and tries again. Of a mail of any size the first megabyte is read.
    """
    raw = _read_mail(sys.stdin.buffer)
    if not raw.strip():
        raise BadInputError("No mail came in on standard input.", "Write `tocsin inbound < mail.eml`.")
    try:
        told = work(lambda desk: _take_in(desk, raw, tuple(recipient) if recipient else None, sender))
    except TocsinError as error:
        raise NotRecordedError(error.problem, error.advice) from error
    except Exception as error:
        raise NotRecordedError(f"The mail could not be recorded: {error}") from error
    say(told)


def _read_mail(stream: BinaryIO) -> bytes:
    """The beginning of a mail; the rest is let pass, as a mail server minds a pipe that breaks."""
    raw = stream.read(A_GULP)
    while stream.read(A_GULP):
        pass
    return raw


async def _take_in(desk: Desk, raw: bytes, recipients: tuple[str, ...] | None, sender: str) -> str:
    from deliverability.arrival import SetAside, take_mail
    from deliverability.feedback import Applied
    from deliverability.feeds.filing import Filed
    from models.tokens import Tokens
    from models.values import Cover
    from service.commands.dmarc import told_of
    from service.pacing import follow_rules

    follow_rules(desk.settings)
    cover = Cover("pipe", recipients, sender)
    arrival = await take_mail(desk.database, Tokens(desk.keyring), raw, cover, desk.clock.now())
    if isinstance(arrival, SetAside):
        return f"This mail could not be read and was set aside: {arrival.problem}"
    if arrival is not None and arrival.reports != Filed():
        return told_of(arrival.reports)
    if arrival is None or not arrival.signals:
        return "This mail says nothing about a message of ours."
    words = {
        Applied.NEW: "recorded",
        Applied.REPEATED: "known already",
        Applied.UNMATCHED: "matches no message of ours",
    }
    return "\n".join(
        f"{signal.kind.value}: {words[outcome]}"
        for signal, outcome in zip(arrival.signals, arrival.outcomes, strict=True)
    )


def register(app: typer.Typer) -> None:
    """Put these commands on the root."""
    panel = "Run"
    app.command(rich_help_panel=panel, epilog=examples("tocsin demo", "tocsin demo --exit"))(demo)
    app.command(
        rich_help_panel=panel,
        epilog=examples("tocsin serve", "tocsin serve --port 8080", "tocsin serve --no-worker"),
    )(serve)
    app.command(rich_help_panel=panel, epilog=examples("tocsin worker"))(worker)
    app.command(rich_help_panel=panel, epilog=examples("tocsin workers"))(workers)
    app.command(
        rich_help_panel=panel,
        epilog=examples(
            "tocsin inbound < bounce.eml",
            "tocsin inbound --recipient b+token@bounces.example.org < bounce.eml",
        ),
    )(inbound)
