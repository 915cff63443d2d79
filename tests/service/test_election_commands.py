"""Votes, and campaigns let leave in their silence, as a person types it."""

from datetime import timedelta

import pytest

from models.clock import SystemClock
from tests.service.conftest import Tocsin, Typed

ADD = ("elections", "add", "Législative partielle", "--day", "2039-06-12")


@pytest.fixture
def voting(ready: Tocsin, typed: Typed) -> Typed:
    """The command, in a migrated folder."""
    assert ready.folder.exists()
    return typed


def test_a_vote_is_entered_shown_corrected_and_taken_away(voting: Typed) -> None:
    assert "No vote is in the calendar" in voting.must("elections", "list")
    added = voting.must(*ADD)
    assert added.startswith("Vote 1 is in the calendar.")
    for line in ("Martinique", "Fri 2039-06-10 00:00", "Sat 2039-06-11 00:00", "mainland"):
        assert line in added
    assert "2039-06-12 20:00, Europe/Paris" in added
    again = voting(*ADD)
    assert (again.code, "already" in again.told) == (1, True)
    corrected = voting.must(
        *("elections", "correct", "1", "--day", "19/06/2039", "--reason", "Décret"), "--day-before", "nobody"
    )
    assert "vote 2 stands in its place" in corrected
    # Nobody votes the day before any more.
    assert "Fri 2039-06-17 00:00" not in corrected
    shown = voting.must("elections", "list")
    assert ("2039-06-19" in shown, "2039-06-12" in shown) == (True, False)
    assert "Décret" in voting.must("elections", "list", "--all")
    assert "! Taken away by" in voting.must("elections", "show", "1")
    removed = voting.must("elections", "remove", "2", "--reason", "Annulée")
    assert "stops nothing any more" in removed
    twice = voting("elections", "remove", "2", "--reason", "encore")
    assert (twice.code, "already" in twice.told) == (1, True)
    assert "No vote is in the calendar" in voting.must("elections", "list")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("add", "V", "--day", "soon"), "no date"),
        (("add", "V", "--day", "2039-06-12", "--territory", "monde=1"), "no kind of territory"),
        (("add", "V", "--day", "2039-06-12", "--territory", "commune=Nîmes"), "in which département"),
        (("add", "V", "--day", "2039-06-12", "--day-before", "mars"), "no département"),
        (("correct", "1", "--reason", "x"), "Nothing to change was named."),
        (("import", "nowhere.toml"), "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(voting: Typed, words: tuple[str, ...], told: str) -> None:
    ran = voting("elections", *words)
    assert (ran.code, told in ran.told) == (2, True)


def test_a_local_vote_is_that_of_its_place(voting: Typed) -> None:
    added = voting.must(
        *("elections", "add", "Partielle", "--day", "2039-06-12", "--territory", "commune=Saint-Denis"),
        *("--departement", "974", "--day-before", "nobody", "--closes", "18h"),
    )
    assert "La Réunion" in added
    assert "2039-06-12 18:00, Indian/Reunion" in added


def test_votes_come_out_of_a_file_and_coming_twice_changes_nothing(ready: Tocsin, voting: Typed) -> None:
    file = ready.folder / "votes.toml"
    file.write_text(
        '[[days]]\nname = "Partielle"\nday = 2039-06-12\nterritory = "circonscription"\nvalue = "13-4"\n'
        'day_before = false\n[[days]]\nname = "Référendum"\nday = 2039-06-12\nconfirmed = false\n'
    )
    first = voting.must("elections", "import", "votes.toml")
    assert "Partielle, round 1, 2039-06-12: entered." in first
    assert "no decree has fixed it yet" in first
    second = voting.must("elections", "import", "votes.toml", "--unconfirmed")
    assert "Partielle, round 1, 2039-06-12: there already." in second
    assert "Référendum, round 1, 2039-06-12: entered." in second
    assert "13-04" in voting.must("elections", "list")
    for text, told in (
        ("days =", "no TOML"),
        ('[[days]]\nname = "x"\nday = "2039-06-12"\n', "not whole"),
        ("[[days]]\nday = 2039-06-12\n", "not whole"),
        ('[[days]]\nname = "x"\nday = 2039-06-12\nround = 7\n', "no round 7"),
        ('[[days]]\nname = "x"\nday = 2039-06-12\nterritory = "monde"\n', "not whole"),
    ):
        file.write_text(text)
        ran = voting("elections", "import", "votes.toml")
        assert (ran.code, told in ran.told) == (2, True), text


@pytest.fixture
def drafted(voting: Typed) -> Typed:
    """A campaign that silence binds, a near vote, two administrators and an editor."""
    voting.must("segment", "add", "all", "everyone")
    voting.must("template", "add", "hello", "--starter", "newsletter")
    voting.must("identity", "add", "nat", "--name", "Les Amis", "--email", "contact@example.org")
    parts = ("--template", "hello", "--segment", "all", "--from", "nat")
    voting.must("campaign", "create", "Tract", *parts, "--nature", "political")
    voting.must("elections", "add", "Vote", "--day", f"{SystemClock().now().date() + timedelta(days=1)}")
    for name, role in (("ana", "admin"), ("bob", "admin"), ("eve", "editor")):
        voting.must(
            *("user", "add", f"{name}@example.org", "--role", role), stdin="une phrase assez longue\n" * 2
        )
    return voting


def test_a_campaign_leaves_in_silence_when_two_administrators_say_so(drafted: Typed) -> None:
    waiver = ("campaign", "waiver", "Tract")
    assert drafted.must(*waiver).startswith("Tract: election silence holds it.")
    nobody = drafted(*waiver, "--reason", "Ordonnance")
    assert (nobody.code, "--by" in nobody.told) == (2, True)
    editor = drafted(*waiver, "--reason", "Ordonnance", "--by", "eve@example.org")
    assert (editor.code, "no administrator" in editor.told) == (2, True)
    both = drafted(*waiver, "--reason", "Ordonnance", "--agree", "--by", "ana@example.org")
    assert (both.code, "one at a time" in both.told) == (2, True)
    none = drafted(*waiver, "--agree", "--by", "ana@example.org")
    assert (none.code, "Nothing of that kind" in none.told) == (1, True)

    asked = drafted.must(*waiver, "--reason", "Ordonnance", "--by", "ANA@example.org")
    assert ("ana@example.org" in asked, "Ordonnance" in asked) == (True, True)
    own = drafted(*waiver, "--agree", "--by", "ana@example.org")
    assert (own.code, "Who asks cannot agree." in own.told) == (2, True)
    agreed = drafted.must(*waiver, "--agree", "--by", "bob@example.org")
    assert agreed.startswith("Tract: two people let it leave in election silence.")
    drafted.must("campaign", "edit", "Tract", "--urgent")
    assert drafted.must(*waiver).startswith("Tract: election silence holds it.")
    drafted.must("campaign", "edit", "Tract", "--not-urgent")
    assert "two people let it leave" in drafted.must(*waiver)
    refused = drafted.must(*waiver, "--refuse", "--by", "ana@example.org")
    assert refused.startswith("Tract: election silence holds it.")
    drafted.must("campaign", "edit", "Tract", "--nature", "civic")
    assert "does not bind it" in drafted.must(*waiver)
