"""Every finding about an identity has its words, in both languages."""

import re
from zoneinfo import ZoneInfo

import pytest

from deliverability.health import FindingLevel, HealthCode, HealthFinding
from deliverability.health.findings import Part
from models.health import HealthLevel
from web.health_words import LEVELS, PARTS, SENTENCES, advised, said
from web.i18n import Tongue, read_catalogue

PARIS = ZoneInfo("Europe/Paris")
PLACES = re.compile(r"%\((\w+)\)s")


@pytest.mark.parametrize("code", HealthCode)
def test_every_code_is_said_in_both_languages_and_what_is_wrong_comes_with_advice(code: HealthCode) -> None:
    sentences = SENTENCES[code]
    assert read_catalogue("fr")[sentences.what]
    in_order = code.value.endswith(("_fine", "_clear", "_sms_only"))
    assert bool(sentences.advice) is not in_order
    values = {name: f"<{name}>" for name in PLACES.findall(sentences.what + sentences.advice)}
    finding = HealthFinding(code, FindingLevel.WARNING, values)
    for language in ("fr", "en"):
        tongue = Tongue(language, PARIS)
        told = said(finding, tongue) + advised(finding, tongue)
        assert "%" not in told
        assert all(value in told for value in values.values())


def test_parts_and_levels_have_names() -> None:
    assert set(PARTS) == set(Part)
    assert all(LEVELS[level] for level in (*FindingLevel, *HealthLevel))


def test_a_value_that_an_older_look_did_not_keep_stays_blank() -> None:
    finding = HealthFinding(HealthCode.SPF_SYNTAX, FindingLevel.PROBLEM, {"name": "parti.example"})
    assert "parti.example" in said(finding, Tongue("en", PARIS))


def test_words_of_ours_are_translated_and_words_of_the_dns_are_not() -> None:
    values = {"name": "parti.example", "spf": "not_aligned"}
    finding = HealthFinding(HealthCode.ALIGNMENT_DKIM_ONLY, FindingLevel.WARNING, values)
    assert "relève d’un autre domaine" in said(finding, Tongue("fr", PARIS))
    assert "parti.example" in said(finding, Tongue("fr", PARIS))
