"""Reading is done by one thread; one that does not come back from a piece holds up nobody."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from deliverability import one_thread
from deliverability.one_thread import OneThread


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> OneThread:
    monkeypatch.setattr(one_thread, "PATIENCE_S", 0.1)
    monkeypatch.setattr(one_thread, "IDLE_S", 0.2)
    return OneThread()


@pytest.fixture
def stuck() -> Iterator[Callable[[], str]]:
    """Work that does not come back before the test is over."""
    over = threading.Event()

    def wait() -> str:
        over.wait(60)
        return "late"

    yield wait
    over.set()


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(50):
        while not holds():
            await asyncio.sleep(0.02)


async def test_pieces_are_done_in_their_order_by_one_thread(desk: OneThread) -> None:
    seen: list[tuple[int, str]] = []
    started = {thread.ident for thread in threading.enumerate()}

    def work(number: int) -> int:
        thread = threading.current_thread()
        assert thread.ident not in started
        seen.append((number, str(thread.ident)))
        return number * 2

    found = await asyncio.gather(*(desk.do(partial(work, number)) for number in range(200)))
    assert found == [n * 2 for n in range(200)]
    assert [number for number, _ in seen] == list(range(200))
    assert len({thread for _, thread in seen}) == 1


async def test_what_a_piece_raises_is_raised_where_it_was_asked_for(desk: OneThread) -> None:
    def fail() -> None:
        raise RecursionError("too deep")

    with pytest.raises(RecursionError, match="too deep"):
        await desk.do(fail)
    assert await desk.do(lambda: 1) == 1


async def test_one_that_does_not_come_back_holds_up_nobody(desk: OneThread, stuck: Callable[[], str]) -> None:
    hanging = [asyncio.create_task(desk.do(stuck)) for _ in range(2)]
    await asyncio.sleep(0)
    async with asyncio.timeout(50):
        assert await asyncio.gather(*(desk.do(partial(abs, n)) for n in range(20))) == list(range(20))
    assert not any(one.done() for one in hanging)
    assert desk.count == 3
    for one in hanging:
        one.cancel()


async def test_there_are_never_more_threads_than_that(
    desk: OneThread, stuck: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_thread, "MOST_THREADS", 3)
    hanging = [asyncio.create_task(desk.do(stuck)) for _ in range(6)]
    await asyncio.sleep(1)
    assert desk.count == 3
    for one in hanging:
        one.cancel()


async def test_one_that_comes_back_after_all_leaves_the_work_to_the_other(
    desk: OneThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_thread, "IDLE_S", 30.0)
    over = threading.Event()
    late = asyncio.create_task(desk.do(lambda: over.wait(60)))
    await asyncio.sleep(0)
    assert await desk.do(lambda: 1) == 1
    assert desk.count == 2
    over.set()
    assert await late is True
    async with asyncio.timeout(50):
        for _ in range(5):
            await asyncio.sleep(0.02)
            await desk.do(lambda: time.sleep(0.01))
    assert desk.count == 1


async def test_one_that_comes_back_does_not_work_beside_the_other(desk: OneThread) -> None:
    over = threading.Event()
    late = asyncio.create_task(desk.do(lambda: over.wait(60)))
    await asyncio.sleep(0)
    seen: list[str] = []

    def work() -> None:
        over.set()
        time.sleep(0.01)
        seen.append(str(threading.current_thread().ident))

    await asyncio.gather(late, *(desk.do(work) for _ in range(9)))
    assert len(set(seen)) == 1


async def test_a_piece_nobody_waits_for_any_more_is_left_out(
    desk: OneThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_thread, "PATIENCE_S", 60.0)
    done: list[str] = []
    over = threading.Event()

    async def impatient() -> None:
        async with asyncio.timeout(0.02):
            await desk.do(lambda: done.append("late"))

    busy = asyncio.create_task(desk.do(lambda: over.wait(60)))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await impatient()
    over.set()
    await busy
    await desk.do(lambda: done.append("next"))
    assert done == ["next"]


async def test_the_thread_ends_when_there_is_nothing_to_do(desk: OneThread) -> None:
    assert await desk.do(lambda: 1) == 1
    assert desk.count == 1
    await eventually(lambda: desk.count == 0)
    assert await desk.do(lambda: 2) == 2
