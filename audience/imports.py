"""Contacts brought in from a file: every row becomes a contact, or a line of the report saying why not.

Batches of rows are merged with the contacts that share a key and written together with the checkpoint in
one transaction. So a crash loses nothing: the same file imported again goes on after the last batch, and
a whole file imported twice changes nothing the second time. Memory does not grow with the file. The next
batch is read (`audience.import_reading`) while the database writes the present one.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from audience.import_columns import Column, map_columns
from audience.import_file import SourceFile, inspect_file
from audience.import_merge import UpdatePolicy
from audience.import_reading import Reading, open_reading
from audience.import_ready import ReadyBatch
from audience.import_report import ImportReport
from audience.import_write import WrittenBatch, write_batch
from models.clock import Clock
from models.contact import ImportRun, ImportState
from models.states import Channel, ConsentStatus
from store import Database, imports
from store.imports import Checkpoint
from store.loading import room_for_many
from store.suppressions import list_active

__all__ = ["ImportOptions", "ImportResult", "OnProgress", "UpdatePolicy", "import_contacts"]

ATTEMPTS: Final = 3
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
        """Read and write batch after batch; when it raises, what was written stays to be gone on with."""
        async with self._database.read() as session:
            look_up = bool(await list_active(session, self._now, limit=1))
        batches = await open_reading(replace(self._reading, with_hashes=look_up))
        try:
            batch = await batches.next()
            while batch is not None:
                following = asyncio.create_task(batches.next())
                try:
                    await self._write(batch, look_up=look_up)
                finally:
                    # It must be done with the file before the file is closed.
                    await asyncio.wait({following})
                    following.exception()  # seen: it is raised below, or something worse is on its way
                if on_progress is not None:
                    on_progress(min(batch.bytes_read, self._source.size), self._source.size, self.counts)
                batch = following.result()
        finally:
            await batches.close()

    async def _write(self, batch: ReadyBatch, *, look_up: bool) -> None:
        """One transaction: contacts, tags, proof of consent and the checkpoint.

        Somebody else may have taken an address between our look and our write: then it is looked at again.
        Nobody is thought to be there already until somebody is: then every batch is looked at first.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._database.write() as session:
                    written = await write_batch(
                        session,
                        batch,
                        self._rows,
                        policy=self._options.update,
                        look_up=look_up,
                        trusting=self._trusting,
                        now=self._now,
                    )
                    counts = self._counted(batch, written)
                    await imports.save_checkpoint(session, self._run_id, counts)
                    notes = sorted([*batch.rejected, *written.notes], key=lambda note: note.line)
                    await asyncio.to_thread(self._report.add, notes)
            except Exception as error:
                if attempt == ATTEMPTS or not imports.may_pass(error):
                    raise
                self._trusting = False
            else:
                self.counts = counts
                return

    def _counted(self, batch: ReadyBatch, written: WrittenBatch) -> Checkpoint:
        before = self.counts
        fresh = written.suppressed - self._suppressed
        self._suppressed |= fresh
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
