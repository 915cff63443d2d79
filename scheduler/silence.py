"""Election silence: from when until when propaganda may not reach a person. Pure.

Code électoral, article L49: from 00:00 of the eve of the vote nothing that has the character of propaganda is
spread by electronic means. It is a matter of the reader, not of the sender: the eve is that of the day on
which *they* vote, on the clock of where they live, and it lasts until the last polling station has closed.
Where something is not known of a person, what is known decides for the longer silence.

For the pages and the command line: `silence_of` and `table_of` for one day, `Votes` for several.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from audience.territory import DEPARTEMENTS, REGION_BY_DEPARTEMENT, living_in, speaks_for, zone_of
from models.errors import BadInputError
from models.identity import TerritoryKind
from models.states import Nature, Purpose
from store.queues import Place

__all__ = [
    "NOBODY_VOTES",
    "USUAL_MARGIN",
    "Home",
    "Silence",
    "Votes",
    "VotingDay",
    "binds",
    "closes_at",
    "concerns",
    "silence_of",
    "table_of",
]

USUAL_MARGIN: Final = timedelta(hours=2)
"""How long before silence begins nothing new leaves, so that a relay's tries are over when it does."""
NEAR: Final = timedelta(days=15)
"""How far ahead of a vote its silence is written down with each delivery; the gate knows it in any case."""
ABROAD: Final = "ZZ-"
"""Before the number of a circonscription of the French who live abroad."""
PLACES_REMEMBERED: Final = 65_536
_EARLIEST_CLOCKS: Final = MappingProxyType(
    {
        "ZZ-07": "Europe/Bucharest",
        "ZZ-08": "Europe/Istanbul",
        "ZZ-10": "Asia/Dubai",
        "ZZ-11": "Pacific/Auckland",
    }
)
"""Circonscriptions abroad whose day begins before that of Paris: the clocks of the first to begin it."""
_OWN_FIELD: Final = MappingProxyType(
    {
        TerritoryKind.COMMUNE: "commune_key",
        TerritoryKind.CANTON: "canton_key",
        TerritoryKind.CIRCONSCRIPTION: "circonscription",
        TerritoryKind.POLLING_STATION: "polling_station",
    }
)
"""What tells whether somebody lives in a territory that is smaller than a département."""


class Home(NamedTuple):
    """Where a person lives, as far as it is known; of a telephone number its beginning is enough."""

    departement: str | None = None
    region: str | None = None
    postcode: str | None = None
    phone: str | None = None
    commune_key: str | None = None
    canton_key: str | None = None
    circonscription: str | None = None
    polling_station: str | None = None

    @classmethod
    def of(cls, place: Place) -> "Home":
        """Of people told apart by `Votes.apart`."""
        return cls(
            departement=place.departement,
            region=place.region,
            postcode=place.postcode,
            phone=place.phone,
            commune_key=place.commune_key,
            canton_key=place.canton_key,
            circonscription=place.circonscription,
            polling_station=place.polling_station,
        )

    @property
    def living(self) -> str | None:
        """The département, by whatever tells it; None abroad, and when nothing does."""
        if (self.circonscription or "").startswith(ABROAD):
            return self.departement
        return living_in(self.departement, self.postcode, self.phone) or self.enrolled

    @property
    def enrolled(self) -> str | None:
        """The département of the constituency, where people vote wherever they live; None abroad."""
        head = (self.circonscription or "").rpartition("-")[0]
        return head if head in DEPARTEMENTS else None


class VotingDay(Protocol):
    """What of `models.election.ElectionDay` decides."""

    id: int
    name: str
    day: date
    territory: TerritoryKind
    territory_value: str
    departement: str | None
    day_before: list[str]
    closes_at: str
    zone: str


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing may reach some people from `starts_at` until just before `ends_at`.

    `votes_on`: their day, `zone`: the clock of where they live, on which the silence begins.
    """

    day_id: int
    name: str
    votes_on: date
    zone: str
    starts_at: datetime
    ends_at: datetime

    def since(self) -> str:
        """When it begins, on the clock of the people: `2026-03-14 00:00`."""
        return f"{self.starts_at.astimezone(_zone(self.zone)):%Y-%m-%d %H:%M}"


def binds(nature: Nature, purpose: Purpose) -> bool:
    """Whether silence holds for a campaign: for all that is political, and what nobody called civic.

    Calling a political message a receipt changes nothing; a receipt of which nobody said more is none.
    """
    return nature is Nature.POLITICAL or (nature is Nature.UNSAID and purpose is not Purpose.TRANSACTIONAL)


def concerns(day: VotingDay, home: Home) -> bool:
    """Whether who lives there votes on that day, or may do so for all that is known.

    A commune of the same name elsewhere does not; somebody of whom only the département is known does.
    """
    if day.territory is TerritoryKind.NATIONAL:
        return True
    living = home.living
    if day.territory is TerritoryKind.DEPARTEMENT:
        return day.territory_value in (living, home.enrolled)
    if day.territory is TerritoryKind.REGION:
        lives_in = home.region or REGION_BY_DEPARTEMENT.get(living or "")
        return day.territory_value in (lives_in, REGION_BY_DEPARTEMENT.get(home.enrolled or ""))
    around = day.departement
    if day.territory is TerritoryKind.CIRCONSCRIPTION:
        if home.circonscription is not None:  # known, it says where they vote, wherever their letters go
            return home.circonscription == day.territory_value
        around = around or day.territory_value.rpartition("-")[0]
    if around and living is not None and living != around:
        return False
    if getattr(home, _OWN_FIELD[day.territory]) is None:
        return bool(around) and living == around
    return speaks_for(day.territory, day.territory_value, home)


def silence_of(day: VotingDay, home: Home, *, zone: str) -> Silence | None:
    """The silence of who lives there before that vote, None when it is not theirs.

    `zone`: of people of whom nothing is known. A midnight that the clocks skip is the instant they do; of
    one that comes twice the first counts.
    """
    if not concerns(day, home):
        return None
    clock = _clock_of(home, zone)
    told = (home.living, home.enrolled, home.circonscription)
    early = any(place in day.day_before for place in told)
    votes_on = day.day - timedelta(days=1) if early else day.day
    eve = datetime.combine(votes_on - timedelta(days=1), datetime.min.time(), tzinfo=_zone(clock))
    return Silence(day.id, day.name, votes_on, clock, eve.astimezone(UTC), closes_at(day))


def _clock_of(home: Home, zone: str) -> str:
    if home.circonscription is not None and home.circonscription.startswith(ABROAD):
        return _EARLIEST_CLOCKS.get(home.circonscription, zone)
    return zone_of(home.living, home.postcode, home.phone, default=zone)


def closes_at(day: VotingDay) -> datetime:
    """When the last polling stations close; BadInputError when `day.closes_at` is no time of the day."""
    hours, colon, minutes = day.closes_at.partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal() and int(minutes) < 60):
        raise BadInputError(f"{day.closes_at!r} is no time of the day.", "Write as in 20:00.")
    wall = datetime.combine(day.day, datetime.min.time()) + timedelta(hours=int(hours), minutes=int(minutes))
    return wall.replace(tzinfo=_zone(day.zone), fold=1).astimezone(UTC)


def table_of(day: VotingDay, *, zone: str = "Europe/Paris") -> list[tuple[str, Silence]]:
    """The silence of each part of the country that votes on that day: `""` for all of the mainland.

    Overseas départements and collectivities by INSEE code, then circonscriptions abroad that vote the day
    before; a vote in one territory only, as that territory's.
    """
    if day.territory is not TerritoryKind.NATIONAL:
        there = home_within(day)
        found = silence_of(day, there, zone=zone)
        return [(there.living or "", found)] if found else []
    overseas = [code for code in DEPARTEMENTS if len(code) == 3]
    homes = [("", Home(departement="75")), *((code, Home(departement=code)) for code in overseas)]
    abroad = [f"{ABROAD}{number:02}" for number in range(1, 12)]
    homes += [(code, Home(circonscription=code)) for code in abroad if code in day.day_before]
    told = [(code, silence_of(day, home, zone=zone)) for code, home in homes]
    return [(code, silence) for code, silence in told if silence is not None]


def home_within(day: VotingDay) -> Home:
    """Somebody who certainly votes on that day."""
    match day.territory:
        case TerritoryKind.NATIONAL:
            return Home()
        case TerritoryKind.DEPARTEMENT:
            return Home(departement=day.territory_value)
        case TerritoryKind.REGION:
            members = [
                code for code, region in REGION_BY_DEPARTEMENT.items() if region == day.territory_value
            ]
            return Home(departement=members[0] if members else None, region=day.territory_value)
        case TerritoryKind.COMMUNE:
            return Home(departement=day.departement, commune_key=day.territory_value)
        case TerritoryKind.CANTON:
            return Home(departement=day.departement, canton_key=day.territory_value)
        case TerritoryKind.CIRCONSCRIPTION:
            return Home(departement=day.departement, circonscription=day.territory_value)
        case TerritoryKind.POLLING_STATION:
            return Home(departement=day.departement, polling_station=day.territory_value)


@dataclass(slots=True, eq=False)
class Votes:
    """Days of voting and what they mean for people; false when there are none: then nothing else is asked."""

    days: Sequence[VotingDay] = ()
    zone: str = "Europe/Paris"
    margin: timedelta = USUAL_MARGIN
    _known: dict[Home, tuple[Silence, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.days)

    def silences(self, home: Home) -> tuple[Silence, ...]:
        """Those of who lives there, found once for a place."""
        found = self._known.get(home)
        if found is None:
            each = (silence_of(day, home, zone=self.zone) for day in self.days)
            found = tuple(silence for silence in each if silence is not None)
            if len(self._known) >= PLACES_REMEMBERED:
                self._known.clear()
            self._known[home] = found
        return found

    def apart(self) -> dict[str, list[str]]:
        """What of people's places must be told apart to know whose votes these are: columns and values."""
        if not self.days:
            return {}
        told = {"circonscription": {f"{ABROAD}{number:02}" for number in range(1, 12)}}
        for day in self.days:
            name = _OWN_FIELD.get(day.territory)
            if name is not None:
                told.setdefault(name, set()).add(day.territory_value)
            elif day.territory is TerritoryKind.REGION:
                told.setdefault("region", set()).add(day.territory_value)
        return {name: sorted(values) for name, values in told.items()}

    def ahead(self, home: Home, at: datetime) -> Silence | None:
        """The first silence that is not over at that moment; it may have begun."""
        left = [silence for silence in self.silences(home) if silence.ends_at > at]
        return min(left, key=lambda silence: silence.starts_at, default=None)

    def cut_off(self, home: Home, at: datetime) -> datetime | None:
        """From when on nothing leaves to who lives there, as seen at that moment; None: no vote is near.

        Not after `at`: nothing leaves then.
        """
        silence = self.ahead(home, at)
        return None if silence is None else silence.starts_at - self.margin

    def holding(self, home: Home, at: datetime) -> Silence | None:
        """The silence that keeps a message here at that moment, the margin before it included."""
        silence = self.ahead(home, at)
        return silence if silence is not None and silence.starts_at - self.margin <= at else None

    def stopping(self, home: Home, deadline: datetime | None, at: datetime) -> Silence | None:
        """The silence that keeps a message here, or that has set it a deadline which has passed."""
        held = self.holding(home, at)
        if held is not None or deadline is None or deadline > at:
            return held
        return next((one for one in self.silences(home) if one.starts_at - self.margin == deadline), None)


NOBODY_VOTES: Final = Votes()


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
