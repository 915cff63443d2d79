"""Days of voting and the silence before them, as pages show them: places by name, on their own clocks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.elections import name_of_place, unentered
from audience.territory import DEPARTEMENTS, REGIONS
from models.election import ElectionDay
from models.identity import TerritoryKind
from scheduler.silence import Silence, closes_at, table_of
from store import elections
from web.i18n import N_, Tongue

SOON = timedelta(days=45)
"""How long before a vote pages begin to speak of it."""
EVERYWHERE = N_("Everywhere in France")
MAINLAND = N_("Mainland France")
ABROAD = (N_("French of the United States and Canada"), N_("French of Latin America and the Caribbean"))
"""How `audience.elections.name_of_place` calls people abroad."""
DAY = "EEE d MMM"
"""A day with its name and without its year, in Unicode's pattern language (UTS 35)."""


@dataclass(frozen=True, slots=True)
class SilentPlace:
    """Places in which silence begins at the same moment: `since` on their clock, `here` on the reader's."""

    places: str
    votes_on: str
    since: str
    here: str


@dataclass(frozen=True, slots=True)
class Vote:
    """One day of voting; `starts_at` is when silence begins for the first people whom it concerns.

    `since` is when it begins for most, `early` when it does for the first, empty where that is the same.
    """

    row: ElectionDay
    place: str
    day: str
    starts_at: datetime
    ends_at: datetime
    since: str
    early: str
    until: str
    lines: Sequence[SilentPlace]
    now: datetime

    @property
    def running(self) -> bool:
        """Whether somebody is in silence at this moment."""
        return self.starts_at <= self.now < self.ends_at

    @property
    def over(self) -> bool:
        """Whether the last polling stations have closed."""
        return self.ends_at <= self.now


def view_of(row: ElectionDay, tongue: Tongue, zone: str, now: datetime) -> Vote:
    """A day of voting for the reader; `zone`: of people of whom nothing is known."""
    silences = table_of(row, zone=zone)
    ends = closes_at(row)
    eve = datetime.combine(row.day - timedelta(days=1), time(), tzinfo=ZoneInfo(row.zone)).astimezone(UTC)
    starts = min((silence.starts_at for _, silence in silences), default=eve)
    usual = next((silence.starts_at for code, silence in silences if not code), starts)
    return Vote(
        row=row,
        place=place_of(row, tongue),
        day=tongue.day(row.day, "full"),
        starts_at=starts,
        ends_at=ends,
        since=tongue.moment(usual, DAY),
        early=tongue.moment(starts, DAY) if starts < usual else "",
        until=tongue.moment(ends, DAY),
        lines=_lines(row, silences, tongue),
        now=now,
    )


def _lines(
    row: ElectionDay, silences: Sequence[tuple[str, Silence]], tongue: Tongue
) -> tuple[SilentPlace, ...]:
    """A line for all places whose clocks and day agree: the mainland, then the first to fall silent."""
    found: dict[tuple[datetime, str], list[str]] = {}
    shown: dict[tuple[datetime, str], Silence] = {}
    mainland = next((silence.starts_at for code, silence in silences if not code), None)
    for code, silence in silences:
        local = replace(tongue, zone=ZoneInfo(silence.zone)).moment(silence.starts_at, DAY)
        key = (silence.starts_at, local)
        found.setdefault(key, []).append(_place_name(row, code, tongue))
        shown[key] = silence
    return tuple(
        SilentPlace(
            places=", ".join(dict.fromkeys(names)),
            votes_on=tongue.day(shown[key].votes_on, DAY),
            since=key[1],
            here=tongue.moment(key[0], DAY),
        )
        for key, names in sorted(found.items(), key=lambda item: (item[0][0] != mainland, item[0][0]))
    )


def _place_name(row: ElectionDay, code: str, tongue: Tongue) -> str:
    if row.territory is not TerritoryKind.NATIONAL:
        return place_of(row, tongue)
    if not code:
        return tongue.say(MAINLAND)
    return tongue.say(name_of_place(code))


def place_of(row: ElectionDay, tongue: Tongue) -> str:
    """Where people vote, by name where codes are usual."""
    value = row.territory_value
    match row.territory:
        case TerritoryKind.NATIONAL:
            return tongue.say(EVERYWHERE)
        case TerritoryKind.DEPARTEMENT:
            return f"{DEPARTEMENTS.get(value, value)} ({value})"
        case TerritoryKind.REGION:
            return REGIONS.get(value, value)
        case TerritoryKind.COMMUNE | TerritoryKind.CANTON:
            name = row.place or value.title()
            return f"{name} ({row.departement})" if row.departement else name
        case _:
            return value


@dataclass(frozen=True, slots=True)
class NearVotes:
    """Votes of the coming weeks, and one whose silence is on, the first to fall silent above.

    `missing`: names and days of votes that are known to come and that nobody has entered.
    """

    votes: Sequence[Vote] = ()
    missing: Sequence[tuple[str, str]] = ()

    def __bool__(self) -> bool:
        return bool(self.votes or self.missing)


async def near_votes(session: AsyncSession, tongue: Tongue, zone: str, now: datetime) -> NearVotes:
    """What is near at that moment."""
    rows = await elections.days_between(session, now, now + SOON)
    found = [view_of(row, tongue, zone, now) for row in rows]
    near = [vote for vote in found if not vote.over]
    return NearVotes(
        sorted(near, key=lambda vote: (vote.starts_at, vote.row.id)),
        [
            (f"{one.wish.name} ({one.wish.round})", tongue.day(one.wish.day, "full"))
            for one in unentered(rows, now.date(), (now + SOON).date())
        ],
    )
