"""`tocsin lint`: a campaign or a template looked at before it is sent."""

import getpass
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from models.errors import BadInputError
from service.commands import examples
from service.desk import Desk, work
from service.terminal import progress_bar
from service.wishes import wanted_campaign, wanted_identity, wanted_version

if TYPE_CHECKING:
    from scheduler.preflight import GoPast, LintFinding, Means

Despite = Annotated[
    str | None,
    typer.Option(
        "--despite",
        help="Schedule it although checks stand in its way: the reason, kept with the campaign.",
        metavar="REASON",
    ),
]


def lint(
    *,
    campaign: Annotated[
        str | None, typer.Argument(help="Number or name of the campaign.", metavar="CAMPAIGN")
    ] = None,
    template: Annotated[
        str | None, typer.Option(help="A template instead of a campaign.", metavar="NAME")
    ] = None,
    identity: Annotated[
        str | None, typer.Option(help="The sender identity it would come from.", metavar="KEY")
    ] = None,
    send_test: Annotated[
        bool,
        typer.Option(
            "--send-test", help="Send it to the seeds, wait, and read what their servers say of it."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON, for programs.")] = False,
) -> int:
    """Look at a campaign, or a template, before it is sent: what stands in its way, what is risky.

    The message is written as it would leave and read as mailboxes read it; the DNS of its senders, its
    audience and, if one is set, your spam filter are asked. The exit status is 1 if anything stands in
    its way.
    """
    if (campaign is None) == (template is None) or (template is None) != (identity is None):
        raise BadInputError(
            "What is to be looked at?", "Name a campaign, or give --template NAME and --identity KEY."
        )
    if send_test and campaign is None:
        raise BadInputError("A test is sent of a campaign.", "Name one.")

    async def find(desk: Desk) -> "list[LintFinding]":
        from service.lint_means import means_of

        means = means_of(desk.settings, desk.keyring, desk.clock)
        if campaign is None:
            return await _look_at_template(desk, means, template or "", identity or "")
        return await _look_at_campaign(desk, means, campaign, send_test=send_test)

    from scheduler.preflight.findings import blockers
    from service.lint_view import print_json, print_lint, print_sum

    findings = work(find)
    if json:
        print_json(findings)
    else:
        print_lint(findings)
        print_sum(findings)
    return 1 if blockers(findings) else 0


async def _look_at_template(desk: Desk, means: "Means", template: str, identity: str) -> "list[LintFinding]":
    from scheduler.preflight import examine_template

    async with desk.database.read() as session:
        version = await wanted_version(session, template)
        sender = await wanted_identity(session, identity)
    return await examine_template(desk.database, version, sender, means)


async def _look_at_campaign(
    desk: Desk, means: "Means", which: str, *, send_test: bool
) -> "list[LintFinding]":
    from scheduler.preflight.gate import look

    async with desk.database.read() as session:
        number = (await wanted_campaign(session, which)).id
    if not send_test:
        return await look(desk.database, number, means)
    tested = await _send_test(desk, means, number)
    return sorted([*await look(desk.database, number, means), *tested], key=_gravity)


def _gravity(finding: "LintFinding") -> int:
    from models.preflight import LintLevel

    return list(LintLevel).index(finding.level)


async def _send_test(desk: Desk, means: "Means", number: int) -> "list[LintFinding]":
    from scheduler.preflight.seeds import Waiting, try_seeds
    from service.transports import make_transports

    transports = make_transports(desk.settings)
    try:
        with progress_bar() as bars:
            bar = bars.add_task("Waiting for the seeds", total=None)
            waiting = Waiting(on_progress=lambda found, total: bars.update(bar, completed=found, total=total))
            return await try_seeds(desk.database, number, means, transports=transports, waiting=waiting)
    finally:
        for transport in transports.values():
            await transport.close()


async def require_clear_here(
    desk: Desk, campaign_id: int, despite: str | None, starts_at: datetime | None
) -> None:
    """Look at a campaign that is to be scheduled; what stands in its way is printed before the error.

    StandsInTheWayError unless `despite` names a reason, which is kept.
    """
    from scheduler.preflight import StandsInTheWayError, require_clear
    from service.lint_means import means_of
    from service.lint_view import print_lint

    means = means_of(desk.settings, desk.keyring, desk.clock)
    try:
        await require_clear(desk.database, campaign_id, means, past=_past(despite), starts_at=starts_at)
    except StandsInTheWayError as error:
        print_lint(error.found)
        raise StandsInTheWayError(
            error.found, f"`tocsin lint {campaign_id}` looks again; --despite REASON goes past them."
        ) from error


def _past(despite: str | None) -> "GoPast | None":
    from scheduler.preflight import GoPast

    if despite is None:
        return None
    name = ""
    with suppress(OSError, KeyError, ImportError):
        name = getpass.getuser()
    return GoPast(f"{name} (command line)".strip(), despite)


def register(app: typer.Typer) -> None:
    """Put the command on the root."""
    app.command(
        rich_help_panel="Campaigns",
        epilog=examples(
            "tocsin lint 3",
            "tocsin lint 'Meeting in Lyon' --send-test",
            "tocsin lint --template hello --identity rhone --json",
        ),
    )(lint)
