"""A file of fictional people as an organisation exports it from its old tool: French and slightly wrong.

The right and the wrong rows are told apart beforehand, so that an import can be held against them. The
addresses are at real providers, as they have to be for the rehearsal, and end in a number nobody chooses.

Telephone numbers are reserved for fiction and belong to nobody: 555-01xx of the North American plan by
default, since number libraries call those valid; or the regulator's French block 06 39 98 xx xx
(decision 2018-0881 of the Arcep), which most number libraries refuse because they take 06 39 for Mayotte.
"""

import csv
import random
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path

from sandbox.fates import FATE_BY_WORD
from sandbox.manners import EVERYBODY
from sandbox.names import FAMILIES, LEVELS, MEN, PROFESSIONS, SOURCES, TAGS, WOMEN
from sandbox.places import PLACES, Place

HEADER = (
    *("Identifiant", "Civilité", "Prénom", "Nom", "E-mail", "Portable", "Niveau d'adhésion", "Étiquettes"),
    *(
        "Commune",
        "Code postal",
        "Département",
        "Circonscription",
        "Bureau de vote",
        "Date de naissance",
        "Langue",
    ),
    *("Consentement e-mail", "Date du consentement e-mail", "Source du consentement e-mail"),
    *("Consentement SMS", "Date du consentement SMS", "Source du consentement SMS"),
    *("Consentement au ciblage", "Date du consentement au ciblage", "Source du consentement au ciblage"),
    "Profession",
)
PROVIDER_SHARES = {
    "gmail": 44,
    "orange": 17,
    "outlook": 15,
    "yahoo": 8,
    "free": 6,
    "sfr": 5,
    "laposte": 4,
    "other": 1,
}
"""Percent of a French list, by provider."""

MAGIC_SHARE = 0.01
PHONE_SHARE = 0.6
FRENCH_FICTIONAL = 10_000
# Area codes in use; each has a hundred numbers 555-0100 to 555-0199 that are kept for fiction.
_AREA_CODES = (
    *range(201, 204),
    *range(205, 211),
    *range(212, 220),
    *range(301, 311),
    *range(312, 322),
    *range(401, 411),
)
_FIRST_DAY = date(2023, 1, 9)
_LAST_BIRTH = date(2007, 12, 31)


class Mobiles(StrEnum):
    """Which block of numbers reserved for fiction the people have."""

    NORTH_AMERICAN = "north american"
    FRENCH = "french"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row made wrong on purpose. `line` counts from 1, the header is line 1.

    `stays_out`: the row adds nobody, being empty or a repetition; otherwise it is sound but for `column`.
    """

    line: int
    column: str
    why: str
    stays_out: bool


@dataclass(frozen=True, slots=True)
class ContactsFile:
    """What is in the file: `rows` data rows, `bad_rows` among them, `emails` and `phones` of the others."""

    path: Path
    rows: int
    emails: tuple[str, ...]
    phones: tuple[str, ...]
    bad_rows: tuple[BadRow, ...]


Row = dict[str, str]


def write_contacts(
    path: Path, count: int = 2000, *, seed: int = 2027, mobiles: Mobiles = Mobiles.NORTH_AMERICAN
) -> ContactsFile:
    """Write `count` sound rows and about a dozen bad ones among them; the same file for the same arguments.

    UTF-8 with a byte order mark, semicolons and CRLF, as a French spreadsheet writes it.
    """
    people = _People(seed, mobiles)
    rows = [people.next_row() for _ in range(count)]
    emails = tuple(row["E-mail"] for row in rows)
    phones = tuple(row["Portable"].replace(" ", "") for row in rows if row["Portable"])
    wrong = _spoil(people, rows)
    step = max(1, count // (len(wrong) + 1))
    bad_rows = []
    for number, (row, column, why, stays_out) in enumerate(wrong, 1):
        # Never before the row it repeats: of two rows with one address the first is the sound one.
        rows.insert(min(number * step + number - 1, len(rows)), row)
        bad_rows.append((row, column, why, stays_out))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, HEADER, delimiter=";", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = {id(row): line for line, row in enumerate(rows, 2)}
    listed = tuple(BadRow(lines[id(row)], column, why, out) for row, column, why, out in bad_rows)
    return ContactsFile(path, len(rows), emails, phones, listed)


class _People:
    """Makes people one after the other."""

    def __init__(self, seed: int, mobiles: Mobiles) -> None:
        self._lots = random.Random(seed)
        # Of its own, so that the people are the same whatever else is asked of them.
        self._lots_of_targeting = random.Random(f"targeting {seed}")
        self._mobiles = mobiles
        self._count = 0
        self._magic = sorted(FATE_BY_WORD)
        self._numbers = self._shuffled_numbers()

    def next_row(self) -> Row:
        """One sound row."""
        lots = self._lots
        self._count += 1
        woman = lots.random() < 0.52
        first, last = lots.choice(WOMEN if woman else MEN), lots.choice(FAMILIES)
        place = lots.choices(PLACES, [place.weight for place in PLACES])[0]
        row: Row = {
            "Identifiant": f"A{self._count:06d}",
            "Civilité": ("Mme" if woman else "M.") if lots.random() < 0.95 else "",
            "Prénom": first,
            # Old tools shout family names, for some of the people.
            "Nom": last.upper() if lots.random() < 0.3 else last,
            "E-mail": self._email(first, last),
            "Portable": self._phone(),
            "Niveau d'adhésion": lots.choices(LEVELS, (30, 45, 15, 10))[0],
            "Étiquettes": ", ".join(lots.sample(TAGS, lots.choices((0, 1, 2, 3), (30, 40, 20, 10))[0])),
            "Langue": "fr" if lots.random() < 0.97 else "en",
            "Profession": lots.choice(PROFESSIONS) if lots.random() < 0.5 else "",
        }
        return row | self._territory(place) | self._consents(bool(row["Portable"]))

    def _email(self, first: str, last: str) -> str:
        lots = self._lots
        key = lots.choices(list(PROVIDER_SHARES), list(PROVIDER_SHARES.values()))[0]
        domains = next((one.domains for one in EVERYBODY if one.key == key), ()) or ("courriel.example",)
        # The first domain of a provider is by far the most frequent; Hotmail is older than Outlook in France.
        domain = lots.choices(domains, [6, 3, 4, 3, 1, 1, 1, 1, 1, 1][: len(domains)])[0]
        magic = f".{lots.choice(self._magic)}" if lots.random() < MAGIC_SHARE else ""
        return f"{_plain(first)}.{_plain(last)}{magic}.{self._count:04d}@{domain}"

    def _phone(self) -> str:
        if self._lots.random() >= PHONE_SHARE or not self._numbers:
            return ""
        return self._numbers.pop()

    def _shuffled_numbers(self) -> list[str]:
        if self._mobiles is Mobiles.FRENCH:
            numbers = [f"06 39 98 {n // 100:02d} {n % 100:02d}" for n in range(FRENCH_FICTIONAL)]
        else:
            numbers = [f"+1 {area} 555 01{n:02d}" for area in _AREA_CODES for n in range(100)]
        self._lots.shuffle(numbers)
        return numbers

    def _territory(self, place: Place) -> Row:
        lots = self._lots
        born = _LAST_BIRTH - timedelta(days=lots.randrange(80 * 365))
        return {
            "Commune": place.name.upper() if lots.random() < 0.2 else place.name,
            "Code postal": lots.choice(place.postcodes),
            "Département": place.departement,
            "Circonscription": f"{place.departement}-{lots.randint(1, place.circonscriptions):02d}",
            "Bureau de vote": f"{lots.randint(1, 40):04d}" if lots.random() < 0.6 else "",
            "Date de naissance": f"{born:%d/%m/%Y}" if lots.random() < 0.7 else "",
        }

    def _consents(self, has_phone: bool) -> Row:  # noqa: FBT001 - one private caller
        row = self._said(self._lots, "e-mail", 0.90, 0.04)
        row |= self._said(self._lots, "SMS", 0.55 if has_phone else 0.0, 0.10)
        return row | self._said(self._lots_of_targeting, "au ciblage", 0.80, 0.05)

    def _said(self, lots: random.Random, what: str, wanted: float, refused: float) -> Row:
        lot = lots.random()
        said = "oui" if lot < wanted else "non" if lot < wanted + refused else ""
        day = _FIRST_DAY + timedelta(days=lots.randrange(1000))
        return {
            f"Consentement {what}": said,
            f"Date du consentement {what}": f"{day:%d/%m/%Y}" if said else "",
            f"Source du consentement {what}": lots.choice(SOURCES) if said else "",
        }


Spoiled = tuple[Row, str, str, bool]


def _spoil(people: _People, rows: list[Row]) -> list[Spoiled]:
    """The bad rows: the row, the column that is wrong, why, and whether it adds nobody."""
    no_at = {"E-mail": "camille.durand.gmail.com", "Portable": ""}
    spaces = {"E-mail": "jean dupont@orange.fr", "Portable": ""}
    two = {"E-mail": "a.bernard@@free.fr", "Portable": ""}
    empty = {"E-mail": "", "Portable": "", "Identifiant": ""}
    wrong: list[Spoiled] = [
        (people.next_row() | no_at, "E-mail", "no @ in the address", False),
        (people.next_row() | spaces, "E-mail", "a blank in the address", False),
        (people.next_row() | two, "E-mail", "two @ in the address", False),
        (people.next_row() | {"E-mail": "mireille@", "Portable": ""}, "E-mail", "no domain", False),
        (people.next_row() | empty, "E-mail", "no address of any kind", True),
        (people.next_row() | {"Portable": "06 12"}, "Portable", "too short", False),
        (people.next_row() | {"Portable": "voir fiche"}, "Portable", "not a number", False),
        (people.next_row() | {"Portable": "+33 9999999999999"}, "Portable", "too long", False),
        (people.next_row() | {"Date de naissance": "31/02/1980"}, "Date de naissance", "no such day", False),
        (people.next_row() | {"Date de naissance": "vers 1965"}, "Date de naissance", "no date", False),
        (
            people.next_row() | {"Date du consentement e-mail": "45/13/2024", "Consentement e-mail": "oui"},
            "Date du consentement e-mail",
            "no such day",
            False,
        ),
    ]
    if rows:
        repeated = dict(rows[0])
        wrong.append((repeated, "Identifiant", "the first row once more", True))
    return wrong


def _plain(name: str) -> str:
    """A name as it stands in an address: no accents, no apostrophes, lower case."""
    letters = unicodedata.normalize("NFD", name).encode("ascii", "ignore").decode()
    return "".join(letter for letter in letters.lower() if letter.isalnum() or letter == "-")
