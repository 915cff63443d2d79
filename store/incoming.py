"""The untouched originals of news from outside, kept so that a better rule can read them again."""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.orm import defer
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import Contact
from models.event import Incoming
from models.values import Cover
from store.engine import insert_for
from store.events import storable

LOOKED_AT = 64 * 1024
MOST_NAMED = 100
FORGOTTEN_AT_ONCE = 500
RECIPIENTS_LENGTH = 4000
SENDER_LENGTH = 320
PROBLEM_LENGTH = 500
ASIDE = "aside"
"""The source of originals that could not be read or recorded."""
_EMAIL = re.compile(rb"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}[A-Za-z0-9]")
_IS_ASIDE: Final = sa.literal_column("incoming.tries > 0", sa.Boolean)
"""Spelt out, so that SQLite sees the partial index."""
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
    cover: Cover | None = None,
) -> None:
    """Keep an original once, named by the SHA-256 of its bytes; `matched` once true stays true.

    `contact_id`: whose it is, and with whom it goes (`store.erasure`). One that led to no contact goes with
    the first it names: looking through all of them for each who is erased would take far too long.

    Several pieces of news read from one original share one row, and so does one original that came for
    several recipients one by one: `cover` tells for whom.
    """
    if contact_id is None:
        contact_id = await _named_in(session, raw[:LOOKED_AT], cover)
    row = _row(Original(source, raw, matched, contact_id, cover), now)
    insert = insert_for(session, Incoming).values(row)
    changes: dict[str, Any] = {}
    if matched:
        whose = sa.func.coalesce(insert.excluded.contact_id, col(Incoming.contact_id))
        changes = {"matched": True, "contact_id": whose}
    if cover is not None and cover.recipients:
        changes["recipients"] = _joined(_lines(cover))
    unique = ["source", "source_id"]
    await session.exec(
        insert.on_conflict_do_update(index_elements=unique, set_=changes)
        if changes
        else insert.on_conflict_do_nothing(index_elements=unique)
    )


class Original(NamedTuple):
    """What `keep` is told of one original."""

    source: str
    raw: bytes
    matched: bool
    contact_id: int | None
    cover: Cover | None = None


async def keep_all(session: AsyncSession, originals: Iterable[Original], now: datetime) -> None:
    """`keep` each; those that nobody has seen before by one statement, in the order of their names."""
    fresh: dict[tuple[str, str], Original] = {}
    others: list[Original] = []
    for one in originals:
        name = one.source, hashlib.sha256(one.raw).hexdigest()
        if one.contact_id is None or name in fresh:
            others.append(one)
        else:
            fresh[name] = one
    if fresh:
        insert = insert_for(session, Incoming).on_conflict_do_nothing(index_elements=["source", "source_id"])
        rows = [_row(fresh[name], now) for name in sorted(fresh)]
        connection = await session.connection()
        new = await connection.execute(insert.returning(col(Incoming.source), col(Incoming.source_id)), rows)
        seen = fresh.keys() - {(source, named) for source, named in new}
        others = [*(fresh[name] for name in sorted(seen)), *others]
    for one in others:
        await keep(session, **one._asdict(), now=now)


def _row(one: Original, now: datetime) -> dict[str, object]:
    return {
        "source": one.source,
        "received_at": now,
        "matched": one.matched,
        "contact_id": one.contact_id,
        "raw": one.raw,
        **_outside(one.raw, one.cover),
        "problem": "",
        "tries": 0,
    }


def _outside(raw: bytes, cover: Cover | None) -> dict[str, object]:
    return {
        "source_id": hashlib.sha256(raw).hexdigest(),
        "way": cover.way if cover is not None else "",
        "sender": storable(cover.sender)[:SENDER_LENGTH] if cover is not None else "",
        "recipients": _lines(cover),
    }


def _lines(cover: Cover | None) -> str:
    known = cover.recipients if cover is not None else None
    return storable("\n".join(known or ()))[:RECIPIENTS_LENGTH]


def _joined(lines: str) -> sa.ColumnElement[str]:
    """The recipients known so far and these."""
    known = col(Incoming.recipients)
    more = sa.func.substr(known + "\n" + lines, 1, RECIPIENTS_LENGTH)
    return sa.case(
        (known.contains(lines, autoescape=True), known), (known == "", sa.literal(lines, sa.Text)), else_=more
    )


async def set_aside(session: AsyncSession, raw: bytes, cover: Cover, *, problem: str, now: datetime) -> int:
    """Keep an original that could not be read or recorded; how often that happened by now.

    By the unique (source, source_id).
    """
    row = {
        "source": ASIDE,
        "received_at": now,
        "matched": False,
        "contact_id": await _named_in(session, raw[:LOOKED_AT], cover),
        "raw": raw,
        "problem": storable(problem)[:PROBLEM_LENGTH],
        "tries": 1,
    }
    insert = insert_for(session, Incoming).values(row | _outside(raw, cover))
    counted = insert.on_conflict_do_update(
        index_elements=["source", "source_id"],
        set_={
            "tries": col(Incoming.tries) + 1,
            "problem": insert.excluded.problem,
            "recipients": _joined(_lines(cover)),
        },
    )
    return int((await session.exec(counted.returning(col(Incoming.tries)))).scalar_one())


async def list_aside(
    session: AsyncSession, *, after_id: int = 0, limit: int = 100, content: bool = True
) -> list[Incoming]:
    """Originals that were set aside, in order of number; without their `content` if told so.

    Served by ix_incoming_aside.
    """
    wanted = select(Incoming).where(_IS_ASIDE, col(Incoming.id) > after_id)
    if not content:
        wanted = wanted.options(defer(cast("Any", Incoming.raw), raiseload=True))
    return list((await session.exec(wanted.order_by(col(Incoming.id)).limit(limit))).all())


async def count_aside(session: AsyncSession) -> int:
    """How many originals are set aside. Served by ix_incoming_aside."""
    return (await session.exec(select(func.count()).select_from(Incoming).where(_IS_ASIDE))).one()


async def settle_aside(session: AsyncSession, number: int) -> None:
    """What was set aside is on record after all. By the primary key."""
    await session.exec(sa.delete(Incoming).where(col(Incoming.id) == number, _IS_ASIDE))


async def _named_in(session: AsyncSession, raw: bytes, cover: Cover | None) -> int | None:
    """A contact whose address is written there. Served by the unique indexes of addresses."""
    if cover is not None and cover.sender:
        raw += b"\n" + cover.sender.encode("utf-8", "replace")
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
