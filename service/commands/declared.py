"""`tocsin declared`: what providers declare of our mail, asked for, imported and shown with its traps."""

from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from models.declared import DeclaredSource
from models.errors import BadInputError
from models.text import plural
from service.commands import examples, noun
from service.desk import Desk, work
from service.terminal import print_table, say, set_in, warn

if TYPE_CHECKING:
    from models.declared import DeclaredFeed, DeclaredFigure

group = noun("Figures that providers declare: Postmaster Tools, SNDS, Signal Spam, Yahoo's feedback loop.")
TRAPS = MappingProxyType(
    {
        DeclaredSource.GMAIL_POSTMASTER: (
            "Gmail counts complaints on inbox mail alone: with everything in spam its rate looks perfect."
            " One or two days late, empty at low volume."
        ),
        DeclaredSource.MICROSOFT_SNDS: (
            "SNDS speaks of an IP address: of all who send from it, on a shared one. Green means that less"
            " than 10 % was taken for spam, not none."
        ),
        DeclaredSource.SIGNAL_SPAM: (
            "Signal Spam counts people who report, at Orange, SFR and La Poste for the most part; few"
            " complaints may mean that few saw the mail."
        ),
        DeclaredSource.YAHOO_CFL: (
            "Yahoo reports complaints per DKIM domain, and counts its rate on mail in the inbox alone."
        ),
    }
)


def find_source(text: str) -> DeclaredSource:
    """By its whole name or a part of it, as in `snds`; BadInputError for none or several."""
    wanted = text.strip().lower().replace("-", "_")
    found = [one for one in DeclaredSource if wanted and wanted in one.value]
    if len(found) != 1:
        names = ", ".join(one.value for one in DeclaredSource)
        raise BadInputError(f"{text} is no source of figures.", f"Write one of {names}.")
    return found[0]


@group.command(
    "import",
    epilog=examples(
        "tocsin declared import snds data.csv",
        "tocsin declared import signal_spam export.csv",
        "tocsin declared import yahoo complaints.csv --subject news.parti.example",
    ),
)
def import_figures(
    source: Annotated[
        str,
        typer.Argument(help="gmail_postmaster, microsoft_snds, signal_spam or yahoo_cfl.", metavar="SOURCE"),
    ],
    file: Annotated[Path, typer.Argument(help="A CSV file, or an answer of Gmail's API.", metavar="FILE")],
    subject: Annotated[
        str,
        typer.Option(help="The domain or IP address it is about, where it does not say so.", metavar="NAME"),
    ] = "",
) -> None:
    """Take in a file of a provider's figures; imported again, the newer figures stand."""
    from deliverability.feeds.declared_files import read_declared
    from deliverability.feeds.declaring import rows_of
    from store import declared

    wanted = find_source(source)
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise BadInputError(f"{file} cannot be read: {error.strerror or error}.") from error
    found = read_declared(wanted, raw, subject=subject)

    async def keep(desk: Desk) -> int:
        now = desk.clock.now()
        async with desk.database.write() as session:
            new = await declared.put(session, rows_of(found.figures, now))
            await declared.note_feed(session, wanted, at=now, has_news=True)
        return new

    new = work(keep)
    for problem in found.problems:
        warn(f"{file}: {problem}")
    say(f"{plural(len(found.figures), 'figure')} read, {new:,} of them new.")
    set_in(TRAPS[wanted])


@group.command("fetch", epilog=examples("tocsin declared fetch"))
def fetch() -> None:
    """Ask the sources that are set up, now; otherwise they are asked once a day."""
    from service.declared_feeds import access_of

    async def ask(desk: Desk) -> dict[DeclaredSource, str]:
        from deliverability.feeds.declaring import DeclaredLook

        look = DeclaredLook(desk.database, desk.clock, access_of(desk.settings))
        return await look.look(now_all=True)

    asked = work(ask)
    if not asked:
        say("No source is set up: TOCSIN_POSTMASTER_REFRESH_TOKEN and TOCSIN_SNDS_URL open two of them.")
        return
    for source, problem in asked.items():
        say(f"{source.value}: {problem or 'read.'}")
    if any(asked.values()):
        raise typer.Exit(1)


@group.command("show", epilog=examples("tocsin declared show", "tocsin declared show snds --days 30"))
def show(
    source: Annotated[
        str | None, typer.Argument(help="One source; without it, all.", metavar="SOURCE", show_default=False)
    ] = None,
    days: Annotated[int, typer.Option(help="How many days to look back.", metavar="DAYS", min=1)] = 14,
) -> None:
    """Show what providers declared, each source with its trap."""
    from store import declared

    wanted = find_source(source) if source is not None else None

    async def look(desk: Desk) -> "tuple[list[DeclaredFigure], list[DeclaredFeed]]":
        today = desk.clock.now().date()
        async with desk.database.read() as session:
            found = await declared.figures(
                session, source=wanted, since=today - timedelta(days=days), until=today
            )
            return found, await declared.feeds(session)

    figures, feeds = work(look)
    for feed in feeds:
        if feed.problem and wanted in {None, feed.source}:
            warn(f"{feed.source.value}: {feed.problem}")
    if not figures:
        say(f"Nothing was declared for the last {plural(days, 'day')}.")
        return
    for one in DeclaredSource:
        rows = [row for row in figures if row.source is one]
        if not rows:
            continue
        say(one.value)
        set_in(TRAPS[one], 2)
        print_table(
            ("day", "about", "at", "figure", "#value"),
            [(row.day, row.subject, row.provider, row.metric, told(row)) for row in rows],
            empty="",
        )


def told(row: "DeclaredFigure") -> str:
    """`0.12%`, `1,240`, or the source's words."""
    if row.value is None:
        return row.words
    if row.metric.endswith("_rate"):
        return row.words or f"{row.value:.2%}"
    return f"{row.value:,.0f}"


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="declared", rich_help_panel="Prepare")
