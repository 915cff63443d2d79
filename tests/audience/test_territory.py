"""The French territory: codes, postcodes, constituencies, and who may speak to whom."""

from zoneinfo import ZoneInfo

import pytest

from audience import territory
from audience.territory import DEPARTEMENTS, REGIONS, departement_of, speaks_for, zone_of
from models.contact import Contact
from models.errors import BadInputError
from models.identity import TerritoryKind


def test_there_are_101_departements_6_collectivities_and_18_regions() -> None:
    assert len(DEPARTEMENTS) == 107
    assert len(REGIONS) == 18
    assert len(territory.REGION_BY_DEPARTEMENT) == 101
    mainland = {f"{n:02}" for n in range(1, 96) if n != 20} | {"2A", "2B"}
    assert mainland <= set(DEPARTEMENTS)
    assert DEPARTEMENTS["13"] == "Bouches-du-Rhône"


@pytest.mark.parametrize(
    ("postcode", "departement"),
    [
        ("13001", "13"),
        ("01000", "01"),
        ("20000", "2A"),
        ("20137", "2A"),
        ("20200", "2B"),
        ("20600", "2B"),
        ("97110", "971"),
        ("97133", "977"),
        ("97150", "978"),
        ("97400", "974"),
        ("97500", "975"),
        ("97600", "976"),
        ("98600", "986"),
        ("98713", "987"),
        ("98800", "988"),
        ("98000", None),
        ("00100", None),
        ("1300", None),
        ("1300A", None),
        ("96000", None),
    ],
)
def test_a_postcode_points_to_its_departement(postcode: str, departement: str | None) -> None:
    assert departement_of(postcode) == departement


@pytest.mark.parametrize("code", list(DEPARTEMENTS))
def test_every_departement_is_read_by_code_and_by_name(code: str) -> None:
    assert territory.read_departement(code.lower()) == code
    assert territory.read_departement(DEPARTEMENTS[code].upper()) == code
    assert territory.read_departement(f"{code} - {DEPARTEMENTS[code]}") == code
    assert territory.read_departement(f"{DEPARTEMENTS[code]} ({code})") == code


@pytest.mark.parametrize("code", list(REGIONS))
def test_every_region_is_read_by_code_and_by_name(code: str) -> None:
    assert territory.read_region(code) == code
    assert territory.read_region(REGIONS[code].replace("-", " ").lower()) == code


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("13-04", "13-04"),
        ("13-4", "13-04"),
        ("1304", "13-04"),
        ("2a/1", "2A-01"),
        ("974-07", "974-07"),
        ("4e circonscription des Bouches-du-Rhône", "13-04"),
        ("1re circonscription de l’Ain", "01-01"),
        ("99-11", "ZZ-11"),
        ("ZZ-01", "ZZ-01"),
    ],
)
def test_constituencies_have_one_form(written: str, normal: str) -> None:
    assert territory.read_circonscription(written) == normal


def test_a_bare_number_is_a_constituency_where_the_departement_is_known() -> None:
    assert territory.read_circonscription("4e", "13") == "13-04"
    with pytest.raises(BadInputError):
        territory.read_circonscription("4e")


@pytest.mark.parametrize("written", ["", "13", "13-00", "20-01", "nulle part", "13-123"])
def test_what_is_no_constituency_is_refused(written: str) -> None:
    with pytest.raises(BadInputError):
        territory.read_circonscription(written)


@pytest.mark.parametrize(
    ("kind", "value", "speaks"),
    [
        (TerritoryKind.NATIONAL, "", True),
        (TerritoryKind.REGION, "93", True),
        (TerritoryKind.REGION, "84", False),
        (TerritoryKind.DEPARTEMENT, "13", True),
        (TerritoryKind.CIRCONSCRIPTION, "13-04", True),
        (TerritoryKind.CIRCONSCRIPTION, "13-05", False),
        (TerritoryKind.COMMUNE, "marseille", True),
        (TerritoryKind.COMMUNE, "lyon", False),
        (TerritoryKind.CANTON, "", False),
        (TerritoryKind.POLLING_STATION, "0101", False),
    ],
)
def test_an_identity_speaks_to_its_territory_and_never_to_the_unknown(
    kind: TerritoryKind, value: str, speaks: bool
) -> None:
    person = Contact(region="93", departement="13", circonscription="13-04", commune_key="marseille")
    assert speaks_for(kind, value, person) is speaks


@pytest.mark.parametrize(
    ("departement", "postcode", "phone", "zone"),
    [
        ("13", "13001", "+33612345678", "Europe/Paris"),
        ("974", None, None, "Indian/Reunion"),
        (None, "97110", None, "America/Guadeloupe"),
        ("973", None, "+33612345678", "America/Cayenne"),
        ("987", "98714", None, "Pacific/Tahiti"),
        ("987", "98742", None, "Pacific/Marquesas"),
        ("987", "98748", None, "Pacific/Marquesas"),
        ("987", "98755", None, "Pacific/Gambier"),
        (None, None, "+262639123456", "Indian/Mayotte"),
        (None, None, "+262692123456", "Indian/Reunion"),
        (None, None, "+33612345678", "Europe/Brussels"),
        (None, "98000", None, "Europe/Brussels"),
        (None, None, None, "Europe/Brussels"),
    ],
)
def test_people_live_in_the_zone_of_their_territory(
    departement: str | None, postcode: str | None, phone: str | None, zone: str
) -> None:
    assert zone_of(departement, postcode, phone, default="Europe/Brussels") == zone


def test_every_overseas_territory_has_its_zone() -> None:
    overseas = {code for code in DEPARTEMENTS if len(code) == 3}
    zones = {code: zone_of(code, None, None, default="") for code in overseas}
    assert len(set(zones.values())) == 11
    for zone in zones.values():
        assert ZoneInfo(zone).key != "Europe/Paris"
