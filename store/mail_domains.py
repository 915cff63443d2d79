"""Which provider receives a domain's mail, as it was last found: one look-up a domain for all workers."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.delivery import Delivery
from models.pace import MailDomain
from store.engine import insert_for, is_among

ROWS_A_STATEMENT = 500
# Spelt out as the condition of uq_delivery_message is.
_ASKED_FOR = sa.text("message_id <> 0")


async def known(session: AsyncSession, domains: Collection[str]) -> dict[str, MailDomain]:
    """What was found of these domains, also where it has expired. Served by the primary key."""
    if not domains:
        return {}
    rows = await session.exec(
        select(MailDomain).where(is_among(session, col(MailDomain.domain), list(domains)))
    )
    return {row.domain: row for row in rows}


async def remember(session: AsyncSession, rows: Sequence[MailDomain]) -> None:
    """Keep what was found, instead of what was known. Rows in the order of names: writers never cross."""
    ordered = sorted(rows, key=lambda row: row.domain)
    for start in range(0, len(ordered), ROWS_A_STATEMENT):
        part = [row.model_dump() for row in ordered[start : start + ROWS_A_STATEMENT]]
        put = insert_for(session, MailDomain).values(part)
        changed = {
            name: put.excluded[name]
            for name in ("provider", "exchangers", "problem", "looked_up_at", "expires_at")
        }
        await session.exec(put.on_conflict_do_update(index_elements=["domain"], set_=changed))


async def newest_message(session: AsyncSession) -> int:
    """The highest number of what programs asked for, 0 without any. Served by uq_delivery_message."""
    found = await session.exec(select(sa.func.max(Delivery.message_id)).where(_ASKED_FOR))
    return found.one() or 0


async def asked_for_after(session: AsyncSession, number: int, limit: int) -> list[tuple[int, str]]:
    """Numbers of what programs asked for after that one, in their order, and where each goes.

    Served by uq_delivery_message.
    """
    wanted = (
        select(Delivery.message_id, Delivery.address)
        .where(_ASKED_FOR, col(Delivery.message_id) > number)
        .order_by(col(Delivery.message_id))
        .limit(limit)
    )
    return [(message, address) for message, address in (await session.exec(wanted)).all()]
