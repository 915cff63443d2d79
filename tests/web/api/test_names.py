"""What programs call things by: looked up once however many ask, and each told in their own words."""

import asyncio

import pytest

from web.api.names import Names


class Asked:
    """Somebody who looks things up; `hold` keeps the answer back."""

    def __init__(self, answer: int | None = 7) -> None:
        self.answer, self.times, self.hold = answer, 0, asyncio.Event()

    async def ask(self) -> int | None:
        self.times += 1
        await self.hold.wait()
        return self.answer


async def test_what_many_ask_for_at_once_is_looked_up_once() -> None:
    names, asked = Names(), Asked()
    waiting = [asyncio.create_task(names.get(("template", "Receipt"), asked.ask)) for _ in range(50)]
    await asyncio.sleep(0)
    asked.hold.set()
    assert await asyncio.gather(*waiting) == [7] * 50
    assert await names.get(("template", "Receipt"), asked.ask) == 7
    assert asked.times == 1


async def test_what_is_not_there_is_looked_up_every_time() -> None:
    names, asked = Names(), Asked(None)
    asked.hold.set()
    assert [await names.get(("identity", "x"), asked.ask) for _ in range(3)] == [None] * 3
    assert asked.times == 3


async def test_whoever_hangs_up_takes_the_answer_from_nobody() -> None:
    names, asked = Names(), Asked()
    first, second = (asyncio.create_task(names.get(("a",), asked.ask)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    asked.hold.set()
    assert await second == 7
    assert asked.times == 1


async def test_what_goes_wrong_is_told_to_each_in_their_own_words() -> None:
    names, hold = Names(), asyncio.Event()

    async def as_said_by(who: str) -> int | None:
        await hold.wait()
        raise LookupError(who)

    async def told(who: str) -> str:
        with pytest.raises(LookupError) as problem:
            await names.get(("a",), lambda: as_said_by(who))
        return str(problem.value)

    waiting = [asyncio.create_task(told(who)) for who in ("Ana", "Bo", "Cy")]
    await asyncio.sleep(0)
    hold.set()
    assert await asyncio.gather(*waiting) == ["Ana", "Bo", "Cy"]
