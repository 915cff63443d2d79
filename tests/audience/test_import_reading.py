"""A large file is read by a process beside, and what comes of it is the same."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from audience import import_reading
from audience.import_reading import ReadingError, ReadingProcess
from audience.imports import ImportOptions, _Importer, import_contacts
from store import Database
from tests.audience.desk import Desk
from tests.clocks import ManualClock

LINES = "email;first_name;tags\n" + "".join(
    f"a{n % 4000}@b.fr;Jean\\{n}\t;santé|école\n" if n % 7 else f"pas d'adresse {n};;\n" for n in range(6000)
)


async def test_read_by_a_process_beside_the_result_is_the_same(
    desk: Desk, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = Database(f"sqlite:///{tmp_path}/undisturbed.db")
    await undisturbed.migrate()
    path = tmp_path / "people.csv"
    path.write_text(LINES, encoding="utf-8")
    expected = await import_contacts(undisturbed, path, ImportOptions(), clock)
    alone = Desk(undisturbed, clock, tmp_path)
    report = alone.report(expected)
    monkeypatch.setattr(import_reading, "WORTH_A_PROCESS", 0)
    found = await desk.bring(LINES)
    counts = ("rows_read", "rows_created", "rows_updated", "rows_unchanged", "rows_rejected", "rows_noted")
    assert [getattr(found, name) for name in counts] == [getattr(expected, name) for name in counts]
    assert desk.report(found) == report
    assert await desk.everybody() == await alone.everybody()
    names = [(await one.contact(email="a3999@b.fr")).first_name for one in (desk, alone)]
    assert names[0] == names[1] == "Jean\\3999"
    await undisturbed.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_what_is_said_to_whoever_asked_does_not_stop_the_reader(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(import_reading, "WORTH_A_PROCESS", 0)
    real = ReadingProcess.next

    async def told(self: ReadingProcess) -> object:
        batch = await real(self)
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, number)
        return batch

    monkeypatch.setattr(ReadingProcess, "next", told)
    assert (await desk.bring(LINES)).rows_read == 6000


async def test_an_import_whose_reader_dies_says_so_and_goes_on_when_asked_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_reading, "WORTH_A_PROCESS", 0)
    real = ReadingProcess.next
    asked = 0

    async def dies(self: ReadingProcess) -> object:
        nonlocal asked
        asked += 1
        if asked == 2:
            os.kill(self._process.pid, signal.SIGKILL)
            await self._process.wait()
            while True:
                await real(self)
        return await real(self)

    with monkeypatch.context() as patch:
        patch.setattr(ReadingProcess, "next", dies)
        with pytest.raises(ReadingError):
            await desk.bring(LINES)
    result = await desk.bring(LINES)
    assert result.resumed_at > 1000
    assert result.rows_read == 6000
    assert len(await desk.everybody()) == len({n % 4000 for n in range(6000) if n % 7})


async def test_an_import_that_cannot_write_ends_though_the_reader_has_more_to_say(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_reading, "WORTH_A_PROCESS", 0)
    lines = "email;first_name\n" + "".join(f"b{n}@b.fr;{'Anne' * 40}\n" for n in range(120_000))

    async def fails(_self: object, _batch: object, _before: object, **_how: object) -> None:
        # Time enough for the next batch to be said, and more than a pipe holds of the one after.
        await asyncio.sleep(2)
        raise ZeroDivisionError

    monkeypatch.setattr(_Importer, "_write", fails)
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(60):
            await desk.bring(lines)
