"""What stands out on a map does so beyond chance, and its files hold what the page shows and no more."""

import csv
import io
import json
import random
from dataclasses import replace

import pytest

from deliverability.places import (
    Measure,
    PlaceReport,
    Standing,
    campaign_places,
    places_csv,
    places_json,
    rate_of,
    share_of,
    stands,
)
from deliverability.report_values import Share
from models.errors import NotFoundError
from models.states import Channel
from models.tally import PlaceTally
from store import Database
from store.territory_counts import Figures, Places
from tests.clocks import START
from tests.deliverability.rows import a_launched_campaign

NAMES = {"01": "Ain", "13": "Bouches-du-Rhône"}
BIG, SMALL = Figures(1000, 600, 10, 120, 6, 3), Figures(30, 5, 0, 9, 1, 1)


def a_report(**places: Figures) -> PlaceReport:
    shown = {name.lstrip("_"): figures for name, figures in places.items()}
    hidden = frozenset({"48", "05"})
    return PlaceReport(Places(shown, Figures(14, 10, 0, 3), hidden, 1), Channel.EMAIL, START, 0)


def test_chance_alone_makes_a_place_stand_out_on_one_map_of_twenty_at_most() -> None:
    drawn, surprising, worlds = random.Random(7), 0, 200
    for _ in range(worlds):
        rate = drawn.choice([0.002, 0.02, 0.12, 0.4])
        sizes = [drawn.randint(10, 400) for _ in range(100)]
        places = [Share(sum(drawn.random() < rate for _ in range(size)), size) for size in sizes]
        whole = Share(sum(one.part for one in places), sum(sizes))
        standings = {stands(one, whole, among=len(sizes)) for one in places}
        surprising += standings != {Standing.USUAL}
    assert surprising <= worlds / 20


@pytest.mark.parametrize(
    ("share", "whole", "standing"),
    [
        (Share(250, 1000), Share(12_000, 100_000), Standing.ABOVE),
        (Share(60, 1000), Share(12_000, 100_000), Standing.BELOW),
        (Share(130, 1000), Share(12_000, 100_000), Standing.USUAL),
        # Two complaints of twelve are frightening, and happen somewhere in a hundred places.
        (Share(2, 12), Share(1200, 100_000), Standing.USUAL),
        (Share(6, 12), Share(1200, 100_000), Standing.ABOVE),
        (Share(0, 5), Share(0, 100), Standing.USUAL),
        (Share(5, 5), Share(100, 100), Standing.USUAL),
        (Share(0, 0), Share(5, 100), Standing.USUAL),
    ],
)
def test_a_place_stands_out_when_it_is_far_from_the_whole_for_its_size(
    share: Share, whole: Share, standing: Standing
) -> None:
    assert stands(share, whole, among=100) is standing


def test_what_is_a_share_of_the_few_with_a_feed_is_not_told() -> None:
    assert rate_of(SMALL, Measure.CLICKED) == 0.3
    assert rate_of(SMALL, Measure.COMPLAINED) is None
    assert rate_of(BIG, Measure.COMPLAINED) == 0.005
    report = a_report(_01=replace(SMALL, complained=5), _13=BIG)
    assert report.standing("01", Measure.COMPLAINED) is Standing.USUAL
    assert share_of(BIG, Measure.ARRIVED) == Share(990, 1000)


def test_files_hold_the_places_the_unknown_and_what_is_hidden_together() -> None:
    report = a_report(_=SMALL, _01=SMALL, _13=BIG)
    rows = list(csv.DictReader(io.StringIO(places_csv(report, NAMES))))
    assert [(row["place"], row["name"], row["arrived"], row["clicked_rate"]) for row in rows] == [
        ("01", "Ain", "30", "0.3"),
        ("13", "Bouches-du-Rhône", "990", "0.12"),
        ("unknown", "", "30", "0.3"),
        ("together", "", "14", "0.21429"),
    ]
    assert rows[0]["complained_rate"] == ""
    told = json.loads(places_json(report, NAMES, {"campaign": {"id": 3}}))
    assert told["campaign"] == {"id": 3}
    assert told["hidden"] == ["05", "48"]
    assert [one["departement"] for one in told["departements"]] == ["01", "13"]
    assert told["departements"][0]["clicked_standing"] == "usual"
    assert told["unknown"]["arrived"] == 30
    assert told["whole"]["arrived"] == 990 + 30 + 30 + 14


async def test_text_messages_tell_of_arrival_and_of_stop_only(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_launched_campaign(session, channel=Channel.SMS)
        session.add(PlaceTally(campaign_id=campaign.id, departement="13", accepted=50, unsubscribed=2))
    async with database.read() as session:
        report = await campaign_places(session, campaign.id, START)
        with pytest.raises(NotFoundError):
            await campaign_places(session, campaign.id + 1, START)
    header = places_csv(report, NAMES).splitlines()[0]
    assert header == "place,name,arrived,unsubscribed,unsubscribed_rate"
    assert report.tells
