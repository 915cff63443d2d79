"""The clock: summer time begins and ends, somebody sets it, a worker sleeps beyond its lease."""

import asyncio
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import select

from models.clock import SystemClock
from models.delivery import Delivery
from models.event import Event
from models.states import DeliveryState, EventKind
from scheduler.campaigns import schedule, unschedule
from store import Database
from tests.crash.scene import MOST_UNCERTAIN_A_KILL, Scene
from tests.servers.workers import CountingSink, Nursery, Worker

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("clock_from", "local_time", "starts_at"),
    [
        # 02:30 does not exist on that day: it is the same span after midnight, 03:30 on the wall.
        ("2026-03-29T01:25:00+00:00", "2026-03-29T02:30:00", "2026-03-29T01:30:00+00:00"),
        # 02:30 comes twice on that day: the first of the two.
        ("2026-10-25T00:25:00+00:00", "2026-10-25T02:30:00", "2026-10-25T00:30:00+00:00"),
    ],
    ids=["an hour skipped", "an hour twice"],
)
async def test_a_campaign_in_the_hour_of_the_change_starts_once(
    a_scene: Callable[..., Scene], clock_from: str, local_time: str, starts_at: str
) -> None:
    scene = a_scene(people=50)
    await scene.set_up()
    now = datetime.fromisoformat(clock_from)
    async with scene.database.write() as session:
        await unschedule(session, scene.campaign_id, now)
        await schedule(session, scene.campaign_id, datetime.fromisoformat(local_time), "Europe/Paris", now)
    # An hour and ten minutes in half a minute: past the second 02:30 as well.
    worker = scene.start(clock_from=clock_from, clock_speed=140)
    await scene.finished(worker)
    launched_at = (await scene.campaign()).launched_at
    assert launched_at is not None
    assert launched_at >= datetime.fromisoformat(starts_at)
    await asyncio.sleep(5)
    await scene.check_end()


@pytest.mark.parametrize("jump_s", [3600, -3600], ids=["an hour forward", "an hour back"])
async def test_a_clock_that_is_set_while_a_campaign_runs_loses_and_doubles_nothing(
    a_scene: Callable[..., Scene], jump_s: int
) -> None:
    scene = a_scene(people=900, emails_per_second=10)
    await scene.set_up()
    worker = scene.start(clock_speed=20)
    await scene.arrived(200, worker)
    async with scene.database.write() as session:
        # Long due: what is due at nine is not due at eight, whatever the clock said before.
        await session.exec(sa.update(Delivery).values(due_at=SystemClock().now() - timedelta(hours=2)))
    clock = scene.folder / "data/clock"
    clock.write_text(str(jump_s))
    # Within two minutes: an hour by the clock, if anything waited for that, is three.
    await scene.finished(worker, seconds=120)
    await scene.check_end()
    assert (await scene.states())[DeliveryState.UNCERTAIN] == 0


async def settled(scene: Scene, most: int) -> None:
    """Wait until the sleeper has told what it knows: its campaign may have ended in doubt before."""
    async with asyncio.timeout(60):
        while (await scene.states())[DeliveryState.UNCERTAIN] > most:
            await asyncio.sleep(0.1)


async def _put_to_sleep(worker: Worker, database: Database, *, in_the_midst: bool) -> None:
    """In the midst of a transaction, where the others wait for its locks, or between two, for its lease."""
    open_ones = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND state <> 'idle' AND pid <> pg_backend_pid() AND (NOT :writing OR backend_xid IS NOT NULL)"
    )
    while True:
        worker.signal(signal.SIGSTOP)
        await asyncio.sleep(0.2)
        async with database.read() as session:
            still_open = await (await session.connection()).scalar(open_ones, {"writing": in_the_midst})
            if bool(still_open) is in_the_midst:
                return
        worker.signal(signal.SIGCONT)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("in_the_midst", [False, True], ids=["between transactions", "in the midst of one"])
async def test_a_worker_that_slept_beyond_its_lease_writes_nothing_over_anothers_claim(
    postgresql_url: str, tmp_path: Path, counting_sink: CountingSink, nursery: Nursery, in_the_midst: bool
) -> None:
    database = Database(postgresql_url)
    await database.migrate()
    scene = Scene(
        database,
        postgresql_url,
        tmp_path,
        counting_sink,
        nursery,
        people=1500,
        emails_per_second=300,
        lease_s=2,
    )
    await scene.set_up()
    sleeper = scene.start(data_dir="one machine")
    await scene.arrived(200, sleeper)
    await _put_to_sleep(sleeper, database, in_the_midst=in_the_midst)
    other = scene.start(data_dir="another machine")
    await scene.arrived(700, other)
    sleeper.signal(signal.SIGCONT)
    await scene.finished(other)
    # What the sleeper had on the wire it knew of when it woke.
    scene.kills = 1
    await settled(scene, MOST_UNCERTAIN_A_KILL)
    await scene.finished(other)
    await scene.check_end()
    assert sleeper.is_running
    await database.close()


async def test_a_service_that_slept_goes_on_where_it_was(
    sqlite_url: str, tmp_path: Path, counting_sink: CountingSink, nursery: Nursery
) -> None:
    database = Database(sqlite_url)
    await database.migrate()
    scene = Scene(
        database, sqlite_url, tmp_path, counting_sink, nursery, people=600, emails_per_second=300, lease_s=1
    )
    await scene.set_up()
    worker = scene.start()
    await scene.arrived(150, worker)
    worker.signal(signal.SIGSTOP)
    await asyncio.sleep(3)
    worker.signal(signal.SIGCONT)
    await scene.finished(worker)
    await scene.check_end()
    # Its own sweep, awake before its own handover, took nothing for abandoned.
    async with database.read() as session:
        assert EventKind.UNCERTAIN not in (await session.exec(select(Event.kind).distinct())).all()
    await database.close()
