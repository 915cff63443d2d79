"""Whole HTML documents as templates: they keep their looks, their links are ours, nothing in them runs."""

import quopri
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import TemplateError
from models.values import EmailMessage
from templates.compilation import CompiledEmail, compile_email
from templates.source import SourceError

PAGE = """<!DOCTYPE html>
<html lang="fr"><head><title>Reçu</title>
<style>p{color:#123456}@media screen{#a{color:red}}</style></head>
<body class="own"><p id='a'>Bonjour {{ first_name }}, voici votre reçu.</p>
<p><a href='https://exemple.fr/recu?n=1'>Voir</a> <a class=x href=https://exemple.fr/don>Redonner</a></p>
</body></html>"""
BASE, LEAVE = "https://t.example/c/x", "https://t.example/u/x"


def made(html: str = PAGE, **options: Any) -> CompiledEmail:
    return compile_email(subject="Reçu", preheader="", mjml=html, fallbacks={}, **options)


def rendered(compiled: CompiledEmail, **values: str) -> EmailMessage:
    given_to_all = {"first_name": "Camille", "organisation": "Le Parti", "postal_address": "1 rue"}
    return compiled.render(given_to_all | values, click_base=BASE, unsubscribe_url=LEAVE)


def text_of(message: EmailMessage) -> str:
    return quopri.decodestring(message.text).decode()


def test_a_document_keeps_its_head_its_styles_and_its_body() -> None:
    html = rendered(made()).html.decode("ascii")
    assert html.startswith("<!DOCTYPE html>")
    assert "p{color:#123456}" in html
    assert "{ #a{color:red}}" in html
    assert '<body class="own">' in html
    assert "Bonjour Camille, voici votre re&#231;u." in html


def test_links_are_numbered_however_they_are_quoted() -> None:
    compiled = made()
    assert compiled.links == ("https://exemple.fr/recu?n=1", "https://exemple.fr/don")
    html = rendered(compiled).html.decode("ascii")
    assert f'href="{BASE}/0"' in html
    assert f'href="{BASE}/1"' in html
    assert "exemple.fr" not in html


def test_a_way_to_unsubscribe_is_added_where_there_is_none() -> None:
    html = rendered(made()).html.decode("ascii")
    assert html.count(LEAVE) == 1
    assert html.index(LEAVE) < html.index("</body>")
    assert LEAVE in text_of(rendered(made()))
    own = PAGE.replace("</body>", '<a href="{{ unsubscribe_url }}">Partir</a></body>')
    assert rendered(made(own)).html.decode("ascii").count(LEAVE) == 1


def test_its_own_text_takes_the_place_of_the_made_one() -> None:
    compiled = made(
        text="Bonjour {{ first_name }}.\nVoir https://exemple.fr/don. Ou https://exemple.fr/autre"
    )
    text = text_of(rendered(compiled))
    assert text.startswith("Bonjour Camille.")
    assert f"Voir {BASE}/1. Ou {BASE}/2" in text
    assert LEAVE in text
    assert compiled.links[2] == "https://exemple.fr/autre"
    assert made(text="{{ city }}").missing({"first_name": "Camille"}) == ("city",)


@pytest.mark.parametrize(
    "piece",
    [
        "<script>alert(1)</script>",
        "<iframe src=x></iframe>",
        "<form action=x></form>",
        '<p onclick="x()">a</p>',
        "<p onclick=x()>a</p>",
        '<a href="javascript:x()">a</a>',
        "<a href=javascript:x()>a</a>",
        "<a href='data:text/html,x'>a</a>",
        '<meta http-equiv="refresh" content="0">',
        '<base href="https://other.example/">',
        '<a href="https://{{ first_name }}/">a</a>',
        "<a href='https://{{ first_name }}/'>a</a>",
        "<a href=//other.example/>a</a>",
    ],
)
def test_what_runs_or_leads_elsewhere_is_refused(piece: str) -> None:
    with pytest.raises(TemplateError):
        made(PAGE.replace("</body>", f"{piece}</body>"))


def test_a_mistake_is_told_with_its_place() -> None:
    with pytest.raises(SourceError) as caught:
        made(PAGE.replace("</body>", "\n<script></script></body>"))
    assert (caught.value.line, caught.value.column) == (7, 1)


def test_a_value_cannot_break_out_of_the_html() -> None:
    html = rendered(made(), first_name="<script>alert(1)</script>").html.decode("ascii")
    assert "<script>" not in html


@given(st.text(alphabet=st.sampled_from("<>\"'= /ahrefscriptonclick{}%#!-é\n"), max_size=60))
def test_no_piece_of_html_does_worse_than_a_clear_refusal(piece: str) -> None:
    try:
        message = rendered(made(f"<html><body><p>a</p>{piece}</body></html>"), e="x", a="x")
    except TemplateError:
        return
    assert b"<script" not in message.html.lower()
