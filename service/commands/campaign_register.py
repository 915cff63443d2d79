"""`tocsin campaign register` and `notice`: political advertising that was sent, as the law wants it kept."""

import sys
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from models.errors import BadInputError, ConflictError
from service.commands import examples
from service.desk import Desk, work
from service.terminal import moment, print_table, put, say
from service.wishes import wanted_campaign

if TYPE_CHECKING:
    from models.template import TemplateVersion
    from store.register import RegisterRow


Which = Annotated[str, typer.Argument(help="Number or name of the campaign.", metavar="CAMPAIGN")]


def register_(
    *,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON, with all contents.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print it as CSV, for spreadsheets.")] = False,
) -> None:
    """Show the register of political advertising: every political campaign that was launched.

    Who paid, for which vote, what was said to whom and when, how many it reached, and the address of its
    public notice. Records are to be kept for seven years: docs/elections.md.
    """
    if json and csv:
        raise BadInputError("The register is printed in one form.", "Choose --json or --csv.")

    from deliverability.register_files import register_csv, register_json

    rows, contents, notice_of, now, zone = work(lambda desk: _read(desk, with_contents=json))
    if json:
        put(register_json(rows, contents, notice_of, now))
    elif csv:
        sys.stdout.write(register_csv(rows, notice_of))
    else:
        print_table(
            ("#no", "campaign", "launched", "on behalf of", "vote", "#messages", "notice"),
            [
                (
                    *(
                        row.campaign_id,
                        row.name,
                        moment(row.launched_at, zone) if row.launched_at else "",
                        row.payer,
                        row.vote or "-",
                    ),
                    *(row.messages, notice_of(row.campaign_id)),
                )
                for row in rows
            ],
            empty="No political campaign was launched yet.",
        )


async def _read(
    desk: Desk, *, with_contents: bool
) -> tuple["list[RegisterRow]", "dict[int, TemplateVersion]", Callable[[int], str], datetime, str]:
    from models.tokens import Tokens
    from scheduler.letters import notice_address
    from store.register import contents_of, register_rows

    async with desk.database.read() as session:
        rows = await register_rows(session)
        contents = await contents_of(session, rows) if with_contents else {}
    tokens, public_url = Tokens(desk.keyring), desk.settings.public_url.rstrip("/")
    return (
        *(rows, contents),
        lambda number: notice_address(tokens, public_url, number),
        *(desk.clock.now(), desk.settings.zone),
    )


def notice(
    *,
    campaign: Which,
    spent: Annotated[
        str | None,
        typer.Option("--spent", help="What it cost and where the money came from, in words.", metavar="TEXT"),
    ] = None,
) -> None:
    """Show where the public notice of a political campaign stands, or tell what the campaign cost.

    Bills come late: what was spent can be told at any time, other than the rest, and the notice shows it at
    once.
    """
    address, lacks = work(lambda desk: _notice(desk, campaign, spent))
    put(address)
    for sentence in lacks:
        say(f"! {sentence}")


async def _notice(desk: Desk, which: str, spent: str | None) -> tuple[str, list[str]]:
    from models.tokens import Tokens
    from scheduler.letters import notice_address
    from scheduler.notice import notice_about, tell_spent

    async with desk.database.write() as session:
        found = await wanted_campaign(session, which)
        if spent is not None:
            await tell_spent(session, found.id, spent)
        told = await notice_about(session, found.id)
    if told is None:
        raise ConflictError(
            f"The campaign {found.name!r} is no political advertising: it has no notice.",
            "`tocsin campaign edit --nature political` makes a draft one.",
        )
    row = told.row
    lacks = [
        *(["No vote is named in it."] if not row.vote else []),
        *(["It does not tell what was spent: --spent tells it."] if not row.spent else []),
    ]
    public_url = desk.settings.public_url.rstrip("/")
    return notice_address(Tokens(desk.keyring), public_url, found.id), lacks


def register(group: typer.Typer) -> None:
    """Put the command on the group of campaigns."""
    group.command(
        "register",
        epilog=examples("tocsin campaign register", "tocsin campaign register --csv > register.csv"),
    )(register_)
    group.command(
        "notice",
        epilog=examples(
            "tocsin campaign notice 3", "tocsin campaign notice 3 --spent '1,240 €, from donations'"
        ),
    )(notice)
