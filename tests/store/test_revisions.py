"""What is known of revisions without loading Alembic is what Alembic says."""

import asyncio

from alembic.script import ScriptDirectory

from store import Database, revisions
from store.schema import configuration


async def test_the_newest_revision_is_the_head_that_alembic_finds(database_url: str) -> None:
    script = ScriptDirectory.from_config(configuration(Database(database_url).url))

    assert await asyncio.to_thread(script.get_current_head) == revisions.newest()


async def test_a_database_knows_its_revision_from_the_moment_it_is_migrated(database_url: str) -> None:
    database = Database(database_url)
    try:
        assert await database.pending_migration() is not None
        await database.migrate()
        assert await database.revision() == revisions.newest()
        assert await database.pending_migration() is None
    finally:
        await database.close()
