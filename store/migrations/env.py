"""Alembic's entrance: runs the revisions on the URL that `store.Database` hands in."""

import asyncio
from typing import Any, Literal, cast

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel import SQLModel

import store.tables  # noqa: F401 - registers every table
from store import cascade, tally_triggers, webhook_triggers
from store.engine import make_engine


def render_item(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Name our own column types in generated revisions; Alembic would print them without an import."""
    if kind == "type" and type(item).__module__ == "models.columns":
        autogenerate.imports.add("from models import columns")
        return f"columns.{type(item).__name__}()"
    if kind == "type" and isinstance(item, sa.Enum):
        return "sa.String(length=32)"  # the members live in the models; the column is plain text
    if kind == "type" and isinstance(item, sa.JSON):
        autogenerate.imports.add("from models import columns")
        return "columns.JsonColumn"
    if kind == "type" and isinstance(item, sa.BigInteger):
        autogenerate.imports.add("from models import columns")
        return "columns.BigId"
    if kind == "type" and type(item).__module__.startswith("sqlmodel"):
        length = getattr(item, "length", None)
        return f"sa.String(length={length})" if length else "sa.String()"
    return False


def run(connection: sa.Connection) -> None:
    """Apply what is missing, in one transaction where the database can."""
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=True,
        render_item=render_item,
        compare_type=True,
    )
    with context.begin_transaction():
        cascade.remove(connection)
        webhook_triggers.remove(connection)
        context.run_migrations()
        cascade.install(connection)
        tally_triggers.install(connection)
        webhook_triggers.install(connection)


async def main() -> None:
    """Open a connection of our own: Alembic is called from a thread, outside the service's loop."""
    engine = make_engine(context.config.attributes["url"], writes=True, pooled=False)
    async with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # A table is changed by copying it: dropping the old one must not take along what refers to it.
            raw = (await connection.get_raw_connection()).driver_connection
            await cast("Any", raw).execute("PRAGMA foreign_keys=OFF")
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


asyncio.run(main())
