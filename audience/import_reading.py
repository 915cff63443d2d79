"""A large file of contacts read in a process of its own: `python -m audience.import_reading`.

To read a line takes as long as to write it down, and threads of one process take turns. So the lines are
read beside the process that writes, on the machine's other core: what they say arrives in batches through
a pipe, a batch ahead. The reader ends with the process that asked, since its pipe breaks.
"""

import asyncio
import gc
import os
import pickle
import signal
import struct
import sys
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from audience.import_batch import BatchReader
from audience.import_columns import Column
from audience.import_file import RecordReader, SourceFile
from audience.import_ready import ReadyBatch, make_ready
from audience.import_rows import RowReader
from audience.import_seen import KeysSeen
from models.errors import TocsinError
from models.states import Channel, ConsentStatus

__all__ = ["Reading", "open_reading"]

ROWS_AT_FIRST: Final = 1000
ROWS_A_BATCH: Final = 32_000
BATCHES_A_CLEANING: Final = 16
WORTH_A_PROCESS: Final = 8_000_000
_LENGTH: Final = struct.Struct("<Q")
_BUFFER: Final = 1 << 20


class ReadingError(TocsinError):
    """The process that reads a file is gone."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read, from which line on, and for which database.

    `with_hashes`: batches tell the fingerprints of all addresses besides.
    """

    source: SourceFile
    columns: tuple[Column, ...]
    said_where: str
    consents: dict[Channel, ConsentStatus]
    region: str
    now: datetime
    start_line: int
    embedded: bool
    with_hashes: bool = True

    def row_reader(self) -> RowReader:
        """What reads one line."""
        return RowReader(
            self.columns, source=self.said_where, consents=self.consents, region=self.region, now=self.now
        )

    def batches(self) -> Generator[ReadyBatch]:
        """What the file says; the first batches are small, for who waits to see something."""
        reader = RecordReader(self.source)
        batches = BatchReader(self.row_reader(), self.columns, region=self.region, now=self.now)
        seen = KeysSeen(self.source.size)
        size = ROWS_AT_FIRST
        try:
            while block := reader.take(size):
                batch = batches.read(block, self.start_line, reader.bytes_read)
                if not batch.records:
                    continue
                size = min(2 * size, ROWS_A_BATCH)
                ready = make_ready(
                    *(batch, seen),
                    embedded=self.embedded,
                    with_hashes=self.with_hashes,
                    now=self.now,
                )
                # One batch in memory is enough, in one form.
                del block, batch
                yield ready
                del ready
        finally:
            reader.close()


class Batches(Protocol):
    """Where batches come from: the next one, None after the last."""

    async def next(self) -> ReadyBatch | None: ...

    async def close(self) -> None: ...


async def open_reading(reading: Reading) -> Batches:
    """Begin to read: a large file in a process of its own, a small one in a thread."""
    if reading.source.size < WORTH_A_PROCESS:
        return ReadingThread(reading)
    return await ReadingProcess.start(reading)


class ReadingThread:
    """Batches read in a thread, one when it is asked for."""

    def __init__(self, reading: Reading) -> None:
        """Nothing is read yet."""
        self._batches = reading.batches()
        self._under_way: asyncio.Future[ReadyBatch | None] | None = None

    async def next(self) -> ReadyBatch | None:
        """The next batch, None after the last."""
        self._under_way = asyncio.ensure_future(asyncio.to_thread(next, self._batches, None))
        return await asyncio.shield(self._under_way)

    async def close(self) -> None:
        """Let go of the file, once the thread is done with it."""
        if self._under_way is not None:
            await asyncio.gather(self._under_way, return_exceptions=True)
        self._batches.close()


class ReadingProcess:
    """The process that reads, seen from the one that asked."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Use `start`."""
        self._process = process

    @classmethod
    async def start(cls, reading: Reading) -> "ReadingProcess":
        """Begin to read."""
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "audience.import_reading"],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_BUFFER,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        if process.stdin is not None:
            process.stdin.write(pickle.dumps(reading))
            process.stdin.close()
        return cls(process)

    async def next(self) -> ReadyBatch | None:
        """The next batch, None after the last; ReadingError when the process broke down."""
        stream = self._process.stdout
        if stream is None:
            return None
        try:
            [length] = _LENGTH.unpack(await stream.readexactly(_LENGTH.size))
            packed = await stream.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise ReadingError(
                "The process that reads the file broke down.", "Import the file again: it goes on."
            ) from error
        return ReadyBatch.unpack(packed) if packed else None

    async def close(self) -> None:
        """End the process, wherever it is."""
        if self._process.returncode is None:
            self._process.kill()
        # Not `wait`: it waits for all that was said to be read.
        await self._process.communicate()


def main() -> None:
    """Read what is asked on standard input, and answer on standard output."""
    # Ctrl-C is said to both; whoever asked ends this one, or its pipe does.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)
    reading: Reading = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    answer = sys.stdout.buffer
    # To look through all that a batch is made of, again and again, takes a fifth of the time.
    gc.disable()
    try:
        for number, batch in enumerate(reading.batches()):
            if number % BATCHES_A_CLEANING == 0:
                gc.collect()
            packed = batch.pack()
            del batch
            answer.write(_LENGTH.pack(len(packed)))
            answer.write(packed)
            answer.flush()
            del packed
        answer.write(_LENGTH.pack(0))
        answer.flush()
    except BrokenPipeError:
        os._exit(1)  # whoever asked is gone


if __name__ == "__main__":
    main()
