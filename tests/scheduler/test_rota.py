"""Turns between workers, and what they tell one another."""

import asyncio
from datetime import timedelta

from models.states import Channel
from scheduler.obstacles import Obstacles, merge
from scheduler.presence import Presence
from scheduler.rota import Rota
from store import Database
from tests.clocks import START, ManualClock

PLACE = (1, Channel.EMAIL)


async def test_no_two_workers_do_the_same_at_once(database: Database, clock: ManualClock) -> None:
    at_it: list[str] = []

    async def work(number: str) -> bool:
        await Presence(database, clock, number * 12).beat()
        async with Rota(database, clock, number * 12, alone=False).turn("launch:7") as mine:
            if mine:
                at_it.append(number)
                assert len(at_it) == 1
                await asyncio.sleep(0.2)
                at_it.remove(number)
            return mine

    assert sorted(await asyncio.gather(*(work(number) for number in "abcd"))) == [False, False, False, True]
    assert await work("e")


async def test_one_worker_does_not_do_the_same_twice_at_once(database: Database, clock: ManualClock) -> None:
    for alone in (True, False):
        rota = Rota(database, clock, "a" * 12, alone=alone)
        async with rota.turn("sweep") as first, rota.turn("sweep") as second:
            assert (first, second) == (True, False)
            assert "sweep" in await rota.taken()
        async with rota.turn("sweep") as again:
            assert again


def test_the_worker_that_tried_last_has_the_last_word() -> None:
    earlier, later = Obstacles(), Obstacles()
    earlier.tried(PLACE, START)
    later.tried(PLACE, START + timedelta(minutes=1))
    now = START + timedelta(minutes=2)
    suspended = {PLACE: "The identity is suspended."}
    assert merge(earlier.told(suspended, now), later.told({}, now)) == {}
    assert merge(earlier.told({}, now), later.told(suspended, now)) == suspended
    assert merge([], [list(told) for told in later.told(suspended, now)]) == suspended


def test_what_was_not_tried_for_long_is_told_no_more() -> None:
    obstacles = Obstacles()
    obstacles.tried(PLACE, START)
    assert obstacles.told({PLACE: "closed"}, START + timedelta(days=1)) == []
