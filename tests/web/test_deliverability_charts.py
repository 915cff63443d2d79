"""Charts of an identity: what they show is what was counted, for desks and telephones, in both languages."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from deliverability.assessment.facts import SeedCounts
from deliverability.assessment.values import Word
from deliverability.history import Cell, Past
from web.charts import SLIM, WIDE, draw_both
from web.deliverability_charts import LINES, charts_of, complaint_lines, heat_map, label_of
from web.i18n import Tongue

NAMES = [("gmail", "Gmail"), ("orange", "Orange")]
TONGUES = [Tongue(language, ZoneInfo("Europe/Paris")) for language in ("en", "fr")]


def some_campaigns(count: int) -> list[Past]:
    start = datetime(2026, 3, 1, 9, tzinfo=UTC)
    return [
        Past(
            number,
            f"Campaign {number}",
            start + timedelta(days=number),
            {
                "gmail": Cell(500, 490, 40, 0, SeedCounts(inbox=5), 1.04),
                "orange": Cell(200, 190, 2, number % 3, SeedCounts(spam=4, inbox=1), 0.31),
            },
        )
        for number in range(1, count + 1)
    ]


@pytest.mark.parametrize("tongue", TONGUES, ids=["en", "fr"])
async def test_every_chart_can_be_drawn_in_both_widths(tongue: Tongue) -> None:
    past = some_campaigns(9)
    drawn = [
        await draw_both(title, spec, tongue.language)
        for title, spec in charts_of(past, NAMES, [("Mailbox full", 12), ("Blocked", 3)], tongue)
    ]
    assert len(drawn) == 3
    for one in drawn:
        assert one.wide.startswith("<svg ")
        assert one.slim.startswith("<svg ")
    assert "Orange" in drawn[0].wide
    assert "Mailbox full" in drawn[2].slim


def test_the_map_colours_by_where_the_seeds_were_and_writes_how_people_clicked() -> None:
    past = some_campaigns(9)
    values = heat_map(past, NAMES, TONGUES[0], WIDE)["data"]["values"]
    orange = [value for value in values if value["provider"] == "Orange"]
    assert {value["place"] for value in orange} == {"spam"}
    assert {value["text"] for value in orange} == {"×0.3"}
    assert len(orange) == 9
    assert (
        len({value["campaign"] for value in heat_map(past, NAMES, TONGUES[0], SLIM)["data"]["values"]}) == 6
    )


def test_complaints_are_drawn_where_they_are_told_with_the_limits() -> None:
    spec = complaint_lines(some_campaigns(4), NAMES, TONGUES[0])
    assert spec is not None
    rates = [value["rate"] for value in spec["layer"][0]["data"]["values"] if value["what"] == "Orange"]
    assert rates == [1 / 200, 2 / 200, 0, 1 / 200]
    assert [value["rate"] for value in spec["layer"][1]["data"]["values"]] == list(LINES)
    titles = [title for title, _ in charts_of(some_campaigns(1), NAMES, [], TONGUES[0])]
    assert not any("Complaints" in title for title in titles)


def test_two_campaigns_of_a_day_have_two_labels() -> None:
    one, other = some_campaigns(2)
    same_day = Past(other.campaign_id, other.name, one.launched_at, other.cells)
    assert label_of(one, TONGUES[0]) != label_of(same_day, TONGUES[0])


@pytest.mark.parametrize(
    ("seeds", "word"),
    [
        (SeedCounts(), Word.NOT_TESTED),
        (SeedCounts(inbox=4, tab=4, spam=1), Word.INBOX),
        (SeedCounts(inbox=3, spam=2), Word.MIXED),
        (SeedCounts(inbox=2, spam=3), Word.SPAM),
        (SeedCounts(inbox=2), Word.NOT_ASSESSABLE),
        (SeedCounts(spam=1), Word.NOT_ASSESSABLE),
    ],
)
def test_a_cell_says_where_its_seeds_were(seeds: SeedCounts, word: Word) -> None:
    assert Cell(seeds=seeds).placement is word
