"""What every command works with: the settings, an open and migrated database, the clock, the keyring."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from models.clock import Clock, SystemClock
from models.errors import StoreError
from models.keyring import Keyring
from service.secret_key import make_data_dir, open_keyring
from service.settings import Settings, load_settings
from store import Database

Result = TypeVar("Result")


@dataclass(frozen=True)
class Desk:
    """The parts a command needs; `keyring` makes the secret key at first use when there is none."""

    settings: Settings
    database: Database
    clock: Clock

    @cached_property
    def keyring(self) -> Keyring:
        """Keys derived from the installation's secret."""
        return open_keyring(self.settings)


def read_settings(**overrides: Any) -> Settings:
    """The settings in force; what looks like a setting and is none is told on standard error."""
    loaded = load_settings(**overrides)
    for warning in loaded.warnings:
        sys.stderr.write(f"tocsin: warning: {warning}\n")
    if loaded.settings.debug:
        # Asked for in the file: from here on it holds for errors, too.
        os.environ["TOCSIN_DEBUG"] = "1"
    return loaded.settings


@asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[Desk]:
    """A desk on the configured database; StoreError when it is missing, unreachable or not migrated."""
    database = Database(settings.database_url.get_secret_value())
    try:
        await require_migrated(database)
        yield Desk(settings, database, SystemClock())
    finally:
        await database.close()


async def require_migrated(database: Database) -> None:
    """StoreError with the remedy unless the tables have this version's form."""
    pending = await database.pending_migration()
    if pending is not None:
        raise StoreError(pending, "Run `tocsin migrate` first.")


def work(task: Callable[[Desk], Awaitable[Result]]) -> Result:
    """Run one command's task at a desk, from the first setting to the last connection closed."""
    settings = read_settings()
    make_data_dir(settings)

    async def seated() -> Result:
        async with open_desk(settings) as desk:
            return await task(desk)

    return asyncio.run(seated())
