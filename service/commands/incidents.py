"""`tocsin incidents`: what went wrong with a sender, what was done, and letting it go on."""

from typing import TYPE_CHECKING, Annotated

import typer

from models.incident import Alert, AlertWay, Incident
from service.commands import examples
from service.desk import Desk, work
from service.terminal import moment, print_table, say, set_in

if TYPE_CHECKING:
    from web.i18n import Tongue

group = typer.Typer(
    add_completion=False,
    rich_markup_mode="rich",
    help="What went wrong with a sender, what Tocsin did about it, and letting it go on.",
)
Number = Annotated[int, typer.Argument(help="Number of the incident.", metavar="NUMBER", min=1)]
Note = Annotated[str, typer.Option(help="Why, for whoever reads it later.", metavar="TEXT")]
By = Annotated[str, typer.Option(help="Whose decision it is.", metavar="NAME")]
AT_THE_TERMINAL = "the command line"


@group.callback(invoke_without_command=True, epilog=examples("tocsin incidents", "tocsin incidents --open"))
def list_incidents(
    context: typer.Context,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that are not over.")] = False,
    many: Annotated[int, typer.Option("--limit", help="At most so many.", metavar="COUNT", min=1)] = 50,
) -> None:
    """What went wrong with a sender, what Tocsin did about it, and letting it go on."""
    if context.invoked_subcommand is None:
        _list(open_only=open_only, many=many)


def _list(*, open_only: bool, many: int) -> None:
    from web.incident_words import DEEDS, LEVELS

    async def read(desk: Desk) -> list[tuple[object, ...]]:
        from store import incidents
        from web.incident_view import lines_of

        tongue = _english(desk)
        async with desk.database.read() as session:
            found = await incidents.list_incidents(session, open_only=open_only, limit=many)
            lines = await lines_of(session, found, tongue)
        rows: list[tuple[object, ...]] = []
        for one, told in ((line.row, line.told) for line in lines):
            state = LEVELS[one.level] if one.ended_at is None else "Over"
            began = moment(one.began_at, desk.settings.zone)
            rows.append((one.id, began, state, told.title, told.where, DEEDS[one.deed]))
        return rows

    columns = ("#number", "since", "state", "what", "where", "done")
    print_table(columns, work(read), empty="Nothing is wrong." if open_only else "Nothing was ever wrong.")


@group.command("show", epilog=examples("tocsin incidents show 12"))
def show(number: Number) -> None:
    """One incident: its figures, what was said, what was done, and who was told."""

    async def read(desk: Desk) -> tuple[Incident, list[str], list[Alert]]:
        from store import alerts, incidents
        from web.incident_view import lines_of
        from web.incident_words import LEVELS, said_in, title_of

        tongue = _english(desk)
        async with desk.database.read() as session:
            found = await incidents.get_incident(session, number)
            rung = (await alerts.of_incidents(session, [number])).get(number, [])
            told = (await lines_of(session, [found], tongue))[0].told
        zone = desk.settings.zone
        over = f"over since {moment(found.ended_at, zone)}" if found.ended_at else LEVELS[found.level]
        lines = [f"{title_of(told)} ({over})", told.what, told.done]
        lines += [f"{one.get('count', 1)} × {said_in(one)}" for one in found.evidence.get("examples", ())]
        lines += [f"{moment(at, zone)}  {what}{f' {note}' if note else ''}" for at, what, note in told.steps]
        if found.ended_at is None:
            lines.append(told.advice)
        return found, lines, rung

    found, lines, rung = work(read)
    for place, line in enumerate(lines):
        if place == 0:
            say(line)
        else:
            set_in(line)
    for alert in rung:
        whom = alert.target if alert.way is AlertWay.MAIL else alert.target.split("/")[2]
        came = "told" if alert.told_at else f"not told: {alert.problem or 'not tried yet'}"
        set_in(f"{alert.news}, {alert.way} {whom}: {came}")
    if found.ended_at is None:
        say(f"To take back what was done: tocsin incidents go-on {found.id}")


@group.command(
    "close",
    epilog=examples("tocsin incidents close 12 --note 'old list, known'"),
)
def close(number: Number, note: Note = "", by: By = AT_THE_TERMINAL) -> None:
    """End an incident, and leave what was done as it is."""
    from scheduler.incidents import close_incident

    async def end(desk: Desk) -> bool:
        async with desk.database.write() as session:
            return await close_incident(session, number, by=by, now=desk.clock.now(), note=note)

    say(f"Incident {number} is closed." if work(end) else f"Incident {number} was over already.")


@group.command("go-on", epilog=examples("tocsin incidents go-on 12 --note 'list cleaned'"))
def go_on(number: Number, note: Note = "", by: By = AT_THE_TERMINAL) -> None:
    """Take back what was done: brakes go, halted messages flow, a paused campaign resumes."""
    from scheduler.undoing import let_go_on

    async def undo(desk: Desk) -> None:
        async with desk.database.write() as session:
            await let_go_on(session, number, by=by, now=desk.clock.now(), note=note)

    work(undo)
    say(f"Incident {number} is over, and what was done is taken back.")


def _english(desk: Desk) -> "Tongue":
    from zoneinfo import ZoneInfo

    from web.i18n import Tongue

    return Tongue("en", ZoneInfo(desk.settings.zone))


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="incidents", rich_help_panel="Campaigns")
