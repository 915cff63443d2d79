"""A backup in the midst of a campaign, more sending, a restore: and nothing leaves by itself."""

import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlmodel import select

from models.campaign import Campaign
from models.clock import SystemClock
from models.errors import BadInputError, ConflictError, StoreError
from models.states import CampaignState, DeliveryState
from scheduler.campaigns import resume, schedule
from service.backup import make_backup, restore_backup
from service.postgresql_tools import environment
from service.secret_key import key_file, open_keyring
from service.settings import GivenSettings
from store import Database
from store.engine import parse_url
from tests.factories import a_campaign, a_contact, a_segment, an_identity
from tests.scheduler.desks import ScriptedTransport
from tests.scheduler.test_jobs import conducting, counted, eventually, until
from tests.service.conftest import Tocsin

CLOCK = SystemClock()
PEOPLE = 900


def settings(url: str, folder: Path) -> GivenSettings:
    return GivenSettings(data_dir=folder, database_url=SecretStr(parse_url(url).render_as_string(False)))


async def a_slow_campaign(database: Database) -> tuple[int, int]:
    """One that is due, and one of next week."""
    async with database.write() as session:
        for number in range(PEOPLE):
            await a_contact(session, email=f"p{number:03}@gmail.com")
        now = CLOCK.now()
        whole = {"senders": [await an_identity(session)], "include": [await a_segment(session)]}
        campaign = await a_campaign(session, **whole)  # type: ignore[arg-type]
        await schedule(session, campaign.id, now.replace(tzinfo=None), "UTC", now)
        other = await a_campaign(session, **whole)  # type: ignore[arg-type]
        await schedule(session, other.id, now.replace(tzinfo=None, year=now.year + 1), "UTC", now)
        return campaign.id, other.id


def left_in(folder: Path) -> list[Path]:
    return list(folder.glob(".backup-*"))


async def test_after_a_restore_nothing_leaves_until_somebody_says_so(
    migrated_url: str, tmp_path: Path
) -> None:
    given, file = settings(migrated_url, tmp_path / "data"), tmp_path / "tocsin.backup"
    open_keyring(given)
    database = Database(migrated_url)
    campaign_id, next_id = await a_slow_campaign(database)
    first, backed_up = ScriptedTransport(), asyncio.Event()

    async def take_time(_recipient: str) -> None:
        # However long the backup takes, it is in the midst of the campaign.
        if len(first.sent) >= 10:
            await backed_up.wait()

    first.before = take_time
    async with conducting(database, first):
        await eventually(lambda: len(first.sent) >= 10)
        await make_backup(given, file, CLOCK)
        known = len(first.sent)
        backed_up.set()
        await until(database, campaign_id, CampaignState.FINISHED)
    assert len(first.sent) == PEOPLE > known
    await database.close()

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await restore_backup(given, file, CLOCK)

    database = Database(migrated_url)
    second = ScriptedTransport()
    async with conducting(database, second, alone=True) as conductor:
        await conductor.wake()
        await asyncio.sleep(1)  # ten sweeps
        async with database.read() as session:
            found = {row.id: row for row in (await session.exec(select(Campaign))).all()}
        assert second.sent == []
        for number in (campaign_id, next_id):
            assert found[number].state is CampaignState.PAUSED
            assert "Restored from a backup" in found[number].problem
        # A person who has looked into it may let it go on; who got it after the backup gets it again.
        async with database.write() as session:
            await resume(session, campaign_id, CLOCK.now())
        await conductor.wake()
        await until(database, campaign_id, CampaignState.FINISHED)
    counts = await counted(database, campaign_id)
    await database.close()
    assert sum(counts.values()) == PEOPLE
    assert set(counts) <= {DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN}
    assert len(set(second.recipients)) == len(second.recipients) > 0


async def test_what_is_restored_is_what_was_backed_up(migrated_url: str, tmp_path: Path) -> None:
    given, file = settings(migrated_url, tmp_path / "data"), tmp_path / "tocsin.backup"
    open_keyring(given)
    secret = key_file(given).read_text()
    database = Database(migrated_url)
    async with database.write() as session:
        await a_contact(session, email="before@exemple.fr")
    await make_backup(given, file, CLOCK)
    async with database.write() as session:
        await a_contact(session, email="after@exemple.fr")
    await database.close()
    key_file(given).unlink()

    restored = await restore_backup(given, file, CLOCK)
    assert "put back" in restored.key
    assert key_file(given).read_text() == secret
    assert stat.S_IMODE(key_file(given).stat().st_mode) == 0o600
    database = Database(migrated_url)
    assert await database.pending_migration() is None
    from models.contact import Contact

    async with database.write() as session:
        assert (await session.exec(select(Contact.email))).all() == ["before@exemple.fr"]
        await a_contact(session, email="another@exemple.fr")
    await database.close()


async def test_a_restore_is_refused_while_somebody_sends(migrated_url: str, tmp_path: Path) -> None:
    given, file = settings(migrated_url, tmp_path / "data"), tmp_path / "tocsin.backup"
    database = Database(migrated_url)
    await make_backup(given, file, CLOCK)
    await database.lock_service()
    async with conducting(database, ScriptedTransport()):
        await asyncio.sleep(0.3)
        with pytest.raises(ConflictError, match=r"already running|sends? from this database"):
            await restore_backup(given, file, CLOCK)
    await database.close()


async def test_a_backup_replaces_no_file_and_leaves_none_behind_when_it_fails(tmp_path: Path) -> None:
    file = tmp_path / "tocsin.backup"
    given = settings(f"sqlite:///{tmp_path}/none.db", tmp_path / "data")
    with pytest.raises(StoreError, match="no tables yet"):
        await make_backup(given, file, CLOCK)
    assert not file.exists()
    file.write_text("precious")
    database = Database(f"sqlite:///{tmp_path}/none.db")
    await database.migrate()
    await database.close()
    with pytest.raises(ConflictError, match="is there already"):
        await make_backup(given, file, CLOCK)
    assert file.read_text() == "precious"
    assert not left_in(tmp_path)


async def test_a_file_that_is_no_backup_changes_nothing(migrated_url: str, tmp_path: Path) -> None:
    given, file = settings(migrated_url, tmp_path / "data"), tmp_path / "tocsin.backup"
    file.write_bytes(b"\x1f\x8b something else")
    with pytest.raises(BadInputError, match="no backup of Tocsin"):
        await restore_backup(given, file, CLOCK)
    database = Database(migrated_url)
    assert await database.pending_migration() is None
    await database.close()


async def test_another_secret_key_is_not_replaced(migrated_url: str, tmp_path: Path) -> None:
    given, file = settings(migrated_url, tmp_path / "data"), tmp_path / "tocsin.backup"
    open_keyring(given)
    await make_backup(given, file, CLOCK)
    key_file(given).write_text("another one, made since by somebody else")
    with pytest.raises(ConflictError, match="another secret key"):
        await restore_backup(given, file, CLOCK)
    assert "another one" in key_file(given).read_text()


def test_no_password_is_on_a_command_line() -> None:
    told = environment(parse_url("postgresql://ada:hunter2@db.example:6432/tocsin?sslmode=require"))
    wanted = {
        "PGHOST": "db.example",
        "PGPORT": "6432",
        "PGUSER": "ada",
        "PGPASSWORD": "hunter2",
        "PGDATABASE": "tocsin",
        "PGSSLMODE": "require",
    }
    assert told.items() >= wanted.items()


def test_backup_and_restore_from_the_command_line(ready: Tocsin) -> None:
    assert "The backup is one.backup" in ready.must("backup", "one.backup")
    assert "is there already" in ready("backup", "one.backup").told
    assert "Nobody is here to say yes" in ready("restore", "one.backup").told
    assert "are paused" in ready.must("restore", "one.backup", "--yes")
    told = ready("backup", "two.backup", "--without-key")
    assert told.code == 0
    assert "keep tocsin-data/secret.key, too" in told.err


def a_sqlite(folder: Path, *, address: str) -> sqlite3.Connection:
    """A connection that has written into the log of the database, and not into its file."""
    there = sqlite3.connect(folder / "tocsin.db", isolation_level=None)
    there.execute("PRAGMA journal_mode=WAL")
    there.execute("PRAGMA wal_autocheckpoint=0")
    moment = "2026-03-01 10:00:00.000000"
    there.execute(
        "INSERT INTO contact (email, language, attributes, attributes_key, email_consent, sms_consent,"
        " created_at, updated_at) VALUES (?, 'fr', '{}', '{}', 'granted', 'granted', ?, ?)",
        (address, moment, moment),
    )
    return there


async def a_backup_of_sqlite(folder: Path) -> tuple[GivenSettings, Path]:
    given, file = settings(f"sqlite:///{folder}/tocsin.db", folder / "data"), folder / "tocsin.backup"
    database = Database(f"sqlite:///{folder}/tocsin.db")
    await database.migrate()
    await database.close()
    await make_backup(given, file, CLOCK)
    return given, file


def emails(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "tocsin.db")) as there:
        return [email for (email,) in there.execute("SELECT email FROM contact")]


async def test_a_restore_is_refused_while_anybody_has_the_file_open(tmp_path: Path) -> None:
    given, file = await a_backup_of_sqlite(tmp_path)
    there = a_sqlite(tmp_path, address="late@exemple.fr")
    with pytest.raises(ConflictError, match="has the database open"):
        await restore_backup(given, file, CLOCK)
    there.close()
    assert emails(tmp_path) == ["late@exemple.fr"]
    await restore_backup(given, file, CLOCK)
    assert emails(tmp_path) == []


async def test_a_restore_cut_short_before_its_last_step_leaves_the_database_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, file = await a_backup_of_sqlite(tmp_path)
    there = a_sqlite(tmp_path, address="late@exemple.fr")
    # As a killed process leaves it: with a log beside the file.
    kept = {rest: (tmp_path / f"tocsin.db{rest}").read_bytes() for rest in ("", "-wal")}
    there.close()
    for rest, octets in kept.items():
        (tmp_path / f"tocsin.db{rest}").write_bytes(octets)

    def killed(self: Path, target: Path) -> Path:
        raise RuntimeError(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(RuntimeError):
            await restore_backup(given, file, CLOCK)
    assert emails(tmp_path) == ["late@exemple.fr"]


@pytest.mark.parametrize("octets", [b"", b"no database at all" * 300])
async def test_a_database_that_cannot_be_read_is_replaced_with_its_log(tmp_path: Path, octets: bytes) -> None:
    given, file = await a_backup_of_sqlite(tmp_path)
    (tmp_path / "tocsin.db").write_bytes(octets)
    (tmp_path / "tocsin.db-wal").write_bytes(b"the log of another")
    await restore_backup(given, file, CLOCK)
    assert emails(tmp_path) == []


async def test_journals_of_the_ledger_that_was_replaced_are_moved_aside(tmp_path: Path) -> None:
    given, file = await a_backup_of_sqlite(tmp_path)
    assert (await restore_backup(given, file, CLOCK)).aside is None
    journal = given.data_dir / "journal" / ("a" * 12 + ".log")
    journal.parent.mkdir()
    journal.write_bytes(b"begun")
    aside = (await restore_backup(given, file, CLOCK)).aside
    assert aside is not None
    assert (aside / journal.name).read_bytes() == b"begun"
    assert not journal.parent.exists()
