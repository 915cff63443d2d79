"""How long a large audience takes: brought in, counted, frozen. One process a step: memory is its own.

Every step is what the product itself does (`benchmarks.audience_steps`). Each size has a database of its
own, and a tenth of the people comes first: ten times as many should take ten times as long.
"""

import asyncio
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.crowd import write_crowd
from benchmarks.ledger import temporary_database
from benchmarks.processes import MeasureError, python

Tell = Callable[[str], None]
STEPS = ("import", "segment", "preview", "freeze")
PROMISED = {"import": 50_000.0, "segment": 0.150, "freeze": 15.0}
"""Rows a second; seconds for a count; seconds for a launch. For a million people."""
THROUGH_ALL = ("import", "freeze")
FLAT = 1.5
"""Ten times the people may take this much more memory: batches and caches grow up to a bound."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One step: `seconds` (the median where it is done several times), and how long the processor was busy.

    `peak_mb` is the most memory of the process, `beside_mb` of the one that read the file for it. `result`
    is what came of it: rows, people, deliveries.
    """

    database: str
    people: int
    step: str
    seconds: float
    cpu_s: float
    peak_mb: float
    beside_mb: float
    result: int
    note: str = ""

    @property
    def a_second(self) -> float:
        """People a second."""
        return self.people / self.seconds


async def bench_audience(people: int, server_url: str, tell: Tell) -> list[Measured]:
    """Measure every step on SQLite and, given a server, on PostgreSQL. Nothing is left behind."""
    found: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name:
        folder = Path(name)
        for size in (people // 10, people):
            file = folder / f"{size}.csv"
            tell(f"Writing a file of {size:,} people.")
            await asyncio.to_thread(write_crowd, file, size)
            for address in filter(None, ("sqlite", server_url)):
                found += await _measure(address, file, size, folder, tell)
            file.unlink()
    return found


async def _measure(address: str, file: Path, size: int, folder: Path, tell: Tell) -> list[Measured]:
    kind = "SQLite" if address == "sqlite" else "PostgreSQL"
    own = folder / f"{kind}-{size}"
    own.mkdir()
    found = []
    async with temporary_database("" if address == "sqlite" else address, own) as url:
        for step in STEPS:
            measured = Measured(kind, size, step, *await _run(step, url, file))
            tell(f"{kind}, {size:,} people, {step}: {measured.seconds:.2f} s")
            found.append(measured)
    for left in own.iterdir():
        left.unlink()
    return found


async def _run(step: str, url: str, file: Path) -> tuple[float, float, float, float, int, str]:
    process = await asyncio.create_subprocess_exec(
        *python("benchmarks.audience_steps", step, url, str(file)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    if process.returncode:
        raise MeasureError(f"The step {step} broke down: {complained.decode()[-800:]}")
    answer = json.loads(said.splitlines()[-1])
    figures = (float(answer[name]) for name in ("seconds", "cpu_s", "peak_mb", "beside_mb"))
    seconds, cpu_s, peak_mb, beside_mb = figures
    return seconds, cpu_s, peak_mb, beside_mb, int(answer["result"]), str(answer["note"])


def lines(found: list[Measured]) -> list[tuple[str, ...]]:
    """A row a step: database, people, step, seconds, pace, processor, memory, growth, what came of it."""
    tenth = {(one.database, one.step): one for one in reversed(found)}
    rows: list[tuple[str, ...]] = []
    for one in found:
        before = tenth[one.database, one.step]
        growth = "" if before is one else f"× {one.seconds / before.seconds:.1f}"
        memory = f"{one.peak_mb:.0f} MB" + (f" + {one.beside_mb:.0f}" if one.beside_mb else "")
        rows.append(
            (
                one.database,
                f"{one.people:,}",
                one.step,
                f"{one.seconds:.3f} s" if one.seconds < 1 else f"{one.seconds:.1f} s",
                f"{one.a_second:,.0f}/s",
                f"{one.cpu_s:.1f} s",
                memory,
                growth,
                one.note,
            )
        )
    return rows


def goals(found: list[Measured]) -> list[tuple[str, ...]]:
    """What was promised for a million people, and whether it was kept."""
    rows: list[tuple[str, ...]] = []
    for one in found:
        promised = PROMISED.get(one.step)
        if promised is None or one.people < 1_000_000:
            continue
        if one.step == "import":
            rows.append(_goal(one, f"{one.a_second:,.0f}/s", f"{promised:,.0f}/s", one.a_second >= promised))
        else:
            rows.append(_goal(one, f"{one.seconds:.2f} s", f"{promised:.2f} s", one.seconds < promised))
        rows += _growth(one, [other for other in found if other.people * 10 == one.people])
    return rows


def _growth(one: Measured, smaller: list[Measured]) -> list[tuple[str, ...]]:
    """Of the steps that go through everybody: ten times the people, and not ten times the memory."""
    rows: list[tuple[str, ...]] = []
    for other in smaller:
        if (other.step, other.database) == (one.step, one.database) and one.step in THROUGH_ALL:
            memory = (one.peak_mb + one.beside_mb) / (other.peak_mb + other.beside_mb)
            name = f"{one.step}, {one.database}, 10 × the people"
            verdict = "met" if memory <= FLAT else "MISSED"
            rows.append((name, f"{memory:.2f} × the memory", f"{FLAT:g} ×", verdict))
    return rows


def _goal(one: Measured, measured: str, promised: str, met: bool) -> tuple[str, ...]:  # noqa: FBT001 - a fact
    return f"{one.step}, {one.database}", measured, promised, "met" if met else "MISSED"
