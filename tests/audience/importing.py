"""An import in a process of its own, to be killed: python -m tests.audience.importing URL FILE BATCHES.

It goes on after it has told of so many batches, and comes to a stop a batch later.
"""

import asyncio
import signal
import sys
from pathlib import Path

from audience.imports import ImportOptions, import_contacts
from models.states import Channel, ConsentStatus
from store import Database
from store.imports import Checkpoint
from tests.clocks import ManualClock

OPTIONS = ImportOptions(source="formulaire", consents={Channel.EMAIL: ConsentStatus.GRANTED})


async def main(url: str, path: Path, batches: int) -> None:
    told = 0

    def say(_done: int, _total: int, counts: Checkpoint) -> None:
        nonlocal told
        told += 1
        print(counts.rows_read, flush=True)  # noqa: T201 - the test listens
        if told > batches:
            signal.pause()

    database = Database(url)
    await import_contacts(database, path, OPTIONS, ManualClock(), say)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
