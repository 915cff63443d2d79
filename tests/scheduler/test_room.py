"""Places for messages: never more than there are, in the order of asking, and none lost."""

import asyncio

import pytest

from models.values import EmailEnvelope
from scheduler import dispatch
from scheduler.room import Room, Share
from store import Database
from tests.clocks import ManualClock
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all
from tests.scheduler.ledgers import a_running_campaign


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
    # Nor who wants less, of which there is enough.
    large, small = (asyncio.create_task(room.take(count)) for count in (9, 4))
    room.give(4)
    await asyncio.sleep(0)
    large.cancel()
    await asyncio.gather(large, return_exceptions=True)
    assert await asyncio.wait_for(small, 1) == 4
    # Cancelled in the very moment of its turn: what it was given goes back.
    late = asyncio.create_task(room.take(5))
    await asyncio.sleep(0)
    room.give(5)
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)
    assert await asyncio.wait_for(room.take(5), 1) == 5


async def test_a_share_is_given_back_as_its_messages_leave() -> None:
    room = Room(100)
    share = Share(room, await room.take(80), 8)
    share.leave()
    assert await room.take(30) == 30
    second = asyncio.create_task(room.take(25))
    await asyncio.sleep(0)
    assert not second.done()
    share.keep(4)
    assert await second == 25
    share.keep(0)
    share.leave()
    room.give(55)
    assert await asyncio.wait_for(room.take(100), 1) == 100


async def test_what_is_larger_than_was_thought_keeps_the_next_one_waiting() -> None:
    room = Room(100)
    share = Share(room, await room.take(20), 2)
    share.weigh(70)
    following = asyncio.create_task(room.take(20))
    await asyncio.sleep(0)
    assert not following.done()
    share.leave()
    assert await following == 20


async def test_what_waits_for_the_wire_is_bounded_in_octets(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [f"p{number}@gmail.com" for number in range(60)]
    await a_running_campaign(database, *people)
    bound = 60_000
    monkeypatch.setattr(dispatch, "ROOM", bound)
    waiting: list[int] = []

    async def look(_recipient: str) -> None:
        letters = [parcel.envelope for parcel in transport.waiting]
        waiting.append(sum(len(letter.data) for letter in letters if isinstance(letter, EmailEnvelope)))
        await asyncio.sleep(0.005)

    transport = ScriptedTransport(before=look, connections=1)
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert sorted(transport.recipients) == sorted(people)
    size = len(transport.letter_to(people[0]).data)
    assert 2 * size < max(waiting) <= bound < len(people) * size
