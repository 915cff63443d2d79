"""The file of fictional people: realistic, repeatable, and wrong where it says so."""

import csv
from collections import Counter
from pathlib import Path

import phonenumbers
import pytest

from sandbox import fate_of, write_contacts
from sandbox.contacts import HEADER, PROVIDER_SHARES, ContactsFile, Mobiles
from sandbox.fates import FATE_BY_WORD
from sandbox.manners import manners_of
from sandbox.places import PLACES


@pytest.fixture
def contacts(tmp_path: Path) -> ContactsFile:
    return write_contacts(tmp_path / "contacts.csv", 2000)


def rows_of(contacts: ContactsFile) -> list[dict[str, str]]:
    with contacts.path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def test_the_file_is_what_a_french_spreadsheet_writes(contacts: ContactsFile) -> None:
    content = contacts.path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfIdentifiant;Civilit\xc3\xa9;Pr\xc3\xa9nom;")
    assert content.count(b"\r\n") == content.count(b"\n") == contacts.rows + 1
    assert list(rows_of(contacts)[0]) == list(HEADER)


def test_the_same_seed_writes_the_same_file(tmp_path: Path) -> None:
    one = write_contacts(tmp_path / "1.csv", 300, seed=1).path.read_bytes()
    assert one == write_contacts(tmp_path / "2.csv", 300, seed=1).path.read_bytes()
    assert one != write_contacts(tmp_path / "3.csv", 300, seed=2).path.read_bytes()


def test_addresses_are_unique_and_shared_out_among_providers_as_in_france(contacts: ContactsFile) -> None:
    assert len(set(contacts.emails)) == len(contacts.emails) == 2000
    shares = Counter(manners_of(email.rpartition("@")[2]).key for email in contacts.emails)
    assert set(shares) == set(PROVIDER_SHARES)
    for key, percent in PROVIDER_SHARES.items():
        assert abs(shares[key] / 20 - percent) < 4


def test_addresses_end_in_a_number_and_some_carry_a_word_that_decides(contacts: ContactsFile) -> None:
    assert all(email.split("@")[0].rpartition(".")[2].isdigit() for email in contacts.emails)
    magic = [email for email in contacts.emails if set(email.split("@")[0].split(".")) & set(FATE_BY_WORD)]
    assert 5 <= len(magic) <= 60
    assert len({fate_of(email) for email in contacts.emails}) >= 8


def test_numbers_are_unique_valid_and_kept_for_fiction(contacts: ContactsFile) -> None:
    assert len(set(contacts.phones)) == len(contacts.phones) > 1000
    for phone in contacts.phones:
        number = phonenumbers.parse(phone)
        assert phonenumbers.is_valid_number(number)
        assert phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE
        assert phone[5:10] == "55501"


def test_french_numbers_kept_for_fiction_can_be_asked_for(tmp_path: Path) -> None:
    contacts = write_contacts(tmp_path / "c.csv", 200, mobiles=Mobiles.FRENCH)
    assert contacts.phones
    assert all(phone.startswith("063998") and len(phone) == 10 for phone in contacts.phones)


def test_people_live_in_every_region_and_most_of_all_in_two(contacts: ContactsFile) -> None:
    rows = rows_of(contacts)
    by_departement = Counter(row["Département"] for row in rows)
    south = sum(by_departement[code] for code in ("04", "05", "06", "13", "83", "84"))
    alps = sum(
        by_departement[code]
        for code in ("01", "03", "07", "15", "26", "38", "42", "43", "63", "69", "73", "74")
    )
    assert south > 400
    assert alps > 300
    assert len(by_departement) > 70
    assert len(PLACES) >= 150
    for row in rows:
        number = int(row["Circonscription"].rpartition("-")[2])
        place = next(place for place in PLACES if place.departement == row["Département"])
        assert 1 <= number <= place.circonscriptions


def test_postcodes_belong_to_their_departement() -> None:
    for place in PLACES:
        start = "20" if place.departement in {"2A", "2B"} else place.departement
        assert all(len(code) == 5 and code.startswith(start) for code in place.postcodes)


def test_every_bad_row_stands_where_it_says_and_is_wrong_there(contacts: ContactsFile) -> None:
    rows = rows_of(contacts)
    assert 10 <= len(contacts.bad_rows) <= 14
    assert contacts.rows == len(rows) == 2000 + len(contacts.bad_rows)
    good = [row for line, row in enumerate(rows, 2) if line not in {bad.line for bad in contacts.bad_rows}]
    assert tuple(row["E-mail"] for row in good) == contacts.emails
    repeated = [bad for bad in contacts.bad_rows if bad.why == "the first row once more"]
    assert rows[repeated[0].line - 2] == rows[0]
    unusable = next(bad for bad in contacts.bad_rows if bad.why == "no @ in the address")
    assert "@" not in rows[unusable.line - 2]["E-mail"]


def test_a_tiny_file_is_written_too(tmp_path: Path) -> None:
    contacts = write_contacts(tmp_path / "c.csv", 1)
    assert contacts.emails == (rows_of(contacts)[0]["E-mail"],)
