"""`tocsin import` that somebody stops with Ctrl-C: said in one line, and gone on with by the next."""

import asyncio
import os
import signal
from asyncio.subprocess import PIPE

from sqlmodel import func, select

from audience import import_reading
from models.contact import Contact
from store import Database
from tests.service.conftest import LAUNCH, Tocsin

ROWS = 45_000
PATIENCE_S = 60


async def people(database: Database) -> int:
    async with database.read() as session:
        return (await session.exec(select(func.count()).select_from(Contact))).one()


async def test_an_import_that_is_stopped_says_so_and_is_gone_on_with(
    tocsin: Tocsin, database: Database, migrated_url: str
) -> None:
    file = tocsin.folder / "people.csv"
    rows = "".join(f"someone.{number}@exemple.fr;{'Anne' * 40}\n" for number in range(ROWS))
    file.write_text(f"email;first_name\n{rows}", encoding="utf-8")
    # Read by a process of its own, which hears Ctrl-C, too.
    assert file.stat().st_size > import_reading.WORTH_A_PROCESS
    variables = {"TOCSIN_DATABASE_URL": migrated_url}
    process = await asyncio.create_subprocess_exec(
        *(*LAUNCH, "import", file.name),
        cwd=tocsin.folder,
        env=tocsin.environment(**variables),
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,
    )
    async with asyncio.timeout(PATIENCE_S):
        while not await people(database):
            await asyncio.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, err.decode()) == (130, "")
    assert out.decode().startswith("Stopped.")
    assert out.decode().endswith("Import the file again to go on where it was.\n")
    assert 0 < await people(database) < ROWS
    again = await asyncio.to_thread(tocsin.must, "import", file.name, **variables)
    assert again.startswith("Went on from line ")
    assert await people(database) == ROWS
