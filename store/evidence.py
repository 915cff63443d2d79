"""Many events recorded by one statement, each piece of news once; which of them were new is known afterwards.

As text of one parameter: to spell a row of twenty-two columns, value by value, takes longer than to store it.
"""

from collections.abc import Sequence
from datetime import UTC
from functools import cache
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlmodel.ext.asyncio.session import AsyncSession

from models.delivery import Delivery
from models.event import Entry, Event
from store.bulk import POSTGRESQL, SQLITE, table
from store.engine import insert_on, is_embedded
from store.events import TEXT_LENGTH, storable

ROWS_A_STATEMENT = 500
_DELIVERY = cast("Any", Delivery).__table__.c
_EVENT = cast("Any", Event).__table__
_KINDS: dict[str, Any] = {
    "delivery_id": sa.BigInteger,
    "campaign_id": sa.BigInteger,
    "identity_id": sa.BigInteger,
    "contact_id": sa.BigInteger,
    "provider": sa.Text,
    "seed": sa.Boolean,
    "kind": sa.Text,
    "permanence": sa.Text,
    "bounce_class": sa.Text,
    "fault": sa.Text,
    "rule": sa.Text,
    "code": sa.Integer,
    "enhanced": sa.Text,
    "text": sa.Text,
    "link_index": sa.Integer,
    "source": sa.Text,
    "source_id": sa.Text,
    "details": sa.Text,
    "at": sa.Text,
    "recorded_at": sa.Text,
}


async def append_each(session: AsyncSession, events: Sequence[Entry]) -> list[bool]:
    """Record events and give the new ones their numbers; for each whether its news was new.

    The unique (source, source_id) decides, among them too. They are written in the order of these names, so
    that two who hear the same news at once do not wait for each other in a circle.
    """
    first = {_name(event): event for event in reversed(events)}
    numbers: dict[tuple[str, str], int] = {}
    names = sorted(first)
    connection = await session.connection()
    statement = _statement(sqlite=is_embedded(session))
    for start in range(0, len(names), ROWS_A_STATEMENT):
        rows = [_row(first[name], *name) for name in names[start : start + ROWS_A_STATEMENT]]
        found = await connection.execute(statement, {"told": table(rows)})
        numbers |= {(row.source, row.source_id): row.id for row in found}
    new = [first[name := _name(event)] is event and name in numbers for event in events]
    for event, is_new in zip(events, new, strict=True):
        if is_new:
            event.id = numbers[_name(event)]
    return new


def _name(event: Entry) -> tuple[str, str]:
    """PostgreSQL refuses NUL characters and texts that are too long."""
    return event.source, storable(event.source_id)[:200]


def _row(event: Entry, source: str, source_id: str) -> tuple[object, ...]:
    """In the order of the columns above."""
    return (
        event.delivery_id,
        event.campaign_id,
        event.identity_id,
        event.contact_id,
        event.provider,
        int(event.seed),
        event.kind,
        event.permanence,
        event.bounce_class,
        event.fault,
        event.rule,
        event.code,
        event.enhanced,
        storable(event.text)[:TEXT_LENGTH],
        event.link_index,
        source,
        source_id,
        {storable(name): storable(value) for name, value in event.details.items()},
        _moment(event.at),
        _moment(event.recorded_at),
    )


def _moment(at: Any) -> str:
    """As SQLite stores it; PostgreSQL reads it so in a session whose time is UTC, as all of ours are."""
    return cast("str", at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"))


@cache
def _statement(*, sqlite: bool) -> Any:
    spelling = SQLITE if sqlite else POSTGRESQL
    told = spelling.rows("told", **_KINDS)
    # The wording goes when the person behind the delivery was erased while it was under way.
    gone = sa.and_(_DELIVERY.address == "", sa.not_(told.c.seed))
    values = {name: told.c[name] for name in _KINDS} | {
        "text": sa.case((gone, sa.literal("", sa.Text)), else_=told.c.text)
    }
    if not sqlite:
        moment = sa.TIMESTAMP(timezone=True)
        values |= {name: sa.cast(told.c[name], moment) for name in ("at", "recorded_at")}
        values["details"] = sa.cast(told.c.details, postgresql.JSONB)
    chosen = (
        sa.select(*(values[name] for name in _KINDS))
        .select_from(told.outerjoin(Delivery, told.c.delivery_id == _DELIVERY.id))
        .where(told.c.source != "")
        .order_by(told.c.source, told.c.source_id)
    )
    insert = insert_on(Event, sqlite=sqlite).from_select(list(_KINDS), chosen)
    insert = insert.on_conflict_do_nothing(index_elements=["source", "source_id"])
    return insert.returning(_EVENT.c.id, _EVENT.c.source, _EVENT.c.source_id)
