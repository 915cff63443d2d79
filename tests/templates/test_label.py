"""The label of political advertising: what it says, and that no template gets rid of it."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import TemplateError
from models.states import Channel
from templates import starters
from templates.gallery import Starter
from templates.label import Label
from tests.templates.letters import (
    CLICK_BASE,
    a_letter,
    assert_canonical,
    assert_quoted_printable,
    links_of,
    read_html,
    read_text,
    rendered,
)

GOLDEN = Path(__file__).parent / "golden"
NOTICE = "https://t.example.org/notice/abcdefghijklmnopqrstuvwx"
WHOLE = Label(sponsor="Comité Durand 2026", vote="Municipales 2026, premier tour", targeted=True)
SENDER = {"organisation": "Parti du Rhône", "notice_url": NOTICE, "email": "ada@exemple.fr"}
WHAT = {"fr": "Annonce à caractère politique", "en": "Political advertisement"}
LEAVE_LINK = '<a href="{{ unsubscribe_url }}">Se désinscrire</a>'


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("name", ["whole", "bare"])
def test_the_label_reads_as_its_golden_file_says(language: str, name: str) -> None:
    label = WHOLE if name == "whole" else Label()
    message = rendered(a_letter(language=language, label=label), **SENDER)
    wanted = (GOLDEN / f"label_{name}.{language}.txt").read_text(encoding="utf-8")
    assert read_text(message).endswith(f"\n\n{wanted}")
    shown = " ".join(wanted.split()).replace(f" : {NOTICE}", "").replace(f": {NOTICE}", "")
    assert "".join(read_html(message).split()).endswith("".join(shown.split()))


@pytest.mark.parametrize("language", ["fr", "en"])
def test_its_html_is_as_its_golden_file_says(language: str) -> None:
    html = rendered(a_letter(language=language, label=WHOLE), **SENDER).html.decode("ascii")
    wanted = (GOLDEN / f"label_whole.{language}.html").read_bytes().decode("ascii")
    assert wanted.replace("\n", "\r\n") in html


def test_a_message_without_a_label_is_what_it_was() -> None:
    message = rendered(a_letter(), **SENDER)
    assert WHAT["fr"] not in read_text(message)
    assert NOTICE not in message.html.decode("ascii")


def test_who_names_no_sponsor_is_named_as_its_sponsor_and_no_vote_is_made_up() -> None:
    text = read_text(rendered(a_letter(label=Label()), **SENDER))
    assert "Pour le compte de\u00a0: Parti du Rhône" in text
    assert "Élection" not in text
    assert "choisies" not in text


def test_the_label_is_the_end_of_the_message_whatever_footer_the_template_has() -> None:
    letter = a_letter(f"<mj-text>Bonjour {LEAVE_LINK}</mj-text>", label=WHOLE)
    text = read_text(rendered(letter, **SENDER))
    assert text.index("Se désinscrire") < text.index(WHAT["fr"])
    assert text.rstrip().endswith(NOTICE)


def test_its_link_leads_straight_to_the_notice_and_counts_nobody() -> None:
    letter = a_letter('<mj-text><a href="https://exemple.fr/agir">Agir</a></mj-text>', label=WHOLE)
    assert letter.links == ("https://exemple.fr/agir",)
    addresses = links_of(rendered(letter, **SENDER))
    assert addresses[0] == f"{CLICK_BASE}/0"
    assert addresses[-1] == NOTICE


def test_a_template_may_show_the_address_of_the_notice_itself() -> None:
    letter = a_letter('<mj-text><a href="{{ notice_url }}">Qui paie ?</a></mj-text>')
    assert NOTICE in links_of(rendered(letter, **SENDER))


SECTION = f"<mj-section><mj-column><mj-text>Bonjour {LEAVE_LINK}</mj-text></mj-column></mj-section>"


@pytest.mark.parametrize("body", [f"<mj-body>{SECTION}</mj-body><!-- </mj-body> -->", "<mj-body />"])
def test_a_template_in_which_the_label_would_not_be_seen_cannot_be_used(body: str) -> None:
    with pytest.raises(TemplateError, match="would not be seen"):
        a_letter(mjml=f"<mjml>{body}</mjml>", label=WHOLE)


def test_what_the_template_says_itself_does_not_stand_in_for_the_label() -> None:
    body = f"<mj-body>{SECTION.replace('Bonjour', WHAT['fr'])}</mj-body><!-- </mj-body> -->"
    with pytest.raises(TemplateError, match="would not be seen"):
        a_letter(mjml=f"<mjml>{body}</mjml>", label=WHOLE)


HIDDEN = "{display:none !important}"


def styled(css: str, attributes: str = "") -> str:
    head = f"<mj-attributes>{attributes}</mj-attributes><mj-style>{css}</mj-style>"
    return f"<mjml><mj-head>{head}</mj-head><mj-body>{SECTION}</mj-body></mjml>"


@pytest.mark.parametrize(
    "css",
    [
        f"div {HIDDEN}",
        f"a, span {HIDDEN}",
        f"body > div > div:last-child {HIDDEN}",
        f"@media screen {{ .menu {HIDDEN} * {HIDDEN} }}",
        f".political-label {HIDDEN}",
        f".mj-column-per-100:last-child {HIDDEN}",
        f'[class*="political"] {HIDDEN}',
        f"/* for print */ table {HIDDEN}",
        "span{opacity:0.0}",
        "span{font-size: 0 !important}",
        "td{visibility:hidden}",
    ],
)
def test_a_template_whose_styles_could_hide_the_label_cannot_be_used(css: str) -> None:
    with pytest.raises(TemplateError, match="would hide the label"):
        a_letter(mjml=styled(css), label=WHOLE)
    a_letter(mjml=styled(css))  # of what is not political they are nobody's business


@pytest.mark.parametrize(
    "css",
    [
        f"@media (max-width:480px) {{ td.wide, .menu a.more {HIDDEN} }}",
        f"img {HIDDEN}",
        f"*[class=wide] {HIDDEN}",
        "div{opacity:0.9;font-size:0.9em}",
        f"/* div {HIDDEN} */ .menu{{color:red}}",
    ],
)
def test_what_a_template_hides_of_its_own_stays_its_own_matter(css: str) -> None:
    assert WHAT["fr"] in read_html(rendered(a_letter(mjml=styled(css), label=WHOLE), **SENDER))


def test_a_class_that_all_parts_of_a_template_bear_is_not_the_labels() -> None:
    mjml = styled(f".all {HIDDEN}", '<mj-all css-class="all" />')
    html = rendered(a_letter(mjml=mjml, label=WHOLE), **SENDER).html.decode("ascii").replace("\r\n", " ")
    label = html[html.index("political-label") :]
    assert not re.search(r'class="[^"]*\ball\b', label)


@pytest.mark.parametrize("condition", ["{% if commune %}", "{% for tag in tags.split(',') %}"])
def test_no_condition_can_stand_around_the_label(condition: str) -> None:
    end = f"{{% end{condition[3:6].strip()} %}}"
    with pytest.raises(TemplateError):
        a_letter(mjml=f"<mjml><mj-body>{SECTION}{condition}</mj-body>{end}</mjml>", label=WHOLE)


def test_a_body_may_be_closed_with_blanks() -> None:
    letter = a_letter(mjml=f"<mjml><mj-body>{SECTION}</mj-body ></mjml>", label=WHOLE)
    assert WHAT["fr"] in read_html(rendered(letter, **SENDER))


@pytest.mark.parametrize(
    "typed",
    ["{{ 7 * 7 }}", "{% if x %}", "{# note", "<b>Durand</b> & fils", "</mj-text>", "}} {{ email }}", "{{"],
)
def test_what_was_typed_as_sponsor_is_shown_as_it_was_typed(typed: str) -> None:
    letter = a_letter(label=Label(sponsor=typed, vote=typed))
    message = rendered(letter, **SENDER)
    assert f"Pour le compte de\u00a0: {typed}\n" in read_text(message)
    assert f"Élection ou référendum\u00a0: {typed}" in read_html(message)


def test_a_sponsor_cannot_stand_in_for_merge_code() -> None:
    letter = a_letter(
        "<mj-text>Bonjour {{ first_name }}</mj-text>", label=Label(sponsor="\ue0000\ue001 & fils")
    )
    text = read_text(rendered(letter, first_name="Ada", **SENDER))
    assert "Pour le compte de\u00a0: 0 & fils\n" in text


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_sponsor_and_any_vote_make_a_message_that_can_be_sent(sponsor: str, vote: str) -> None:
    letter = a_letter(label=Label(sponsor=sponsor, vote=vote, targeted=True))
    message = rendered(letter, **SENDER)
    assert_canonical(message.html)
    assert_quoted_printable(message.text)
    assert WHAT["fr"] in read_text(message)
    assert letter.fields <= {"organisation", "postal_address", "email", "notice_url"}


@pytest.mark.parametrize(
    "starter", [one for one in starters() if one.channel is Channel.EMAIL], ids=lambda one: one.name
)
def test_every_starter_takes_the_label(starter: Starter) -> None:
    letter = a_letter(mjml=starter.body, fallbacks=starter.fallbacks, label=WHOLE)
    message = rendered(letter, **(dict.fromkeys(letter.fields, "Ada") | SENDER))
    assert_canonical(message.html)
    assert read_text(message).rstrip().endswith(NOTICE)
    assert message.proven
