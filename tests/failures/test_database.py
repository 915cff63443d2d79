"""The database goes away in the midst of a campaign, and comes back."""

import asyncio
import signal
from pathlib import Path

import pytest

from models.states import DeliveryState
from store import Database
from tests.crash.scene import Scene
from tests.servers.postgresql import start_postgresql
from tests.servers.workers import CountingSink, Nursery

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]


# A connection that was being made when the server went may be left to the garbage collector by its driver.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <function BaseConnection.__del__:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize(("speed", "away_s"), [(1, 6), (20, 4)], ids=["6 s", "80 s by the clock"])
async def test_postgresql_away_for_a_while_costs_no_message(
    tmp_path: Path, counting_sink: CountingSink, nursery: Nursery, speed: float, away_s: float
) -> None:
    server = await asyncio.to_thread(start_postgresql)
    try:
        name = await asyncio.to_thread(server.create_database)
        # As PostgreSQL is outside of tests: what was committed is there after the outage.
        await asyncio.to_thread(server.commit_for_good, name)
        url = server.url(name)
        database = Database(url)
        await database.migrate()
        # At 150 a second, whatever the clock says.
        scene = Scene(
            database, url, tmp_path, counting_sink, nursery, people=900, emails_per_second=150 / speed
        )
        await scene.set_up()
        worker = scene.start(clock_speed=speed)
        await scene.arrived(200, worker)
        await asyncio.to_thread(server.stop, signal.SIGINT)
        await asyncio.sleep(away_s)
        assert worker.is_running, scene.told()
        await asyncio.to_thread(server.start)
        await scene.finished(worker)
        # Not one of them uncertain: the answers were kept until they could be written down.
        await scene.check_end()
        await database.close()
    finally:
        await asyncio.to_thread(server.remove)


@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <function BaseConnection.__del__:pytest.PytestUnraisableExceptionWarning"
)
async def test_a_minute_without_postgresql_in_which_one_of_two_workers_is_killed_costs_no_message(
    tmp_path: Path, counting_sink: CountingSink, nursery: Nursery
) -> None:
    """A minute of everybody's clock, not of a fast one: timeouts, waits and leases are as they are."""
    server = await asyncio.to_thread(start_postgresql)
    try:
        name = await asyncio.to_thread(server.create_database)
        await asyncio.to_thread(server.commit_for_good, name)
        url = server.url(name)
        database = Database(url)
        await database.migrate()
        scene = Scene(database, url, tmp_path, counting_sink, nursery, people=2000, emails_per_second=200)
        await scene.set_up()
        victim, survivor = scene.start(), scene.start()
        await scene.arrived(300, survivor)
        await asyncio.to_thread(server.stop, signal.SIGINT)
        await asyncio.sleep(20)
        victim.signal(signal.SIGKILL)
        await victim.ended()
        scene.kills = 1
        await asyncio.sleep(40)
        assert survivor.is_running, scene.told()
        await asyncio.to_thread(server.start)
        # What the other one held is free once its lease is over, or its journal is read.
        await scene.finished(survivor)
        await scene.check_end()
        # The answers it got while nobody could write them down were in its journal.
        assert (await scene.states())[DeliveryState.UNCERTAIN] == 0
        await database.close()
    finally:
        await asyncio.to_thread(server.remove)
