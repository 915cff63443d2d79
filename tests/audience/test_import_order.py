"""Two batches are written at once, and become whole one after the other, whoever stands in the way."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from audience import import_reading, import_write
from audience import imports as importing
from audience.imports import ImportOptions, ImportResult, import_contacts
from models.contact import Contact
from models.states import Channel, SuppressionReason
from models.suppression import address_hash
from store import imports
from store.suppressions import suppress
from tests.audience.desk import Desk
from tests.clocks import START

PATIENCE_MS = 200


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_reading, "ROWS_AT_FIRST", 10)
    monkeypatch.setattr(import_reading, "ROWS_A_BATCH", 10)
    monkeypatch.setattr(imports, "LOCK_PATIENCE_MS", PATIENCE_MS)


def people(first: int, last: int, tags: str = "") -> str:
    return "".join(f"a{number}@b.fr;{tags}\n" for number in range(first, last))


class Steps:
    """What is begun and finished, by the first line of each batch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[tuple[str, int]] = []
        self.begun = asyncio.Condition()
        self._begin, self._finish = import_write.begin_batch, import_write.finish_batch
        monkeypatch.setattr(importing, "begin_batch", self.begin)
        monkeypatch.setattr(importing, "finish_batch", self.finish)
        self.finish_after = 0

    async def begin(self, session: Any, batch: Any, *args: Any, **options: Any) -> Any:
        found = await self._begin(session, batch, *args, **options)
        async with self.begun:
            self.told.append(("begun", batch.lines[0]))
            self.begun.notify_all()
        return found

    async def finish(self, session: Any, batch: Any, *args: Any, **options: Any) -> Any:
        async with self.begun:
            await self.begun.wait_for(lambda: self.count("begun") >= self.finish_after)
        found = await self._finish(session, batch, *args, **options)
        self.told.append(("finished", batch.lines[0]))
        return found

    def count(self, what: str) -> int:
        return sum(step == what for step, _ in self.told)


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
async def test_the_next_batch_is_begun_before_the_one_before_is_finished(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Steps(monkeypatch)
    steps.finish_after = 2
    result = await desk.bring("email;tags\n" + people(0, 30))
    assert result.rows_created == 30
    assert steps.told[:3] == [("begun", 2), ("begun", 12), ("finished", 2)]
    assert [line for step, line in steps.told if step == "finished"] == [2, 12, 22]


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
async def test_two_batches_that_wait_for_each_other_are_done_one_after_the_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Steps(monkeypatch)
    steps.finish_after = 2
    # The second batch has added the word when the first, whose last line is about its first, wants to.
    first = people(0, 9) + "a0@b.fr;nouveau\n"
    result = await desk.bring("email;tags\n" + first + people(10, 20, "nouveau") + people(20, 40))
    assert (result.rows_created, result.rows_read, result.rows_updated) == (39, 40, 1)
    assert len(await desk.everybody()) == 39
    assert await desk.tags(email="a0@b.fr") == await desk.tags(email="a19@b.fr") == ["nouveau"]
    # It was done again, and the others once.
    assert [line for step, line in steps.told if step == "finished"] == [2, 12, 22, 32]
    assert steps.told.count(("begun", 2)) == steps.told.count(("begun", 12)) == 2


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
async def test_who_holds_an_address_for_long_is_waited_for(desk: Desk) -> None:
    taken = asyncio.Event()

    async def hold() -> None:
        async with desk.database.write() as session:
            session.add(Contact(email="a12@b.fr", created_at=START, updated_at=START))
            await session.flush()
            taken.set()
            await asyncio.sleep(4 * PATIENCE_MS / 1000)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hold())
        await taken.wait()
        result = await desk.bring("email;tags\n" + people(0, 40, "x"))
    assert (result.rows_created, result.rows_updated, result.rows_read) == (39, 1, 40)
    assert len(await desk.everybody()) == 40
    assert await desk.tags(email="a12@b.fr") == ["x"]


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
async def test_two_imports_of_the_same_people_in_another_order_both_come_to_their_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(import_reading, "ROWS_AT_FIRST", 1_000)
    monkeypatch.setattr(import_reading, "ROWS_A_BATCH", 32_000)
    lines = people(0, 40_000, "x").splitlines(keepends=True)

    async def bring(seed: int) -> ImportResult:
        path = tmp_path / f"{seed}.csv"
        path.write_text("email;tags\n" + "".join(random.Random(seed).sample(lines, len(lines))))
        return await import_contacts(desk.database, path, ImportOptions(source="formulaire"), desk.clock)

    one, other = await asyncio.gather(bring(1), bring(2))
    assert one.rows_read == other.rows_read == len(lines)
    assert one.rows_created + other.rows_created == len(lines)
    assert len(await desk.everybody()) == len(lines)


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
async def test_to_wait_for_a_lock_in_vain_is_no_reason_to_look_for_everybody(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted: list[bool] = []
    steps = Steps(monkeypatch)

    async def begin(*args: Any, trusting: bool, **options: Any) -> Any:
        trusted.append(trusting)
        return await steps.begin(*args, trusting=trusting, **options)

    monkeypatch.setattr(importing, "begin_batch", begin)
    steps.finish_after = 2
    first = people(0, 9) + "a0@b.fr;nouveau\n"
    await desk.bring("email;tags\n" + first + people(10, 20, "nouveau") + people(20, 40))
    assert len(trusted) == 6
    assert all(trusted)


async def test_addresses_that_are_not_written_to_are_counted_once_though_a_batch_is_written_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk.database.write() as session:
        await suppress(
            session,
            channel=Channel.EMAIL,
            address_hash=address_hash(Channel.EMAIL, "a0@b.fr"),
            reason=SuppressionReason.MANUAL,
            evidence="",
            event_id=None,
            now=desk.clock.now(),
        )
    real, times = imports.save_checkpoint, 0

    async def save(*args: Any, **options: Any) -> None:
        nonlocal times
        times += 1
        if times == 1:
            raise IntegrityError("", None, Exception())
        await real(*args, **options)

    monkeypatch.setattr(imports, "save_checkpoint", save)
    result = await desk.bring("email;tags\n" + people(0, 10))
    assert (times, result.addresses_suppressed) == (2, 1)


async def test_what_was_read_before_reading_fails_is_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = import_reading.ReadingThread.next
    asked = 0

    async def breaks(self: import_reading.ReadingThread) -> Any:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise import_reading.ReadingError("The reader broke down.")
        return await real(self)

    text = "email;tags\n" + people(0, 40)
    with monkeypatch.context() as patch:
        patch.setattr(import_reading.ReadingThread, "next", breaks)
        with pytest.raises(import_reading.ReadingError):
            await desk.bring(text)
    assert len(await desk.everybody()) == 20
    result = await desk.bring(text)
    assert (result.resumed_at, result.rows_read, result.rows_created) == (22, 40, 40)


async def test_the_file_is_let_go_of_though_who_stops_is_told_so_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, stopping, let_go = asyncio.Event(), asyncio.Event(), asyncio.Event()
    real = import_reading.ReadingThread.close

    async def write_for_ever(*_args: Any, **_options: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopping.set()
            await asyncio.sleep(0.2)

    async def close(self: import_reading.ReadingThread) -> None:
        await real(self)
        let_go.set()

    monkeypatch.setattr(importing, "begin_batch", write_for_ever)
    monkeypatch.setattr(import_reading.ReadingThread, "close", close)
    bringing = asyncio.create_task(desk.bring("email;tags\n" + people(0, 40)))
    await begun.wait()
    for _ in range(2):
        bringing.cancel()
        await asyncio.wait_for(stopping.wait(), 10)
    with pytest.raises(asyncio.CancelledError):
        await bringing
    assert let_go.is_set()
