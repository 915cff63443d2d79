"""`tocsin map`: where messages arrived, and what people did with them there."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from models.errors import BadInputError
from service.commands import examples
from service.commands.deliverability import Days
from service.desk import Desk, work
from service.terminal import print_table, put, say
from service.wishes import wanted_campaign

if TYPE_CHECKING:
    from deliverability.places import PlaceReport

MARKS = {"up": "▲", "down": "▼"}


def show_map(
    *,
    campaign: Annotated[
        str | None,
        typer.Argument(
            help="Number or name of a campaign; all of the period without it.", metavar="[CAMPAIGN]"
        ),
    ] = None,
    days: Days = 30,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON, for programs.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print it as CSV, for spreadsheets.")] = False,
) -> None:
    """Show what arrived in each département, and what people did with it.

    Of one campaign, or of all e-mail campaigns of a period. Of fewer than 10 people nothing is told.
    """
    if json and csv:
        raise BadInputError("A map is printed in one form.", "Choose --json or --csv.")

    from audience.territory import DEPARTEMENTS
    from deliverability.places import places_csv, places_json

    report, about, zone = work(lambda desk: _read(desk, campaign, days))
    if json:
        put(places_json(report, DEPARTEMENTS, about))
    elif csv:
        put(places_csv(report, DEPARTEMENTS).rstrip("\r\n"))
    else:
        _print(report, zone)


async def _read(desk: Desk, wanted: str | None, days: int) -> tuple["PlaceReport", dict[str, Any], str]:
    """The report, what is said at the head of its JSON, and the zone of the installation."""
    from deliverability.places import campaign_places, period_places

    now, zone = desk.clock.now(), desk.settings.zone
    async with desk.database.read() as session:
        if wanted is None:
            since = now - timedelta(days=days)
            period = {"since": since.isoformat(), "until": now.isoformat()}
            return await period_places(session, since, now), {"period": period}, zone
        found = await wanted_campaign(session, wanted)
        about = {"id": found.id, "name": found.name, "channel": found.channel.value}
        return await campaign_places(session, found.id, now), {"campaign": about}, zone


def _print(report: "PlaceReport", zone: str) -> None:
    from web.i18n import Tongue
    from web.place_map import view_of

    told = view_of(report, Tongue("en", ZoneInfo(zone)))
    rows = [(line.name, *(_cell(*cell) for cell in line.cells)) for line in told.lines]
    print_table(
        ["Département", *(f"#{heading}" for heading in told.headings)],
        rows,
        empty="Nothing arrived of which a département could be told.",
    )
    if any(mark for line in told.lines for _, _, mark in line.cells):
        say("▲ ▼ above or below the whole, beyond chance.")
    for note in told.notes:
        say(note)


def _cell(count: str, share: str, mark: str) -> str:
    return " ".join(part for part in (count, share and f"({share})", MARKS.get(mark, "")) if part)


def register(app: typer.Typer) -> None:
    """Put this command on the root."""
    app.command(
        "map",
        rich_help_panel="Campaigns",
        epilog=examples("tocsin map", "tocsin map 3", "tocsin map --days 90 --csv > map.csv"),
    )(show_map)
