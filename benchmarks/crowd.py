"""A file of a million fictional people, made quickly and always the same: what an import is measured with.

As an organisation exports it from its old tool: French names and places, tags, a membership level, consents
with their dates, telephone numbers as people write them; one line in a hundred is about somebody who was
there before, and one in two hundred holds no address. The people are nobody: their numbers are counted up.
"""

import csv
import random
import unicodedata
from pathlib import Path
from typing import Final

from sandbox.names import FAMILIES, LEVELS, MEN, TAGS, WOMEN
from sandbox.places import PLACES

HEADER: Final = (
    *("Identifiant", "E-mail", "Portable", "Prénom", "Nom", "Niveau d'adhésion", "Étiquettes"),
    *("Commune", "Code postal", "Consentement e-mail", "Date du consentement e-mail"),
)
DOMAINS: Final = (
    *["gmail.com"] * 44,
    *["orange.fr", "wanadoo.fr"] * 9,
    *["hotmail.fr", "outlook.com"] * 7,
    *["yahoo.fr"] * 8,
    *["free.fr"] * 6,
    *["sfr.fr"] * 5,
    *["laposte.net"] * 4,
)
SEEN_BEFORE: Final = 0.01
WITHOUT_ADDRESS: Final = 0.005
WITH_PHONE: Final = 0.6


def write_crowd(path: Path, count: int, *, seed: int = 2027) -> None:
    """`count` lines; the same file for the same arguments."""
    draw = random.Random(seed)
    places = [(place.name, postcode) for place in PLACES for postcode in place.postcodes]
    first_names = [(name, _plain(name)) for name in (*WOMEN, *MEN)]
    families = [(name, _plain(name)) for name in FAMILIES]
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, delimiter=";")
        rows.writerow(HEADER)
        for place in range(count):
            number = place if draw.random() >= SEEN_BEFORE else draw.randrange(place + 1)
            # What belongs to a person comes from the person's number, so that it is there a second time.
            of_them = random.Random(seed * 1_000_003 + number)
            first, family = of_them.choice(first_names), of_them.choice(families)
            address = f"{first[1]}.{family[1]}{number}@{of_them.choice(DOMAINS)}"
            if draw.random() < WITHOUT_ADDRESS:
                address = "pas d'adresse"
            commune, postcode = of_them.choice(places)
            tags = draw.sample(TAGS, draw.choice((0, 1, 1, 2, 2, 3)))
            rows.writerow(
                (
                    f"A{number}" if number % 3 else "",
                    address,
                    _phone(number) if of_them.random() < WITH_PHONE else "",
                    *(first[0], family[0], draw.choice(LEVELS), ", ".join(tags), commune, postcode),
                    draw.choices(("oui", "non", ""), (90, 3, 7))[0],
                    f"{2020 + number % 6}-{1 + number % 12:02}-{1 + number % 28:02}",
                )
            )


def _plain(name: str) -> str:
    apart = unicodedata.normalize("NFKD", name.lower())
    return "".join(letter for letter in apart if letter.isalnum() and letter.isascii())


def _phone(number: int) -> str:
    """Ten million numbers in 06 10 to 06 19."""
    digits = f"06{10_000_000 + number % 10_000_000:08}"
    return " ".join(digits[start : start + 2] for start in range(0, 10, 2))
