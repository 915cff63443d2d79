"""`tocsin lint` and what it keeps from being scheduled, as a person types it."""

import json
import sqlite3

import pytest

from models.preflight import LintLevel
from scheduler.preflight import LintFinding
from service.lint_view import print_lint
from tests.service.conftest import Tocsin, Typed

PEOPLE = "Prénom;Courriel\nCamille;camille@gmail.com\n;anonyme@orange.fr\n"
BLANK = "✗ People whose message would show a blank: 1. What they lack: first_name."


@pytest.fixture
def drafted(ready: Tocsin, typed: Typed) -> Typed:
    """Two people, one of whom has no first name; a draft to both that says it."""
    (ready.folder / "people.csv").write_text(PEOPLE, encoding="utf-8")
    (ready.folder / "letter.mjml").write_text(
        "<mjml><mj-body><mj-section><mj-column><mj-text>Bonjour {{ first_name }}, vous recevez ce message car"
        " vous êtes membre des Amis.</mj-text></mj-column></mj-section></mj-body></mjml>",
        encoding="utf-8",
    )
    typed("import", "people.csv", "--consent", "email", "--source", "form")
    typed.must("segment", "add", "all", "everyone")
    typed.must("template", "add", "letter", "--file", "letter.mjml", "--subject", "Samedi")
    typed.must(
        *("identity", "add", "nat", "--name", "Les Amis", "--email", "contact@example.org"),
        *("--address", "1 rue de la Paix, 75002 Paris"),
    )
    typed.must("campaign", "create", "Lettre", "--template", "letter", "--segment", "all", "--from", "nat")
    return typed


def test_a_campaign_is_looked_at_blockers_first_and_the_exit_status_says_so(drafted: Typed) -> None:
    ran = drafted("lint", "Lettre")
    assert (ran.code, ran.err) == (1, "")
    lines = ran.out.splitlines()
    assert lines[0] == BLANK
    assert lines[1].strip() == "Give the template a fallback, complete the contacts or exclude them."
    marks = [line[0] for line in lines if line[:1] in set("✗!✓")]
    assert marks == sorted(marks, key="✗!✓".index)
    assert lines[-1].startswith("1 thing to mend before it is scheduled; ")


def test_who_lacks_records_is_told_what_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    print_lint([LintFinding(LintLevel.BLOCK, "health.dkim_missing", {"name": "a._domainkey.parti.example"})])
    assert "`tocsin identity check`" in capsys.readouterr().out
    print_lint([LintFinding(LintLevel.BLOCK, "merge.blank", {"count": "1", "fields": "first_name"})])
    assert "identity check" not in capsys.readouterr().out


def test_for_programs_codes_values_and_sentences(drafted: Typed) -> None:
    ran = drafted("lint", "1", "--json")
    told = json.loads(ran.out)
    assert (ran.code, told["blocked"]) == (1, True)
    first = told["findings"][0]
    assert first["code"] == "merge.blank"
    assert first["values"] == {"count": "1", "fields": "first_name"}
    assert f"✗ {first['what']}" == BLANK


def test_a_template_is_looked_at_as_an_identity_would_send_it(drafted: Typed) -> None:
    ran = drafted("lint", "--template", "letter", "--identity", "nat")
    assert (ran.code, ran.err) == (0, "")
    assert "Nothing stands in the way" in ran.out
    assert "blank" not in ran.out


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["1", "--template", "letter", "--identity", "nat"],
        ["--template", "letter"],
        ["--identity", "nat"],
        ["1", "--identity", "nat"],
        ["--template", "letter", "--identity", "nat", "--send-test"],
    ],
)
def test_what_cannot_be_looked_at_is_told(drafted: Typed, words: list[str]) -> None:
    assert drafted("lint", *words).code == 2


def test_without_a_way_out_no_test_is_sent(drafted: Typed) -> None:
    ran = drafted("lint", "1", "--send-test")
    assert (ran.code, "TOCSIN_SMTP_URL" in ran.told) == (1, True)


def test_a_campaign_with_blockers_is_scheduled_only_despite_them_and_the_reason_is_kept(
    drafted: Typed, ready: Tocsin
) -> None:
    refused = drafted("campaign", "schedule", "Lettre", "--at", "now")
    assert refused.code == 1
    assert refused.told == (
        "The campaign is not scheduled: 1 check stood in its way."
        " `tocsin lint 1` looks again; --despite REASON goes past them."
    )
    assert refused.out.splitlines()[0] == BLANK
    assert "is draft" in drafted.must("campaign", "show", "1")
    assert drafted("campaign", "schedule", "1", "--at", "now", "--despite", " ").code == 2
    drafted.must("campaign", "schedule", "1", "--at", "2040-01-01 09:00", "--despite", "Je l'appelle")
    assert "is scheduled" in drafted.must("campaign", "show", "1")
    with sqlite3.connect(ready.folder / "tocsin-data" / "tocsin.db") as file:
        [(by, reason, codes)] = file.execute("SELECT by, reason, codes FROM preflight_override").fetchall()
    file.close()
    assert by.endswith("(command line)")
    assert (reason, json.loads(codes)) == ("Je l'appelle", ["merge.blank"])


def test_what_is_sent_in_one_step_stays_a_draft_while_something_stands_in_its_way(drafted: Typed) -> None:
    words = ("send", "Vite", "--template", "letter", "--segment", "all", "--from", "nat", "--yes")
    refused = drafted(*words)
    assert refused.code == 1
    assert "Campaign 2 is kept as a draft." in refused.out
    assert "is draft" in drafted.must("campaign", "show", "Vite")
    assert "is scheduled" in drafted.must(*words, "--despite", "Urgent")


def test_a_filter_that_cannot_be_asked_is_told_and_holds_nothing_up(drafted: Typed) -> None:
    ran = drafted(
        *("lint", "--template", "letter", "--identity", "nat"), TOCSIN_SPAM_FILTER_URL="rspamd://127.0.0.1:9"
    )
    assert ran.code == 0
    assert "! The spam filter could not be asked: rspamd cannot be reached." in ran.out


@pytest.mark.parametrize("url", ["http://127.0.0.1:11333", "rspamd:"])
def test_a_filter_s_address_is_checked(drafted: Typed, url: str) -> None:
    ran = drafted("lint", "1", TOCSIN_SPAM_FILTER_URL=url)
    assert (ran.code, "rspamd://host:11333" in ran.told) == (2, True)
