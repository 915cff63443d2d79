"""A large file of contacts read in a process of its own: `python -m audience.import_reading`.

To read a line takes as long as to write it down, and threads of one process take turns. So the lines are
read beside the process that writes, on the machine's other core: what they say arrives in batches through
a pipe, a batch ahead. The reader ends with the process that asked, since its pipe breaks.
"""

import asyncio
import gc
import os
import pickle
import struct
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import IO, Final, Protocol

from audience.import_batch import BatchReader
from audience.import_columns import Column
from audience.import_file import RecordReader, SourceFile
from audience.import_numbers import Ahead, Draw, Given, Take
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
    """How a file is read, and from which line on.

    `with_hashes`: batches tell the fingerprints of all addresses besides.
    """

    source: SourceFile
    columns: tuple[Column, ...]
    said_where: str
    consents: dict[Channel, ConsentStatus]
    region: str
    now: datetime
    start_line: int
    with_hashes: bool = True

    def row_reader(self) -> RowReader:
        """What reads one line."""
        return RowReader(
            self.columns, source=self.said_where, consents=self.consents, region=self.region, now=self.now
        )

    def batches(self, take: Take | None) -> Generator[ReadyBatch]:
        """What the file says; the first batches are small, for who waits to see something.

        `take` gives numbers for new contacts; None is for SQLite.
        """
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
                numbers = take(len(batch.lines)) if take is not None else None
                ready = make_ready(batch, seen, numbers, with_hashes=self.with_hashes, now=self.now)
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


async def open_reading(reading: Reading, draw: Draw | None) -> Batches:
    """Begin to read: a large file in a process of its own, a small one in a thread.

    `draw` gets numbers for new contacts; None is for SQLite, which gives them to whoever writes alone.
    """
    if reading.source.size < WORTH_A_PROCESS:
        return ReadingThread(reading, draw)
    return await ReadingProcess.start(reading, draw)


class ReadingThread:
    """Batches read in a thread, one when it is asked for."""

    def __init__(self, reading: Reading, draw: Draw | None) -> None:
        """Nothing is read yet."""
        self._batches = reading.batches(_taking(draw))

    async def next(self) -> ReadyBatch | None:
        """The next batch, None after the last."""
        return await asyncio.to_thread(next, self._batches, None)

    async def close(self) -> None:
        """Let go of the file."""
        self._batches.close()


def _taking(draw: Draw | None) -> Take | None:
    """How a thread has numbers drawn by the loop that runs now."""
    if draw is None:
        return None
    loop = asyncio.get_running_loop()

    async def drawn(count: int) -> Sequence[int]:
        return await draw(count)

    return lambda count: asyncio.run_coroutine_threadsafe(drawn(count), loop).result()


class ReadingProcess:
    """The process that reads, seen from the one that asked."""

    def __init__(self, process: asyncio.subprocess.Process, numbers: Ahead | None) -> None:
        """Use `start`."""
        self._process = process
        self._numbers = numbers

    @classmethod
    async def start(cls, reading: Reading, draw: Draw | None) -> "ReadingProcess":
        """Begin to read."""
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "audience.import_reading"],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_BUFFER,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        if process.stdin is not None:
            process.stdin.write(pickle.dumps((reading, draw is not None)))
        return cls(process, None if draw is None else Ahead(draw, ROWS_A_BATCH))

    async def next(self) -> ReadyBatch | None:
        """The next batch, None after the last; ReadingError when the process broke down."""
        stream, way_in = self._process.stdout, self._process.stdin
        if stream is None or way_in is None:
            return None
        if self._numbers is not None and (more := await self._numbers.more()):
            # Not waited for until it is through: the process may be busy saying the next batch first.
            way_in.write(_LENGTH.pack(len(more)) + more)
        try:
            [length] = _LENGTH.unpack(await stream.readexactly(_LENGTH.size))
            packed = await stream.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise ReadingError(
                "The process that reads the file broke down.", "Import the file again: it goes on."
            ) from error
        if not packed:
            return None
        batch = ReadyBatch.unpack(packed)
        if self._numbers is not None:
            self._numbers.used(len(batch.numbers))
        return batch

    async def close(self) -> None:
        """End the process, wherever it is."""
        if self._process.returncode is None:
            self._process.kill()
        # Not `wait`: it waits for all that was said to be read.
        await self._process.communicate()


def _receive(stream: IO[bytes]) -> bytes:
    length = stream.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        raise BrokenPipeError
    return stream.read(*_LENGTH.unpack(length))


def main() -> None:
    """Read what is asked on standard input, and answer on standard output."""
    asked = sys.stdin.buffer
    reading: Reading
    reading, is_numbered = pickle.load(asked)  # noqa: S301 - from the process that started this one
    answer = sys.stdout.buffer
    given = Given(partial(_receive, asked))
    # To look through all that a batch is made of, again and again, takes a fifth of the time.
    gc.disable()
    try:
        for number, batch in enumerate(reading.batches(given.take if is_numbered else None)):
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
