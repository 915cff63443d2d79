"""What follows a message that reached nobody: told once, of nobody's account."""

import pytest
from sqlmodel import select

from models.event import Event
from models.states import Channel, EventKind
from models.suppression import address_hash
from scheduler.rehearsals import SOURCE, Rehearsals
from store import Database, suppressions
from tests.clocks import START, ManualClock
from tests.scheduler.desks import ScriptedTransport
from tests.scheduler.program_desks import Desk


@pytest.fixture
async def desk(database: Database, clock: ManualClock) -> Desk:
    return await Desk(database, clock).open()


async def told(database: Database) -> list[str]:
    async with database.read() as session:
        rows = (await session.exec(select(Event).where(Event.source == SOURCE))).all()
        return sorted(EventKind(row.kind).value for row in rows)


@pytest.mark.parametrize(
    ("word", "kinds"),
    [
        ("delivered", ["delivered"]),
        ("bounced-later", ["bounced"]),
        ("complained", ["complained", "delivered"]),
        ("clicked+2", ["clicked", "delivered"]),
        ("unsubscribed", ["delivered", "unsubscribed"]),
        ("bounced", []),
        ("uncertain", []),
        ("anything", ["delivered"]),
    ],
)
async def test_what_an_address_promises_follows_once_and_suppresses_nobody(
    desk: Desk, word: str, kinds: list[str]
) -> None:
    address = f"{word}@example.com"
    await desk.ask(desk.wish(address), desk.wish("camille@gmail.com"))
    await desk.drain(ScriptedTransport())
    rehearsals = Rehearsals(desk.database, desk.clock)
    assert await rehearsals.tell() == len(kinds)
    assert await rehearsals.tell() == 0
    assert await Rehearsals(desk.database, desk.clock).tell() == 0, "another process knows it, too"
    assert await told(desk.database) == kinds
    async with desk.database.read() as session:
        assert not await suppressions.suppressed_hashes(
            session, Channel.EMAIL, [address_hash(Channel.EMAIL, address)], START
        )


async def test_where_no_test_key_was_used_nothing_is_looked_through(desk: Desk) -> None:
    await desk.ask(desk.wish())
    await desk.drain(ScriptedTransport())
    assert await Rehearsals(desk.database, desk.clock).tell() == 0
