"""`tocsin compliance`: what whoever answers for the mail is asked, and what is on record."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from service.commands import examples
from service.desk import Desk, work
from service.terminal import print_table, put, say

if TYPE_CHECKING:
    from scheduler.compliance import Compliance
    from store.compliance import Coverage


def compliance(
    *,
    days: Annotated[int, typer.Option("--days", help="The period up to now.", min=1, max=3650)] = 90,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Show whether the law was kept to: consent and its proof, labels, silence before votes, suppressions.

    And whoever went past a check, with the reason. What is not on record is said to be so.
    """
    from web.compliance_paper import compliance_json

    found, covered, desk = work(lambda desk: _read(desk, days))
    if json:
        put(compliance_json(found, covered, found.until))
    else:
        _print(found, covered, desk)


async def _read(desk: Desk, days: int) -> tuple["Compliance", "Coverage", Desk]:
    from scheduler.compliance import compliance_of
    from store.compliance import coverage

    now = desk.clock.now()
    async with desk.database.read() as session:
        return await compliance_of(session, now - timedelta(days=days), now), await coverage(session), desk


def _print(found: "Compliance", covered: "Coverage", desk: Desk) -> None:
    from models.tokens import Tokens
    from scheduler.letters import notice_address
    from service.verdict_print import MARKS
    from web.compliance_view import sections_of
    from web.i18n import Tongue

    tokens, public_url = Tokens(desk.keyring), desk.settings.public_url.rstrip("/")
    tongue = Tongue("en", ZoneInfo(desk.settings.zone))
    sections = sections_of(found, covered, lambda number: notice_address(tokens, public_url, number), tongue)
    for section in sections:
        say(f"\n{section.title}")
        for line in section.lines:
            say(f"{MARKS[line.tone]} {line.text}")
        for table in section.tables:
            heads = [f"#{head}" if place in table.numbers else head for place, head in enumerate(table.heads)]
            print_table(heads, table.rows, empty="")


def register(app: typer.Typer) -> None:
    """Put this command on the root."""
    app.command(
        rich_help_panel="Campaigns",
        epilog=examples("tocsin compliance", "tocsin compliance --days 365 --json > compliance.json"),
    )(compliance)
