"""Several workers on one PostgreSQL: nobody gets a message twice, limits hold, the dead are replaced."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from models.clock import SystemClock
from models.states import DeliveryState
from store import Database, turns, workers
from tests.crash.scene import Scene
from tests.servers.postgresql import PostgresqlServer
from tests.servers.workers import CountingSink, Nursery, Worker

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

CLOCK = SystemClock()
MINUTE = 60


@pytest.fixture
def url(postgresql: PostgresqlServer, migrated_postgresql_name: str) -> Iterator[str]:
    name = postgresql.create_database(template=migrated_postgresql_name)
    yield postgresql.url(name)
    postgresql.drop_database(name)


@pytest.fixture
async def scene(
    url: str, tmp_path: Path, counting_sink: CountingSink, nursery: Nursery
) -> AsyncIterator[Scene]:
    database = Database(url)
    yield Scene(database, url, tmp_path, counting_sink, nursery, people=0)
    nursery.end_all()
    await database.close()


async def alive(scene: Scene, count: int) -> None:
    """Until so many workers are heard of."""
    async with asyncio.timeout(60):
        while True:
            async with scene.database.read() as session:
                if len(await workers.alive(session, CLOCK.now())) == count:
                    return
            await asyncio.sleep(0.05)


async def at_the_lane(scene: Scene) -> set[str]:
    """The workers that drain a lane at this moment."""
    async with scene.database.read() as session:
        held = await turns.held(session, CLOCK.now())
    return {worker for key, worker in held.items() if key.startswith("drain:")}


async def everybody_got_one(scene: Scene) -> None:
    arrived = await scene.sink.arrivals()
    assert len(arrived) == scene.people
    assert set(arrived.values()) == {1}
    assert await scene.states() == {DeliveryState.ACCEPTED: scene.people}


# Slow enough that those who come to help find something left to do, and too fast to be one worker's work.
@pytest.mark.parametrize(("count", "people"), [(1, 2_000), (2, 6_000), (4, 6_000)])
async def test_however_many_workers_there_are_everybody_gets_one_message(
    scene: Scene, count: int, people: int
) -> None:
    scene.people = people
    scene.emails_per_second = 600
    await scene.set_up()
    crew = [scene.start() for _ in range(count)]
    await alive(scene, count)
    at_once: set[str] = set()
    async with asyncio.timeout(120):
        while not await scene.is_done():
            at_once = max(at_once, await at_the_lane(scene), key=len)
            await asyncio.sleep(0.05)
    await everybody_got_one(scene)
    # Much was due in the one lane there is: the others came to help.
    assert len(at_once) == min(count, 2) or len(at_once) > 2
    for worker in crew:
        worker.signal(signal.SIGTERM)
    assert [await worker.ended() for worker in crew] == [0] * count
    async with scene.database.read() as session:
        assert await turns.held(session, CLOCK.now()) == {}


async def test_workers_share_the_limits(scene: Scene) -> None:
    rate, scene.people = 40.0, 160
    scene.emails_per_second = rate
    await scene.set_up()
    crew = [scene.start() for _ in range(4)]
    await scene.arrived(1, crew[0])
    begun = CLOCK.now()
    await scene.finished(crew[0])
    took = (CLOCK.now() - begun).total_seconds()
    await everybody_got_one(scene)
    # Four times as fast it would be over in a quarter of that.
    assert took >= (scene.people / rate) * 0.8


async def test_what_a_killed_worker_had_is_taken_over_within_a_minute_and_its_journal_tells_the_rest(
    scene: Scene,
) -> None:
    scene.people, scene.emails_per_second = 1000, 150
    await scene.set_up()
    # On two machines: nobody can read the journal of the one that dies.
    victim = scene.start(data_dir="there")
    await scene.arrived(200, victim)
    other = scene.start(data_dir="here")
    await alive(scene, 2)
    victim.signal(signal.SIGKILL)
    await victim.ended()
    scene.kills += 1
    standing = (await scene.sink.control.count()).messages
    assert standing < scene.people, "the campaign was over before the kill"
    await scene.arrived(standing + 100, other, seconds=MINUTE)
    await scene.finished(other)
    arrived, states = await scene.sink.arrivals(), await scene.states()
    assert set(arrived.values()) == {1}
    # What it had marked may have left: nobody who did not get it is told to have got it.
    accepted = await scene.numbers(DeliveryState.ACCEPTED)
    uncertain = await scene.numbers(DeliveryState.UNCERTAIN)
    assert accepted.keys() <= arrived.keys()
    assert len(accepted) + len(uncertain) == scene.people == sum(states.values())
    # Its machine is back: what it had marked and not begun is sent now, and uncertain stays what was
    # on the wire.
    (journal,) = (scene.folder / "there" / "journal").glob("*.log")
    back = scene.start(data_dir="there")
    async with asyncio.timeout(MINUTE):
        while journal.exists():
            await asyncio.sleep(0.05)
    await scene.finished(back)
    await scene.check_end()


async def test_workers_are_replaced_one_after_the_other_while_a_campaign_is_under_way(scene: Scene) -> None:
    scene.people, scene.emails_per_second = 2400, 200
    await scene.set_up()
    crew: list[Worker] = [scene.start() for _ in range(3)]
    await alive(scene, 3)
    for number in range(3):
        standing = (await scene.sink.control.count()).messages
        await scene.arrived(standing + 50, crew[(number + 1) % 3])
        crew[number].signal(signal.SIGTERM)
        assert await crew[number].ended(seconds=40) == 0
        crew[number] = scene.start()
        await alive(scene, 3)
    assert not await scene.is_done(), "the campaign was over before the last was replaced"
    await scene.finished(crew[0])
    await everybody_got_one(scene)
