"""The number that tells one database from another: files kept beside it carry it."""

import secrets
from datetime import datetime

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.worker import Installation
from store.engine import insert_for


async def installation_key(session: AsyncSession, now: datetime) -> str:
    """The database's own number, 32 hexadecimal digits; drawn when it is first asked for."""
    drawn = insert_for(session, Installation).values(id=1, key=secrets.token_hex(16), made_at=now)
    await session.exec(drawn.on_conflict_do_nothing())
    return (await session.exec(select(Installation.key))).one()
