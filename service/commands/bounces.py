"""`tocsin bounces`: what came back, read again by better rules."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.text import plural
from service.commands import examples, noun
from service.desk import Desk, work
from service.terminal import print_table, say

if TYPE_CHECKING:
    from deliverability.originals import Reread

group = noun("What came back of messages: bounces and complaints, as they were kept.")
SHOWN = 30


@group.command(
    "replay",
    epilog=examples(
        "tocsin bounces replay --days 30",
        "tocsin bounces replay --rules new-rules.toml",
        "tocsin bounces replay --rules new-rules.toml --apply",
    ),
)
def replay_bounces(
    rules: Annotated[
        Path | None,
        typer.Option(help="Rules to try; without it, rules.toml of the data directory.", metavar="FILE"),
    ] = None,
    days: Annotated[int, typer.Option(help="How many days to look back.", metavar="DAYS", min=1)] = 30,
    act: Annotated[
        bool, typer.Option("--apply", help="Carry it out: people are suppressed, or spared.")
    ] = False,
) -> None:
    """Read the kept originals of bounces again, and show what would change.

    Nothing is changed without --apply. With it, each reading that changes is put on record beside the old
    one, and counts from then on; what was carried out once changes nothing the next time.
    """
    from deliverability.originals import read_originals_again
    from deliverability.rulebook import OWN_FILE, read_rules, shipped
    from models.tokens import Tokens

    async def look(desk: Desk) -> "Reread":
        file = rules or desk.settings.data_dir / OWN_FILE
        book = read_rules(file) if rules is not None or file.exists() else shipped()
        now = desk.clock.now()
        since = now - timedelta(days=days)
        tokens = Tokens(desk.keyring)
        return await read_originals_again(desk.database, tokens, book, since=since, now=now, act=act)

    seen = work(look)
    print_table(
        ("provider", "#count", "read as", "is" if act else "would be", "example"),
        [(one.provider, one.count, one.before, one.after, one.example[:80]) for one in seen.changes[:SHOWN]],
        empty=f"{plural(seen.read, 'original')} read again: each is read as it was.",
    )
    if seen.changes:
        tell = "are" if act else "would be"
        say(
            f"{plural(seen.read, 'original')} read again, {seen.news:,} not recognised before: "
            f"{seen.would_suppress:,} more {tell} suppressed, {seen.would_spare:,} {tell} spared."
        )


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="bounces", rich_help_panel="Prepare")
