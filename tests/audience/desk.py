"""Where tests of imports stand: a text becomes a file, the file contacts, and the contacts are looked at."""

import csv
from pathlib import Path

from sqlmodel import col, select

from audience.imports import ImportOptions, ImportResult, import_contacts
from models.contact import ConsentRecord, Contact, TargetingStatement
from store import Database, contacts
from tests.clocks import ManualClock


class Desk:
    """Imports texts as files, and looks at what is in the database."""

    def __init__(self, database: Database, clock: ManualClock, folder: Path) -> None:
        self.database = database
        self.clock = clock
        self.path = folder / "contacts.csv"

    async def bring(self, text: str, options: ImportOptions | None = None) -> ImportResult:
        self.path.write_text(text, encoding="utf-8")
        return await import_contacts(
            self.database, self.path, options or ImportOptions(source="formulaire"), self.clock
        )

    async def contact(self, **key: str) -> Contact:
        async with self.database.read() as session:
            found = await contacts.find_contact(session, **key)
        assert found is not None
        return found

    async def tags(self, **key: str) -> list[str]:
        number = (await self.contact(**key)).id
        async with self.database.read() as session:
            return (await contacts.tags_of(session, [number]))[number]

    async def everybody(self) -> list[str | None]:
        async with self.database.read() as session:
            return list((await session.exec(select(Contact.email).order_by(col(Contact.id)))).all())

    async def records(self) -> list[ConsentRecord]:
        async with self.database.read() as session:
            return list((await session.exec(select(ConsentRecord).order_by(col(ConsentRecord.id)))).all())

    async def targeting(self) -> list[TargetingStatement]:
        async with self.database.read() as session:
            wanted = select(TargetingStatement).order_by(col(TargetingStatement.id))
            return list((await session.exec(wanted)).all())

    def report(self, result: ImportResult) -> list[dict[str, str]]:
        if result.report_path is None:
            return []
        with result.report_path.open(encoding="utf-8-sig", newline="") as file:
            separator = file.readline()[4]
            file.seek(0)
            return list(csv.DictReader(file, delimiter=separator))
