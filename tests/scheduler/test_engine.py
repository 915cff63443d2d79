"""What every engine promises; the embedded one here."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from models.clock import SystemClock
from scheduler.engine import Engine
from scheduler.engine_embedded import EmbeddedEngine

CLOCK = SystemClock()
SOON = timedelta(milliseconds=80)


@asynccontextmanager
async def running(engine: Engine) -> AsyncIterator[None]:
    task = asyncio.create_task(engine.run())
    await asyncio.sleep(0.02)
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


async def test_a_job_asked_for_runs() -> None:
    engine, diary = EmbeddedEngine(CLOCK), Diary()
    engine.job("write", diary.write)
    async with running(engine):
        assert await engine.defer("write", key="a", args={"word": "hello"})
        await asyncio.sleep(0.1)
    assert diary.entries == ["hello", "hello done"]


async def test_of_one_key_only_one_job_is_pending() -> None:
    engine, diary = EmbeddedEngine(CLOCK), Diary()
    engine.job("write", diary.write)
    async with running(engine):
        assert await engine.defer("write", key="a", at=CLOCK.now() + SOON)
        assert not await engine.defer("write", key="a", at=CLOCK.now() + SOON * 2)
        await asyncio.sleep(0.4)
    assert diary.started == ["run"]


async def test_an_earlier_wish_pulls_a_pending_job_forward() -> None:
    engine, diary = EmbeddedEngine(CLOCK), Diary()
    engine.job("write", diary.write)
    async with running(engine):
        await engine.defer("write", key="a", at=CLOCK.now() + timedelta(hours=1))
        assert await engine.defer("write", key="a")
        await asyncio.sleep(0.1)
    assert diary.started == ["run"]


async def test_a_wish_that_comes_while_the_job_runs_is_kept() -> None:
    engine, diary = EmbeddedEngine(CLOCK), Diary(pause=0.1)
    engine.job("write", diary.write)
    async with running(engine):
        await engine.defer("write", key="a")
        await asyncio.sleep(0.05)
        assert await engine.defer("write", key="a")
        await asyncio.sleep(0.4)
    assert diary.started == ["run", "run"]


async def test_a_cancelled_wish_is_forgotten() -> None:
    engine, diary = EmbeddedEngine(CLOCK), Diary()
    engine.job("write", diary.write)
    async with running(engine):
        await engine.defer("write", key="a", at=CLOCK.now() + SOON)
        assert await engine.cancel("a")
        assert not await engine.cancel("a")
        await asyncio.sleep(0.2)
    assert diary.entries == []


async def test_a_job_asked_for_while_the_loop_was_blocked_still_runs() -> None:
    engine, diary = EmbeddedEngine(CLOCK), Diary()
    engine.job("write", diary.write)
    async with running(engine):
        await engine.defer("write", key="a", at=CLOCK.now() + SOON)
        time.sleep(1.5)  # noqa: ASYNC251 - a busy loop is the case
        await asyncio.sleep(0.2)
    assert diary.started == ["run"]


async def test_jobs_under_way_end_before_the_engine_does() -> None:
    engine, diary = EmbeddedEngine(CLOCK), Diary(pause=0.3)
    engine.job("write", diary.write)
    async with running(engine):
        await engine.defer("write", key="a")
        await asyncio.sleep(0.05)
    assert diary.entries == ["run", "run done"]


async def test_a_job_that_fails_does_not_stop_the_others() -> None:
    engine, diary = EmbeddedEngine(CLOCK), Diary()

    async def fail() -> None:
        raise RuntimeError("no")

    engine.job("fail", fail)
    engine.job("write", diary.write)
    async with running(engine):
        await engine.defer("fail", key="f")
        await asyncio.sleep(0.05)
        await engine.defer("write", key="a")
        await asyncio.sleep(0.1)
    assert diary.started == ["run"]


async def test_a_repeated_job_runs_again_and_again() -> None:
    engine, diary = EmbeddedEngine(CLOCK), Diary()
    engine.job("write", diary.write)
    engine.every(timedelta(milliseconds=100), "write")
    async with running(engine):
        await asyncio.sleep(0.5)
    assert len(diary.started) >= 3


async def test_a_job_cut_short_may_still_write_down_what_became_of_it() -> None:
    engine, begun, said = EmbeddedEngine(CLOCK, grace=timedelta(0)), asyncio.Event(), []

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
        await begun.wait()
    assert said == ["last words"]
