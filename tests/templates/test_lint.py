"""What is found in a template before it is sent."""

import pytest

from templates import lint_email, lint_sms
from templates.lint import Finding, Level
from tests.templates.letters import a_body

GOOD = (
    "<mj-text>Bonjour {{ first_name }}, {{ organisation }} vous invite jeudi à la salle des fêtes, "
    "à dix-neuf heures, pour parler ensemble de ce qui compte ici.</mj-text>"
)

LEAVE = '<a href="{{ unsubscribe_url }}">x</a>'


def linked(href: str, text: str = "x") -> str:
    return f'{GOOD}<mj-text><a href="{href}">{text}</a></mj-text>'


def pictured(alt: str) -> str:
    return f'<mj-image src="https://example.org/i.png" {alt} />'


def findings(content: str = GOOD, *, subject: str = "Réunion jeudi", **more: object) -> list[Finding]:
    keywords: dict[str, object] = {"preheader": "Venez", "fallbacks": {"first_name": "vous"}, **more}
    return lint_email(subject=subject, mjml=a_body(content), **keywords)  # type: ignore[arg-type]


def test_a_good_template_has_no_findings() -> None:
    assert findings() == []


@pytest.mark.parametrize(
    ("content", "subject", "level", "words"),
    [
        (GOOD + "<mj-text>{{ fist_name }}</mj-text>", "x", Level.BLOCKER, "Did you mean first_name?"),
        (GOOD + "<mj-text>{{ shoe_size }}</mj-text>", "x", Level.WARNING, "not a standard field"),
        (GOOD + "<mj-text>{{ commune }}</mj-text>", "x", Level.WARNING, "commune has no fallback"),
        (GOOD + "<mj-text>{{ x }</mj-text>", "x", Level.BLOCKER, "braces"),
        (GOOD + "<mj-txt>x</mj-txt>", "x", Level.BLOCKER, "Line 1"),
        (f"{GOOD}<mj-text>{{% if false %}}{LEAVE}{{% endif %}}</mj-text>", "x", Level.BLOCKER, "unsubscribe"),
        (f"<mj-text>Bonjour {LEAVE}</mj-text>", "x", Level.BLOCKER, "who sends it"),
        (GOOD + "<mj-text>" + "mot " * 30_000 + "</mj-text>", "x", Level.BLOCKER, "102"),
        (GOOD + "<mj-text>" + "mot " * 23_000 + "</mj-text>", "x", Level.WARNING, "below 90"),
        (GOOD + pictured(""), "x", Level.WARNING, "no description"),
        ("<mj-text>{{ organisation }}</mj-text>" + pictured("alt='a'"), "x", Level.WARNING, "mostly"),
        (linked("http://example.org/"), "x", Level.WARNING, "not encrypted"),
        (linked("https://www.bit.ly/x"), "x", Level.WARNING, "shortener"),
        (linked("https://192.0.2.1/x"), "x", Level.WARNING, "bare address"),
        (linked("https://exämple.org/x"), "x", Level.WARNING, "beyond ASCII"),
        (linked("https://a.example/x", "www.b.example"), "x", Level.WARNING, "leads to a.example"),
        (GOOD, "RÉUNION JEUDI", Level.WARNING, "capitals"),
        (GOOD, "Re: réunion", Level.WARNING, "reply"),
        (GOOD, "Fwd : réunion", Level.WARNING, "reply"),
        (GOOD, "TR: réunion", Level.WARNING, "reply"),
        (GOOD, "mot " * 20, Level.WARNING, "79 characters"),
        (GOOD, "Venez !!", Level.WARNING, "punctuation"),
        (GOOD, "", Level.BLOCKER, "subject is empty"),
        (GOOD, "{{ x", Level.BLOCKER, "In the subject"),
    ],
)  # fmt: skip
def test_findings_about_an_email(content: str, subject: str, level: Level, words: str) -> None:
    found = findings(content, subject=subject)
    assert any(words in str(finding) and finding.level is level for finding in found), [
        str(one) for one in found
    ]


def test_a_link_that_shows_its_own_host_is_fine() -> None:
    content = linked("https://www.example.org/x", "example.org/x")
    assert findings(content) == []


def test_a_missing_preheader_is_a_warning() -> None:
    assert [one.level for one in findings(preheader="")] == [Level.WARNING]


def test_a_contacts_own_field_is_known_when_it_is_named() -> None:
    content = GOOD + "<mj-text>{{ shoe_size|default('—') }}</mj-text>"
    assert findings(content, known_fields={"shoe_size"}) == []
    assert findings(content, known_fields=set())[0].level is Level.BLOCKER


def test_blockers_come_first_and_each_finding_once() -> None:
    links = '<mj-text><a href="http://a.example/1">x</a><a href="http://a.example/2">y</a></mj-text>'
    found = findings(GOOD + links, subject="")
    assert [one.level for one in found] == [Level.BLOCKER, Level.WARNING]


def test_an_email_without_words() -> None:
    content = (
        '<mj-raw><a href="{{ unsubscribe_url }}"><img src="https://example.org/i.png" alt="x"></a></mj-raw>'
    )
    assert any("no text" in str(one) for one in findings(content))


@pytest.mark.parametrize(
    ("body", "level", "words"),
    [
        ("Bonjour", Level.BLOCKER, "how to stop"),
        ("", Level.BLOCKER, "empty"),
        ("{{ x", Level.BLOCKER, "Line 1"),
        ("Où êtes-vous ? STOP 36111", Level.WARNING, "(ê)"),
        ("ê" + "a" * 100 + " STOP 36111", Level.WARNING, "Without them it costs 1"),
        ("a" * 600 + " STOP 36111", Level.WARNING, "4 segments"),
        ("Où êtes-vous ? STOP 36111", Level.WARNING, "make the message cost 1 segment."),
        ("{{ commune }} STOP 36111", Level.WARNING, "no fallback"),
        ("{{ commune }} STOP 36111", Level.WARNING, "blocks the whole campaign"),
        ("{{ comune }} STOP 36111", Level.BLOCKER, "Did you mean commune?"),
    ],
)
def test_findings_about_a_text_message(body: str, level: Level, words: str) -> None:
    found = lint_sms(body=body, fallbacks={})
    assert any(words in str(finding) and finding.level is level for finding in found), [
        str(one) for one in found
    ]


def test_a_good_text_message_has_no_findings() -> None:
    assert lint_sms(body="Bonjour {{ first_name }}. STOP 36111", fallbacks={"first_name": "à tous"}) == []
