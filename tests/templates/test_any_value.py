"""Whatever people's names are, the message stays legal and shows them."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from templates.personalise import VALUE_LENGTH, clean, write_html
from templates.spelling import spell_once
from templates.transfer import quote_value
from tests.templates.letters import (
    a_letter,
    as_mail,
    assert_canonical,
    assert_quoted_printable,
    attribute,
    read_html,
    read_text,
    rendered,
)

ANYTHING = st.one_of(
    st.text(max_size=300),
    st.text(alphabet=" \t\r\n.=<>&\"'{}%#é😀\u2028\x00\x85\u00a0e\u0301", max_size=300),
    st.text(alphabet=st.characters(), max_size=40),
    st.sampled_from(
        ["A  B", "\tA ", "A\r\nBcc: x@y", ".dot", "=3D", "100%", "x" * 900, "日本語" * 90, "é" * 300]
    ),
    st.sampled_from(
        ["a@b.fr", "</style><script>", "{{ 7*7 }}", "{% if %}", "\ud800", "\ue0001\ue001", "\ue0100\ue001"]
    ),
)
LETTER = a_letter(
    "<mj-text>Début [{{ a }}] milieu [{{ b }}] et [{{ a }}{{ b }}]<br />[{{ a }}]<b>[{{ b }}]</b></mj-text>"
    '<mj-image src="https://example.org/i.png" alt="[{{ a }}]" />'
    '<mj-button href="https://example.org/?x={{ a }}">[{{ b }}]</mj-button>'
    "{% if a == b %}<mj-text>{{ a }}  {{ b }} </mj-text>{% endif %}"
    "<mj-text>{% for letter in a %}<i>{{ letter }}</i>{% endfor %}</mj-text>",
    subject="[{{ a }}] {{ b }}",
    preheader="[{{ b }}]",
    fallbacks={"a": "", "b": "personne"},
)


@given(a=ANYTHING, b=ANYTHING)
@example(a=".", b=".")
@example(a="", b="\t")
@example(a="été " * 50, b=". " * 100)
@example(a="&.&& " * 40, b="日本 " * 66)
@example(a="😀" * 200, b="日" * 200)
def test_any_value_makes_a_legal_message_that_shows_it(a: str, b: str) -> None:
    message = rendered(LETTER, a=a, b=b)
    shown_a, shown_b = clean(a), clean(b) or "personne"

    assert_canonical(message.html)
    assert_quoted_printable(message.text)
    words = read_html(message)
    assert f"Début [{shown_a}] milieu [{shown_b}] et [{shown_a}{shown_b}]" in words
    assert re.sub(r"[\r\n]+", " ", attribute(message, "img", "alt")) == f"[{shown_a}]"
    text = read_text(message)
    assert f"Début [{shown_a}] milieu [{shown_b}] et [{shown_a}{shown_b}]\n[{shown_a}][{shown_b}]\n" in text


@given(value=ANYTHING)
def test_no_value_reaches_the_headers(value: str) -> None:
    message = rendered(LETTER, a=value, b=value)
    assert message.subject.isprintable() or not re.search(
        r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", message.subject
    )
    assert as_mail(message).keys() == ["Subject", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"]


@given(value=ANYTHING)
def test_a_cleaned_value_is_one_short_line_and_stays_as_it_is(value: str) -> None:
    cleaned = clean(value)
    assert clean(cleaned) == cleaned
    assert len(cleaned) <= VALUE_LENGTH
    assert cleaned == cleaned.strip(" ")
    assert "  " not in cleaned
    assert not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in cleaned)
    assert all(len(word.encode("ascii", "xmlcharrefreplace")) <= 320 for word in cleaned.split(" "))


@given(value=st.one_of(ANYTHING, st.from_regex(r"\A[A-Za-z0-9 .,;:/@_?!()+*-]{0,90}\Z")))
def test_a_value_is_spelled_alike_however_plain_it_is(value: str) -> None:
    assert spell_once(value) == (clean(value), write_html(clean(value)), quote_value(clean(value)))


@given(value=st.text(alphabet="abcdefghéèàç ABC-'’", max_size=60))
def test_ordinary_names_lose_nothing_but_surplus_blanks(value: str) -> None:
    assert clean(value) == " ".join(value.split())


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("  Zoé \t Martin ", "Zoé Martin"),
        ("e\u0301", "é"),
        ("10\u00a0000\u202f€", "10\u00a0000\u202f€"),
        ("moc.elpmaxe\u202e", "moc.elpmaxe"),
        ("a\x00b\x85c\u2028d", "a b c d"),
        ("\ud800x", "\ufffdx"),
        ("👩\u200d🌾", "👩\u200d🌾"),
        ("a" * 300, "a" * 200),
    ],
)
def test_what_cleaning_does(value: str, shown: str) -> None:
    assert clean(value) == shown


def test_a_message_that_nothing_can_wrap_still_goes_over_the_wire() -> None:
    """Slots in a row leave no place for the end of a line."""
    letter = a_letter("<mj-text>" + "{{ a }}" * 12 + "</mj-text>")
    message = rendered(letter, a="&" * 60)
    assert_canonical(message.html)
    assert read_html(message).replace(" ", "").count("&") == 12 * 60
    assert_quoted_printable(message.text)
