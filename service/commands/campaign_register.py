"""`tocsin campaign register`: every political advertisement that was sent, as the law wants it kept."""

import sys
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from models.errors import BadInputError
from service.commands import examples
from service.desk import Desk, work
from service.terminal import moment, print_table, put

if TYPE_CHECKING:
    from models.template import TemplateVersion
    from store.register import RegisterRow


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


def register(group: typer.Typer) -> None:
    """Put the command on the group of campaigns."""
    group.command(
        "register",
        epilog=examples("tocsin campaign register", "tocsin campaign register --csv > register.csv"),
    )(register_)
