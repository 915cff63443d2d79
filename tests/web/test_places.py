"""The map on the report and of a period: what is told, what is hidden, and that both languages say so."""

import csv
import io
import json
import re
from datetime import timedelta

import pytest

from models.access import Role
from models.campaign import Campaign
from models.states import Channel
from models.tally import PlaceTally
from tests.deliverability.rows import a_launched_campaign
from tests.web.browsers import Site, parse_strictly

HOMES = {"13": 400, "59": 900, "69": 300, "": 50, "48": 3, "05": 12}


async def a_mapped_campaign(
    site: Site, homes: dict[str, int] = HOMES, *, days_ago: int = 1, channel: Channel = Channel.EMAIL
) -> int:
    """A campaign whose people are counted where they live; those of the Rhône clicked far more."""
    async with site.database.write() as session:
        campaign: Campaign = await a_launched_campaign(session, channel=channel)
        campaign.launched_at = site.clock.now() - timedelta(days=days_ago)
        for place, people in homes.items():
            clicked = people // 3 if place == "69" else people // 10
            session.add(
                PlaceTally(
                    campaign_id=campaign.id,
                    departement=place,
                    accepted=people,
                    heard=people,
                    clicked=clicked,
                    complained=1 if place == "59" else 0,
                )
            )
    return campaign.id


def squares_of(page: str, measure: str) -> dict[str, tuple[str, bool]]:
    """Of one drawing: by code, the class of the square and whether it is marked."""
    drawing = page.partition(f'id="few-{measure}"')[2].partition("</svg>")[0]
    found = re.findall(r'<g class="(\w+)".*?<text[^>]*>(\w+)</text>(<path)?', drawing)
    return {code: (kind, bool(mark)) for kind, code, mark in found}


async def test_the_report_has_a_square_for_each_departement(site: Site) -> None:
    number = await a_mapped_campaign(site)
    page = await (await site.signed_in(Role.READER)).read(f"/campaigns/{number}/report")
    squares = squares_of(page, "clicked")
    assert len(squares) == 107
    assert squares["69"] == ("shade5", True)
    assert squares["13"][1] is False
    assert squares["13"][0] == squares["59"][0] != "shade5"
    assert squares["75"] == ("none", False)


async def test_few_people_are_hatched_and_found_in_no_figure(site: Site) -> None:
    number = await a_mapped_campaign(site)
    browser = await site.signed_in(Role.READER)
    page = await browser.read(f"/campaigns/{number}/report")
    assert squares_of(page, "arrived")["48"] == squares_of(page, "arrived")["05"] == ("few", False)
    assert "2 départements are hidden" in page
    assert "Together: 15 messages." in page
    assert "Of 50 messages it is not known" in page
    assert "Lozère (48) – too few people to tell" in page
    table = page.partition('class="place-table"')[2].partition("</table>")[0]
    assert "Lozère" not in table
    assert "Hautes-Alpes" not in table
    assert "Bouches-du-Rhône (13)" in table
    assert table.count("above, beyond chance") == 1
    text = (await browser.get(f"/campaigns/{number}/places.csv")).text
    assert {row["place"] for row in csv.DictReader(io.StringIO(text.lstrip("\ufeff")))} == {
        *("13", "59", "69", "unknown", "together")
    }
    told = json.loads((await browser.get(f"/campaigns/{number}/places.json")).text)
    assert told["hidden"] == ["05", "48"]
    assert told["whole"]["arrived"] == sum(HOMES.values())


async def test_what_stands_out_beyond_chance_is_named(site: Site) -> None:
    number = await a_mapped_campaign(site)
    page = await (await site.signed_in(Role.READER)).read(f"/campaigns/{number}/report")
    clicked = page.partition('class="place-map of-clicked"')[2].partition("</figure>")[0]
    assert "What stands out beyond chance" in clicked
    assert 'class="up">Rhône (69)' in clicked
    complained = page.partition('class="place-map of-complained"')[2].partition("</figure>")[0]
    assert "No département stands out" in complained
    assert "0.06% (1 of 1,665)" in complained


@pytest.mark.parametrize("days", [7, 30])
async def test_a_period_is_the_sum_of_its_campaigns(site: Site, days: int) -> None:
    await a_mapped_campaign(site)
    await a_mapped_campaign(site, {"13": 100, "75": 40}, days_ago=20)
    await a_mapped_campaign(site, {"13": 5000}, channel=Channel.SMS)
    browser = await site.signed_in(Role.READER)
    page = await browser.read(f"/deliverability/map?days={days}")
    assert f"the e-mails of {'1 campaign' if days == 7 else '2 campaigns'} arrived" in page
    assert ("Paris (75) – 40" in page) == (days == 30)
    assert f"Bouches-du-Rhône (13) – {400 if days == 7 else 500}" in page
    told = json.loads((await browser.get(f"/deliverability/map.json?days={days}")).text)
    assert told["campaigns"] == (1 if days == 7 else 2)
    rows = (await browser.get(f"/deliverability/map.csv?days={days}")).text
    assert "13,Bouches-du-Rhône" in rows


async def test_the_map_speaks_french_and_is_whole(site: Site) -> None:
    number = await a_mapped_campaign(site)
    browser = await site.signed_in(Role.READER)
    await browser.send_form("/language", {"language": "fr"}, page="/campaigns")
    for path in (f"/campaigns/{number}/report", "/deliverability/map"):
        page = await browser.read(path)
        parse_strictly(page)
        assert "2 départements sont cachés" in page
        assert "Ce qui se distingue au-delà du hasard" in page


async def test_text_messages_have_no_map_of_clicks(site: Site) -> None:
    number = await a_mapped_campaign(site, channel=Channel.SMS)
    page = await (await site.signed_in(Role.READER)).read(f"/campaigns/{number}/report")
    assert squares_of(page, "unsubscribed")
    assert not squares_of(page, "clicked")
    assert "Bounced, soft" in page, "those that arrived are those sent without these"


async def test_without_a_departement_there_is_no_map_and_it_says_why(site: Site) -> None:
    number = await a_mapped_campaign(site, {"": 40})
    browser = await site.signed_in(Role.READER)
    page = await browser.read(f"/campaigns/{number}/report")
    assert "There is no département of which enough people were reached" in page
    assert "<pattern" not in page
    nothing = await browser.read("/deliverability/map?days=7")
    assert "<pattern" not in nothing


async def test_before_anything_was_sent_the_map_of_a_period_says_so(site: Site) -> None:
    page = await (await site.signed_in(Role.READER)).read("/deliverability/map")
    assert "Nothing was sent in this period." in page
    assert "map.csv" not in page


async def test_each_shade_of_numbers_begins_after_the_one_before_it(site: Site) -> None:
    homes = {"13": 400, "59": 900, "69": 300, "75": 120, "33": 60, "31": 30, "06": 20}
    browser = await site.signed_in(Role.EDITOR)
    page = await browser.read(f"/campaigns/{await a_mapped_campaign(site, homes)}/report")
    between = [(int(low), int(high)) for low, high in re.findall(r">(\d+) – (\d+)<", page)]
    first, last = re.search(r"under (\d+)<", page), re.search(r"(\d+) and more", page)
    assert first
    assert last
    assert len(between) == 3
    begin = int(first[1])
    for low, high in between:
        assert (low, high >= low) == (begin, True)
        begin = high + 1
    assert begin == int(last[1])
