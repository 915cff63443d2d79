"""Days of voting: what a person types made into one, and the French ones that are known beforehand.

Known days are data (`elections.toml`), and bind nobody until a person adds them: a decree may still move one.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from audience.territory import (
    DEPARTEMENTS,
    read_circonscription,
    read_departement,
    read_territory,
    zone_of,
)
from models.election import DAY_BEFORE, ElectionDay
from models.errors import BadInputError
from models.identity import TerritoryKind
from models.text import fold

__all__ = [
    "KnownDay",
    "VoteWish",
    "compose_day",
    "known_days",
    "name_of_place",
    "read_closing",
    "read_days",
    "unentered",
    "wish_of",
]

MOST_ROUNDS: Final = 3
FIRST_YEAR, LAST_YEAR = 2000, 2100
WITHIN_A_DEPARTEMENT: Final = frozenset({TerritoryKind.COMMUNE, TerritoryKind.CANTON})
_TIME = re.compile(r"(?P<hour>[01]?[0-9]|2[0-3])(?:[:h](?P<minute>[0-5][0-9])?)?\Z")
_ABROAD: Final = {
    "ZZ-01": "French of the United States and Canada",
    "ZZ-02": "French of Latin America and the Caribbean",
}


@dataclass(frozen=True, slots=True)
class VoteWish:
    """A day of voting as it is typed; `day_before` None: whoever usually votes a day earlier.

    `departement`: where a commune or a canton lies. `zone` empty: that of the territory.
    """

    name: str
    day: date
    round: int = 1
    territory: TerritoryKind = TerritoryKind.NATIONAL
    value: str = ""
    departement: str = ""
    day_before: Iterable[str] | None = None
    closes_at: str = "20:00"
    zone: str = ""


@dataclass(frozen=True, slots=True)
class KnownDay:
    """A day known beforehand, `key` its name in addresses; `confirmed`: a decree fixes it."""

    key: str
    wish: VoteWish
    confirmed: bool
    source: str


def compose_day(wish: VoteWish, *, zone: str = "Europe/Paris") -> ElectionDay:
    """The day as it is kept; BadInputError says in one line what cannot be used.

    `zone` is that of votes everywhere and of places of which no other is known.
    """
    name = " ".join(wish.name.split())
    if not name or len(name) > 200:
        raise BadInputError("A vote needs a name of up to 200 characters.", "Élections municipales, say.")
    if not 1 <= wish.round <= MOST_ROUNDS:
        raise BadInputError(f"There is no round {wish.round}.", "Write 1, 2 or 3.")
    if not FIRST_YEAR <= wish.day.year <= LAST_YEAR:
        raise BadInputError(f"Nobody votes in {wish.day.year}.", "Look at the year.")
    value = _value(wish)
    departement = _departement(wish, value)
    return ElectionDay(
        name=name,
        round=wish.round,
        day=wish.day,
        territory=wish.territory,
        territory_value=value,
        place=" ".join(wish.value.split()) if wish.territory in WITHIN_A_DEPARTEMENT else "",
        departement=departement if wish.territory in WITHIN_A_DEPARTEMENT else None,
        day_before=_read_day_before(wish.day_before),
        closes_at=read_closing(wish.closes_at),
        zone=_read_zone(wish.zone) if wish.zone else zone_of(departement, None, None, default=zone),
    )


def wish_of(row: ElectionDay) -> VoteWish:
    """How a day would be typed, to correct it."""
    return VoteWish(
        *(row.name, row.day, row.round, row.territory, row.place or row.territory_value),
        departement=row.departement or "",
        day_before=row.day_before,
        closes_at=row.closes_at,
        zone=row.zone,
    )


def _value(wish: VoteWish) -> str:
    if wish.territory is TerritoryKind.POLLING_STATION:
        raise BadInputError("No vote is held in one polling station alone.", "Name its commune.")
    if wish.territory is not TerritoryKind.NATIONAL and not wish.value.strip():
        raise BadInputError("Say where people vote.", "Name the place, or choose everywhere.")
    return read_territory(wish.territory, wish.value)


def _departement(wish: VoteWish, value: str) -> str | None:
    """Where the territory lies, as far as one département holds it."""
    match wish.territory:
        case TerritoryKind.DEPARTEMENT:
            return value
        case TerritoryKind.CIRCONSCRIPTION:
            code = value.partition("-")[0]
            return code if code in DEPARTEMENTS else None
        case kind if kind in WITHIN_A_DEPARTEMENT:
            if not wish.departement.strip():
                raise BadInputError(
                    "Say in which département the place lies.",
                    "Of many people no more than that is known, and several places may share a name.",
                )
            return read_departement(wish.departement)
        case _:
            return None


def _read_day_before(codes: Iterable[str] | None) -> list[str]:
    if codes is None:
        return list(DAY_BEFORE)
    read = [
        read_circonscription(code) if fold(code).startswith("zz") else read_departement(code)
        for code in codes
        if code.strip()
    ]
    return list(dict.fromkeys(read))


def read_closing(text: str) -> str:
    """`20:00`, from `20:00`, `20h`, `19h30`; BadInputError."""
    found = _TIME.match(text.strip().lower())
    if found is None:
        raise BadInputError(f"“{text[:20]}” is no time of day.", "Write 20:00.")
    return f"{int(found['hour']):02}:{found['minute'] or '00'}"


def _read_zone(text: str) -> str:
    try:
        ZoneInfo(text.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInputError(
            f"There is no time zone {text[:60]!r}.", "Write a name such as Europe/Paris or America/Cayenne."
        ) from error
    return text.strip()


def name_of_place(code: str) -> str:
    """How one of the places that vote the day before is called; its code where nobody knows.

    Who lives abroad is named in English.
    """
    return DEPARTEMENTS.get(code) or _ABROAD.get(code, code)


@cache
def known_days() -> tuple[KnownDay, ...]:
    """Those of `elections.toml`, in the order of their days."""
    return read_days((resources.files("audience") / "elections.toml").read_text(encoding="utf-8"))


def unentered(rows: Iterable[ElectionDay], first: date, last: date = date.max) -> list[KnownDay]:
    """The days known beforehand, of a span, on which nobody entered a vote everywhere."""
    there = {row.day for row in rows if row.territory is TerritoryKind.NATIONAL}
    return [one for one in known_days() if first <= one.wish.day <= last and one.wish.day not in there]


def read_days(text: str) -> tuple[KnownDay, ...]:
    """The days of a file in the form of `elections.toml`, in their order; BadInputError.

    Beside what stands there a day may have `territory`, `value`, `departement` and `zone`, as `VoteWish`, and
    codes in `day_before` instead of true or false. What is missing is as usual; `confirmed` is true.
    """
    try:
        rows = tomllib.loads(text)["days"]
        found = [_read_row(row) for row in rows]
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"This is no TOML: {error}.") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, BadInputError):
            raise
        raise BadInputError(
            "A day of the file is not whole.",
            'Write [[days]], then name = "…" and day = 2027-04-11 for each.',
        ) from error
    return tuple(sorted(found, key=lambda one: (one.wish.day, one.wish.round)))


def _read_row(row: dict[str, Any]) -> KnownDay:
    """One day; KeyError, TypeError, ValueError when it is not whole."""
    day, early = row["day"], row.get("day_before")
    if type(day) is not date:
        raise TypeError(day)
    if isinstance(early, bool):
        early = DAY_BEFORE if early else ()
    wish = VoteWish(
        name=row["name"],
        day=day,
        round=int(row.get("round", 1)),
        territory=TerritoryKind(row.get("territory", TerritoryKind.NATIONAL)),
        value=str(row.get("value", "")),
        departement=str(row.get("departement", "")),
        day_before=None if early is None else tuple(map(str, early)),
        closes_at=str(row.get("closes_at", "20:00")),
        zone=str(row.get("zone", "")),
    )
    compose_day(wish)
    return KnownDay(
        f"{day.isoformat()}-{wish.round}", wish, row.get("confirmed", True), row.get("source", "")
    )
