"""`tocsin elections`: the days on which people vote, before which nothing political may reach them."""

import getpass
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from models.election import ElectionDay
from models.errors import BadInputError, ConflictError
from models.identity import TerritoryKind
from service.commands import examples, noun
from service.desk import Desk, work
from service.terminal import moment, print_table, say

if TYPE_CHECKING:
    from audience.elections import KnownDay, VoteWish
    from scheduler.silence import Silence

group = noun("Votes, before which nothing political reaches people.")
USUAL, NOBODY = "usual", "nobody"

Which = Annotated[int, typer.Argument(help="Number of the vote, as `tocsin elections list` shows it.", min=1)]
Name = Annotated[str, typer.Argument(help="Name of the vote.", metavar="NAME")]
Day = Annotated[
    str, typer.Option("--day", help="Day in mainland France, as 2027-04-11 or 11/04/2027.", metavar="DAY")
]
Round = Annotated[int, typer.Option("--round", help="Round 1, 2 or 3.")]
Territory = Annotated[
    str,
    typer.Option(
        "--territory",
        help="Where people vote: national, or KIND=VALUE as departement=972, circonscription=13-04,"
        " commune=Nîmes.",
        metavar="KIND=VALUE",
    ),
]
Departement = Annotated[
    str,
    typer.Option("--departement", help="In which département a commune or a canton lies.", metavar="CODE"),
]
DayBefore = Annotated[
    str,
    typer.Option(
        "--day-before",
        help="Who votes the day before: usual (the Americas and Polynesia, the French who live in the"
        " Americas), nobody (local elections), or codes as 972,973,ZZ-01.",
        metavar="WHO",
    ),
]
Closes = Annotated[
    str, typer.Option("--closes", help="When the last polling stations close.", metavar="TIME")
]
ClosingZone = Annotated[
    str, typer.Option("--zone", help="Time zone of the closing, if not that of the place.", metavar="ZONE")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept with your name.", metavar="TEXT")]
NewName = Annotated[str | None, typer.Option("--name", help="Another name.", metavar="NAME")]
NewDay = Annotated[
    str | None, typer.Option("--day", help="Another day, as 2027-04-11 or 11/04/2027.", metavar="DAY")
]
NewRound = Annotated[int | None, typer.Option("--round", help="Another round.")]
NewDayBefore = Annotated[
    str | None,
    typer.Option("--day-before", help="Who votes the day before: usual, nobody, or codes.", metavar="WHO"),
]
NewCloses = Annotated[
    str | None, typer.Option("--closes", help="When the last polling stations close.", metavar="TIME")
]
All = Annotated[bool, typer.Option("--all", help="Also those gone by, and those taken away.")]
File = Annotated[
    Path | None,
    typer.Argument(help="TOML file of days; without one, those known beforehand.", metavar="FILE"),
]
Unconfirmed = Annotated[bool, typer.Option("--unconfirmed", help="Also days that no decree has fixed yet.")]


@group.command(
    "add",
    epilog=examples(
        "tocsin elections add 'Élection présidentielle 2027' --day 2027-04-11",
        "tocsin elections add 'Municipale partielle' --day 2027-02-07 --territory commune=Nîmes"
        " --departement 30 --day-before nobody --closes 18:00",
    ),
)
def add(
    *,
    name: Name,
    day: Day,
    round_: Round = 1,
    territory: Territory = "national",
    departement: Departement = "",
    day_before: DayBefore = USUAL,
    closes: Closes = "20:00",
    zone: ClosingZone = "",
) -> None:
    """Enter a vote. Its silence holds at once, also for what is queued already."""
    from audience.dates import read_day
    from audience.elections import VoteWish

    kind, value = _territory(territory)
    wish = VoteWish(name, read_day(day), round_, kind, value, departement, _early(day_before), closes, zone)

    async def enter(desk: Desk) -> tuple[ElectionDay, str]:
        from audience.elections import compose_day
        from store.election_calendar import enter_day

        made = compose_day(wish, zone=desk.settings.zone)
        async with desk.database.write() as session:
            return await enter_day(
                session, made, by=getpass.getuser(), now=desk.clock.now()
            ), desk.settings.zone

    entered, clock = work(enter)
    say(f"Vote {entered.id} is in the calendar.")
    _print_silence(entered, clock)


def _territory(text: str) -> tuple[TerritoryKind, str]:
    word, _, value = text.partition("=")
    kinds = [kind.value for kind in TerritoryKind if kind is not TerritoryKind.POLLING_STATION]
    if word not in kinds:
        raise BadInputError(f"{word!r} is no kind of territory.", f"The kinds are {', '.join(kinds)}.")
    return TerritoryKind(word), value


def _early(text: str) -> Sequence[str] | None:
    """Who votes the day before; None for those who usually do."""
    word = text.strip().lower()
    if word == USUAL:
        return None
    return () if word == NOBODY else text.split(",")


@group.command("list", epilog=examples("tocsin elections list", "tocsin elections list --all"))
def list_(*, everything: All = False) -> None:
    """Show the votes, and from when until when nothing political reaches the people who vote."""

    async def read(desk: Desk) -> tuple[list[tuple[object, ...]], list[str]]:
        from scheduler.silence import closes_at
        from store.election_calendar import days_in_force, days_taken_away

        now, zone = desk.clock.now(), desk.settings.zone
        async with desk.database.read() as session:
            kept = await days_in_force(session)
            gone = await days_taken_away(session) if everything else []
        shown = [day for day in kept if everything or closes_at(day) > now]
        return [_row(day, zone) for day in (*shown, *gone)], _hints(kept, now.date())

    rows, hints = work(read)
    print_table(
        ["#No.", "Vote", "#Round", "Day", "Where", "Silence from", "Until", "Note"],
        rows,
        empty="No vote is in the calendar: nothing is stopped before one. `tocsin elections add` enters one.",
    )
    for hint in hints:
        say(hint)


def _row(day: ElectionDay, zone: str) -> tuple[object, ...]:
    silences = _silences(day, zone)
    starts = min((silence.starts_at for _, silence in silences), default=None)
    note = f"taken away by {day.removed_by}: {day.removed_reason}" if day.removed_at else ""
    where = _where(day)
    return (
        *(day.id, day.name, day.round, day.day.isoformat(), where),
        "" if starts is None else moment(starts, zone),
        f"{day.day.isoformat()} {day.closes_at}",
        note,
    )


def _where(day: ElectionDay) -> str:
    return f"{day.territory.value} {day.place or day.territory_value}".strip()


def _silences(day: ElectionDay, zone: str) -> "list[tuple[str, Silence]]":
    from scheduler.silence import table_of

    return table_of(day, zone=zone)


def _hints(kept: Sequence[ElectionDay], today: date) -> list[str]:
    """The votes known beforehand that nobody has entered."""
    from audience.elections import unentered

    return [
        f"Known beforehand, not entered: {one.wish.name}, round {one.wish.round},"
        f" {one.wish.day.isoformat()}{'' if one.confirmed else ' (to be confirmed)'}:"
        " `tocsin elections import` enters it."
        for one in unentered(kept, today)
    ]


@group.command("show", epilog=examples("tocsin elections show 1"))
def show(vote: Which) -> None:
    """Show one vote: from when on silence holds, place by place, on the clocks there."""

    async def read(desk: Desk) -> tuple[ElectionDay, str]:
        from store.election_calendar import get_day

        async with desk.database.read() as session:
            return await get_day(session, vote), desk.settings.zone

    day, zone = work(read)
    say(f"{day.name}, round {day.round}: {_where(day)}.")
    say(f"Entered by {day.created_by or 'nobody known'} on {moment(day.created_at, zone)}.")
    if day.removed_at is not None:
        say(f"! Taken away by {day.removed_by} on {moment(day.removed_at, zone)}: {day.removed_reason}")
    _print_silence(day, zone)


def _print_silence(day: ElectionDay, zone: str) -> None:
    """Its silence, place by place; the hours are those of the places."""
    from audience.elections import name_of_place

    rows = [
        (
            name_of_place(code) if code else "mainland",
            silence.votes_on.isoformat(),
            f"{silence.starts_at.astimezone(ZoneInfo(silence.zone)):%a %Y-%m-%d %H:%M}",
            moment(silence.starts_at, zone),
        )
        for code, silence in _silences(day, zone)
    ]
    print_table(["Where", "Votes on", "Silence from, there", "Here"], rows, empty="")
    say(f"Until the last polling stations close: {day.day.isoformat()} {day.closes_at}, {day.zone}.")


@group.command(
    "correct", epilog=examples("tocsin elections correct 1 --day 2027-04-18 --reason 'Décret du 12 janvier'")
)
def correct(
    *,
    vote: Which,
    reason: Reason,
    name: NewName = None,
    day: NewDay = None,
    round_: NewRound = None,
    day_before: NewDayBefore = None,
    closes: NewCloses = None,
) -> None:
    """Correct a vote: it is taken away, and entered as it should be; both stay to be seen."""
    if all(part is None for part in (name, day, round_, day_before, closes)):
        raise BadInputError("Nothing to change was named.", "See `tocsin elections correct --help`.")
    change = _Change(name, day, round_, day_before, closes)

    async def put_right(desk: Desk) -> tuple[ElectionDay, str]:
        from audience.elections import compose_day
        from scheduler.vote_corrections import correct_vote
        from store.election_calendar import get_day

        async with desk.database.write() as session:
            wish = change.of(await get_day(session, vote))
            made = compose_day(wish, zone=desk.settings.zone)
            by, now = getpass.getuser(), desk.clock.now()
            made = await correct_vote(session, vote, made, by=by, reason=reason, now=now)
            return made, desk.settings.zone

    made, zone = work(put_right)
    say(f"Vote {vote} is taken away; vote {made.id} stands in its place.")
    _print_silence(made, zone)


@dataclass(frozen=True, slots=True)
class _Change:
    """What was typed of a correction; None: as it is."""

    name: str | None
    day: str | None
    round: int | None
    day_before: str | None
    closes: str | None

    def of(self, row: ElectionDay) -> "VoteWish":
        """The vote as it should be."""
        from audience.dates import read_day
        from audience.elections import wish_of

        wish = wish_of(row)
        return replace(
            wish,
            name=wish.name if self.name is None else self.name,
            day=wish.day if self.day is None else read_day(self.day),
            round=wish.round if self.round is None else self.round,
            day_before=wish.day_before if self.day_before is None else _early(self.day_before),
            closes_at=wish.closes_at if self.closes is None else self.closes,
        )


@group.command("remove", epilog=examples("tocsin elections remove 3 --reason 'Reporté par décret'"))
def remove(*, vote: Which, reason: Reason) -> None:
    """Take a vote out of the calendar: it stops nothing any more. It stays to be seen, with the reason."""

    async def take(desk: Desk) -> ElectionDay:
        from scheduler.vote_corrections import take_vote_away

        async with desk.database.write() as session:
            return await take_vote_away(
                session, vote, by=getpass.getuser(), reason=reason, now=desk.clock.now()
            )

    gone = work(take)
    say(f"{gone.name}, round {gone.round}, stops nothing any more: `tocsin elections list --all` shows it.")


@group.command(
    "import",
    epilog=examples("tocsin elections import --unconfirmed", "tocsin elections import by-elections.toml"),
)
def import_(*, file: File = None, unconfirmed: Unconfirmed = False) -> None:
    """Enter the votes of a file, or those known beforehand that are to come; safe to repeat.

    Each day of the file begins with [[days]], then name = "…", day = 2027-04-11 and, where they are not as
    usual, round, territory, value, departement, day_before, closes_at, zone, confirmed.
    """
    from audience.elections import known_days, read_days

    wanted = known_days() if file is None else read_days(_text_of(file))
    for line in work(lambda desk: _enter_all(desk, wanted, unconfirmed=unconfirmed, known=file is None)):
        say(line)


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{file}: cannot be read.", "Name a UTF-8 text file.") from error


async def _enter_all(
    desk: Desk, wanted: "Sequence[KnownDay]", *, unconfirmed: bool, known: bool
) -> list[str]:
    """A line for each: entered, there already, or yet to be confirmed."""
    from audience.elections import compose_day
    from store.election_calendar import enter_day

    now, told = desk.clock.now(), []
    for one in wanted:
        if known and one.wish.day < now.date():
            continue
        what = f"{one.wish.name}, round {one.wish.round}, {one.wish.day.isoformat()}"
        if not (one.confirmed or unconfirmed):
            told.append(f"{what}: no decree has fixed it yet; --unconfirmed enters it all the same.")
            continue
        async with desk.database.write() as session:
            try:
                made = compose_day(one.wish, zone=desk.settings.zone)
                await enter_day(session, made, by=getpass.getuser(), now=now)
            except ConflictError:
                told.append(f"{what}: there already.")
            else:
                told.append(f"{what}: entered.")
    return told or ["No vote is known beforehand that is still to come."]


def register(app: typer.Typer) -> None:
    """Put the group on the root."""
    app.add_typer(group, name="elections", rich_help_panel="Campaigns")
