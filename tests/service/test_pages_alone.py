"""Pages without a worker: what came to this machine is read here, since workers elsewhere do not see it."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from deliverability.classify import use_rules
from models.contact import BulkImport, BulkState, Contact
from scheduler.bulk_imports import FOLDER
from scheduler.destinations import use_resolver
from service.assembly import assemble
from service.settings import GivenSettings
from store import Database, bulk_imports
from tests.clocks import START

NOT_TO_BE_READ = Path("/proc/sys/vm/compact_memory")
"""A file that nobody may read, not even root."""
TABLE = b"id;email\nA1;camille@exemple.fr\n"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    use_rules(None)
    use_resolver(None)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("broken", [False, True], ids=["as it came", "at first not to be read"])
async def test_a_file_that_came_by_the_api_is_read_without_a_worker(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: bool
) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/tocsin.db")
    await database.migrate()
    (tmp_path / FOLDER).mkdir()
    file = tmp_path / FOLDER / "one.csv"
    if broken:
        file.symlink_to(NOT_TO_BE_READ)
    else:
        file.write_bytes(TABLE)
    job = BulkImport(
        key_id=1,
        stored="one.csv",
        file_sha256=hashlib.sha256(TABLE).hexdigest(),
        size=len(TABLE),
        columns={"id": "external_id", "email": "email"},
        created_at=START,
    )
    async with database.write() as session:
        number = (await bulk_imports.add(session, job)).id
    settings = GivenSettings(data_dir=tmp_path, dns_servers="off", bind_port=0)
    async with assemble(settings, with_worker=False):
        while broken and "files of people not read" not in caplog.text:
            await asyncio.sleep(0.05)
        if broken:
            file.unlink()
            file.write_bytes(TABLE)
        while True:
            async with database.read() as session:
                found = await bulk_imports.get(session, number)
            if found.state not in (BulkState.WAITING, BulkState.RUNNING):
                break
            await asyncio.sleep(0.05)
    assert (found.state, found.problem) == (BulkState.FINISHED, "")
    async with database.read() as session:
        assert (await session.exec(select(Contact.email))).all() == ["camille@exemple.fr"]
    await database.close()
