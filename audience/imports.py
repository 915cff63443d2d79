"""Contacts brought in from a file: every row becomes a contact, or a line of the report saying why not.

Batches of rows are merged with the contacts that share a key and written together with the checkpoint in
one transaction, in their order. So a crash loses nothing: the same file imported again goes on after the
last batch, and a whole file imported twice changes nothing the second time. Memory does not grow with the
file. The next batch is read (`audience.import_reading`) while the database writes the present one, and its
new people are written beside it where the database can do that (PostgreSQL): they share nothing with anybody.
"""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from audience.import_columns import Column, map_columns
from audience.import_file import SourceFile, inspect_file
from audience.import_merge import UpdatePolicy
from audience.import_reading import Batches, Reading, open_reading
from audience.import_ready import ReadyBatch
from audience.import_report import ImportReport
from audience.import_write import WrittenBatch, begin_batch, finish_batch
from models.clock import Clock
from models.contact import ImportRun, ImportState
from models.states import Channel, ConsentStatus
from store import Database, contacts, imports
from store.imports import Checkpoint
from store.loading import room_for_many
from store.suppressions import list_active

__all__ = ["ImportOptions", "ImportResult", "OnProgress", "UpdatePolicy", "import_contacts"]

ATTEMPTS: Final = 10
"""How often a batch is begun: two imports of the same people in another order stop each other repeatedly."""
PAUSE_S: Final = 0.5
"""About how long is waited before the second attempt; longer each time, up to `PAUSES_GROW` times as long."""
PAUSES_GROW: Final = 4
MANY: Final = 10_000
"""New people after whom the database looks at its tables anew."""

OnProgress = Callable[[int, int, Checkpoint], None]
"""Told bytes done, bytes in all, and the counts so far, after each batch."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How to read a file.

    `mapping` is header → field, before what headers say by themselves. `source` is kept with each consent
    as where it was given. `consents` holds for rows that say nothing of it themselves. `separator` and
    `encoding` None: found out. `report_path` None: beside the file. `region` reads telephone numbers
    without a country code. `keep_unknown`: columns nobody knows become free attributes.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    separator: str | None = None
    encoding: str | None = None
    report_path: Path | None = None
    update: UpdatePolicy = UpdatePolicy.OVERWRITE
    consents: Mapping[Channel, ConsentStatus] = field(default_factory=dict)
    keep_unknown: bool = True
    region: str = "FR"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What came of a file. `rows_noted` were taken over with something missing or doubtful.

    `addresses_suppressed` will not be written to whatever the file says. `report_path` None: nothing to
    report. `resumed_at` is the line an interrupted import went on from, 0 for one from the beginning.
    """

    columns: tuple[Column, ...]
    rows_read: int
    rows_created: int
    rows_updated: int
    rows_unchanged: int
    rows_rejected: int
    rows_noted: int
    addresses_suppressed: int
    report_path: Path | None
    resumed_at: int


async def import_contacts(
    database: Database,
    path: Path,
    options: ImportOptions,
    clock: Clock,
    on_progress: OnProgress | None = None,
) -> ImportResult:
    """Bring the contacts of a file in; ImportFileError, before anything is written, when it is no table.

    One import of a file at a time: two at once do no harm, but the report is one file.
    """
    source = await asyncio.to_thread(
        inspect_file, path, encoding=options.encoding, separator=options.separator
    )
    columns = map_columns(source.header, options.mapping, keep_unknown=options.keep_unknown)
    run = await _open_run(database, source, columns, options, clock.now())
    # The place asked for now goes before the one an interrupted run began with.
    place = _report_path(path, options) if options.report_path else Path(run.report_path or "")
    report = await asyncio.to_thread(ImportReport, place, separator=source.separator, next_line=run.next_line)
    importer = _Importer(
        database, source=source, columns=columns, options=options, run=run, report=report, now=clock.now()
    )
    try:
        async with room_for_many(database):
            await importer.run(on_progress)
    except BaseException:
        with contextlib.suppress(Exception):
            await _end(database, run, ImportState.FAILED, place, clock.now())
        raise
    await _end(database, run, ImportState.FINISHED, report.path, clock.now())
    if importer.counts.rows_created >= MANY:
        async with database.write() as session:
            await imports.refresh_plans(session)
    counts = importer.counts.values()
    del counts["next_line"]
    return ImportResult(columns, **counts, report_path=report.path, resumed_at=run.next_line)


def _report_path(path: Path, options: ImportOptions) -> Path:
    return (options.report_path or path.with_name(f"{path.stem}.report.csv")).resolve()


async def _open_run(
    database: Database, source: SourceFile, columns: tuple[Column, ...], options: ImportOptions, now: datetime
) -> ImportRun:
    """The interrupted run of the same file read in the same way, or a new one."""
    mapping = {column.header: column.field for column in columns}
    consents = ",".join(f"{channel.value}={status.value}" for channel, status in options.consents.items())
    # Another way of reading the file is another run: the name cannot be a header, which has no break.
    mapping["options\n"] = f"{options.update.value};{consents};{options.source};{options.region}"
    report_path = str(_report_path(source.path, options))
    async with database.write() as session:
        run = await imports.find_unfinished(session, source.sha256, mapping)
        return run or await imports.begin_run(
            session,
            file_name=source.path.name,
            file_sha256=source.sha256,
            mapping=mapping,
            report_path=report_path,
            now=now,
        )


async def _end(
    database: Database, run: ImportRun, state: ImportState, report: Path | None, now: datetime
) -> None:
    async with database.write() as session:
        path = str(report) if report else None
        await imports.end_run(session, run.id, state, report_path=path, now=now)


class _Importer:
    """One reading of one file, from its checkpoint to its end."""

    def __init__(
        self,
        database: Database,
        *,
        source: SourceFile,
        columns: tuple[Column, ...],
        options: ImportOptions,
        run: ImportRun,
        report: ImportReport,
        now: datetime,
    ) -> None:
        self.counts = Checkpoint.of(run)
        self._database = database
        self._source = source
        self._options = options
        self._run_id = run.id
        self._report = report
        self._now = now
        self._suppressed: set[str] = set()
        self._trusting = True
        self._look_up = True
        self._counter = asyncio.Lock()
        self._reading = Reading(
            source=source,
            columns=columns,
            said_where=options.source or source.path.name,
            consents=dict(options.consents),
            region=options.region,
            now=now,
            start_line=run.next_line,
            embedded=database.is_sqlite,
        )
        self._rows = self._reading.row_reader()

    async def run(self, on_progress: OnProgress | None) -> None:
        """Read and write batch after batch; when it raises, what was written stays to be gone on with.

        Two are under way: while one is finished the next one begins, on another connection.
        """
        async with self._database.read() as session:
            self._look_up = bool(await list_active(session, self._now, limit=1))
        batches = await open_reading(replace(self._reading, with_hashes=self._look_up))
        under_way: deque[_Turn] = deque()
        try:
            while (batch := await self._next(batches, under_way, on_progress)) is not None:
                before = under_way[-1].writing if under_way else None
                under_way.append(_Turn(batch, asyncio.create_task(self._write(batch, before))))
                if before is not None:
                    await self._settle(under_way, on_progress)
        finally:
            try:
                await _give_up(under_way)
            finally:
                await batches.close()

    async def _next(
        self, batches: Batches, under_way: "deque[_Turn]", on_progress: OnProgress | None
    ) -> ReadyBatch | None:
        """The next batch; after the last, or where reading fails, all that was read is written first."""
        try:
            batch = await batches.next()
        except Exception:
            await self._settle_all(under_way, on_progress)
            raise
        if batch is None:
            await self._settle_all(under_way, on_progress)
        return batch

    async def _settle_all(self, under_way: "deque[_Turn]", on_progress: OnProgress | None) -> None:
        while under_way:
            await self._settle(under_way, on_progress)

    async def _settle(self, under_way: "deque[_Turn]", on_progress: OnProgress | None) -> None:
        """Wait until the first is written; what somebody stood in the way of is done again, alone."""
        turn, *later = under_way
        for attempt in range(1, ATTEMPTS + 1):
            try:
                # Not the task itself: who is told to stop meanwhile has to hear it, whatever the task says.
                await asyncio.wait({turn.writing})
                turn.writing.result()
                break
            except Exception as error:
                if attempt == ATTEMPTS or not imports.may_pass(error):
                    raise
                await _give_up(later)
                if imports.is_taken(error):
                    self._trusting = False
                else:
                    # Whoever was in the way would be met again at once, with the next that it holds.
                    await asyncio.sleep(random.random() * min(attempt, PAUSES_GROW) * PAUSE_S)  # noqa: S311
                turn.writing = asyncio.create_task(self._write(turn.batch, None, patient=True))
        for each in later:
            if each.given_up:
                each.given_up = False
                each.writing = asyncio.create_task(self._write(each.batch, None))
        under_way.popleft()
        if on_progress is not None:
            on_progress(min(turn.batch.bytes_read, self._source.size), self._source.size, self.counts)

    async def _write(
        self, batch: ReadyBatch, before: "asyncio.Task[None] | None", *, patient: bool = False
    ) -> None:
        """One transaction: contacts, tags, proof of consent and the checkpoint, committed after `before`.

        Somebody else may have taken an address between our look and our write: then it is looked at again.
        Nobody is thought to be there already until somebody is: then every batch is looked at first.
        """
        if self._database.is_sqlite:
            await _after(before)
        async with self._database.write() as session:
            if not patient:
                await imports.be_impatient(session)
            async with self._counter:
                # One after the other: numbers that follow one another need not be spelt out.
                numbers = await contacts.reserve(session, len(batch.lines))
            begun = await begin_batch(session, batch, numbers, trusting=self._trusting, now=self._now)
            await _after(before)
            written = await finish_batch(
                *(session, batch, begun, self._rows),
                policy=self._options.update,
                look_up=self._look_up,
                now=self._now,
            )
            counts = self._counted(batch, written)
            await imports.save_checkpoint(session, self._run_id, counts)
            notes = sorted([*batch.rejected, *written.notes], key=lambda note: note.line)
            await asyncio.to_thread(self._report.add, notes)
        self.counts = counts
        self._suppressed |= written.suppressed

    def _counted(self, batch: ReadyBatch, written: WrittenBatch) -> Checkpoint:
        before = self.counts
        fresh = written.suppressed - self._suppressed
        return Checkpoint(
            next_line=batch.next_line,
            rows_read=before.rows_read + batch.records,
            rows_created=before.rows_created + written.created,
            rows_updated=before.rows_updated + written.updated,
            rows_unchanged=before.rows_unchanged + written.unchanged,
            rows_rejected=before.rows_rejected + len(batch.rejected),
            rows_noted=before.rows_noted + len({note.line for note in written.notes}),
            addresses_suppressed=before.addresses_suppressed + len(fresh),
        )


@dataclass(slots=True)
class _Turn:
    """A batch, and the task that writes it; `given_up`: that has ended, and another must."""

    batch: ReadyBatch
    writing: asyncio.Task[None]
    given_up: bool = False


async def _give_up(turns: Collection[_Turn]) -> None:
    """Take back what is not committed of them."""
    for turn in turns:
        turn.given_up = True
        turn.writing.cancel()
    await asyncio.gather(*(turn.writing for turn in turns), return_exceptions=True)


async def _after(before: asyncio.Task[None] | None) -> None:
    """Wait for a batch to be committed, and raise what kept it from that."""
    if before is not None:
        await asyncio.wait({before})
        before.result()
