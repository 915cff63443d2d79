"""Places for messages: never more than there are, in the order of asking, and none lost."""

import asyncio

from scheduler.room import Room


async def test_who_asks_first_is_served_first_and_a_large_wish_is_not_passed_over() -> None:
    room = Room(10)
    served: list[str] = []

    async def ask(name: str, count: int) -> None:
        await room.take(count)
        served.append(name)

    assert await room.take(7) == 7
    large = asyncio.create_task(ask("large", 8))
    await asyncio.sleep(0)
    small = asyncio.create_task(ask("small", 1))
    await asyncio.sleep(0)
    assert served == []
    room.give(7)
    await asyncio.gather(large, small)
    assert served == ["large", "small"]


async def test_more_than_there_is_means_all_there_is() -> None:
    room = Room(10)
    assert await room.take(50) == 10
    room.give(10)
    assert await room.take(10) == 10


async def test_who_gives_up_waiting_keeps_nobody_else_waiting() -> None:
    room = Room(10)
    await room.take(10)
    impatient, patient = (asyncio.create_task(room.take(5)) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    room.give(5)
    assert await patient == 5
    # Cancelled in the very moment of its turn: what it was given goes back.
    late = asyncio.create_task(room.take(5))
    await asyncio.sleep(0)
    room.give(5)
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)
    assert await asyncio.wait_for(room.take(5), 1) == 5
