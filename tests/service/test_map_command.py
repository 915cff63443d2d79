"""`tocsin map`, as it is typed."""

import asyncio
import csv
import io
import json

import pytest

from models.clock import SystemClock
from models.tally import PlaceTally
from store import Database
from tests.deliverability.rows import a_launched_campaign
from tests.service.conftest import Tocsin, Typed


async def a_mapped_campaign(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_launched_campaign(session)
        campaign.name, campaign.launched_at = "Lyon", SystemClock().now()
        for place, people, clicked in (("13", 400, 40), ("69", 300, 100), ("48", 3, 0), ("05", 12, 1)):
            session.add(
                PlaceTally(campaign_id=campaign.id, departement=place, accepted=people, clicked=clicked)
            )
    await database.close()


@pytest.fixture
def typed_here(ready: Tocsin, typed: Typed) -> Typed:
    """The command, where one campaign has places."""
    asyncio.run(a_mapped_campaign(Database(f"sqlite:///{ready.folder / 'tocsin-data' / 'tocsin.db'}")))
    return typed


@pytest.mark.parametrize("which", [(), ("Lyon",)])
def test_the_map_is_a_table_with_what_stands_out(typed_here: Typed, which: tuple[str, ...]) -> None:
    told = typed_here.must("map", *which)
    assert "Bouches-du-Rhône (13)" in told
    assert "100 (33.3%) ▲" in told
    assert "Lozère" not in told
    assert "2 départements are hidden" in told
    assert "beyond chance" in told


def test_the_map_is_taken_away_as_files(typed_here: Typed) -> None:
    found = json.loads(typed_here.must("map", "Lyon", "--json"))
    assert found["campaign"]["name"] == "Lyon"
    assert found["hidden"] == ["05", "48"]
    rows = list(csv.DictReader(io.StringIO(typed_here.must("map", "--csv"))))
    assert [row["place"] for row in rows] == ["13", "69", "together"]
    assert "one form" in typed_here("map", "--csv", "--json").told
