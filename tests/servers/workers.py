"""Sending processes and the sink they send to, as fixtures."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks.counting import SinkControl, control
from tests.servers.mail_taker import READY, MailTask

__all__ = ["SEAMS", "CountingSink", "Nursery", "Worker", "WorkerTask", "counting_sink", "nursery"]


@dataclass(frozen=True)
class WorkerTask:
    """How a worker runs, and where it dies: the `nth` time it passes `die_at`, such as `commit:before`.

    `verdict_s`: how long a message's reply may take, the product's own patience when 0. A clock of its own
    begins at `clock_from` (ISO 8601, now when empty), runs at `clock_speed` and obeys the file `clock` in
    the data directory.
    """

    database_url: str
    data_dir: str
    secret: str
    log: str
    smtp_url: str
    connections: int = 4
    smtp_timeout: float = 20
    emails_per_second: float = 1_000_000
    lease_s: float = 60
    die_at: str = ""
    nth: int = 1
    verdict_s: float = 0
    clock_from: str = ""
    clock_speed: float = 1
    settings: dict[str, Any] = field(default_factory=dict)


SEAMS = (
    *("commit:before", "commit:after", "offer:before", "offer:after", "on_wire:before", "on_wire:after"),
    *("answered:before", "answered:after", "recorded:before", "recorded:after"),
)
"""Where a worker can be told to die; between two of them lies every change of a delivery's state."""

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Worker:
    """A running process that sends; `number` is its pid."""

    nursery: "Nursery"
    number: int
    log: Path
    status: int | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet, in whatever way."""
        if self.status is None:
            with suppress(ProcessLookupError):
                watch = os.pidfd_open(self.number)
                try:
                    if not select.select([watch], [], [], 0)[0]:
                        return True
                finally:
                    os.close(watch)
            self.status = self.nursery.ask({"reap": self.number})
        return False

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        if self.is_running:
            with suppress(ProcessLookupError):
                os.kill(self.number, number)

    async def ended(self, *, seconds: float = 60) -> int:
        """How it ended: 0, or minus the number of the signal; TimeoutError when it does not."""
        async with asyncio.timeout(seconds):
            while self.is_running:
                await asyncio.sleep(0.005)
        return self.status or 0


def _count(words: str, log: str) -> int:
    file = Path(log)
    return file.read_text(errors="replace").count(words) if file.exists() else 0


@dataclass
class Nursery:
    """Forks workers from a process that has imported everything."""

    process: subprocess.Popen[str]
    workers: list[Worker] = field(default_factory=list)

    def start(self, task: WorkerTask) -> Worker:
        """A new process at work; it may die as its task says."""
        worker = Worker(self, self.ask({"start": asdict(task)}), Path(task.log))
        self.workers.append(worker)
        return worker

    async def take_mail(self, task: MailTask) -> Worker:
        """A new process that takes in mail; one that listens does so when this returns."""
        before = _count(READY, task.log)
        worker = Worker(self, self.ask({"take": asdict(task)}), Path(task.log))
        self.workers.append(worker)
        if task.way != "imap":
            async with asyncio.timeout(60):
                while _count(READY, task.log) == before:
                    await asyncio.sleep(0.005)
        return worker

    def ask(self, request: dict[str, object]) -> int:
        """One line there, one number back."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def end_all(self) -> None:
        """Nothing of a test goes on after it."""
        for worker in self.workers:
            worker.signal(signal.SIGKILL)
            worker.signal(signal.SIGCONT)
        for worker in self.workers:
            while worker.is_running:
                select.select([], [], [], 0.005)
        self.workers.clear()


@pytest.fixture(scope="session")
def _nursery_process() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.servers.nursery"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.wait(timeout=30)
    process.stdout.close()


@pytest.fixture
def nursery(_nursery_process: subprocess.Popen[str]) -> Iterator[Nursery]:
    """Where workers come from; those of a test end with it."""
    made = Nursery(_nursery_process)
    try:
        yield made
    finally:
        made.end_all()


@dataclass
class CountingSink:
    """An SMTP server in another process that takes everything and remembers whom it was for."""

    port: int
    folder: Path
    control: SinkControl

    async def arrivals(self) -> Counter[str]:
        """How many messages each recipient has got: their terminating dot has arrived, answered or not."""
        await self.control.count()
        lines = await asyncio.to_thread((self.folder / "records").read_text)
        return Counter(line.partition(" ")[0] for line in lines.splitlines())

    async def kill_at(self, point: str, nth: int, worker: Worker) -> None:
        """End the worker when the nth message from now on gets as far as `point`."""
        await self.control.ask(f"XKILL {point} {nth} {worker.number}")

    async def drop_at(self, point: str, nth: int) -> None:
        """Drop every connection when the nth message from now on gets as far as `point`."""
        await self.control.ask(f"XDROP {point} {nth}")


@pytest.fixture
async def counting_sink(tmp_path: Path) -> AsyncIterator[CountingSink]:
    """A sink that counts."""
    folder = tmp_path / "sink"
    folder.mkdir()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.servers.deadly_sink", str(folder)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    port, side_port = map(int, (await process.stdout.readline()).split())
    try:
        async with control(side_port) as line:
            yield CountingSink(port, folder, line)
    finally:
        process.kill()
        await process.communicate()
