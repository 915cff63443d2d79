"""The promises both databases keep."""

import asyncio
from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlmodel import SQLModel, col, select

import store.tables
from models.contact import Contact
from models.errors import ConflictError, NaiveDatetimeError, SettingsError, StoreError
from models.pace import PaceRow
from models.states import ConsentStatus
from store import Database, engine
from store.engine import parse_url
from tests.clocks import START, ManualClock

PARIS_WINTER = timezone(timedelta(hours=1))


async def test_a_moment_comes_back_in_utc_whatever_zone_it_came_in(database: Database) -> None:
    moment = datetime(2026, 3, 10, 12, 0, 0, 123456, tzinfo=PARIS_WINTER)
    async with database.write() as session:
        session.add(Contact(email="a@exemple.fr", created_at=moment, updated_at=moment))
    async with database.read() as session:
        contact = (await session.exec(select(Contact))).one()
    assert contact.created_at.isoformat() == "2026-03-10T11:00:00.123456+00:00"


async def test_a_naive_moment_is_refused(database: Database) -> None:
    naive = datetime(2026, 3, 10, 12, 0)  # noqa: DTZ001 - that is the point
    with pytest.raises(StatementError) as refusal:
        async with database.write() as session:
            session.add(Contact(email="a@exemple.fr", created_at=naive, updated_at=naive))
    assert isinstance(refusal.value.orig, NaiveDatetimeError)


async def test_choices_are_stored_by_value(database: Database) -> None:
    async with database.write() as session:
        session.add(
            Contact(
                email="a@exemple.fr", sms_consent=ConsentStatus.GRANTED, created_at=START, updated_at=START
            )
        )
    async with database.read() as session:
        raw = await session.scalar(sa.text("SELECT sms_consent FROM contact"))
    assert raw == "granted"


async def test_a_block_that_raises_changes_nothing(database: Database) -> None:
    async def fail_halfway() -> None:
        async with database.write() as session:
            session.add(PaceRow(key="a"))
            await session.flush()
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        await fail_halfway()
    async with database.read() as session:
        assert (await session.exec(select(PaceRow))).all() == []


async def test_concurrent_writers_wait_for_one_another(database: Database) -> None:
    async with database.write() as session:
        session.add(PaceRow(key="shared", arrival_us=0))

    async def add_one() -> None:
        async with database.write() as session:
            await session.exec(
                sa.update(PaceRow)
                .where(sa.column("key") == "shared")
                .values(arrival_us=PaceRow.arrival_us + 1)
            )

    async with asyncio.TaskGroup() as tasks:
        for _ in range(40):
            tasks.create_task(add_one())
    async with database.read() as session:
        assert (await session.exec(select(PaceRow.arrival_us))).one() == 40


async def test_the_migrations_make_exactly_the_tables_of_the_models(database: Database) -> None:
    assert store.tables.__all__

    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, SQLModel.metadata))

    async with database.write() as session:
        connection = await session.connection()
        assert await connection.run_sync(differences) == []


async def test_a_new_database_says_that_it_needs_migrating(database_url: str) -> None:
    database = Database(database_url)
    assert await database.pending_migration() is not None
    await database.migrate()
    assert await database.pending_migration() is None
    await database.close()


async def test_a_second_service_on_the_same_file_is_refused_until_the_first_ends(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    await database.lock_service()
    second = Database(database.url.render_as_string(hide_password=False))
    with pytest.raises(ConflictError, match="already running"):
        await second.lock_service()
    await database.close()
    await second.lock_service()
    await second.close()


async def test_on_postgresql_any_number_of_services_may_send(postgresql_url: str) -> None:
    first, second = Database(postgresql_url), Database(postgresql_url)
    await first.lock_service()
    await second.lock_service()
    await first.close()
    await second.close()


async def test_an_unreachable_server_is_one_clear_line() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreError, match="cannot be used"):
        await database.pending_migration()
    await database.close()


@pytest.mark.parametrize("text", ["", "mysql://x/y", "not a url"])
def test_other_databases_are_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_url(text)


def test_the_manual_clock_only_moves_when_told(clock: ManualClock) -> None:
    clock.advance(timedelta(minutes=1))
    assert clock.now() - START == timedelta(minutes=1)


async def test_no_free_connection_is_one_clear_line(database: Database) -> None:
    for way in (database.read, database.write):
        with pytest.raises(StoreError, match="Every connection to the database is taken"):
            async with way():
                raise PoolTimeoutError


async def test_a_full_disk_says_that_what_was_recorded_is_kept(database: Database) -> None:
    with pytest.raises(StoreError, match="what was recorded is kept"):
        async with database.write():
            raise OperationalError("INSERT", {}, Exception("database or disk is full"))


async def test_a_commit_reaches_the_disk_whatever_the_server_is_set_to(database: Database) -> None:
    async with database.write() as session:
        connection = await session.connection()
        question = "PRAGMA synchronous" if database.is_sqlite else "SHOW synchronous_commit"
        setting = (await connection.exec_driver_sql(question)).scalar_one()
    assert setting == (2 if database.is_sqlite else "on")


async def test_what_is_only_read_leaves_what_the_driver_has_prepared(database: Database) -> None:
    """PostgreSQL plans a statement each time it is asked until the driver has prepared it."""
    if database.is_sqlite:
        return
    prepared = sa.text("SELECT count(*) FROM pg_prepared_statements")
    for _ in range(8):
        async with database.read() as session:
            await session.exec(select(Contact))
            found = int(await session.scalar(prepared) or 0)
    assert found > 0


async def test_what_is_changed_while_reading_is_not_written(database: Database) -> None:
    async with database.write() as session:
        session.add(Contact(email="a@exemple.fr", created_at=START, updated_at=START))
    async with database.read() as session:
        contact = (await session.exec(select(Contact))).one()
        contact.email = "b@exemple.fr"
    async with database.read() as session:
        assert (await session.exec(select(Contact.email))).one() == "a@exemple.fr"


async def test_a_transaction_that_stands_still_loses_its_locks_to_the_others(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was frozen in the midst of one: the others go on, and it is told when it wakes."""
    monkeypatch.setattr(engine, "BRIEF_IDLE_S", 1)
    frozen, other = Database(postgresql_url), Database(postgresql_url)
    await frozen.migrate()
    take = sa.update(PaceRow).where(col(PaceRow.key) == "relay:email")
    async with other.write() as session:
        session.add(PaceRow(key="relay:email", arrival_us=1))

    async def go_on_beside() -> None:
        async with asyncio.timeout(30), other.write(at_once=True) as session:
            await session.exec(take.values(arrival_us=3))

    async def stand_still() -> None:
        async with frozen.write(at_once=True) as session:
            await session.exec(take.values(arrival_us=2))
            await go_on_beside()
            await session.exec(select(PaceRow))

    with pytest.raises(StoreError, match="idle-in-transaction timeout"):
        await stand_still()
    # What it did is undone, and it goes on by itself.
    async with frozen.write(at_once=True) as session:
        assert (await session.exec(select(PaceRow.arrival_us))).all() == [3]
    await frozen.close()
    await other.close()


async def test_one_that_stood_still_until_its_end_has_written_nothing(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BRIEF_IDLE_S", 1)
    database = Database(postgresql_url)
    await database.migrate()

    async def stand_still() -> None:
        async with database.write(at_once=True) as session:
            session.add(PaceRow(key="relay:email", arrival_us=1))
            await session.flush()
            await asyncio.sleep(2)

    with pytest.raises(StoreError, match="idle-in-transaction timeout"):
        await stand_still()
    async with database.read() as session:
        assert (await session.exec(select(PaceRow))).all() == []
    await database.close()


async def test_how_long_a_transaction_may_stand_still(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    told = []
    for at_once in (True, False):
        async with database.read(at_once=at_once) as session:
            told.append(await session.scalar(sa.text("SHOW idle_in_transaction_session_timeout")))
    assert told == ["30s", "5min"]
    await database.close()
