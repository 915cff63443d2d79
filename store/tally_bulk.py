"""Deliveries written by the thousand in one transaction, counted once at its end.

SQLite's triggers count row by row, which takes as long as the rows themselves. Within one transaction,
which keeps every other writer out, they stand aside: the rows are counted together before it ends. What
ends it early, a crash too, takes back the rows and brings back the triggers. PostgreSQL counts statement
by statement anyway.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from store.engine import is_embedded
from store.tally_triggers import DELIVERIES_COUNTED, KEY, LEFT_OUT_COUNTED

__all__ = ["counted_at_once"]

TRIGGERS: Final = ("tally_delivery_insert", "tally_left_out_insert")
_LAST_BEFORE: Final = (
    "SELECT max(id) FROM delivery WHERE ? IS NOT NULL",
    "SELECT max(contact_id) FROM left_out WHERE campaign_id = ?",
)
# By their numbers alone: by an index all deliveries of the campaign would be read, at every batch.
_ADDED: Final = (
    DELIVERIES_COUNTED.replace("FROM delivery ", "FROM delivery NOT INDEXED ").replace(
        " GROUP BY", " AND campaign_id = ? AND id > ? GROUP BY"
    ),
    LEFT_OUT_COUNTED.replace(" GROUP BY", " WHERE campaign_id = ? AND contact_id > ? GROUP BY"),
)


@asynccontextmanager
async def counted_at_once(session: AsyncSession, campaign_id: int) -> AsyncIterator[None]:
    """Within, new deliveries and people left out of one campaign are counted at the end, exactly as ever.

    Nothing but inserts of rows with rising numbers may be done to those tables within.
    """
    if not is_embedded(session):
        yield
        return
    connection = await session.connection()
    found = await connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name IN (?, ?)", TRIGGERS
    )
    triggers: dict[str, str] = dict(tuple(row) for row in found.all())
    last = [
        (await connection.exec_driver_sql(question, (campaign_id,))).scalar() or 0
        for question in _LAST_BEFORE
    ]
    for name in triggers:
        await connection.exec_driver_sql(f"DROP TRIGGER {name}")
    yield
    for text in triggers.values():
        await connection.exec_driver_sql(text)
    for added, before in zip(_ADDED, last, strict=True):
        await connection.exec_driver_sql(
            f"INSERT INTO tally ({KEY}, count, text) {added} "
            f"ON CONFLICT ({KEY}) DO UPDATE SET count = count + excluded.count",
            (campaign_id, before),
        )
