"""Many rows at once: what is given for it is given back, and every row finds its number."""

import asyncio
import gc
import re
import time

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from store import Database
from store.engine import copy_lines
from store.loading import lines_of, room_for_many


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


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("row", ["a\t0\n", "a\t\\N\n"], ids=["taken", "refused"])
@pytest.mark.parametrize("turns", range(8))
async def test_rows_whose_sending_is_given_up_as_it_begins_leave_no_connection_open(
    database: Database, row: str, turns: int
) -> None:
    connected = asyncio.Event()

    async def send() -> None:
        async with database.write() as session:
            await session.scalar(sa.text("SELECT 1"))
            connected.set()
            await copy_lines(session, "COPY pace (key, arrival_us) FROM STDIN", row)
            await asyncio.Event().wait()

    sending = asyncio.create_task(send())
    await connected.wait()
    for _ in range(turns):
        await asyncio.sleep(0)
    # The server's answer is here, and has been seen by nobody.
    time.sleep(0.02)  # noqa: ASYNC251 - nobody may see it
    sending.cancel()
    # A row that is refused may have been refused before.
    with pytest.raises((asyncio.CancelledError, IntegrityError)):
        await sending
    async with database.read() as session:
        assert await session.scalar(sa.text("SELECT count(*) FROM pace")) == 0


_VALUES = st.none() | st.integers(-9, 9) | st.text("a\\N\t\n\rn", max_size=4)
_UNDONE = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r"}


def _read_back(text: str) -> str | None:
    if text == r"\N":
        return None
    return re.sub(r"\\.", lambda sign: _UNDONE[sign[0]], text)


@given(st.lists(st.tuples(_VALUES, _VALUES), min_size=1, max_size=5))
def test_lines_for_postgresql_hold_every_value_whatever_is_in_it(
    rows: list[tuple[object, ...]],
) -> None:
    first, second = ([row[place] for row in rows] for place in (0, 1))
    lines = lines_of({"one": first, "other": second}).removesuffix("\n").split("\n")  # type: ignore[dict-item]
    found = [tuple(map(_read_back, line.split("\t"))) for line in lines]
    assert found == [tuple(value if value is None else str(value) for value in row) for row in rows]
