"""A proven message needs no second look, and ordinary messages are proven."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import newsletter
from models.values import EmailMessage
from templates import CompiledEmail, compile_email
from templates.personalise import clean
from tests.templates.letters import a_letter, assert_canonical, assert_quoted_printable, rendered
from tests.templates.test_any_value import ANYTHING

LETTERS = {
    "fields": a_letter(
        "<mj-text>{{ a }} {{ b }}, .{{ a }}. {{ b }}<br />{{ a }}{{ b }}</mj-text>"
        '<mj-image src="https://example.org/i.png" alt="{{ a }}" /><mj-text>.{{ b }}</mj-text>',
        subject="{{ a }}",
    ),
    "conditions": a_letter(
        "<mj-text>Un {% if a %}deux {{ a }} {% endif %} trois {% if b == 'x' %}{% endif %} .quatre"
        "{% if a %} {% endif %}<b>{{ b }}</b> {% if b %}.{% endif %}</mj-text>"
        "{% if a %}<mj-text>{{ a }} {{ b }}</mj-text>{% endif %}"
    ),
    "loops": a_letter(
        "<mj-text>{% for one in a.split(' ') %}{{ one }} {% endfor %}"
        " {% for one in b %}.{{ one }}{% endfor %}"
        "{% for one in a.split(',') %}<a href='https://example.org/?x={{ a }}'>{{ one }}</a>{% endfor %}"
        "</mj-text>"
    ),
    "expressions": a_letter(
        "<mj-text>{{ a|upper }} {{ b|truncate(9) }} {{ a ~ b }} {{ (a ~ ' ')|e }} {{ '' }} x</mj-text>"
    ),
    "empty fallbacks": a_letter("<mj-text>Un {{ a }} {{ b }} deux.</mj-text>", fallbacks={"a": "", "b": ""}),
}
FALLBACKS = {"a": "A", "b": "B"}


def check(message: EmailMessage) -> None:
    assert_quoted_printable(message.text)
    assert_canonical(message.html)
    assert b"\r\n." not in message.html
    assert not message.html.startswith(b".")
    assert b"\0" not in message.html + message.text


@pytest.mark.parametrize("letter", LETTERS.values(), ids=LETTERS)
@given(a=ANYTHING, b=ANYTHING)
def test_what_is_proven_is_true(letter: CompiledEmail, a: str, b: str) -> None:
    values = {name: value for name, value in (("a", a), ("b", b)) if clean(value)}
    message = rendered(letter, **{**FALLBACKS, **values})
    if message.proven:
        check(message)
    else:
        assert_canonical(message.html)


@given(
    a=st.text("abcdefghéèàçÉ -'’", min_size=1, max_size=40),
    b=st.text("0123456789.,€", min_size=1, max_size=9),
)
def test_ordinary_messages_are_proven(a: str, b: str) -> None:
    for name, letter in LETTERS.items():
        message = rendered(letter, a=f"x{a}", b=f"{b}x")
        assert message.proven, name


def test_a_newsletter_is_proven() -> None:
    letter = compile_email(
        subject=newsletter.SUBJECT, preheader=newsletter.PREHEADER, mjml=newsletter.mjml(), fallbacks={}
    )
    for number in range(50):
        message = rendered(letter, **newsletter.person(number), organisation="O", postal_address="P")
        assert message.proven
        check(message)


def test_a_loop_that_makes_a_line_too_long_is_not_proven_but_mended() -> None:
    letter = a_letter("<mj-text>{% for one in a.split(',') %}<i>{{ one }}</i>{% endfor %}</mj-text>")
    assert rendered(letter, a="un,deux").proven
    message = rendered(letter, a=",".join("x" for _ in range(99)) + ",y")
    assert not message.proven
    assert_canonical(message.html)


def test_two_blanks_left_by_a_condition_become_one() -> None:
    letter = a_letter("<mj-text>Bonjour {% if a %}chère {% endif %} Zoé et {{ b }} .</mj-text>")
    for value in ("", "x"):
        message = rendered(letter, a=value, b="Ada")
        assert message.proven
        assert b"  " not in message.html
    assert b"Bonjour Zo&#233; et Ada ." in rendered(letter, b="Ada").html
