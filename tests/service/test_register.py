"""The register of political advertising, at the terminal and as files."""

import csv
import io
import json
import sqlite3

import pytest

from tests.service.conftest import Tocsin, Typed

PARTS = ("--template", "hello", "--segment", "rhone", "--exclude", "elus", "--from", "nat")
SENT = (
    "UPDATE campaign SET state = 'finished', frozen = 36204, targeted = 41870,"
    " launched_at = '2026-03-12 08:00:00', finished_at = '2026-03-12 09:00:00' WHERE name = ?"
)


@pytest.fixture
def sent(ready: Tocsin, typed: Typed) -> Typed:
    """Two political campaigns and a civic one were sent, one more is a draft."""
    typed.must("segment", "add", "rhone", "departement:69")
    typed.must("segment", "add", "elus", "tag:élue")
    typed.must("template", "add", "hello", "--starter", "newsletter")
    sender = ("--name", "Les Amis", "--email", "contact@example.org", "--address", "1 rue Haute, Lyon")
    typed.must("identity", "add", "nat", *sender, "--organisation", "Parti du Rhône")
    political = ("--nature", "political")
    spent = ("--sponsor", "=Comité; Durand", "--vote", "Municipales 2026", "--spent", "120 € de dons")
    typed.must("campaign", "create", "Tract", *PARTS, *political, *spent)
    typed.must("campaign", "create", "Appel", *PARTS, *political)
    typed.must("campaign", "create", "Brouillon", *PARTS, *political)
    typed.must("campaign", "create", "Vœux", *PARTS, "--nature", "civic")
    with sqlite3.connect(ready.folder / "tocsin-data" / "tocsin.db") as database:
        for name in ("Tract", "Appel", "Vœux"):
            database.execute(SENT, (name,))
    return typed


def test_nothing_political_was_sent_yet(ready: Tocsin, typed: Typed) -> None:
    assert ready.folder.is_dir()
    assert typed.must("campaign", "register") == "No political campaign was launched yet.\n"
    assert json.loads(typed.must("campaign", "register", "--json"))["campaigns"] == []


def test_the_register_names_what_was_sent_for_whom_and_where_its_notice_stands(sent: Typed) -> None:
    shown = sent.must("campaign", "register", TOCSIN_PUBLIC_URL="https://t.example.org/")
    lines = shown.splitlines()[1:]
    assert ["Appel" in lines[0], "Tract" in lines[1], len(lines)] == [True, True, 2]
    assert "Parti du Rhône" in lines[0]
    assert "=Comité; Durand" in lines[1]
    assert "Municipales 2026" in lines[1]
    assert "36204" in lines[1]
    assert "https://t.example.org/notice/" in lines[1]


def test_as_csv_it_opens_in_a_spreadsheet_and_computes_nothing(sent: Typed) -> None:
    rows = list(csv.DictReader(io.StringIO(sent.must("campaign", "register", "--csv"))))
    assert [row["name"] for row in rows] == ["Appel", "Tract"]
    tract = rows[1]
    assert tract["sponsor"] == "'=Comité; Durand"
    assert (tract["vote"], tract["spent"], tract["basis"]) == ("Municipales 2026", "120 € de dons", "consent")
    assert tract["senders"] == "Parti du Rhône, 1 rue Haute, Lyon"
    assert (tract["include"], tract["exclude"]) == ("departement:69", "tag:élue")
    assert tract["launched_at"] == "2026-03-12T08:00:00+00:00"
    assert (tract["audience"], tract["messages"]) == ("41870", "36204")
    assert (tract["template"], tract["version"]) == ("hello", "1")
    assert rows[0]["notice"] != tract["notice"]


def test_as_json_it_holds_what_was_said(sent: Typed) -> None:
    document = json.loads(sent.must("campaign", "register", "--json"))
    tract = document["campaigns"][1]
    assert (tract["name"], tract["sponsor"]) == ("Tract", "=Comité; Durand")
    assert tract["content"]["body"].startswith("<mjml")
    assert tract["content"]["subject"]
    assert tract["audience"]["segments"] == [
        {"role": "include", "name": "rhone", "text": "departement:69"},
        {"role": "exclude", "name": "elus", "text": "tag:élue"},
    ]
    assert tract["counts"]["messages"] == 36204


def test_the_register_is_printed_in_one_form(sent: Typed) -> None:
    assert "one form" in sent("campaign", "register", "--json", "--csv").told


def test_a_campaign_s_notice_is_named_with_what_it_lacks(sent: Typed) -> None:
    shown = sent.must("campaign", "notice", "Appel", TOCSIN_PUBLIC_URL="https://t.example.org/")
    address, vote, spent = shown.splitlines()
    assert address.startswith("https://t.example.org/notice/")
    assert "No vote" in vote
    assert "--spent" in spent
    assert "!" not in sent.must("campaign", "notice", "Tract")


def test_what_was_spent_is_told_when_the_bill_has_come(sent: Typed) -> None:
    assert "--spent" not in sent.must("campaign", "notice", "Appel", "--spent", " 300 € ,  dons ")
    rows = list(csv.DictReader(io.StringIO(sent.must("campaign", "register", "--csv"))))
    assert rows[0]["spent"] == "300 € , dons"
    assert "300 are possible" in sent("campaign", "notice", "Appel", "--spent", "x" * 301).told


def test_what_is_not_political_has_no_notice(sent: Typed) -> None:
    for words in ((), ("--spent", "3 €")):
        assert "no political advertising" in sent("campaign", "notice", "Vœux", *words).told
