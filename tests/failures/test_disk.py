"""The disk is full: for the ledger on SQLite, for the journal alone on PostgreSQL.

`RLIMIT_FSIZE` of the worker stands for the disk: from one moment to the next not an octet more can be written
to any file, and later it can again.
"""

import asyncio
import resource
from collections.abc import Callable

import pytest

from tests.crash.scene import Scene
from tests.servers.workers import Worker

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]


def _limit_files(worker: Worker, octets: int) -> None:
    resource.prlimit(worker.number, resource.RLIMIT_FSIZE, (octets, resource.RLIM_INFINITY))


async def test_with_a_full_disk_nothing_leaves_and_afterwards_everything_does(
    a_scene: Callable[..., Scene],
) -> None:
    scene = a_scene(people=800, emails_per_second=200)
    await scene.set_up()
    worker = scene.start()
    await scene.arrived(150, worker)
    _limit_files(worker, 1)
    before = await scene.silent()
    assert worker.is_running, scene.told()
    assert before < 800, "the campaign was over before the disk was full"
    if not scene.database.is_sqlite:
        async with asyncio.timeout(60):
            while "disk" not in (problem := (await scene.campaign()).problem.lower()):
                await asyncio.sleep(0.1)
        assert "journal" in problem
    _limit_files(worker, resource.RLIM_INFINITY)
    await scene.finished(worker)
    await scene.check_end()
