"""Reports on paper: a whole PDF, whatever the words, in both languages."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.access import Role
from models.states import EventKind
from tests.web.browsers import Site
from tests.web.test_deliverability_pages import a_sent_campaign
from web.paper import Document, Figures, Grid, Heading, Picture, Title, Words, print_document

words = st.text(max_size=300)


def a_drawing() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (1700, 500), "white").save(out, "PNG")
    return out.getvalue()


def whole(made: bytes) -> bool:
    return made.startswith(b"%PDF-") and made.rstrip().endswith(b"%%EOF")


@given(st.lists(words, min_size=2, max_size=6), st.sampled_from(["", "good", "quiet", "warn", "bad"]))
@settings(max_examples=40, deadline=None)
def test_whatever_the_words_the_document_is_whole(texts: list[str], tone: str) -> None:
    first, second = texts[0], texts[1]
    blocks = (
        Title(first, second),
        Heading(first),
        Words(second, tone),
        Words(first, small=True),
        Figures(((first, second, ""),)),
        Grid(texts, [texts, texts], frozenset({1}), tones=[tone]),
    )
    assert whole(print_document(Document(first, "fr", second, blocks)))


def test_names_and_answers_of_any_length_fit() -> None:
    long = "x" * 5_000
    blocks = (Title(long), Grid((long, "n"), [(long, long)] * 3), Words("<b>&amp; not markup</b>"))
    assert whole(print_document(Document("d", "en", long, blocks)))


def test_a_table_goes_on_over_pages_and_drawings_are_made_to_fit() -> None:
    grid = Grid(("Provider", "Verdict"), [("Gmail", "inbox")] * 300)
    made = print_document(Document("d", "en", "", (grid, Picture(a_drawing(), "A chart"))))
    assert whole(made)
    assert made.count(b"/Type /Page\n") + made.count(b"/Type /Page ") > 3


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_the_report_can_be_taken_away_on_paper(site: Site, language: str) -> None:
    await a_sent_campaign(site, *[EventKind.PLACED_SPAM] * 5, EventKind.PLACED_INBOX)
    browser = await site.signed_in(Role.READER)
    await browser.send_form("/language", {"language": language}, page="/deliverability")
    answer = await browser.get("/campaigns/1/report.pdf")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"].endswith('-1.pdf"')
    assert whole(answer.content)
    assert f"/Lang ({language})".encode() in answer.content
