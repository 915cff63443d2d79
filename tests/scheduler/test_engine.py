"""What every engine promises, on both of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest

from models.clock import SystemClock
from scheduler.engine import Engine
from scheduler.engine_cluster import ClusterEngine
from scheduler.engine_embedded import EmbeddedEngine
from tests.servers.postgresql import PostgresqlServer

CLOCK = SystemClock()
SOON = timedelta(milliseconds=300)
GRACE = timedelta(seconds=25)
Maker = Callable[..., Engine]


@pytest.fixture(params=["embedded", "cluster"])
def make_engine(request: pytest.FixtureRequest) -> Iterator[Maker]:
    """Engines of one kind; those of one test work for the same installation."""
    if request.param == "embedded":
        yield lambda *, grace=GRACE: EmbeddedEngine(CLOCK, grace=grace)
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    name = server.create_database(template=request.getfixturevalue("migrated_postgresql_name"))
    yield lambda *, grace=GRACE: ClusterEngine(server.url(name), CLOCK, grace=grace)
    server.drop_database(name)


@asynccontextmanager
async def running(engine: Engine) -> AsyncIterator[None]:
    task = asyncio.create_task(engine.run())
    await asyncio.sleep(0.05)
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Diary:
    """What ran, in order."""

    def __init__(self, pause: float = 0) -> None:
        self.entries: list[str] = []
        self._pause = pause

    async def write(self, word: str = "run") -> None:
        self.entries.append(word)
        await asyncio.sleep(self._pause)
        self.entries.append(f"{word} done")

    @property
    def started(self) -> list[str]:
        return [entry for entry in self.entries if not entry.endswith("done")]

    async def wait_for(self, count: int) -> None:
        """Until so many have started."""
        async with asyncio.timeout(30):
            while len(self.started) < count:
                await asyncio.sleep(0.01)


async def test_a_job_asked_for_runs(make_engine: Maker) -> None:
    engine, diary = make_engine(), Diary()
    engine.job("write", diary.write)
    async with running(engine):
        assert await engine.defer("write", key="a", args={"word": "hello"})
        await diary.wait_for(1)
    assert diary.entries == ["hello", "hello done"]


async def test_of_one_key_only_one_job_is_pending(make_engine: Maker) -> None:
    engine, diary = make_engine(), Diary()
    engine.job("write", diary.write)
    async with running(engine):
        hour = timedelta(hours=1)
        assert await engine.defer("write", key="a", at=CLOCK.now() + hour)
        assert not await engine.defer("write", key="a", at=CLOCK.now() + hour * 2)
        assert await engine.defer("write", key="a", at=CLOCK.now() + SOON)
        await diary.wait_for(1)
        assert not await engine.cancel("a"), "nothing is left of the others"
        await asyncio.sleep(SOON.total_seconds() * 2)
    assert diary.started == ["run"]


async def test_an_earlier_wish_pulls_a_pending_job_forward(make_engine: Maker) -> None:
    engine, diary = make_engine(), Diary()
    engine.job("write", diary.write)
    async with running(engine):
        await engine.defer("write", key="a", at=CLOCK.now() + timedelta(hours=1))
        assert await engine.defer("write", key="a")
        await diary.wait_for(1)
    assert diary.started == ["run"]


async def test_a_wish_that_comes_while_the_job_runs_is_kept(make_engine: Maker) -> None:
    engine, diary = make_engine(), Diary(pause=0.5)
    engine.job("write", diary.write)
    async with running(engine):
        await engine.defer("write", key="a")
        await diary.wait_for(1)
        assert await engine.defer("write", key="a")
        await diary.wait_for(2)
    assert diary.started == ["run", "run"]


async def test_a_cancelled_wish_is_forgotten(make_engine: Maker) -> None:
    engine, diary = make_engine(), Diary()
    engine.job("write", diary.write)
    async with running(engine):
        # Time enough to cancel it, on a busy machine too.
        await engine.defer("write", key="a", at=CLOCK.now() + SOON * 5)
        assert await engine.cancel("a")
        assert not await engine.cancel("a")
        await asyncio.sleep(SOON.total_seconds() * 7)
    assert diary.entries == []


async def test_a_job_asked_for_before_the_engine_ran_is_not_forgotten(make_engine: Maker) -> None:
    engine, diary = make_engine(), Diary()
    engine.job("write", diary.write)
    await engine.defer("write", key="a")
    async with running(engine):
        await diary.wait_for(1)
    assert diary.started == ["run"]


async def test_a_job_asked_for_while_the_loop_was_blocked_still_runs(make_engine: Maker) -> None:
    engine, diary = make_engine(), Diary()
    engine.job("write", diary.write)
    async with running(engine):
        await engine.defer("write", key="a", at=CLOCK.now() + SOON)
        time.sleep(2)  # noqa: ASYNC251 - a busy loop is the case
        await diary.wait_for(1)
    assert diary.started == ["run"]


async def test_jobs_under_way_end_before_the_engine_does(make_engine: Maker) -> None:
    engine, diary = make_engine(), Diary(pause=0.5)
    engine.job("write", diary.write)
    async with running(engine):
        await engine.defer("write", key="a")
        await diary.wait_for(1)
    assert diary.entries == ["run", "run done"]


async def test_a_job_that_fails_does_not_stop_the_others(make_engine: Maker) -> None:
    engine, diary = make_engine(), Diary()
    failed = asyncio.Event()

    async def fail() -> None:
        failed.set()
        raise RuntimeError("no")

    engine.job("fail", fail)
    engine.job("write", diary.write)
    async with running(engine):
        await engine.defer("fail", key="f")
        async with asyncio.timeout(30):
            await failed.wait()
        await engine.defer("write", key="a")
        await diary.wait_for(1)
    assert diary.started == ["run"]


async def test_a_repeated_job_runs_again_and_again(make_engine: Maker) -> None:
    engine, diary = make_engine(), Diary()
    engine.job("write", diary.write)
    engine.every(timedelta(seconds=1), "write")
    async with running(engine):
        await diary.wait_for(3)


async def test_a_job_cut_short_may_still_write_down_what_became_of_it(make_engine: Maker) -> None:
    engine, begun, said = make_engine(grace=timedelta(0)), asyncio.Event(), []

    async def linger() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            said.append("last words")

    engine.job("linger", linger)
    async with running(engine):
        await engine.defer("linger", key="a")
        async with asyncio.timeout(30):
            await begun.wait()
    assert said == ["last words"]


async def test_a_thousand_wishes_for_later_keep_nobody_waiting(make_engine: Maker) -> None:
    engine, diary = make_engine(), Diary()
    engine.job("write", diary.write)
    tomorrow = CLOCK.now() + timedelta(days=1)
    for number in range(1000):
        await engine.defer("write", key=f"later:{number}", at=tomorrow)
    async with running(engine):
        await engine.defer("write", key="a", args={"word": "now"})
        await diary.wait_for(1)
    assert diary.started == ["now"]


async def test_a_clock_that_is_set_back_does_not_make_the_regular_look_wait() -> None:
    steps = iter([timedelta(0), timedelta(0), -timedelta(hours=1)])
    shift = timedelta(0)

    def set_back() -> datetime:
        nonlocal shift
        shift = next(steps, shift)
        return CLOCK.now() + shift

    engine = EmbeddedEngine(CLOCK, machine=set_back)
    looked = asyncio.Event()

    async def look() -> None:
        looked.set()

    engine.job("look", look)
    # What a clock that was set back by an hour makes of a look each second: it is due in an hour.
    engine.every(timedelta(hours=1), "look")
    async with running(engine):
        async with asyncio.timeout(60):
            await looked.wait()
