"""An e-mail compiled once: what every person reads, and what it is made of."""

import re

import pytest

from models.errors import TemplateError
from templates.slots import MissingValueError
from templates.source import SourceError
from tests.templates.letters import (
    CLICK_BASE,
    LEAVE,
    a_body,
    a_letter,
    assert_canonical,
    assert_quoted_printable,
    attribute,
    links_of,
    read_html,
    read_text,
    rendered,
)


def test_a_condition_with_a_sign_of_comparison_survives_mjml() -> None:
    letter = a_letter("<mj-text>{% if age|int < 18 %}Jeune{% elif 3 > 2 %}Adulte{% endif %}</mj-text>")
    assert "Jeune" in read_html(rendered(letter, age="17"))
    assert "Adulte" in read_html(rendered(letter, age="18"))


def test_conditions_and_loops_stand_around_sections_and_columns() -> None:
    around = "{% if commune %}{}{% endif %}"
    mjml = a_body("<mj-text>À {{ commune }}</mj-text>", around=around)
    letter = a_letter(mjml=mjml)
    assert "À Bègles" in read_html(rendered(letter, commune="Bègles"))
    assert "À" not in read_html(rendered(letter))


def test_a_loop_repeats_its_text_in_both_parts() -> None:
    letter = a_letter(
        "<mj-text><ul>{% for tag in tags.split(',') %}<li>{{ tag }}</li>{% endfor %}</ul></mj-text>"
    )
    message = rendered(letter, tags="un,deux,trois")
    assert "undeuxtrois" in read_html(message)
    assert "- un\n- deux\n- trois\n" in read_text(message)


def test_false_conditions_leave_no_blank_lines_and_no_double_blanks() -> None:
    letter = a_letter(
        "<mj-text>Un {% if a %}deux{% endif %} trois</mj-text>"
        "{% if a %}<mj-text>Quatre</mj-text>{% endif %}"
        "<mj-text>{% if a %}Cinq{% endif %}</mj-text>"
        "<mj-text>{% if a %}Six{% endif %}</mj-text><mj-text>Fin{% if a %}!{% endif %}</mj-text>"
    )
    message = rendered(letter, email="x@example.org")
    assert_canonical(message.html)
    assert_quoted_printable(message.text)
    assert "\n\n\n" not in read_text(message)
    assert read_text(message).startswith("Un  trois\n\nFin\n\nCe message") or "Un trois" in read_text(message)


def test_a_false_condition_at_the_very_end_leaves_a_whole_last_line() -> None:
    letter = a_letter(
        '<mj-text><a href="{{ unsubscribe_url }}">x</a><br />Fin{% if a %} ou presque{% endif %}</mj-text>'
    )
    message = rendered(letter)
    assert message.text.endswith(b"\r\nFin\r\n")
    assert rendered(letter, a="1").text.endswith(b"ou presque\r\n")


def test_a_long_value_is_folded_before_words_but_never_before_a_dot() -> None:
    value = "ééé .éé " * 25
    message = rendered(a_letter("<mj-text>{{ x }}</mj-text>"), x=value)
    assert_canonical(message.html)
    assert " ".join(value.split()) in read_html(message)
    assert b"\r\n." not in message.html
    lines = message.html.split(b"\r\n")
    assert max(len(line) for line in lines if b"&#233;&#233;" in line) < 700


def test_static_text_is_encoded_once_and_values_in_their_places() -> None:
    letter = a_letter("<mj-text>Où êtes-vous, {{ first_name }} ?</mj-text>", subject="Où, {{ first_name }} ?")
    message = rendered(letter, first_name="Zoé & Cie")
    assert b"O&#249; &#234;tes-vous, Zo&#233; &amp; Cie ?" in message.html
    assert message.subject == "Où, Zoé & Cie ?"
    assert "Où êtes-vous, Zoé & Cie ?" in read_text(message)


def test_css_beyond_ascii_is_escaped_not_referenced() -> None:
    letter = a_letter(
        mjml=a_body("<mj-text>x</mj-text>", head='<mj-style>.x::before { content: "été"; }</mj-style>')
    )
    html = rendered(letter).html
    assert b'content: "\\e9 t\\e9 "' in html
    assert b"content: &#" not in html


def test_attributes_survive_the_library_that_escapes_them() -> None:
    letter = a_letter(
        '<mj-text><a href="https://example.org/é" title=\'dit "oui"\'>x</a>'
        '<span title="a\\b &quot;c&quot; d\u00a0e\nf {{ x }}">y</span></mj-text>'
    )
    message = rendered(letter, x="<z>")
    assert attribute(message, "span", "title") == 'a\\b "c" d\u00a0e f <z>'
    assert attribute(message, "a", "title") == 'dit "oui"'
    assert letter.links == ("https://example.org/é",)


def test_blanks_of_preformatted_text_are_kept() -> None:
    letter = a_letter("<mj-text><pre>a\n  b   c </pre></mj-text>")
    message = rendered(letter)
    assert_canonical(message.html)
    html = message.html.decode()
    pre = html[html.index("<pre>") : html.index("</pre>")]
    assert pre.replace("&#32;", " ").replace("&#10;", "\n") == "<pre>a\n  b   c "


def test_long_static_text_is_wrapped_between_words_and_tags_between_attributes() -> None:
    words = " ".join(f"mot{number}" for number in range(800))
    letter = a_letter(
        f'<mj-text>{words}<a href="https://example.org/" style="{"color: red; " * 60}">x</a></mj-text>'
    )
    message = rendered(letter)
    assert_canonical(message.html)
    assert words in read_html(message)
    assert b"color:\r\nred" not in message.html


def test_the_signs_around_marks_do_not_meet_the_text() -> None:
    letter = a_letter("<!-- note --><mj-text>zqp0zq zqq {{ x }}<!-- note --></mj-text>")
    assert "zqp0zq zqq 1" in read_html(rendered(letter, x="1"))


@pytest.mark.parametrize("tag", ["mj-text", "mj-raw", "mj-table"])
def test_nothing_is_included(tag: str) -> None:
    with pytest.raises(SourceError, match="not supported"):
        a_letter(f'<{tag}><mj-include path="{__file__}" /></{tag}>')


def test_an_empty_body_is_an_empty_message() -> None:
    assert not read_html(rendered(a_letter(mjml="<mjml><mj-body /></mjml>"))).strip()


def test_loops_without_a_blank_are_cut_between_characters() -> None:
    loop = "{% for a in range(900) %}"
    message = rendered(a_letter(f"<mj-text>{loop}x{{% endfor %}}{loop}œ{{% endfor %}}</mj-text>"))
    assert_canonical(message.html)
    assert read_html(message).count("œ") == 900


def test_the_preheader_comes_first_and_is_hidden() -> None:
    letter = a_letter(preheader="À {{ commune }} & ailleurs")
    message = rendered(letter, commune="<Lyon>")
    assert read_html(message).startswith("À <Lyon> & ailleurs")
    assert b"display:none" in message.html.split(b"&lt;Lyon")[0].split(b"<body")[1]
    assert "Lyon" not in read_text(message)


def test_a_template_without_a_way_out_gets_a_footer() -> None:
    message = rendered(a_letter(), organisation="Les Vallées", postal_address="1 rue X", email="a@b.fr")
    assert LEAVE in links_of(message)
    assert "Les Vallées1 rue XCe message a été envoyé à a@b.frSe désinscrire" in read_html(message)
    assert f"Se désinscrire\u00a0: {LEAVE}" in read_text(message)


def test_the_footer_speaks_english_when_asked() -> None:
    message = rendered(a_letter(language="en"))
    assert "Unsubscribe" in read_html(message)
    assert b'lang="en"' in message.html


def test_a_template_with_its_own_way_out_gets_no_footer() -> None:
    message = rendered(a_letter('<mj-text><a href="{{ unsubscribe_url }}">Adieu</a></mj-text>'))
    assert links_of(message) == [LEAVE]
    assert "désinscrire" not in read_html(message)


def test_fields_are_those_the_message_uses() -> None:
    letter = a_letter(
        '<mj-text>{{ a }}<a href="https://example.org/{{ b }}">x</a>'
        '<a href="{{ unsubscribe_url }}">y</a></mj-text>',
        subject="{{ c }}",
        preheader="{{ d }}",
    )
    assert letter.fields == {"a", "b", "c", "d"}


@pytest.mark.parametrize(
    ("content", "values", "missing"),
    [
        ("{% if first_name %}Bonjour {{ first_name }}{% else %}Bonjour{% endif %}", {}, ()),
        ("Bonjour {{ first_name }}", {}, ("first_name",)),
        ("Bonjour {{ first_name }}", {"first_name": " \t"}, ("first_name",)),
        ("Bonjour {{ first_name }}", {"first_name": "Zoé"}, ()),
        ("Bonjour {{ first_name|default('vous') }}", {}, ()),
        ("Bonjour {{ first_name|upper }}", {}, ("first_name",)),
        ("{{ b }} {{ a }} {{ b }}", {}, ("b", "a")),
        ("{{ a }} {{ b }}", {"a": "1"}, ("b",)),
        ("{% if a %}{{ b }}{% endif %}", {}, ()),
        ("{% if a %}{{ b }}{% endif %}", {"a": "1"}, ("b",)),
        ("{% if a == 'x' %}1{% elif 'y' in a %}2{% else %}3{% endif %}", {}, ()),
        ("{% if a|int > 3 %}1{% endif %}", {}, ("a",)),
        ("{{ a ~ '!' }}", {}, ("a",)),
        ("{{ a|e }}", {}, ("a",)),
        ("{{ a.upper() }}", {}, ("a",)),
        ("{{ 2 * a }}", {}, ("a",)),
        ("{% for x in a %}{{ x }}{% endfor %}", {}, ()),
        ("{{ a if a else 'rien' }}", {}, ()),
        ("{{ a is defined }}", {}, ()),
        ('<a href="https://example.org/{{ a }}">x</a>', {}, ("a",)),
        ('{% if b %}<a href="https://example.org/{{ a }}">x</a>{% endif %}', {}, ()),
        ("{{ with_fallback }}", {}, ()),
        ("{{ empty_fallback }}", {}, ()),
    ],
)
def test_missing_names_exactly_what_rendering_would_meet(
    content: str, values: dict[str, str], missing: tuple[str, ...]
) -> None:
    letter = a_letter(f"<mj-text>{content}</mj-text>", fallbacks={"with_fallback": "x", "empty_fallback": ""})
    assert letter.missing(values) == missing
    if missing:
        with pytest.raises(MissingValueError) as caught:
            rendered(letter, **values)
        assert caught.value.fields == missing
    else:
        rendered(letter, **values)


def test_a_field_missing_in_the_subject_or_the_preheader_is_missing() -> None:
    letter = a_letter(subject="{{ a }}", preheader="{{ b }}")
    assert letter.missing({}) == ("a", "b")


@pytest.mark.parametrize(
    ("mjml", "words"),
    [
        ("<mjml>\n<mj-body>\n  @<mj-txt>x</mj-txt></mj-body></mjml>", "Did you mean <mj-text>?"),
        (
            "<mjml>\n<mj-body>\n @texte <mj-section></mj-section></mj-body></mjml>",
            "Text stands inside <mj-body>",
        ),
        ("<mjml><mj-body>\n@{{ x }}<mj-section /></mj-body></mjml>", "merge field stands between"),
        ("<mjml>@{% if x %}<mj-body></mj-body>{% endif %}</mjml>", "cannot stand inside <mjml>"),
        (a_body('<mj-text @colour="red">x</mj-text>'), "Did you mean color?"),
        (a_body('<mj-text @xyz="red">x</mj-text>'), "has no attribute xyz"),
        (a_body("<mj-text @font-size=12>x</mj-text>"), "no quoted value"),
        (a_body("<mj-text @{{ x }}>x</mj-text>"), "among the attributes"),
        (a_body("@<mj-section></mj-section>"), "cannot stand inside <mj-column>"),
        (a_body("@<mjml></mjml>"), "Delete it"),
        ("<mjml><mj-body><mj-section><mj-column><mj-text>x@</mj-button>", "should be closed"),
        ("<mjml><mj-body>@<mj-section>", "not closed"),
        (a_body("<mj-text>x</mj-text>@</mj-text>"), "should be closed"),
        (a_body("<mj-text>\n1 @< 2</mj-text>"), "&lt;"),
        (
            a_body(
                "<mj-text>é {{ x }}{# note #}</mj-text>\n<mj-text>à {% if x %}é @< b{% endif %}</mj-text>"
            ),
            "&lt;",
        ),
        (
            a_body("<mj-text {%- if true -%} a{% endif %}>@</mj-text>")
            .replace("@", "")
            .replace("{%-", "@{%-"),
            "among",
        ),
        (a_body('@<mj-include path="/etc/passwd" />'), "not supported"),
        (a_body("@<p>x</p>"), "HTML goes inside"),
        (a_body("<mj-text>é@<![CDATA[x]]></mj-text>"), "cannot stand here"),
        (a_body("<mj-social>@{% if x %}<mj-social-element />{% endif %}</mj-social>"), "cannot stand"),
        ("<mjml><mj-body></mj-body></mjml>@</mjml>", "closes nothing"),
        ("@<mj-body></mj-body>", "Begin with <mjml>"),
        ("@texte", "outside <mjml>"),
        ("@", "well-formed"),
        ("<mjml><mj-body>@</mjml>", "should be closed"),
        ("@<mjml><mj-body><mj-section></mj-section></mj-body></mjml><mjml></mjml>", "well-formed"),
    ],
)
def test_mistakes_in_mjml_are_told_with_line_and_column(mjml: str, words: str) -> None:
    """The sign @ marks the place."""
    before, _, _ = mjml.partition("@")
    with pytest.raises(SourceError) as caught:
        a_letter(mjml=mjml.replace("@", ""))
    assert words in str(caught.value)
    assert caught.value.line == before.count("\n") + 1
    assert caught.value.column == len(before) - before.rfind("\n")
    assert caught.value.excerpt.removesuffix("…") in mjml.replace("@", "")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("\n\n{% if x %}", "Line 3"),
        ("{{ x", "braces"),
        ("{% endif %}", "endif"),
        ("{# note", "comment"),
        ("{{ x|fancy }}", "fancy"),
    ],
)
def test_mistakes_in_merge_code_are_told_with_their_line(content: str, words: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(words)):
        a_letter(f"<mj-text>{content}</mj-text>")


def test_a_mistake_in_the_subject_says_so() -> None:
    with pytest.raises(TemplateError, match="In the subject"):
        a_letter(subject="{{ x")


def test_the_name_of_the_click_slot_is_reserved() -> None:
    with pytest.raises(TemplateError, match="reserved"):
        a_letter("<mj-text>{{ click_base }}</mj-text>")


def test_characters_that_no_mail_may_carry_are_refused_with_their_place() -> None:
    with pytest.raises(SourceError, match=r"U\+E000"):
        a_letter("<mj-text>\ue000</mj-text>")
    with pytest.raises(TemplateError, match="longer than"):
        a_letter("<mj-text>" + "x" * 500_000 + "</mj-text>")


def test_a_comment_between_braces_brings_none_together() -> None:
    message = rendered(a_letter("<mj-text>{ {##}{ x } {{ '{{' }}{#- note -#} fin</mj-text>"))
    assert "{ { x } {{fin" in read_html(message)


def test_dashes_take_the_blanks_around_them() -> None:
    message = rendered(a_letter("<mj-text>a {%- if true -%} b {%- endif -%} c {{- ' d ' -}} e</mj-text>"))
    assert "abcde" in read_html(message)
    assert "abcde" in read_text(message)


def test_values_in_other_addresses_are_escaped_for_urls() -> None:
    letter = a_letter(
        '<mj-text><a href="mailto:a@b.fr?subject={{ x }}">écrire</a></mj-text>'
        '<mj-image src="https://e.org/{{ x }}.png" alt="y" />'
    )
    message = rendered(letter, x="a&b c")
    assert links_of(message)[0] == "mailto:a@b.fr?subject=a%26b%20c"
    assert attribute(message, "img", "src") == "https://e.org/a%26b%20c.png"


def test_an_output_that_grows_without_end_is_stopped() -> None:
    loop = "{% for a in range(100) %}{% for b in range(100) %}" + "x" * 500 + "{% endfor %}{% endfor %}"
    with pytest.raises(TemplateError, match="grew beyond"):
        rendered(a_letter(f"<mj-text>{loop}</mj-text>"))


def test_an_expression_that_cannot_be_computed_is_told() -> None:
    with pytest.raises(TemplateError, match="cannot be rendered"):
        rendered(a_letter("<mj-text>{{ a / 0 }}</mj-text>"), a="1")


def test_the_same_link_has_the_same_number_in_both_parts() -> None:
    letter = a_letter(
        '<mj-text><a href="https://example.org/a?x=1&amp;y={{ z }}">a</a> '
        '<a href="https://example.org/b">b</a></mj-text>'
        '<mj-button href="https://example.org/a?x=1&amp;y={{ z }}">encore</mj-button>'
    )
    assert letter.links == ("https://example.org/a?x=1&y={{ z }}", "https://example.org/b")
    message = rendered(letter, z="1")
    assert links_of(message)[:3] == [f"{CLICK_BASE}/0", f"{CLICK_BASE}/1", f"{CLICK_BASE}/0"]
    text = read_text(message)
    assert f"a ({CLICK_BASE}/0) b ({CLICK_BASE}/1)" in text
    assert f"encore\u00a0: {CLICK_BASE}/0" in text
