"""The starters: complete, legal, free of findings, and fetching nothing."""

import re

import pytest

from models.states import Channel
from templates import compile_email, compile_sms, lint_email, lint_sms, starters
from templates.gallery import Starter
from templates.sms import measure
from tests.templates.letters import (
    assert_canonical,
    assert_quoted_printable,
    links_of,
    read_html,
    read_text,
    rendered,
)

EMAILS = [starter for starter in starters() if starter.channel is Channel.EMAIL]
TEXTS = [starter for starter in starters() if starter.channel is Channel.SMS]
SENDER = {"organisation": "Les Vallées", "sender_name": "Julien", "postal_address": "1 rue X, 63000 Clermont"}
PERSON = {
    "first_name": "Zoé",
    "last_name": "Martin",
    "commune": "Bègles",
    "postcode": "33130",
    "polling_station": "7",
}


def named(starter: Starter) -> str:
    return starter.name


def test_there_are_four_emails_and_two_text_messages() -> None:
    assert (len(EMAILS), len(TEXTS)) == (4, 2)
    assert len({starter.name for starter in starters()}) == 6
    assert all(starter.description.endswith(".") for starter in starters())


@pytest.mark.parametrize("starter", EMAILS, ids=named)
@pytest.mark.parametrize("person", [{}, PERSON], ids=["unknown", "known"])
def test_a_starter_makes_a_whole_email_for_anybody(starter: Starter, person: dict[str, str]) -> None:
    letter = compile_email(
        subject=starter.subject, preheader=starter.preheader, mjml=starter.body, fallbacks=starter.fallbacks
    )
    message = rendered(letter, **SENDER, **person)
    assert_canonical(message.html)
    assert_quoted_printable(message.text)
    assert message.subject
    for words in (read_html(message), read_text(message)):
        assert "Les Vallées" in words
        assert "désinscrire" in words
        assert "{{" not in words
    assert len(links_of(message)) > 2
    assert ("Zoé" in read_html(message)) == bool(person) or starter.name == "invitation"


@pytest.mark.parametrize("starter", EMAILS, ids=named)
def test_an_email_starter_has_no_findings_and_fetches_nothing(starter: Starter) -> None:
    letter = compile_email(
        subject=starter.subject, preheader=starter.preheader, mjml=starter.body, fallbacks=starter.fallbacks
    )
    found = lint_email(
        subject=starter.subject, preheader=starter.preheader, mjml=starter.body, fallbacks=starter.fallbacks
    )
    assert found == []
    html = rendered(letter, **SENDER, **PERSON).html
    assert not re.search(rb"<(?:img|link|script)\b|url\(|@import", html)


@pytest.mark.parametrize("starter", TEXTS, ids=named)
def test_a_text_starter_fits_one_segment(starter: Starter) -> None:
    assert lint_sms(body=starter.body, fallbacks=starter.fallbacks) == []
    text = compile_sms(body=starter.body, fallbacks=starter.fallbacks).render(PERSON)
    assert text.segments == 1
    assert not measure(starter.body.replace("{{", "").replace("}}", "")).unicode
