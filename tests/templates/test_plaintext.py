"""The text part: what somebody reads who has no pictures and no tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.plaintext import to_text
from templates.source import protect


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Un</p><p>Deux</p>", "Un\n\nDeux\n"),
        ("<div><div><p>Un</p></div></div><div>Deux</div>", "Un\n\nDeux\n"),
        ("Un<br>Deux<br/><br>Trois", "Un\nDeux\n\nTrois\n"),
        ("<p>  Un\n  deux\tTrois </p>", "Un deux Trois\n"),
        (
            "<h1>Titre</h1><p>x</p><h2>Deux</h2>y<h3>Trois</h3>z",
            "Titre\n=====\n\nx\n\nDeux\n----\n\ny\n\nTrois\n\nz\n",
        ),
        ("<h1></h1><p>x</p>", "x\n"),
        ("<ul><li>Un</li><li>Deux</li></ul><p>Fin</p>", "- Un\n- Deux\n\nFin\n"),
        ("<p>Liste</p><ol><li>Un<li>Deux</ol>", "Liste\n\n1. Un\n2. Deux\n"),
        ("<ul><li>Un<ul><li>Sous</li></ul></li><li>Deux</li></ul>x", "- Un\n  - Sous\n- Deux\n\nx\n"),
        ("<li>seul</li></ul>", "- seul\n"),
        ("<p>Lire <a href='https://a.fr/x'>la suite</a> ici</p>", "Lire la suite (https://a.fr/x) ici\n"),
        ("<p><a href='https://a.fr/x'>Lire</a></p>", "Lire: https://a.fr/x\n"),
        ("<p><a href='https://a.fr/x'>Lire</a>, puis agir</p>", "Lire (https://a.fr/x), puis agir\n"),
        ("<p><a href='https://a.fr/'>a.fr</a></p>", "https://a.fr/\n"),
        ("<p><a href='https://a.fr/x'>https://a.fr/x</a></p>", "https://a.fr/x\n"),
        ("<p>À <a href='mailto:a@b.fr'>a@b.fr</a></p>", "À a@b.fr\n"),
        ("<p><a href='mailto:a@b.fr'>Écrire</a></p>", "Écrire: a@b.fr\n"),
        ("<p><a href='#x'>haut</a> <a>rien</a></p>", "haut rien\n"),
        ("<p>x <a href='https://a.fr'></a><a href='https://a.fr'><img src='i'></a></p>", "x\n"),
        ("<a href='https://a.fr/x'><img src='i' alt='Une place'></a>", "Une place: https://a.fr/x\n"),
        ("<p><img src='i' alt='Une place'></p>", "Une place\n"),
        ("<p>a<b>b</b> <i>c</i></p>", "ab c\n"),
        ("<p>un</p></a><p>deux</p>", "un\n\ndeux\n"),
        ("<p>x</p><hr><p>y</p>", "x\n\n" + "-" * 40 + "\n\ny\n"),
        ("<head><title>T</title><style>p{}</style></head><body><p>x</p></body>", "x\n"),
        ("<div style='display: none'>caché <div>aussi</div></div><p>x</p>", "x\n"),
        ("<div style='display:none'><img alt='a'><br></div></b><p>x</p>", "x\n"),
        ("<table role='presentation'><tr><td>a</td><td>b</td></tr></table>", "a\n\nb\n"),
        (
            "<table><tbody><tr><td>a</td><td>b</td></tr><tr><th>c</th><td>d</td></tr></tbody></table>x",
            "a | b\nc | d\n\nx\n",
        ),
        ("<table><tr><td></td><td>b</td></tr></table>", "b\n"),
        ("</table>x", "x\n"),
        ("<!-- note --><!--[if mso]><p>non</p><![endif]-->oui", "oui\n"),
        ("a&nbsp;: &eacute;&amp;<p>&nbsp;</p>&#8203;", "a\u00a0: é&\n"),
        ("<div style='display:none'>a</p>b</div>c", "c\n"),
        ("<div style='display:none'>a<b>x<i>y</div>c", "c\n"),
        ("", "\n"),
    ],
)
def test_html_as_text(html: str, text: str) -> None:
    assert to_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p>{% if x %}<p>b</p>{% endif %}<p>c</p>", "a\n\n{% if x %}b\n\n{% endif %}c\n"),
        ("<p>{% if x %}b{% else %}c{% endif %}</p><p>d</p>", "{% if x %}b{% else %}c{% endif %}\n\nd\n"),
        (
            "<ul>{% for t in x %}<li>{{ t }}</li>{% endfor %}</ul>z",
            "{% for t in x %}- {{ t }}\n{% endfor %}\nz\n",
        ),
        ("<p>a <a href='{{ u }}/1'>b {{ c }}</a></p>", "a b {{ c }} ({{ u }}/1)\n"),
        ("<p>{% if x %}<a href='u'>b</a>{% endif %}</p>", "{% if x %}b: u{% endif %}\n"),
        ("a{% if x %}<br>{% endif %}<br>b", "a{% if x %}\n{% endif %}\nb\n"),
        ("{% if x %}<p>a</p>{% endif %}", "{% if x %}a\n\n{% endif %}\n"),
        ("<h1>{{ x }}</h1>", "{{ x }}\n========\n"),
    ],
)
def test_merge_code_stays_where_its_text_is(html: str, text: str) -> None:
    protected = protect(html)
    assert protected.restore(to_text(protected.text)) == text


TAGS = [
    *(
        "<p>",
        "</p>",
        "<div>",
        "</div>",
        "<br>",
        "<ul>",
        "<li>",
        "</ul>",
        "<table>",
        "<tr>",
        "<td>",
        "</table>",
    ),
    *(
        "<a href='u'>",
        "</a>",
        "<h1>",
        "</h1>",
        "<img alt='i'>",
        " mot ",
        "<hr>",
        "<div style='display:none'>",
    ),
    *("{{ x }}", "{% if x %}", "{% endif %}"),
]


@given(st.lists(st.sampled_from(TAGS), max_size=30))
def test_any_html_makes_tidy_text(pieces: list[str]) -> None:
    protected = protect("".join(pieces))
    text = to_text(protected.text)
    assert text.endswith("\n")
    assert "\x00" not in text
    assert "\x01" not in text
    if not any(piece.startswith("{%") for piece in pieces):
        assert "\n\n\n" not in text
        assert not any(line.endswith(" ") for line in text.split("\n"))
