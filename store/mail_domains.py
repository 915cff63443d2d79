"""Which provider receives a domain's mail, as it was last found: one look-up a domain for all workers."""

from collections.abc import Collection, Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.pace import MailDomain
from store.engine import insert_for, is_among

ROWS_A_STATEMENT = 500


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
