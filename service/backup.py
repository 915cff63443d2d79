"""Backup and restore: the database and the secret key in one file that only its owner may read.

The database is copied while it is in use: SQLite by its own online backup, PostgreSQL by pg_dump. A restore
brings back a ledger that does not know what left since, so it pauses every campaign that could send, in the
same transaction; see `store.restoring`.
"""

import asyncio
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path

from models.clock import Clock
from models.errors import BadInputError, ConflictError, StoreError
from models.text import plural
from service import postgresql_tools as tools
from service.secret_key import key_file, make_data_dir
from service.settings import Settings
from store import Database, restoring, workers

FORM = 1
MANIFEST, KEY, SQLITE, DUMP = "manifest.json", "secret.key", "database.sqlite", "database.dump"
PRIVATE = 0o600
UNREADABLE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself: `kind` sqlite or postgresql, `revision` that of its tables."""

    form: int
    kind: str
    revision: str
    version: str
    made_at: str

    @property
    def moment(self) -> datetime:
        """When the copy was begun."""
        return datetime.fromisoformat(self.made_at)


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back; `key`: what became of the secret key, a sentence; `aside`: where old journals are."""

    manifest: Manifest
    key: str
    aside: Path | None = None


async def make_backup(settings: Settings, file: Path, clock: Clock, *, with_key: bool = True) -> Manifest:
    """Write everything to `file`; ConflictError when it is there already, StoreError when it fails."""
    database = Database(settings.database_url.get_secret_value())
    try:
        manifest = Manifest(
            form=FORM,
            kind="sqlite" if database.is_sqlite else "postgresql",
            revision=await database.revision(),
            version=metadata.version("tocsin"),
            made_at=clock.now().isoformat(),
        )
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=_folder(file)) as name:
            copy = Path(name) / (SQLITE if database.is_sqlite else DUMP)
            if database.is_sqlite:
                await asyncio.to_thread(_copy_sqlite, Path(database.url.database or ""), copy)
            else:
                await tools.dump(database.url, copy)
            key = key_file(settings) if with_key and settings.secret_key is None else None
            await asyncio.to_thread(_pack, Path(name) / "backup", manifest, copy, key)
            _put(Path(name) / "backup", file)
    finally:
        await database.close()
    return manifest


async def restore_backup(settings: Settings, file: Path, clock: Clock) -> Restored:
    """Replace the database by the one in `file`; ConflictError while anybody sends from it.

    Whatever goes wrong leaves the database as it was.
    """
    database = Database(settings.database_url.get_secret_value())
    make_data_dir(settings)
    try:
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=settings.data_dir) as name:
            manifest = await asyncio.to_thread(_unpack, file, Path(name))
            kind = "sqlite" if database.is_sqlite else "postgresql"
            if manifest.kind != kind:
                raise BadInputError(
                    f"This is a backup of a {manifest.kind} database, and TOCSIN_DATABASE_URL is {kind}.",
                    "Restore it to one of its own kind.",
                )
            key = _check_key(settings, Path(name) / KEY)
            await _nobody_sends(database, clock)
            if database.is_sqlite:
                await asyncio.to_thread(
                    _replace_sqlite, Path(database.url.database or ""), Path(name) / SQLITE, manifest
                )
            else:
                before = restoring.written_clearance(tools.ENGINE_SCHEMA)
                after = restoring.written_precautions(manifest.moment, manifest.revision)
                await tools.restore(database.url, Path(name) / DUMP, before=before, after=after)
            aside = _put_journals_aside(settings.data_dir, clock.now())
            return Restored(manifest, _bring_key(settings, Path(name) / KEY, key), aside)
    finally:
        await database.close()


def _folder(file: Path) -> Path:
    """Where `file` will be; on the same disk, so that it gets its name only once it is whole."""
    if file.exists():
        raise ConflictError(f"{file} is there already.", "Give another name: a backup replaces no other.")
    if not file.absolute().parent.is_dir():
        raise BadInputError(f"There is no folder {file.absolute().parent}.", "Make it first.")
    return file.absolute().parent


def _copy_sqlite(source: Path, target: Path) -> None:
    try:
        with closing(sqlite3.connect(source)) as there, closing(sqlite3.connect(target)) as here:
            there.backup(here)
    except sqlite3.Error as error:
        raise StoreError(f"The database cannot be copied: {error}.", "Check the disk, then again.") from error


def _pack(archive: Path, manifest: Manifest, copy: Path, key: Path | None) -> None:
    told = copy.with_name(MANIFEST)
    told.write_text(json.dumps(asdict(manifest), indent=2) + "\n", encoding="ascii")
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(told, MANIFEST)
        if key is not None and key.exists():
            tar.add(key, KEY)
        tar.add(copy, copy.name)
    with archive.open("rb") as whole:
        os.fsync(whole.fileno())


def _put(draft: Path, file: Path) -> None:
    """Give a finished backup its name; never over another file."""
    draft.chmod(PRIVATE)
    try:
        os.link(draft, file)
    except FileExistsError as error:
        raise ConflictError(f"{file} is there already.", "Give another name.") from error


def _unpack(file: Path, folder: Path) -> Manifest:
    unreadable = BadInputError(f"{file} is no backup of Tocsin.", "Give a file that `tocsin backup` wrote.")
    try:
        with tarfile.open(file, "r:gz") as tar:
            # By their known names and as plain octets: nothing in an archive may choose where it lands.
            for member in tar:
                content = tar.extractfile(member) if member.name in {MANIFEST, KEY, SQLITE, DUMP} else None
                if content is not None:
                    with (folder / member.name).open("wb") as place:
                        shutil.copyfileobj(content, place)
        manifest = Manifest(**json.loads((folder / MANIFEST).read_text(encoding="ascii")))
    except FileNotFoundError as error:
        raise BadInputError(f"There is no file {file}.", "Check the name.") from error
    except (OSError, EOFError, tarfile.TarError, ValueError, TypeError, KeyError) as error:
        raise unreadable from error
    if manifest.form != FORM:
        raise BadInputError(
            f"This backup was made by Tocsin {manifest.version}.",
            "Restore it with that version or a newer one.",
        )
    return manifest


async def _nobody_sends(database: Database, clock: Clock) -> None:
    """ConflictError while a service runs on this database; on SQLite none can start until we are done."""
    if database.is_sqlite:
        await asyncio.to_thread(Path(database.url.database or "").parent.mkdir, parents=True, exist_ok=True)
        await database.lock_service()
        return
    if await database.pending_migration() is not None:
        return  # empty, or of a version of which no process runs any more
    async with database.read() as session:
        alive = await workers.alive(session, clock.now())
    if alive:
        raise ConflictError(
            f"{plural(len(alive), 'process sends', 'processes send')} from this database.",
            "Stop them all first: `tocsin workers`.",
        )


def _replace_sqlite(file: Path, copy: Path, manifest: Manifest) -> None:
    restoring.take_precautions(copy, manifest.moment, manifest.revision)
    _gather(copy)
    with copy.open("rb") as whole:
        os.fsync(whole.fileno())
    copy.chmod(PRIVATE)
    # Into the file itself first: killed after this, or between the two steps below, the old one is whole.
    try:
        _gather(file)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in UNREADABLE:
            raise _in_the_way(error) from error
    # What could not be read must not be read into the new one either.
    for rest in ("-wal", "-shm"):
        file.with_name(file.name + rest).unlink(missing_ok=True)
    copy.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _gather(file: Path) -> None:
    """Bring what is in the log of a database into its file, and take the log away.

    sqlite3.OperationalError while any other connection is open, be it idle.
    """
    if file.exists():
        with closing(sqlite3.connect(file, timeout=1)) as there:
            there.execute("PRAGMA journal_mode=DELETE")


def _in_the_way(error: sqlite3.DatabaseError) -> StoreError | ConflictError:
    if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
        return ConflictError("Another process has the database open.", "Stop it first, then again.")
    return StoreError(f"The database cannot be replaced: {error}.", "Check the disk and whose file it is.")


def _put_journals_aside(data_dir: Path, now: datetime) -> Path | None:
    """Move journals of the ledger that was replaced out of the way: they tell nothing of this one."""
    folder = data_dir / "journal"
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    return folder.rename(folder.with_name(f"journal-before-restore-{now:%Y%m%d-%H%M%S-%f}"))


def _check_key(settings: Settings, key: Path) -> bool:
    """Whether the backup's secret key has to be put in its place; ConflictError when another is there."""
    if not key.exists() or settings.secret_key is not None:
        return False
    present = key_file(settings)
    if not present.exists():
        return True
    if present.read_bytes().strip() != key.read_bytes().strip():
        raise ConflictError(
            f"{present} is another secret key than the backup's.",
            "Move it away first: the links in messages sent from the backup need its own.",
        )
    return False


def _bring_key(settings: Settings, key: Path, wanted: bool) -> str:
    if wanted:
        key.chmod(PRIVATE)
        key.replace(key_file(settings))
        return f"The secret key was put back: {key_file(settings)}."
    if settings.secret_key is not None:
        return "The secret key is the one of TOCSIN_SECRET_KEY: it has to be the one from then."
    if key_file(settings).exists():
        return "The secret key stayed as it is."
    return "The backup holds no secret key: put the one from then into its place, or links sent do not work."
