"""Reports on paper: a whole PDF, whatever the words, in both languages."""

import io
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from deliverability.assessment import Status
from deliverability.assessment.facts import SeedCounts
from deliverability.assessment.placement import list_estimate
from deliverability.assessment.whole import CampaignAssessment
from models.access import Role
from models.states import EventKind
from tests.clocks import START
from tests.deliverability.test_merging import lane
from tests.web.browsers import Site
from tests.web.test_deliverability_pages import a_sent_campaign
from web.i18n import Tongue
from web.paper import Document, Figures, Grid, Heading, Picture, Title, Words, cut, print_document, settable
from web.report_paper import MOST_LANES, lanes_of
from web.verdict_view import verdicts_of

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


def test_a_heading_does_not_stand_alone_at_the_end_of_a_page() -> None:
    def pages(*blocks: Words | Heading) -> int:
        made = print_document(Document("d", "en", "", blocks))
        return made.count(b"/Type /Page\n") + made.count(b"/Type /Page ")

    line = Words("A line.")
    full = next(number for number in range(10, 100) if pages(*[line] * number) > 1) - 1
    # Two lines would still find room; a heading and what is under it would not.
    assert pages(*[line] * full) == 1
    assert pages(*[line] * (full - 3), Heading("H")) == 2
    assert pages(*[line] * (full - 8), Heading("H")) == 1


def test_a_headline_counts_the_providers_it_does_not_name() -> None:
    places = ("gmail", "orange", "free", "sfr", "yahoo", "outlook")
    seen = tuple(lane(1, place, SeedCounts(spam=5)) for place in places)
    found = CampaignAssessment(1, START, Status.RED, seen, list_estimate([]), ())
    assert verdicts_of(found, Tongue("en", ZoneInfo("Europe/Paris"))).headline.endswith("spam (+2).")


def test_a_figure_is_not_parted_from_its_sign_at_the_end_of_a_line() -> None:
    assert settable("7–60\u202f%\x07") == "7–60\u00a0% "


def test_a_drawing_of_many_providers_is_no_taller_than_a_page() -> None:
    out = io.BytesIO()
    Image.new("RGB", (1700, 9_000), "white").save(out, "PNG")
    assert whole(print_document(Document("d", "en", "", (Picture(out.getvalue(), "A chart"),))))


def test_a_long_name_at_the_foot_leaves_room_for_the_number_of_the_page() -> None:
    assert whole(print_document(Document("d", "en", "W" * 300, (Words("x"),))))
    assert cut("A short name", 400) == "A short name"
    wide, slim = cut("W" * 300, 400), cut("i" * 300, 400)
    assert wide.endswith("…")
    assert len(wide) < len(slim) < 300


def test_of_very_many_senders_the_gravest_are_printed_and_the_rest_counted() -> None:
    tongue = Tongue("en", ZoneInfo("Europe/Paris"))
    seen = [lane(number, "gmail", SeedCounts(spam=5)) for number in range(1, MOST_LANES + 41)]
    whole_list = list_estimate([])
    found = CampaignAssessment(1, START, Status.RED, tuple(seen), whole_list, ())
    verdicts = verdicts_of(found, tongue)
    blocks = list(lanes_of(verdicts, tongue))
    longest = max(len(block.lines) for block in blocks if isinstance(block, Grid) and len(block.heads) > 3)
    assert longest == MOST_LANES
    assert Words("40 more are on the page and in the files.", small=True) in blocks
    (told,) = [block.lines[0][1] for block in blocks if isinstance(block, Grid) and len(block.lines) == 1]
    assert told.endswith("(measured)")


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
