"""kill -9 at every boundary between two states, and anywhere in between: nothing lost, nothing twice.

The workers are the product itself in processes of its own; the ledger, the journal and the wire are real.
Uncertain are at most the messages on the wire at the moment of a kill, and each of them is told.
"""

import asyncio
import random
import signal
from pathlib import Path

import pytest

from store import Database
from tests.crash.scene import Scene
from tests.servers.workers import SEAMS, CountingSink, Nursery, Worker

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]

ON_THE_WIRE = ("mail", "data", "body", "dot", "answered")
RANDOM_MOMENTS = 12
PATIENCE_S = 10
"""A worker that has not come to the place where it should die is killed where it is."""


async def _die(scene: Scene, worker: Worker, way: str) -> None:
    try:
        status = await worker.ended(seconds=PATIENCE_S)
    except TimeoutError:
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
        nth = draw.randint(1, 12) if place.startswith(("commit", "recorded")) else draw.randint(1, 60)
        match kind:
            case "seam":
                worker = scene.start(die_at=place, nth=nth)
            case "wire":
                worker = scene.start()
                await scene.sink.kill_at(place, nth, worker)
            case _:
                worker = scene.start()
                await asyncio.sleep(draw.uniform(0, 1))
                worker.signal(signal.SIGKILL)
        await _die(scene, worker, f"{place or 'moment'}/{nth}")


async def test_killed_at_every_boundary_a_campaign_reaches_everybody_once(
    database: Database, migrated_url: str, tmp_path: Path, counting_sink: CountingSink, nursery: Nursery
) -> None:
    scene = Scene(
        database, migrated_url, tmp_path, counting_sink, nursery, people=3000, emails_per_second=250
    )
    await scene.set_up()
    draw = random.Random(database.is_sqlite)
    await _kill_everywhere(scene, draw)
    assert scene.kills >= 25
    assert not await scene.is_done(), "the campaign was over before the last kill: it proves too little"
    await scene.finished(scene.start())
    await scene.check_end()
