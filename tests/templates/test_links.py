"""Links lead where the template says, and nowhere else."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.errors import TemplateError
from templates import render_target
from templates.personalise import clean
from tests.templates.letters import LEAVE, a_letter, links_of, rendered


@given(value=st.text(max_size=80))
def test_a_value_stays_in_its_place_whatever_it_holds(value: str) -> None:
    assume(clean(value))
    url = render_target("https://example.org/a?x={{ v }}&y=1#{{ v }}", {"v": value})
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "example.org", "/a")
    assert parse_qs(parts.query) == {"x": [clean(value)], "y": ["1"]}
    assert url.isascii()
    assert url.isprintable()


@pytest.mark.parametrize(
    ("target", "values", "url"),
    [
        ("https://example.org", {}, "https://example.org"),
        ("https://example.org/{{ a }}/b", {"a": "é/à"}, "https://example.org/%C3%A9%2F%C3%A0/b"),
        ("https://example.org/?a={{ a }}", {}, "https://example.org/?a="),
        ("https://example.org/?a={{ a ~ b }}", {}, "https://example.org/?a="),
        ("https://example.org/?a={{ a|default('x') }}", {}, "https://example.org/?a=x"),
        ("https://example.org/?a={{ a|urlencode }}", {"a": "é&"}, "https://example.org/?a=%C3%A9%26"),
        ("https://example.org/?a={{ none }}", {}, "https://example.org/?a="),
        ("{% if a %}https://a.org/{% else %}https://b.org/{{ b }}{% endif %}", {"b": "1"}, "https://b.org/1"),
        ("https://exämple.org/é à?%20", {}, "https://xn--exmple-cua.org/%C3%A9%20%C3%A0?%20"),
        ("https://example.org:8080/x", {}, "https://example.org:8080/x"),
        ("http://[2001:db8::1]/x", {}, "http://[2001:db8::1]/x"),
    ],
)
def test_targets_for_one_person(target: str, values: dict[str, str], url: str) -> None:
    assert render_target(target, values) == url


def test_a_fallback_stands_in_a_target_too() -> None:
    assert (
        render_target("https://example.org/{{ a }}", {"a": " "}, {"a": "tous"}) == "https://example.org/tous"
    )


@pytest.mark.parametrize(
    ("target", "values"),
    [
        ("{% if true %}{{ a }}{% endif %}", {"a": "https://evil.example"}),
        ("{% if true %}https://{{ a }}{% endif %}", {"a": "evil.example"}),
        ("{% if true %}https://example.org{{ a }}{% endif %}", {"a": ".evil.example"}),
        ("{% if true %}https://{{ a }}@example.org/{% endif %}", {"a": "x"}),
        ("{% if true %}https://example.org@{{ a }}{% endif %}", {"a": "evil.example"}),
        ("{% if false %}https://example.org{% endif %}", {}),
        ("{% if true %}javascript:alert(1){% endif %}", {}),
        ("{% if true %}https://{% endif %}", {}),
        ("https://exa mple.org", {}),
        ("https://\u2100.org/", {}),
        ("https://" + "é" * 80 + ".org/", {}),
    ],
)
def test_no_value_chooses_the_host(target: str, values: dict[str, str]) -> None:
    with pytest.raises(TemplateError):
        render_target(target, values)


@pytest.mark.parametrize(
    "href",
    [
        "{{ site }}",
        "https://{{ site }}/",
        "https://example.org{{ path }}",
        "https://{{ a }}@example.org/",
        "javascript:alert(1)",
        "data:text/html,x",
        "/relative",
        "www.example.org",
        "https://",
        "https:///x",
        "ftp://example.org/",
    ],
)
def test_a_link_that_is_no_web_address_of_its_own_does_not_compile(href: str) -> None:
    with pytest.raises(TemplateError):
        a_letter(f'<mj-text><a href="{href}">x</a></mj-text>')


def test_addresses_that_are_not_of_the_web_are_left_alone() -> None:
    hrefs = ["mailto:a@b.fr", "tel:+33123456789", "sms:36111", "#haut", ""]
    letter = a_letter("<mj-text>" + "".join(f'<a href="{href}">x</a>' for href in hrefs) + "</mj-text>")
    assert letter.links == ()
    assert links_of(rendered(letter)) == [*hrefs, LEAVE]


def test_a_link_inside_a_loop_may_not_use_what_exists_only_there() -> None:
    with pytest.raises(TemplateError, match="only inside a loop"):
        a_letter(
            '<mj-text>{% for t in tags %}<a href="https://example.org/{{ t }}">x</a>{% endfor %}</mj-text>'
        )


def test_a_link_under_a_condition_has_its_number() -> None:
    letter = a_letter('<mj-button href="https://example.org/{% if a %}a{% else %}b{% endif %}">x</mj-button>')
    assert render_target(letter.links[0], {"a": "1"}) == "https://example.org/a"
    assert render_target(letter.links[0], {}) == "https://example.org/b"
