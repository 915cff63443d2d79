"""A migrated database and a clock, what most tests begin with.

Migrations run once a test process and database kind; each test gets a copy of the result.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deliverability.breaker_rules import use_breakers
from deliverability.classify import use_rules
from deliverability.policy import use_policies
from scheduler.destinations import use_resolver
from store import Database
from tests.clocks import ManualClock
from tests.servers.postgresql import PostgresqlServer


def migrate(url: str) -> None:
    async def work() -> None:
        database = Database(url)
        await database.migrate()
        await database.close()

    asyncio.run(work())


@pytest.fixture(scope="session")
def migrated_sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the tables of this version."""
    file = tmp_path_factory.mktemp("migrated") / "tocsin.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_postgresql_name(postgresql: PostgresqlServer) -> str:
    """The name of a PostgreSQL database with the tables of this version."""
    name = postgresql.create_database()
    migrate(postgresql.url(name))
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh database with all tables: the test runs once on each kind."""
    if request.param == "sqlite":
        file = tmp_path / "tocsin.db"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite_file"), file)
        yield f"sqlite:///{file}"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    name = server.create_database(template=request.getfixturevalue("migrated_postgresql_name"))
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """An open database with all tables, empty; the test runs once on each kind."""
    opened = Database(migrated_url)
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at 10 March 2026, 09:00 UTC."""
    return ManualClock()


@pytest.fixture(autouse=True)
def _nobody_is_asked() -> Iterator[None]:
    """What a test that puts the parts together sets for its process ends with it: name servers, own rules."""
    yield
    use_resolver(None)
    use_rules(None)
    use_policies(None)
    use_breakers(None)
