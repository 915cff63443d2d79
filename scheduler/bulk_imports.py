"""Files of people that programs handed over, read one after the other by whoever sees them.

By the same import as any file, which goes on where it was: a service that was stopped, or killed, loses no
row and reads none twice. A file is removed once it is read; whoever does not see the folder it lies in leaves
it to one that does, and of several that see it the first has it to itself, by a lock on the file.
"""

import asyncio
import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from audience.imports import ImportOptions, UpdatePolicy, import_contacts
from models.clock import Clock
from models.contact import BulkImport, BulkState
from models.errors import BadInputError
from models.states import Channel, ConsentStatus
from store import Database, bulk_imports
from store.imports import Checkpoint

log = logging.getLogger(__name__)
FOLDER: Final = "imports"
"""Of the data folder."""
TELL_EVERY_S: Final = 1.0
MOST_ATTEMPTS: Final = 5
"""Beginnings that ended in an error of ours, before somebody has to look at it."""


def options_of(job: BulkImport, folder: Path) -> ImportOptions:
    """How a file is read."""
    said = job.options
    return ImportOptions(
        mapping={name.removeprefix("map:"): field for name, field in said.items() if name.startswith("map:")},
        source=said.get("source", ""),
        update=UpdatePolicy(said.get("update", UpdatePolicy.OVERWRITE)),
        consents={channel: ConsentStatus.GRANTED for channel in Channel if said.get(channel.value)},
        report_path=report_of(job, folder),
        keep_unknown=not said.get("known_only"),
    )


def report_of(job: BulkImport, folder: Path) -> Path:
    """Where its report is, if there is anything to say."""
    return folder / f"{Path(job.stored).stem}.report.csv"


class BulkReader:
    """Reads what waits."""

    def __init__(self, database: Database, clock: Clock, data_dir: Path) -> None:
        """`data_dir`: where files are kept meanwhile."""
        self._database = database
        self._clock = clock
        self._folder = data_dir / FOLDER

    async def read_next(self) -> bool:
        """Read the first file that waits and is here; False when none is read to its end."""
        async with self._database.read() as session:
            jobs = await bulk_imports.open_ones(session)
        for job in jobs:
            path = self._folder / job.stored
            if await asyncio.to_thread(path.is_file):
                with _alone_with(path) as alone:
                    # Who has it reads it first: what comes after may be about the same people.
                    return alone and await self._read(job, path)
        return False

    async def _read(self, job: BulkImport, path: Path) -> bool:
        async with self._database.write() as session:
            await bulk_imports.change(session, job.id, state=BulkState.RUNNING, attempts=job.attempts + 1)
        done = _Done()
        telling = asyncio.create_task(self._tell(job.id, done))
        problem = ""
        try:
            options = options_of(job, self._folder)
            await import_contacts(self._database, path, options, self._clock, done.note)
        except BadInputError as error:
            problem = str(error)
        except Exception as error:
            # Begun again from where it was, unless it never ends otherwise.
            log.exception("import failed", extra={"import": job.id})
            if job.attempts + 1 < MOST_ATTEMPTS:
                return False
            problem = f"It failed {MOST_ATTEMPTS} times; the log says why ({type(error).__name__})."
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling
        await self._end(job, path, problem)
        return True

    async def _end(self, job: BulkImport, path: Path, problem: str) -> None:
        state = BulkState.FAILED if problem else BulkState.FINISHED
        async with self._database.write() as session:
            if not problem:
                await bulk_imports.change(session, job.id, bytes_read=job.size)
            await bulk_imports.end(session, job.id, state, problem=problem, now=self._clock.now())
        # After the word that it is read: a file that is gone could not be gone on with.
        await asyncio.to_thread(path.unlink, missing_ok=True)
        log.info("import ended", extra={"import": job.id, "state": state.value})

    async def _tell(self, number: int, done: "_Done") -> None:
        told = 0
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            if done.octets != told:
                told = done.octets
                async with self._database.write() as session:
                    await bulk_imports.change(session, number, bytes_read=told)


class _Done:
    """How much of a file is read."""

    def __init__(self) -> None:
        self.octets = 0

    def note(self, octets: int, _of: int, _counts: Checkpoint) -> None:
        self.octets = octets


@contextmanager
def _alone_with(path: Path) -> Iterator[bool]:
    """Whether nobody else reads it, on any machine that sees the folder, and it is still there."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield path.is_file()
