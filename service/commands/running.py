"""The service itself: pages and sending, sending alone, the rehearsal, and mail piped in."""

import asyncio
import sys
from typing import Annotated

import typer

from models.errors import BadInputError, ConflictError
from service.commands import examples
from service.desk import Desk, read_settings, work
from service.secret_key import make_data_dir
from service.terminal import say

LARGEST_MAIL = 20 * 1024 * 1024


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to serve on, instead of TOCSIN_BIND_HOST.", metavar="ADDRESS")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to serve on, instead of TOCSIN_BIND_PORT.", min=0, max=65535)
    ] = None,
) -> None:
    """Run Tocsin: web pages, sending, and the listener for bounces.

    Ctrl-C or SIGTERM stops it: what is on the wire is finished, the rest waits in the database for the
    next start.
    """
    from service.running import run_service

    given = {"bind_host": host, "bind_port": port}
    settings = read_settings(**{name: value for name, value in given.items() if value is not None})
    make_data_dir(settings)
    asyncio.run(run_service(settings, with_web=True))


def worker() -> None:
    """Run the sending alone, without pages (PostgreSQL only)."""
    from service.running import run_service

    settings = read_settings()
    if settings.uses_sqlite:
        raise ConflictError(
            "A worker beside the service needs PostgreSQL, and TOCSIN_DATABASE_URL is SQLite.",
            "On SQLite, `tocsin serve` does the sending itself.",
        )
    make_data_dir(settings)
    asyncio.run(run_service(settings, with_web=False))


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
) -> None:
    """Take in one bounce or complaint from standard input.

    For mail servers that deliver to a command. Nothing is answered to anybody, and mail that says
    nothing about a message of ours changes nothing.
    """
    raw = sys.stdin.buffer.read(LARGEST_MAIL + 1)
    if not raw.strip():
        raise BadInputError("No mail came in on standard input.", "Write `tocsin inbound < mail.eml`.")
    if len(raw) > LARGEST_MAIL:
        raise BadInputError("The mail is larger than 20 MB.", "No bounce is: look at what was piped in.")
    say(work(lambda desk: _take_in(desk, raw, recipient or [])))


async def _take_in(desk: Desk, raw: bytes, recipients: list[str]) -> str:
    from deliverability.feedback import Applied, apply
    from deliverability.signals.mail import read_inbound
    from models.tokens import Tokens

    now = desk.clock.now()
    signals = read_inbound(raw, recipients, Tokens(desk.keyring), now)
    if not signals:
        return "This mail says nothing about a message of ours."
    async with desk.database.write() as session:
        outcomes = [await apply(session, signal, now) for signal in signals]
    words = {
        Applied.NEW: "recorded",
        Applied.REPEATED: "known already",
        Applied.UNMATCHED: "matches no message of ours",
    }
    return "\n".join(
        f"{signal.kind.value}: {words[outcome]}" for signal, outcome in zip(signals, outcomes, strict=True)
    )


def register(app: typer.Typer) -> None:
    """Put these commands on the root."""
    panel = "Run"
    app.command(rich_help_panel=panel, epilog=examples("tocsin demo", "tocsin demo --exit"))(demo)
    app.command(rich_help_panel=panel, epilog=examples("tocsin serve", "tocsin serve --port 8080"))(serve)
    app.command(rich_help_panel=panel, epilog=examples("tocsin worker"))(worker)
    app.command(
        rich_help_panel=panel,
        epilog=examples(
            "tocsin inbound < bounce.eml",
            "tocsin inbound --recipient b+token@bounces.example.org < bounce.eml",
        ),
    )(inbound)
