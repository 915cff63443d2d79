"""Processes of their own for everything that is measured or measures, and what each of them cost."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from models.errors import TocsinError

START_S = 60
STOP_S = 30
ERRORS = "errors"
ENOUGH = 2000
"""Characters of complaints to repeat."""
HOUSE = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")


class MeasureError(TocsinError):
    """Something that was to be measured did not run, or did not do what it should."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process has used so far.

    Memory in MB: the peak, with the pages of files it maps, and what of the present one is its own alone;
    None where the system does not tell.
    """

    cpu_s: float
    peak_mb: float | None
    own_mb: float | None


def cores_here() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a Python module."""
    return [sys.executable, "-m", module, *arguments]


def tocsin(*arguments: str) -> list[str]:
    """The command `tocsin` of this very installation, wherever its script may be."""
    return [sys.executable, "-c", "from service.cli import main; main()", *arguments]


@asynccontextmanager
async def running(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[Process, str]]:
    """A process in `folder`, and the first line it prints; ended with the block.

    Of our own environment it gets what is no setting of Tocsin's, and `environment`. What it complains of is
    added to the file `errors` of the folder.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    # It runs in another folder, where no tocsin.env is read, and still finds the rooms of a checkout.
    inherited["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HOUSE), inherited.get("PYTHONPATH"))))
    errors = await asyncio.to_thread((folder / ERRORS).open, "ab")
    try:
        process = await asyncio.create_subprocess_exec(
            *command, env={**inherited, **(environment or {})}, cwd=folder, stdout=PIPE, stderr=errors
        )
    finally:
        errors.close()
    try:
        yield process, await _first_line(process, command, folder)
    finally:
        await stop(process)


async def _first_line(process: Process, command: Sequence[str], folder: Path) -> str:
    if process.stdout is None:
        raise AssertionError("started with a pipe")
    async with asyncio.timeout(START_S):
        line = await process.stdout.readline()
    if not line:
        raise MeasureError(f"This did not start: {' '.join(command)}. {complaints(folder)}")
    return line.decode().strip()


def complaints(folder: Path) -> str:
    """The end of what the processes of a folder wrote to standard error."""
    return (folder / ERRORS).read_text(errors="replace").strip()[-ENOUGH:]


async def stop(process: Process) -> None:
    """Ask it to end; after a while, end it."""
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.communicate()
        except TimeoutError:
            process.kill()
    await process.wait()


def cost(pid: int) -> Cost:
    """What the process has used, from /proc; the time alone is 0 where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
        )
    except OSError:
        return Cost(0.0, None, None)
    return Cost((int(fields[11]) + int(fields[12])) / TICKS, _mb(status, "VmHWM"), _mb(status, "RssAnon"))


def helpers_of(pid: int) -> list[int]:
    """The processes a process has started: those that write for it."""
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return sorted(int(number) for text in lists for number in text.split())


def _mb(status: Mapping[str, str], name: str) -> float | None:
    words = status.get(name, "").split()
    return int(words[0]) / 1024 if words else None
