"""The untouched originals of news from outside, kept so that a better rule can read them again."""

import hashlib
import re
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import Contact
from models.event import Incoming
from store.engine import insert_for

LOOKED_AT = 64 * 1024
MOST_NAMED = 100
FORGOTTEN_AT_ONCE = 500
_EMAIL = re.compile(rb"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}[A-Za-z0-9]")
_PHONE = re.compile(rb"(?:\+|%2B)([1-9][0-9]{6,14})")
"""As a form carries it, too."""


async def keep(
    session: AsyncSession,
    *,
    source: str,
    raw: bytes,
    matched: bool,
    now: datetime,
    contact_id: int | None = None,
) -> None:
    """Keep an original once, named by the SHA-256 of its bytes; `matched` once true stays true.

    `contact_id`: whose it is, and with whom it goes (`store.erasure`). One that led to no contact goes with
    the first it names: looking through all of them for each who is erased would take far too long.

    Several pieces of news read from one original share one row.
    """
    if contact_id is None:
        contact_id = await _named_in(session, raw[:LOOKED_AT])
    row = {
        "source": source,
        "source_id": hashlib.sha256(raw).hexdigest(),
        "received_at": now,
        "matched": matched,
        "contact_id": contact_id,
        "raw": raw,
    }
    insert = insert_for(session, Incoming).values(row)
    if matched:
        whose = sa.func.coalesce(insert.excluded.contact_id, col(Incoming.contact_id))
        insert = insert.on_conflict_do_update(
            index_elements=["source", "source_id"], set_={"matched": True, "contact_id": whose}
        )
    else:
        insert = insert.on_conflict_do_nothing(index_elements=["source", "source_id"])
    await session.exec(insert)


async def _named_in(session: AsyncSession, raw: bytes) -> int | None:
    """A contact whose address is written there. Served by the unique indexes of addresses."""
    emails = sorted({found.decode("ascii").lower() for found in _EMAIL.findall(raw)})[:MOST_NAMED]
    phones = sorted({f"+{found.decode('ascii')}" for found in _PHONE.findall(raw)})[:MOST_NAMED]
    if not emails and not phones:
        return None
    known = sa.or_(col(Contact.email).in_(emails), col(Contact.phone).in_(phones))
    return (await session.exec(select(Contact.id).where(known).order_by(col(Contact.id)).limit(1))).first()


async def list_unmatched(session: AsyncSession, *, limit: int = 100) -> list[Incoming]:
    """Originals that led to nobody, oldest first. Reads the table by its primary key."""
    wanted = select(Incoming).where(col(Incoming.matched).is_(False)).order_by(col(Incoming.id)).limit(limit)
    return list((await session.exec(wanted)).all())


async def count(session: AsyncSession) -> tuple[int, int]:
    """How many originals are kept, and how many of them led to nobody."""
    unmatched = sa.func.sum(sa.case((col(Incoming.matched).is_(False), 1), else_=0))
    total, lost = (await session.exec(select(func.count(), unmatched).select_from(Incoming))).one()
    return int(total), int(lost or 0)


async def kept(
    session: AsyncSession, *, since: datetime, before_id: int | None = None, limit: int = 100
) -> list[Incoming]:
    """Originals received since a moment, newest first, `limit` at a time. Walks the primary key backwards."""
    wanted = select(Incoming).where(col(Incoming.received_at) >= since)
    if before_id is not None:
        wanted = wanted.where(col(Incoming.id) < before_id)
    return list((await session.exec(wanted.order_by(col(Incoming.id).desc()).limit(limit))).all())


async def forget_before(session: AsyncSession, moment: datetime) -> int:
    """Delete originals received before `moment`; how many. Their events stay.

    Originals are numbered as they arrive: it walks the primary key and stops at a page that stays.
    """
    forgotten = 0
    last = -1
    while True:
        page = select(Incoming.id, Incoming.received_at).where(col(Incoming.id) > last)
        found = (await session.exec(page.order_by(col(Incoming.id)).limit(FORGOTTEN_AT_ONCE))).all()
        old = [number for number, received_at in found if received_at < moment]
        if old:
            await session.exec(sa.delete(Incoming).where(col(Incoming.id).in_(old)))
        forgotten += len(old)
        if not old or len(found) < FORGOTTEN_AT_ONCE:
            return forgotten
        last = found[-1][0]
