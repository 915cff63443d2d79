"""Letters lie where they were written until nobody needs them any more, and never under one another."""

import asyncio
import gc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.shelf import PLACE_OCTETS, PLACES, Counter, Shelf


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    made = Shelf()
    yield made
    made.close()


@pytest.fixture
def counter(shelf: Shelf) -> Counter:
    return Counter(shelf.file)


def laid(shelf: Shelf, counter: Counter, octets: bytes) -> tuple[int, int]:
    counter.lend(shelf.lend(1))
    where = counter.lay(octets)
    assert where is not None
    return where


def test_what_one_side_lays_the_other_takes(shelf: Shelf, counter: Counter) -> None:
    letters = [shelf.take(*laid(shelf, counter, b"letter %d" % number)) for number in range(10)]
    assert [bytes(letter) for letter in letters] == [b"letter %d" % number for number in range(10)]


def test_a_place_is_free_again_once_nobody_holds_the_letter(shelf: Shelf, counter: Counter) -> None:
    letter = shelf.take(*laid(shelf, counter, b"x" * 100))
    assert shelf.free == PLACES - 1
    rest = letter[50:]
    del letter
    gc.collect()
    assert shelf.free == PLACES - 1, "a part of it is still held"
    del rest
    assert shelf.free == PLACES


async def test_what_a_transport_has_not_sent_yet_stays_where_it_lies(shelf: Shelf, counter: Counter) -> None:
    body = bytes(range(256)) * (PLACE_OCTETS // 256)
    received = bytearray()
    let_go = asyncio.Event()
    whole = asyncio.Event()

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await let_go.wait()
        while len(received) < 20 * len(body):
            received.extend(await reader.read(1 << 20))
        whole.set()
        writer.close()

    server = await asyncio.start_server(read, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", port)
    for _ in range(20):
        transport.writelines((shelf.take(*laid(shelf, counter, body)), b""))
    # Whoever lays something now must not come under what is still to be sent.
    others = [shelf.take(*laid(shelf, counter, b"\0" * PLACE_OCTETS)) for _ in range(100)]
    let_go.set()
    await whole.wait()
    assert received == body * 20
    assert len(others) == 100
    transport.close()
    server.close()


def test_what_is_too_long_or_finds_no_place_is_carried(shelf: Shelf, counter: Counter) -> None:
    counter.lend(shelf.lend(1))
    assert counter.lay(b"x" * (PLACE_OCTETS + 1)) is None
    assert counter.lay(b"x" * PLACE_OCTETS) is not None
    assert counter.lay(b"x") is None


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 59)), max_size=40))
def test_no_place_is_lent_twice_or_lost(steps: list[tuple[int, int]]) -> None:
    shelf = Shelf()
    held: dict[int, memoryview] = {}
    for wanted, used in steps:
        places = shelf.lend(wanted)
        assert not held.keys() & set(places)
        taken = places[:used]
        held |= {place: shelf.take(place, 1) for place in taken}
        shelf.give_back(places[used:])
        for place in list(held)[::2]:
            del held[place]
    assert shelf.free + len(held) == PLACES
    held.clear()
    assert sorted(shelf.lend(PLACES)) == list(range(PLACES))
    shelf.close()
