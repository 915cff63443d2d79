"""What the engine of many processes survives: PostgreSQL going away, dead lines, dead workers."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from procrastinate.manager import JobManager

from models.errors import StoreError
from scheduler import engine_cluster
from scheduler.engine_cluster import ClusterEngine, _cron
from store import Database
from tests.fixtures import migrate
from tests.scheduler.test_engine import CLOCK, Diary, running
from tests.servers.postgresql import PostgresqlServer, start_postgresql

AT_ONCE_S = 4.5
"""Far more than a wish takes, far less than what nobody notices: a lost LISTEN, a dead pool."""


@pytest.fixture
def server() -> Iterator[PostgresqlServer]:
    """A PostgreSQL that may be stopped: nobody else uses it."""
    own = start_postgresql()
    try:
        yield own
    finally:
        own.remove()


@pytest.fixture
def url(server: PostgresqlServer) -> str:
    address = server.url(server.create_database())
    migrate(address)
    return address


async def asked_until_it_runs(engine: ClusterEngine, diary: Diary, word: str, job: str = "write") -> None:
    """Ask, through the outage if there is one, until the job has run."""
    async with asyncio.timeout(45):
        while word not in diary.entries:
            with contextlib.suppress(StoreError):
                await engine.defer(job, key="again", args={"word": word})
            await asyncio.sleep(0.2)


async def an_outage(server: PostgresqlServer, address: str, away: float) -> None:
    """Jobs of both queues run, PostgreSQL is away for so many seconds, and they run again."""
    engine, diaries = ClusterEngine(address, CLOCK), {"write": Diary(), "drain": Diary()}
    for job, diary in diaries.items():
        engine.job(job, diary.write)
    async with running(engine):
        for job, diary in diaries.items():
            await engine.defer(job, key=f"a:{job}", args={"word": "before"})
            await diary.wait_for(1)
        await asyncio.to_thread(server.stop)
        await asyncio.sleep(away)
        await asyncio.to_thread(server.start)
        for job, diary in diaries.items():
            await asked_until_it_runs(engine, diary, "after", job)
        await asyncio.sleep(3)  # every part of it has come back
        for number, (job, diary) in enumerate([*diaries.items()] * 5):
            count, begun = len(diary.started), time.monotonic()
            await engine.defer(job, key=f"later:{number}", args={"word": f"later {number}"})
            await diary.wait_for(count + 1)
            assert time.monotonic() - begun < AT_ONCE_S, f"a {job} after {away} s away"


def test_after_postgresql_was_away_wishes_are_heard_at_once_again() -> None:
    async def all_at_once() -> None:
        async with asyncio.TaskGroup() as group:
            # 12 s: longer than a connection is waited for.
            for (server, address), away in zip(places, (0, 5, 12), strict=True):
                group.create_task(an_outage(server, address, away))

    places: list[tuple[PostgresqlServer, str]] = []
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            server = start_postgresql()
            stack.callback(server.remove)
            address = server.url(server.create_database())
            migrate(address)
            places.append((server, address))
        asyncio.run(all_at_once())


async def test_while_postgresql_is_away_a_wish_is_one_clear_line(
    server: PostgresqlServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = ClusterEngine(url, CLOCK)
    engine.job("write", Diary().write)
    await engine.defer("write", key="a")
    await asyncio.to_thread(server.stop)
    monkeypatch.setattr(engine_cluster, "GUARD_S", 0.3)
    with pytest.raises(StoreError, match="cannot reach the database"):
        await engine.defer("write", key="b")
    await engine.close()


class Line:
    """A line to PostgreSQL that can go dead: open, and silent for ever."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._flows: set[asyncio.Event] = set()
        self._ends: list[asyncio.StreamWriter] = []

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to PostgreSQL and back."""
        dead = asyncio.Event()
        self._flows.add(dead)
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._ends += [writer, back]
        await asyncio.gather(self._pump(reader, back, dead), self._pump(there, writer, dead))

    async def _pump(
        self, source: asyncio.StreamReader, end: asyncio.StreamWriter, dead: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while octets := await source.read(65536):
                if not dead.is_set():
                    end.write(octets)
                    await end.drain()
        end.close()

    def go_dead(self) -> None:
        """Every connection there is now says nothing any more; new ones work."""
        for flow in self._flows:
            flow.set()

    async def close(self) -> None:
        """Hang up everywhere."""
        for end in self._ends:
            end.close()
            with contextlib.suppress(OSError):
                await end.wait_closed()


@contextlib.asynccontextmanager
async def line_to(port: int) -> AsyncIterator[tuple[Line, int]]:
    line = Line(port)
    door = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    yield line, door.sockets[0].getsockname()[1]
    door.close()
    await line.close()


async def test_connections_that_fall_silent_are_replaced(
    server: PostgresqlServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line_to(server.port) as (line, port):
        engine, diary = ClusterEngine(url.replace(f":{server.port}/", f":{port}/"), CLOCK), Diary()
        engine.job("write", diary.write)
        async with running(engine):
            await engine.defer("write", key="a", args={"word": "before"})
            await diary.wait_for(1)
            monkeypatch.setattr(engine_cluster, "GUARD_S", 1.5)
            line.go_dead()
            await asked_until_it_runs(engine, diary, "after")


async def test_a_repeated_job_runs_once_a_tick_however_many_engines_there_are(url: str) -> None:
    ticks: list[float] = []

    async def tick() -> None:
        ticks.append(CLOCK.now().timestamp())

    engines = [ClusterEngine(url, CLOCK) for _ in range(3)]
    async with contextlib.AsyncExitStack() as stack:
        for engine in engines:
            engine.job("tick", tick)
            engine.every(timedelta(seconds=2), "tick")
            await stack.enter_async_context(running(engine))
        async with asyncio.timeout(60):
            while len(ticks) < 4:
                await asyncio.sleep(0.05)
    # Three intervals of two seconds lie between four ticks; the first may have come late, by a poll or
    # a busy machine. Fired by each engine, four ticks would take one interval and a bit.
    assert ticks[3] - ticks[0] >= 4


async def test_a_process_asks_once_a_tick_for_what_is_done_regularly(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []
    ask = JobManager.defer_periodic_job

    async def noted(self: JobManager, job: Any, *, periodic_id: str, defer_timestamp: int) -> int | None:
        asked.append((periodic_id, defer_timestamp))
        return await ask(self, job, periodic_id=periodic_id, defer_timestamp=defer_timestamp)

    monkeypatch.setattr(JobManager, "defer_periodic_job", noted)
    engine, diary = ClusterEngine(url, CLOCK), Diary()
    engine.job("write", diary.write)
    engine.every(timedelta(seconds=1), "write")
    async with running(engine):
        await diary.wait_for(3)
    ticks = [moment for name, moment in asked if name == "write"]
    assert len(ticks) == len(set(ticks))


async def test_a_job_of_a_worker_that_died_is_asked_for_anew(url: str) -> None:
    database = Database(url)
    engine, diary = ClusterEngine(url, CLOCK), Diary()
    engine.job("write", diary.write)
    await engine.defer("write", key="a", args={"word": "anew"})
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(sa.text("SET LOCAL search_path = engine"))
        await connection.execute(
            sa.text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute')")
        )
        await connection.execute(
            sa.text(
                "UPDATE procrastinate_jobs SET status = 'doing',"
                " worker_id = (SELECT max(id) FROM procrastinate_workers)"
            )
        )
    # A twin that waits must not stand in the way.
    await engine.defer("write", key="a", args={"word": "twin"}, at=CLOCK.now() + timedelta(hours=1))
    async with running(engine):
        await diary.wait_for(1)
    await database.close()
    assert diary.started == ["anew"]


async def test_finished_jobs_leave_nothing_behind(url: str) -> None:
    engine, diary = ClusterEngine(url, CLOCK), Diary()
    engine.job("write", diary.write)
    database = Database(url)
    async with running(engine):
        for number in range(10):
            await engine.defer("write", key=f"a:{number}")
        await diary.wait_for(10)
    async with database.read() as session:
        left = await session.scalar(
            sa.text("SELECT count(*) FROM engine.procrastinate_jobs WHERE task_name = 'write'")
        )
    await database.close()
    assert left == 0


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.1, "* * * * * */1"),
        (7, "* * * * * */6"),
        (60, "*/1 * * * *"),
        (7 * 60, "*/6 * * * *"),
        (3600, "0 */1 * * *"),
        (86_400, "0 */24 * * *"),
    ],
)
def test_spans_are_rounded_down_to_what_cron_can_say(seconds: float, written: str) -> None:
    assert _cron(timedelta(seconds=seconds)) == written
