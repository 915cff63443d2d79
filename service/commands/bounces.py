"""`tocsin bounces`: what came back, read again by better rules."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.errors import NotFoundError
from models.providers import provider_name
from models.text import plural
from service.commands import examples, noun
from service.desk import Desk, work
from service.terminal import print_table, say

if TYPE_CHECKING:
    from deliverability.originals import Reread
    from deliverability.replay import Change
    from models.event import Incoming

group = noun("What came back of messages: bounces and complaints, as they were kept.")
SHOWN = 30
MOST_ASIDE = 1000


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
    """Read the kept originals of bounces, mails and webhooks alike, again, and show what would change.

    Nothing is changed without --apply. With it, each reading that changes is put on record beside the old
    one, and counts from then on; what was carried out once changes nothing the next time.
    """
    from deliverability.originals import read_originals_again
    from deliverability.rulebook import OWN_FILE, read_rules, shipped
    from models.tokens import Tokens
    from service.pacing import follow_rules

    async def look(desk: Desk) -> "Reread":
        follow_rules(desk.settings)
        file = rules or desk.settings.data_dir / OWN_FILE
        book = read_rules(file) if rules is not None or file.exists() else shipped()
        now = desk.clock.now()
        since = now - timedelta(days=days)
        tokens = Tokens(desk.keyring)
        return await read_originals_again(desk.database, tokens, book, since=since, now=now, act=act)

    seen = work(look)
    print_table(
        ("provider", "#count", "read as", "is" if act else "would be", "example"),
        [
            (provider_name(one.provider), one.count, one.before, one.after, one.example[:80])
            for one in seen.changes[:SHOWN]
        ],
        empty=f"{plural(seen.read, 'original')} read again: each is read as it was.",
    )
    if seen.unread:
        say(f"{plural(seen.unread, 'other')} not read: no bounces, or unreadable.")
    if seen.changes:
        tell = "are" if act else "would be"
        say(
            f"{plural(seen.read, 'original')} read again, {seen.news:,} not recognised before: "
            f"{seen.would_suppress:,} more {tell} suppressed, {seen.would_spare:,} {tell} spared."
        )
        tell_unproven(seen.changes)


def tell_unproven(changes: "Sequence[Change]") -> None:
    """Why a rule that blames the recipient for good suppresses nobody."""
    from deliverability.replay import unproven_rules

    for name in unproven_rules(changes):
        say(
            f"Nobody is suppressed by {name}: the status of the answer does not prove it. "
            "If the words alone prove it, write proven = true in the rule."
        )


@group.command(
    "aside",
    epilog=examples(
        "tocsin bounces aside", "tocsin bounces aside --show 812 > mail.eml", "tocsin bounces aside --retry"
    ),
)
def aside(
    show: Annotated[
        int | None, typer.Option(help="Print the mail of that number as it came.", metavar="NUMBER")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Read all of them again, now.")] = False,
) -> None:
    """Show the mails that could not be read or recorded, and why.

    They were taken for received, and hold up nothing. Each is tried again by itself: after 4 hours, 16 hours
    and so on, as long as originals are kept.
    """
    from deliverability.arrival import try_again
    from models.tokens import Tokens
    from service.pacing import follow_rules
    from store import incoming

    async def look(desk: Desk) -> tuple[int, "list[Incoming]"]:
        read = 0
        if retry:
            follow_rules(desk.settings)
            read = await try_again(desk.database, Tokens(desk.keyring), desk.clock.now(), everything=True)
        async with desk.database.read() as session:
            return read, await incoming.list_aside(session, limit=MOST_ASIDE)

    read, rows = work(look)
    if show is not None:
        raw = next((row.raw for row in rows if row.id == show), None)
        if raw is None:
            raise NotFoundError(f"No mail of number {show} is set aside.", "Nothing was changed.")
        sys.stdout.buffer.write(raw)
        return
    if retry:
        say(f"{plural(read, 'mail')} read now.")
    print_table(
        ("#Number", "Since (UTC)", "#Tries", "#Octets", "By", "Problem"),
        [
            (row.id, f"{row.received_at:%Y-%m-%d %H:%M}", row.tries, len(row.raw), row.way, row.problem)
            for row in rows
        ],
        empty="No mail is set aside.",
    )


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="bounces", rich_help_panel="Prepare")
