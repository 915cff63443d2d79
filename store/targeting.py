"""What people said of political messages being chosen for them by their data: the proof, and the latest word.

Apart from consent to a channel (`store.consents`), as Regulation (EU) 2024/900 asks in article 18(1)(b).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import Contact, TargetingStatement
from models.states import ConsentStatus
from store.engine import insert_for, is_among, planned_afresh

ASKED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Said:
    """One statement: whose, what, by which way, when."""

    contact_id: int
    status: ConsentStatus
    source: str
    given_at: datetime


async def add_statements(session: AsyncSession, statements: Sequence[Said], now: datetime) -> None:
    """Add to the proof; a statement that is there already stays one row."""
    if not statements:
        return
    rows = [
        {
            "contact_id": one.contact_id,
            "status": one.status,
            "source": one.source[:300],
            "given_at": one.given_at,
            "recorded_at": now,
        }
        for one in statements
    ]
    connection = await session.connection()
    await connection.execute(insert_for(session, TargetingStatement).on_conflict_do_nothing(), rows)


async def set_status(session: AsyncSession, contact_id: int, status: ConsentStatus, now: datetime) -> None:
    """Write the latest word on the contact, which is what audiences are chosen by."""
    change = (
        sa.update(Contact)
        .where(col(Contact.id) == contact_id)
        .values(targeting_consent=status, updated_at=now)
        .execution_options(synchronize_session=False)
    )
    await session.exec(change)


async def latest_statements(
    session: AsyncSession, contact_ids: Collection[int]
) -> dict[tuple[int, ConsentStatus], datetime]:
    """When each contact last said yes, and last said no.

    Served by the unique index of targeting_statement, which begins with the contact.
    """
    latest: dict[tuple[int, ConsentStatus], datetime] = {}
    listed = list(contact_ids)
    whose, status = col(TargetingStatement.contact_id), col(TargetingStatement.status)
    connection = await session.connection()
    for start in range(0, len(listed), ASKED_AT_ONCE):
        part = listed[start : start + ASKED_AT_ONCE]
        question = (
            sa.select(whose, status, sa.func.max(col(TargetingStatement.given_at)))
            .where(is_among(session, whose, part))
            .group_by(whose, status)
        )
        async with planned_afresh(session):
            rows = (await connection.execute(question)).all()
        latest |= {(contact_id, said): given_at for contact_id, said, given_at in rows}
    return latest


async def statements_of(session: AsyncSession, contact_id: int, *, limit: int) -> list[TargetingStatement]:
    """What a person said, the newest first. Served by the unique index, which begins with the contact."""
    wanted = (
        select(TargetingStatement)
        .where(TargetingStatement.contact_id == contact_id)
        .order_by(col(TargetingStatement.given_at).desc(), col(TargetingStatement.id).desc())
        .limit(limit)
    )
    return list((await session.exec(wanted)).all())
