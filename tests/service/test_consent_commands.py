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
