"""kill -9 in the midst of a launch of several batches: everybody is frozen once, and nobody is forgotten."""

import signal
from pathlib import Path

import pytest
from sqlmodel import func, select

from models.delivery import Delivery
from models.states import CampaignState
from scheduler.expansion import BATCH
from store import Database
from tests.crash.scene import Scene
from tests.servers.workers import CountingSink, Nursery

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

MOST_LIVES = 80
"""By then workers have launched far more than this, however early each of them dies."""


async def frozen(database: Database) -> tuple[int, int]:
    """Deliveries, and people among them."""
    async with database.read() as session:
        wanted = select(func.count(), func.count(func.distinct(Delivery.contact_id))).select_from(Delivery)
        count, people = (await session.exec(wanted)).one()
    return count, people


async def test_a_launch_that_dies_between_its_batches_goes_on_where_it_was(
    database: Database, migrated_url: str, tmp_path: Path, counting_sink: CountingSink, nursery: Nursery
) -> None:
    people = 4 * BATCH + 500
    # Nothing of it is sent meanwhile: it is about the launch.
    scene = Scene(
        database, migrated_url, tmp_path, counting_sink, nursery, people=people, emails_per_second=0.001
    )
    await scene.set_up()
    partly: set[int] = set()
    nth, before = 2, 0
    for _ in range(MOST_LIVES):
        worker = scene.start(die_at=f"commit:{('before', 'after')[len(partly) % 2]}", nth=nth)
        assert await worker.ended(seconds=60) == -signal.SIGKILL, scene.told()
        count, different = await frozen(database)
        assert before <= count == different <= people
        campaign = await scene.campaign()
        if 0 < count < people:
            assert campaign.state is CampaignState.LAUNCHING
            partly.add(count)
        if campaign.state is CampaignState.SENDING:
            break
        # One commit later until it gets further; then sooner again, lest two batches fall into one life.
        nth, before = (nth + 1 if count == before else max(2, nth - 4)), count
    assert (await scene.campaign()).state is CampaignState.SENDING
    assert partly, "it never died in the midst of a launch"
    assert await frozen(database) == (people, people)
    assert (await scene.campaign()).frozen == people
