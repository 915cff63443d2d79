"""Where a moment stands in a table that only grows."""

from datetime import timedelta

import pytest
from sqlmodel import col

from models.event import Event
from models.states import EventKind
from store import Database, events
from store.moments import SLACK, number_before
from tests.clocks import START


async def fill(database: Database, minutes: list[int]) -> None:
    """One event at each of these minutes, in this order."""
    async with database.write() as session:
        for place, minute in enumerate(minutes):
            at = START + timedelta(minutes=minute)
            row = Event(kind=EventKind.CLICKED, source="t", source_id=str(place), at=at, recorded_at=at)
            await events.append(session, row)


async def before(database: Database, minute: int) -> int:
    async with database.read() as session:
        moment = START + timedelta(minutes=minute)
        return await number_before(session, col(Event.id), col(Event.recorded_at), moment)


async def test_an_empty_table_begins_at_nothing(database: Database) -> None:
    assert await before(database, 0) == 0


@pytest.mark.parametrize("count", [1, 2, 7, 40])
async def test_no_row_since_a_moment_is_passed_over_and_few_before_it_are_looked_at(
    database: Database, count: int
) -> None:
    # Ten minutes apart, every other one a little out of order.
    minutes = [10 * place + (2 if place % 2 else -2) for place in range(count)]
    await fill(database, minutes)
    slack = SLACK // timedelta(minutes=1)
    for asked in range(-20, 10 * count + 20, 3):
        found = await before(database, asked)
        since = [place for place, minute in enumerate(minutes, start=1) if minute >= asked]
        assert all(place > found for place in since)
        needless = [minute for minute in minutes[found:] if minute < asked - slack]
        assert not needless
