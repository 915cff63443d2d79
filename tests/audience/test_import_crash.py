"""An import killed in its midst and repeated ends where an undisturbed one ends."""

import asyncio
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from audience.imports import import_contacts
from models.contact import ConsentRecord, Contact, ContactTag, ImportRun
from store import Database
from tests.audience.importing import OPTIONS
from tests.clocks import ManualClock

ROOT = Path(__file__).resolve().parents[2]
ROWS = 12_000
SAID = ("channel", "status", "given_at", "source")


def _write(path: Path) -> None:
    lots = random.Random(3)
    with path.open("w", encoding="utf-8") as file:
        file.write("Identifiant;E-mail;Prénom;Code postal;Étiquettes;Consentement SMS;Date du consentement\n")
        for _ in range(ROWS):
            # Numbers come again: later lines change people of earlier batches.
            number = lots.randrange(ROWS // 2)
            email = f"a{number}@b.fr" if number % 17 else f"bad {number}"
            tags = lots.choice(["économie", "santé,écologie", ""])
            file.write(
                f"{'' if number % 5 else f'A{number}'};{email};{lots.choice(['Jean', 'Zoé'])};"
                f"{lots.choice(['13001', ''])};{tags};{lots.choice(['oui', 'non', ''])};"
                f"2025-0{lots.randint(1, 9)}-11\n"
            )


async def _state(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Everything an import makes, without numbers, which depend on the way there."""
    columns = [c for c in sa.inspect(Contact).columns if c.name != "id"]
    who = sa.func.coalesce(col(Contact.email), col(Contact.external_id)).label("who")
    async with database.read() as session:
        connection = await session.connection()
        people = (await connection.execute(sa.select(*columns))).all()
        tags = (
            await connection.execute(
                sa.select(who, col(ContactTag.tag_key)).join(
                    ContactTag, col(ContactTag.contact_id) == col(Contact.id)
                )
            )
        ).all()
        said = sa.select(who, *(col(getattr(ConsentRecord, name)) for name in SAID))
        statements = (
            await connection.execute(
                said.join(ConsentRecord, col(ConsentRecord.contact_id) == col(Contact.id))
            )
        ).all()
    return {
        name: sorted((tuple(row) for row in rows), key=repr)
        for name, rows in (("people", people), ("tags", tags), ("statements", statements))
    }


def _kill_after(url: str, path: Path, batches: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.audience.importing", url, str(path), str(batches)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    for _ in range(batches):
        assert process.stdout.readline()
    process.kill()
    process.stdout.close()
    assert process.wait() != 0


async def test_a_killed_import_repeated_ends_in_the_same_state(
    database: Database, migrated_url: str, sqlite_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "contacts.csv"
    _write(path)
    for batches in (1, 2):
        await asyncio.to_thread(_kill_after, migrated_url, path, batches)
    result = await import_contacts(database, path, OPTIONS, ManualClock())
    assert result.resumed_at > ROWS // 4
    assert result.rows_read == ROWS

    undisturbed = Database(f"sqlite:///{tmp_path}/undisturbed.db")
    await undisturbed.migrate()
    expected = await import_contacts(undisturbed, path, OPTIONS, ManualClock())
    counts = ("rows_created", "rows_updated", "rows_unchanged", "rows_rejected", "rows_noted")
    assert [getattr(result, name) for name in counts] == [getattr(expected, name) for name in counts]
    assert await _state(database) == await _state(undisturbed)
    await undisturbed.close()
    async with database.read() as session:
        runs = (await session.exec(select(ImportRun))).all()
    assert len(runs) == 1
