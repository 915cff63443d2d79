"""An import in a process of its own, to be killed: python -m tests.audience.importing URL FILE."""

import asyncio
import sys
from pathlib import Path

from audience.imports import ImportOptions, import_contacts
from models.states import Channel, ConsentStatus
from store import Database
from store.imports import Checkpoint
from tests.clocks import ManualClock

OPTIONS = ImportOptions(source="formulaire", consents={Channel.EMAIL: ConsentStatus.GRANTED})


def say(_done: int, _total: int, counts: Checkpoint) -> None:
    print(counts.rows_read, flush=True)  # noqa: T201 - the test listens


async def main(url: str, path: Path) -> None:
    database = Database(url)
    await import_contacts(database, path, OPTIONS, ManualClock(), say)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
