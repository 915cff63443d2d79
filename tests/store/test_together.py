"""Work that many ask for at once is done together, and one that cannot be done costs nobody else theirs."""

import asyncio
from collections.abc import Sequence

import pytest
import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import StoreError
from store import Database
from store.together import MOST, Together

POISON = "poison"


class Writer:
    """Writes words into a table of its own, and remembers which it was given at once."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.heaps: list[list[str]] = []
        self.away = False
        self.desk = Together(self._write)

    async def _write(self, session: AsyncSession, words: Sequence[str]) -> list[str]:
        self.heaps.append(list(words))
        if self.away:
            raise StoreError("The database is away.")
        connection = await session.connection()
        for word in words:
            await connection.execute(sa.text("INSERT INTO word VALUES (:word)"), {"word": word})
            if word == POISON:
                raise ValueError(word)
        return [word.upper() for word in words]

    async def written(self) -> list[str]:
        async with self.database.read() as session:
            connection = await session.connection()
            return sorted((await connection.execute(sa.text("SELECT word FROM word"))).scalars())


@pytest.fixture
async def writer(database: Database) -> Writer:
    async with database.write() as session:
        await (await session.connection()).execute(sa.text("CREATE TABLE word (word text)"))
    return Writer(database)


async def ask(writer: Writer, words: Sequence[str]) -> list[str | BaseException]:
    wishes = (writer.desk.do(writer.database, word) for word in words)
    return await asyncio.gather(*wishes, return_exceptions=True)


async def test_each_has_its_own_answer_and_those_who_ask_at_once_share_a_transaction(writer: Writer) -> None:
    assert await ask(writer, ["a", "b", "c"]) == ["A", "B", "C"]
    assert await writer.written() == ["a", "b", "c"]
    assert max(len(heap) for heap in writer.heaps) > 1
    assert await ask(writer, ["d"]) == ["D"]


async def test_one_that_cannot_be_done_fails_alone(writer: Writer) -> None:
    words = ["a", "b", POISON, "c", "d", "e"]
    answers = await ask(writer, words)
    assert [answer for answer in answers if isinstance(answer, str)] == ["A", "B", "C", "D", "E"]
    assert isinstance(answers[2], ValueError)
    assert await writer.written() == ["a", "b", "c", "d", "e"]


async def test_an_outage_is_told_to_everybody_without_trying_each(writer: Writer) -> None:
    writer.away = True
    answers = await ask(writer, [str(number) for number in range(50)])
    assert all(isinstance(answer, StoreError) for answer in answers)
    assert len(writer.heaps) <= 4
    writer.away = False
    assert await ask(writer, ["a"]) == ["A"]
    assert await writer.written() == ["a"]


async def test_who_gave_up_waiting_is_left_out(writer: Writer) -> None:
    async def impatient() -> None:
        async with asyncio.timeout(0):
            await writer.desk.do(writer.database, "late")

    answers = await asyncio.gather(impatient(), ask(writer, ["a"]), return_exceptions=True)
    assert isinstance(answers[0], TimeoutError)
    assert await writer.written() == ["a"]


async def test_who_is_on_the_way_is_waited_for(writer: Writer) -> None:
    desk = writer.desk = Together(writer._write, gather_s=100.0)
    with desk.expecting(), desk.expecting():
        first = asyncio.create_task(desk.do(writer.database, "a"))
        await asyncio.sleep(0.05)
        assert writer.heaps == []
        second = asyncio.create_task(desk.do(writer.database, "b"))
        await asyncio.sleep(0.05)
    async with asyncio.timeout(60):
        assert (await first, await second) == ("A", "B")
    assert writer.heaps == [["a", "b"]]


async def test_nobody_is_waited_for_where_nobody_is_on_the_way(writer: Writer) -> None:
    desk = writer.desk = Together(writer._write, gather_s=100.0)
    async with asyncio.timeout(60):
        assert await ask(writer, ["a", "b", "c"]) == ["A", "B", "C"]
        assert await desk.do(writer.database, "d") == "D"


async def test_who_does_not_arrive_is_not_waited_for_longer_than_that(writer: Writer) -> None:
    desk = writer.desk = Together(writer._write, gather_s=0.05)
    with desk.expecting():
        async with asyncio.timeout(60):
            assert await desk.do(writer.database, "a") == "A"


async def test_a_full_heap_waits_for_nobody(writer: Writer) -> None:
    desk = writer.desk = Together(writer._write, gather_s=100.0)
    words = [str(number) for number in range(MOST)]
    with desk.expecting():
        first = asyncio.create_task(desk.do(writer.database, words[0]))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(60):
            others = await ask(writer, words[1:])
            assert [await first, *others] == words
    assert [len(heap) for heap in writer.heaps] == [MOST]
