"""kill -9 at every boundary between two states, and anywhere in between: nothing lost, nothing twice.

The workers are the product itself in processes of its own; the ledger, the journal and the wire are real.
Uncertain are at most the messages on the wire at the moment of a kill, and each of them is told.
"""

import asyncio
import random
import signal
from pathlib import Path
from types import MappingProxyType

import pytest

from deliverability.feedback import Applied, apply
from models.clock import SystemClock
from models.states import Channel, DeliveryState, EventKind
from models.values import Reply, Signal
from store import Database
from tests.crash.scene import Scene
from tests.servers.workers import SEAMS, CountingSink, Nursery, Worker

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]

ON_THE_WIRE = ("mail", "data", "body", "dot", "answered")
RANDOM_MOMENTS = 10
MOST = MappingProxyType({"commit": 12, "recorded": 2, "body": 3})
"""What happens less often in the life of a worker than once a message."""
PATIENCE_S = 60
"""By then a worker has come to the place where it should die, on a busy machine too."""
RARELY, RARELY_S = "body", 3
"""A letter seldom comes in two parts: a worker that should die there is killed where it is."""


async def _die(scene: Scene, worker: Worker, way: str) -> None:
    try:
        status = await worker.ended(seconds=RARELY_S if way.startswith(RARELY) else PATIENCE_S)
    except TimeoutError:
        assert way.startswith(RARELY), f"{way}: it never came there\n{scene.told()}"
        worker.signal(signal.SIGKILL)
        status = await worker.ended()
    assert status == -signal.SIGKILL, f"{way}: ended with {status} by itself\n{scene.told()}"
    scene.kills += 1
    scene.ways.append(way)
    await scene.check_so_far()


async def _kill_everywhere(scene: Scene, draw: random.Random) -> None:
    """Once or more at every seam, at every step of the dialogue, and at random moments, in any order."""
    plans = [("seam", place) for place in SEAMS]
    plans += [("wire", place) for place in ON_THE_WIRE]
    plans += [("moment", "")] * RANDOM_MOMENTS
    draw.shuffle(plans)
    for kind, place in plans:
        nth = draw.randint(1, MOST.get(place.partition(":")[0], 60))
        match kind:
            case "seam":
                worker = scene.start(die_at=place, nth=nth)
            case "wire":
                worker = scene.start()
                await scene.sink.kill_at(place, nth, worker)
            case _:
                worker = scene.start()
                await asyncio.sleep(draw.uniform(0, 1.5))
                worker.signal(signal.SIGKILL)
        await _die(scene, worker, f"{place or 'moment'}/{nth}")


async def test_one_of_two_workers_killed_again_and_again_costs_nothing(
    postgresql_url: str, tmp_path: Path, counting_sink: CountingSink, nursery: Nursery
) -> None:
    database = Database(postgresql_url)
    await database.migrate()
    scene = Scene(
        database, postgresql_url, tmp_path, counting_sink, nursery, people=4000, emails_per_second=200
    )
    await scene.set_up()
    survivor = scene.start()
    draw = random.Random(7)
    for _ in range(8):
        victim = scene.start()
        await asyncio.sleep(draw.uniform(0.5, 2))
        victim.signal(signal.SIGKILL)
        await _die(scene, victim, "moment")
    assert survivor.is_running, scene.told()
    assert not await scene.is_done(), "the campaign was over before the last kill: it proves too little"
    await scene.let_go()
    await scene.finished(survivor)
    await scene.check_end()
    await database.close()


async def test_later_news_settles_what_a_kill_left_uncertain(
    database: Database, migrated_url: str, tmp_path: Path, counting_sink: CountingSink, nursery: Nursery
) -> None:
    scene = Scene(database, migrated_url, tmp_path, counting_sink, nursery, people=300)
    await scene.set_up()
    for point in ("dot", "dot", "dot"):
        worker = scene.start()
        await scene.sink.kill_at(point, 20, worker)
        await _die(scene, worker, point)
    await scene.finished(scene.start())
    await scene.check_end()
    uncertain = await scene.numbers(DeliveryState.UNCERTAIN)
    arrived = {who: uncertain[who] for who in await scene.sink.arrivals() if who in uncertain}
    assert arrived, "a message that the sink counted and did not answer is uncertain"
    await _bring_news(scene, list(arrived.values()))
    # Of the others nobody has heard: they stay as they are, and nobody is written to again.
    assert (await scene.numbers(DeliveryState.UNCERTAIN)).keys() == uncertain.keys() - arrived.keys()
    assert (await scene.numbers(DeliveryState.ACCEPTED)).keys() >= arrived.keys()
    await scene.check_so_far()


async def _bring_news(scene: Scene, numbers: list[int]) -> None:
    """A click, or a bounce that says the mailbox is full: only what was handed over can bring them."""
    now = SystemClock().now()
    for place, number in enumerate(numbers):
        clicked = place % 2 == 0
        news = Signal(
            kind=EventKind.CLICKED if clicked else EventKind.BOUNCED,
            channel=Channel.EMAIL,
            source="click" if clicked else "dsn",
            source_id=f"news/{number}",
            at=now,
            delivery_id=number,
            reply=None if clicked else Reply(552, "5.2.2", "mailbox full"),
        )
        async with scene.database.write() as session:
            assert await apply(session, news, now) is Applied.NEW


async def test_killed_at_every_boundary_a_campaign_reaches_everybody_once(
    database: Database, migrated_url: str, tmp_path: Path, counting_sink: CountingSink, nursery: Nursery
) -> None:
    scene = Scene(
        database, migrated_url, tmp_path, counting_sink, nursery, people=8000, emails_per_second=500
    )
    await scene.set_up()
    draw = random.Random(database.is_sqlite)
    await _kill_everywhere(scene, draw)
    assert scene.kills >= 25
    assert not await scene.is_done(), "the campaign was over before the last kill: it proves too little"
    await scene.let_go()
    await scene.finished(scene.start())
    await scene.check_end()
