"""Many rows at once: what is given for it is given back, and every row finds its number."""

from collections.abc import Sequence

import pytest
from sqlmodel import col, select

from models.contact import Contact
from store import Database, contacts
from store.loading import room_for_many
from tests.clocks import START


async def room_of(database: Database) -> list[int]:
    async with database.write() as session:
        connection = await session.connection()
        return [
            int((await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one())
            for name in ("cache_size", "wal_autocheckpoint")
        ]


# PostgreSQL's memory is not ours to give.
@pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
async def test_room_taken_for_many_rows_is_given_back_also_after_a_failure(database: Database) -> None:
    before = await room_of(database)

    async def fail() -> None:
        async with room_for_many(database):
            assert await room_of(database) != before
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await room_of(database) == before


@pytest.mark.parametrize("places", [(0, 1, 2), (0, 2), ()])
async def test_rows_known_by_their_places_get_the_numbers_reserved_for_them(
    database: Database, places: Sequence[int]
) -> None:
    odd = {0: "tab\tand \\N", 1: "b", 2: "line\nbreak"}
    columns = {"email": [f"a{place}@b.fr" for place in places], "first_name": [odd[p] for p in places]}
    people = contacts.arrange_people(places, columns, now=START, embedded=database.is_sqlite)
    async with database.write() as session:
        await contacts.insert_contacts(session, [{"email": "a2@b.fr"}], now=START)
        numbers = await contacts.reserve(session, 3)
        made = await contacts.insert_people(session, numbers, people)
        assert made == {numbers[place] for place in places if place != 2}
        wanted = select(col(Contact.id), col(Contact.first_name)).where(col(Contact.id).in_(numbers))
        found = (await session.exec(wanted)).all()
    assert {tuple(row) for row in found} == {(numbers[p], odd[p]) for p in places if p != 2}
