"""Who is there, who is not any more, and who has taken which work."""

import asyncio
from datetime import timedelta

import pytest

from models.worker import Worker
from store import Database, turns, workers
from store.workers import HEARTBEAT, SILENCE
from tests.clocks import START, ManualClock

LATER = START + SILENCE + timedelta(seconds=1)


def a_worker(number: str) -> Worker:
    return Worker(id=number * 12, host="tower", pid=7, role="worker", started_at=START, seen_at=START)


async def beat(database: Database, number: str, *, at: timedelta = timedelta(0)) -> None:
    async with database.write() as session:
        await workers.beat(session, a_worker(number), START + at)


async def test_a_worker_is_alive_for_as_long_as_it_is_heard_of(database: Database) -> None:
    await beat(database, "a")
    await beat(database, "b")
    await beat(database, "b", at=SILENCE)
    async with database.read() as session:
        assert await workers.alive(session, START + HEARTBEAT) == {"a" * 12, "b" * 12}
        assert await workers.alive(session, LATER) == {"b" * 12}
        assert await workers.gone(session, LATER) == {"a" * 12}
        assert [worker.id for worker in await workers.list_workers(session, since=START)] == ["b" * 12]


async def test_a_worker_that_signed_off_is_gone_at_once_and_back_with_its_next_beat(
    database: Database,
) -> None:
    await beat(database, "a")
    async with database.write() as session:
        await workers.sign_off(session, "a" * 12, START)
        assert await workers.gone(session, START) == {"a" * 12}
    await beat(database, "a")
    async with database.read() as session:
        assert await workers.gone(session, START) == set()


async def test_workers_long_gone_are_forgotten(database: Database) -> None:
    await beat(database, "a")
    async with database.write() as session:
        assert await workers.clear_away(session, START) == 0
        assert await workers.clear_away(session, START + timedelta(days=1)) == 1


async def take(database: Database, number: str, *, at: timedelta = timedelta(0)) -> bool:
    async with database.write() as session:
        return await turns.take(session, "drain:1:orange:0", worker_id=number * 12, now=START + at)


async def test_a_turn_belongs_to_one_worker_until_it_gives_it_back(database: Database) -> None:
    await beat(database, "a")
    await beat(database, "b")
    assert await take(database, "a")
    assert not await take(database, "b")
    async with database.write() as session:
        await turns.give_back(session, "drain:1:orange:0", worker_id="b" * 12)
        assert await turns.held(session, START) == {"drain:1:orange:0": "a" * 12}
        await turns.give_back(session, "drain:1:orange:0", worker_id="a" * 12)
    assert await take(database, "b")


async def test_the_turn_of_a_worker_that_died_goes_to_the_next(database: Database) -> None:
    await beat(database, "a")
    assert await take(database, "a")
    assert await take(database, "b", at=SILENCE + timedelta(seconds=1))


async def test_each_turn_is_asked_for_its_own_holder(database: Database) -> None:
    await beat(database, "a")
    assert await take(database, "a")
    await beat(database, "b", at=SILENCE * 2)
    async with database.write() as session:
        # Another turn, of one who is alive, makes no difference to that of the dead one.
        assert await turns.take(session, "sweep", worker_id="b" * 12, now=START + SILENCE * 2)
    assert await take(database, "b", at=SILENCE * 2)


async def test_of_many_who_want_a_turn_at_once_one_gets_it(database: Database) -> None:
    names = "abcdef"
    for number in names:
        await beat(database, number)
    assert sorted(await asyncio.gather(*(take(database, number) for number in names))) == [False] * 5 + [True]


async def test_turns_that_could_not_be_given_back_are_given_back_later(database: Database) -> None:
    await beat(database, "a")
    async with database.write() as session:
        for key in ("one", "two", "three"):
            assert await turns.take(session, key, worker_id="a" * 12, now=START)
        assert await turns.keep_only(session, {"two"}, worker_id="a" * 12) == 2
        assert set(await turns.held(session, START)) == {"two"}
        assert await turns.clear_away(session, LATER) == 1


@pytest.mark.parametrize("gap", [HEARTBEAT, SILENCE * 3, -SILENCE])
async def test_nobody_is_taken_for_dead_by_one_who_was_silent_himself(
    database: Database, clock: ManualClock, gap: timedelta
) -> None:
    from scheduler.presence import Presence

    presence = Presence(database, clock, "f" * 12)
    await beat(database, "a")
    for _ in range(5):
        await presence.beat()
        clock.advance(HEARTBEAT)
    assert await presence.gone() == {"a" * 12}
    # The database was away, the machine asleep, or the clock was set: everybody was silent.
    clock.advance(gap)
    await presence.beat()
    assert await presence.gone() == ({"a" * 12} if gap == HEARTBEAT else set())
