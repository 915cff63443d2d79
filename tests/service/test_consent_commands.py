"""`tocsin consent`: what a person agreed to, and what they said of targeting."""

import pytest

from tests.service.conftest import Tocsin, Typed

PEOPLE = "identifiant;email;portable;consentement email\nA1;ada@exemple.fr;06 12 34 56 78;oui\n"


@pytest.fixture
def ada(ready: Tocsin, typed: Typed) -> str:
    (ready.folder / "people.csv").write_text(PEOPLE)
    typed.must("import", "people.csv")
    return "ada@exemple.fr"


@pytest.mark.parametrize("who", ["ada@exemple.fr", "ADA@exemple.fr", "0612345678", "A1"])
def test_what_somebody_said_of_targeting_is_kept_with_its_proof(ada: str, typed: Typed, who: str) -> None:
    said = typed.must("consent", "targeting", who, "granted", "--source", "bulletin", "--on", "2026-01-05")
    assert "consent to targeting is granted" in said
    shown = typed.must("consent", "show", ada)
    assert "e-mail: granted; sms: unknown; targeting: granted." in shown
    assert "bulletin" in shown
    older = typed.must("consent", "targeting", who, "withdrawn", "--source", "lettre", "--on", "2025-12-01")
    assert "Kept as proof" in older
    assert "consent to targeting is granted" in older
    typed.must("consent", "targeting", who, "withdrawn", "--source", "courriel")
    assert "targeting: withdrawn." in typed.must("consent", "show", ada)


def test_what_nobody_could_prove_is_refused_in_a_line(ada: str, typed: Typed) -> None:
    for source, day, problem in (
        (" ", "2026-01-05", "Nobody could prove this consent."),
        ("x", "2090-01-05", "cannot come from the future"),
        ("x", "hier", "“hier”"),
    ):
        ran = typed("consent", "targeting", ada, "granted", "--source", source, "--on", day)
        assert (ran.code, problem in ran.err) == (2, True), ran.err
    assert "Nobody has the address" in typed("consent", "show", "eve@exemple.fr").err


def test_a_political_campaign_says_on_the_terminal_what_makes_it_targeted(ada: str, typed: Typed) -> None:
    typed.must("segment", "add", "lyon", "email:ada@exemple.fr")
    typed.must("segment", "add", "all", "everyone")
    typed.must("template", "add", "hello", "--starter", "newsletter")
    typed.must("identity", "add", "nat", "--name", "Les Amis", "--email", "contact@example.org")
    draft = ("campaign", "create", "Lettre", "--template", "hello", "--from", "nat", "--nature", "political")
    chosen = typed.must(*draft, "--segment", "lyon")
    assert "1 targeted, 0 would get it; left out: 1 no targeting consent." in " ".join(chosen.split())
    assert "chosen by people’s data: the segments (e-mail)" in " ".join(chosen.split())
    typed.must("consent", "targeting", ada, "granted", "--source", "bulletin")
    assert "1 would get it" in typed.must("campaign", "preview", "Lettre")
    assert "The same message to the whole list" in " ".join(typed.must(*draft, "--segment", "all").split())
