"""The French territory: départements, régions, what a postcode says of them, and for whom an identity speaks.

Codes are those of INSEE (the official geographic code, in force since 2016 for the régions). Overseas
collectivities that are no région keep their three-figure code as département and have no région.
Cantons, circonscriptions and polling stations come from the files: there is no rule that leads from a
commune to them, since large towns are divided.
"""

import re
from types import MappingProxyType
from typing import Final, Protocol, assert_never

from models.errors import BadInputError
from models.identity import TerritoryKind
from models.text import fold

__all__ = [
    "DEPARTEMENTS",
    "REGIONS",
    "Placed",
    "departement_of",
    "living_in",
    "read_circonscription",
    "read_departement",
    "read_region",
    "read_territory",
    "speaks_for",
    "zone_of",
]

_TABLE: Final = """
84 Auvergne-Rhône-Alpes: 01 Ain, 03 Allier, 07 Ardèche, 15 Cantal, 26 Drôme, 38 Isère, 42 Loire, \
43 Haute-Loire, 63 Puy-de-Dôme, 69 Rhône, 73 Savoie, 74 Haute-Savoie
27 Bourgogne-Franche-Comté: 21 Côte-d’Or, 25 Doubs, 39 Jura, 58 Nièvre, 70 Haute-Saône, 71 Saône-et-Loire, \
89 Yonne, 90 Territoire de Belfort
53 Bretagne: 22 Côtes-d’Armor, 29 Finistère, 35 Ille-et-Vilaine, 56 Morbihan
24 Centre-Val de Loire: 18 Cher, 28 Eure-et-Loir, 36 Indre, 37 Indre-et-Loire, 41 Loir-et-Cher, 45 Loiret
94 Corse: 2A Corse-du-Sud, 2B Haute-Corse
44 Grand Est: 08 Ardennes, 10 Aube, 51 Marne, 52 Haute-Marne, 54 Meurthe-et-Moselle, 55 Meuse, 57 Moselle, \
67 Bas-Rhin, 68 Haut-Rhin, 88 Vosges
32 Hauts-de-France: 02 Aisne, 59 Nord, 60 Oise, 62 Pas-de-Calais, 80 Somme
11 Île-de-France: 75 Paris, 77 Seine-et-Marne, 78 Yvelines, 91 Essonne, 92 Hauts-de-Seine, \
93 Seine-Saint-Denis, 94 Val-de-Marne, 95 Val-d’Oise
28 Normandie: 14 Calvados, 27 Eure, 50 Manche, 61 Orne, 76 Seine-Maritime
75 Nouvelle-Aquitaine: 16 Charente, 17 Charente-Maritime, 19 Corrèze, 23 Creuse, 24 Dordogne, 33 Gironde, \
40 Landes, 47 Lot-et-Garonne, 64 Pyrénées-Atlantiques, 79 Deux-Sèvres, 86 Vienne, 87 Haute-Vienne
76 Occitanie: 09 Ariège, 11 Aude, 12 Aveyron, 30 Gard, 31 Haute-Garonne, 32 Gers, 34 Hérault, 46 Lot, \
48 Lozère, 65 Hautes-Pyrénées, 66 Pyrénées-Orientales, 81 Tarn, 82 Tarn-et-Garonne
52 Pays de la Loire: 44 Loire-Atlantique, 49 Maine-et-Loire, 53 Mayenne, 72 Sarthe, 85 Vendée
93 Provence-Alpes-Côte d’Azur: 04 Alpes-de-Haute-Provence, 05 Hautes-Alpes, 06 Alpes-Maritimes, \
13 Bouches-du-Rhône, 83 Var, 84 Vaucluse
01 Guadeloupe: 971 Guadeloupe
02 Martinique: 972 Martinique
03 Guyane: 973 Guyane
04 La Réunion: 974 La Réunion
06 Mayotte: 976 Mayotte
- -: 975 Saint-Pierre-et-Miquelon, 977 Saint-Barthélemy, 978 Saint-Martin, 986 Wallis-et-Futuna, \
987 Polynésie française, 988 Nouvelle-Calédonie
"""


def _read_table() -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    regions: dict[str, str] = {}
    departements: dict[str, str] = {}
    region_by_departement: dict[str, str] = {}
    for line in _TABLE.strip().splitlines():
        heading, _, members = line.partition(": ")
        region, _, region_name = heading.partition(" ")
        for member in members.split(", "):
            code, _, name = member.partition(" ")
            departements[code] = name
            if region != "-":
                regions[region] = region_name
                region_by_departement[code] = region
    return departements, regions, region_by_departement


_departements, _regions, _region_by_departement = _read_table()
DEPARTEMENTS: Final = MappingProxyType(_departements)
"""Names by INSEE code: 101 départements and the 6 overseas collectivities with inhabitants."""
REGIONS: Final = MappingProxyType(_regions)
"""Names by INSEE code: 18 régions."""
REGION_BY_DEPARTEMENT: Final = MappingProxyType(_region_by_departement)

_ZONES: Final = MappingProxyType(
    {
        "971": "America/Guadeloupe",
        "972": "America/Martinique",
        "973": "America/Cayenne",
        "974": "Indian/Reunion",
        "975": "America/Miquelon",
        "976": "Indian/Mayotte",
        "977": "America/St_Barthelemy",
        "978": "America/Marigot",
        "986": "Pacific/Wallis",
        "987": "Pacific/Tahiti",
        "988": "Pacific/Noumea",
    }
)
_MARQUESAS: Final = "9874"
"""With which its postcodes begin: the fourth digit names the archipelago."""
_GAMBIER: Final = "98755"
_ZONE_BY_PREFIX: Final = MappingProxyType(
    {
        "+590": "America/Guadeloupe",
        "+596": "America/Martinique",
        "+594": "America/Cayenne",
        "+262": "Indian/Reunion",
        "+508": "America/Miquelon",
        "+681": "Pacific/Wallis",
        "+687": "Pacific/Noumea",
        "+689": "Pacific/Tahiti",
    }
)
"""Telephone prefixes of the overseas territories (ITU-T E.164, national plan of France)."""
_DEPARTEMENT_BY_ZONE: Final = MappingProxyType({zone: code for code, zone in _ZONES.items()})

_DEPARTEMENT_BY_NAME: Final = {fold(name): code for code, name in DEPARTEMENTS.items()} | {
    "reunion": "974",
    "metropole de lyon": "69",
    "corse du sud": "2A",
}
_REGION_BY_NAME: Final = {fold(name): code for code, name in REGIONS.items()} | {
    "paca": "93",
    "reunion": "04",
    "idf": "11",
    "centre": "24",
    "aura": "84",
}
_CIRCONSCRIPTION = re.compile(
    r"(?P<departement>[0-9]{2,3}|2[ABab]|[Zz][A-Za-z])\s*[-_/ ]\s*(?P<number>[0-9]{1,2})\Z"
)
_CIRCONSCRIPTION_WORDS = re.compile(
    r"(?P<number>[0-9]{1,2})\s*(?:re|ere|er|e|eme|nde|nd)?(?:\s+(?:circonscription|circo))?"
    r"(?:\s+(?:de la|de l|des|du|de|d)(?:\s+|\Z))?\s*(?P<place>.*)\Z"
)
_COMPACT = re.compile(r"(?P<departement>[0-9]{2}|2[AB]|97[1-8]|98[678])(?P<number>[0-9]{2})\Z")


def departement_of(postcode: str) -> str | None:
    """The département a French postcode points to; None for Monaco, the army, and codes of no département.

    A few communes are served from across the border of their département: the postcode is a fair guess,
    which a département column of the file overrules.
    """
    if len(postcode) != 5 or not (postcode.isascii() and postcode.isdigit()) or postcode[:3] == "980":
        return None
    match postcode[:2]:
        case "20":
            # Corsica was one département when postcodes were made: 200 and 201 went south.
            return "2A" if postcode[2] in "01" else "2B" if postcode[2] in "246" else None
        case "97":
            return _island(postcode)
        case "98":
            return postcode[:3] if postcode[:3] in DEPARTEMENTS else None
        case start:
            return start if start in DEPARTEMENTS else None


def _island(postcode: str) -> str | None:
    # Saint-Barthélemy and Saint-Martin left Guadeloupe in 2007 and kept its postcodes.
    special = {"97133": "977", "97150": "978"}.get(postcode)
    return special or (postcode[:3] if postcode[:3] in DEPARTEMENTS else None)


def read_departement(text: str) -> str:
    """The INSEE code for a code or a name (`13`, `1`, `Bouches-du-Rhône`, `2a`); BadInputError otherwise."""
    written = text.strip().upper()
    code = written.zfill(2)
    if code in DEPARTEMENTS:
        return code
    # "13 - Bouches-du-Rhône" and "Bouches-du-Rhône (13)" are common in files.
    found = re.match(r"(?:0?(\d{2,3}|2[AB]))\s*[-–:]\s*\D", written) or re.search(
        r"\((\d{2,3}|2[AB])\)\Z", written
    )
    if found and found[1] in DEPARTEMENTS:
        return found[1]
    named = _DEPARTEMENT_BY_NAME.get(fold(text))
    if named is None:
        raise BadInputError(f"There is no département “{text[:60]}”.")
    return named


def read_region(text: str) -> str:
    """The INSEE code for a code or a name (`93`, `Occitanie`, `PACA`); BadInputError otherwise."""
    code = text.strip().zfill(2)
    if code in REGIONS:
        return code
    named = _REGION_BY_NAME.get(fold(text))
    if named is None:
        raise BadInputError(f"There is no région “{text[:60]}”.")
    return named


def read_circonscription(text: str, departement: str | None = None) -> str:
    """The normal form, département and two figures: `13-04`; abroad `ZZ-01`. BadInputError otherwise.

    Reads `13-4`, `1304`, `4e circonscription des Bouches-du-Rhône`, and the bare number when the
    département is known from elsewhere.
    """
    written = text.strip()
    compact = _CIRCONSCRIPTION.match(written) or _COMPACT.match(written.upper())
    if compact:
        code, number = compact["departement"].upper().zfill(2), int(compact["number"])
    else:
        words = _CIRCONSCRIPTION_WORDS.match(fold(text))
        if words is None or not (words["place"] or departement):
            raise BadInputError(f"“{text[:60]}” is no circonscription.", "Write it as in 13-04.")
        code = read_departement(words["place"]) if words["place"] else departement or ""
        number = int(words["number"])
    code = "ZZ" if code == "99" else code
    if number == 0 or (code not in DEPARTEMENTS and not code.startswith("Z")):
        raise BadInputError(f"“{text[:60]}” is no circonscription.", "Write it as in 13-04.")
    return f"{code}-{number:02}"


def read_polling_station(text: str) -> str:
    """The number or name of a polling station in capitals, one blank between words."""
    return " ".join(text.upper().split())


def read_territory(kind: TerritoryKind, value: str) -> str:
    """The form in which contacts have it: a code, or folded words; BadInputError for an unknown code."""
    match kind:
        case TerritoryKind.NATIONAL:
            return ""
        case TerritoryKind.COMMUNE | TerritoryKind.CANTON:
            return fold(value)
        case TerritoryKind.DEPARTEMENT:
            return read_departement(value)
        case TerritoryKind.REGION:
            return read_region(value)
        case TerritoryKind.CIRCONSCRIPTION:
            return read_circonscription(value)
        case TerritoryKind.POLLING_STATION:
            return read_polling_station(value)
        case _:
            assert_never(kind)


class Placed(Protocol):
    """Where somebody lives, as far as it is known; a contact, or as much of one."""

    @property
    def commune_key(self) -> str | None:
        """The commune, folded."""

    @property
    def canton_key(self) -> str | None:
        """The canton, folded."""

    @property
    def polling_station(self) -> str | None:
        """In capitals."""

    @property
    def circonscription(self) -> str | None:
        """As in 13-04."""

    @property
    def departement(self) -> str | None:
        """The INSEE code."""

    @property
    def region(self) -> str | None:
        """The INSEE code."""


def speaks_for(territory: TerritoryKind, value: str, contact: Placed) -> bool:
    """Whether an identity of that territory may speak to this person; never when the person's is unknown.

    `value` is in comparable form, as `Identity.territory_value` holds it.
    """
    match territory:
        case TerritoryKind.NATIONAL:
            return True
        case TerritoryKind.COMMUNE:
            return contact.commune_key is not None and contact.commune_key == fold(value)
        case TerritoryKind.CANTON:
            return contact.canton_key is not None and contact.canton_key == fold(value)
        case TerritoryKind.POLLING_STATION | TerritoryKind.CIRCONSCRIPTION:
            known: str | None = getattr(contact, territory.value)
            return known == value
        case TerritoryKind.DEPARTEMENT:
            return contact.departement == value
        case TerritoryKind.REGION:
            return contact.region == value


def zone_of(departement: str | None, postcode: str | None, phone: str | None, *, default: str) -> str:
    """The IANA time zone a person lives in: by département, else by postcode, else by telephone prefix.

    `default` when nothing is known of where they live. A telephone in +33 says nothing: people move.
    """
    code = departement or departement_of(postcode or "") or ""
    if code in _ZONES:
        return _zone_of_polynesia(postcode) if code == "987" else _ZONES[code]
    if code in DEPARTEMENTS:
        return "Europe/Paris"
    prefix = (phone or "")[:4]
    # Mayotte shares Réunion's prefix; its numbers begin with 269 and 639.
    if prefix == "+262" and (phone or "")[4:7] in {"269", "639"}:
        return "Indian/Mayotte"
    return _ZONE_BY_PREFIX.get(prefix, default)


def _zone_of_polynesia(postcode: str | None) -> str:
    if postcode is not None and postcode.startswith(_MARQUESAS):
        return "Pacific/Marquesas"
    return "Pacific/Gambier" if postcode == _GAMBIER else "Pacific/Tahiti"


def living_in(departement: str | None, postcode: str | None, phone: str | None) -> str | None:
    """The département a person lives in: as it is known, else by postcode, else by an overseas telephone.

    The prefix of Guadeloupe is Saint-Barthélemy's and Saint-Martin's, too. None when nothing tells.
    """
    known = departement or departement_of(postcode or "")
    return known or _DEPARTEMENT_BY_ZONE.get(zone_of(None, None, phone, default=""))
