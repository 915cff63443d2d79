"""Many rows at once: what is given for it is given back, and every row finds its number."""

import gc

import pytest

from store import Database
from store.loading import room_for_many


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


async def test_python_looks_for_rubbish_less_often_only_as_long_as_many_rows_come(database: Database) -> None:
    usual = gc.get_threshold()
    async with room_for_many(database):
        async with room_for_many(database):
            pass
        assert gc.get_threshold()[0] > usual[0]
    assert gc.get_threshold() == usual
