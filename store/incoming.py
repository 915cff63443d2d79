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
from store.bulk import Spelling, Statement
from store.engine import insert_for, insert_on, is_embedded
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
_COLUMNS = (
    *("source", "received_at", "matched", "contact_id", "raw", "source_id"),
    *("way", "sender", "recipients", "problem", "tries"),
)
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
    await keep_all(session, [Original(source, raw, matched, contact_id, cover)], now)


class Original(NamedTuple):
    """What `keep` is told of one original."""

    source: str
    raw: bytes
    matched: bool
    contact_id: int | None
    cover: Cover | None = None


async def keep_all(session: AsyncSession, originals: Iterable[Original], now: datetime) -> None:
    """`keep` each, in the order of their names: two who keep the same ones do not wait in a circle."""
    rows: list[dict[str, object]] = []
    for one in originals:
        whose = one
        if one.contact_id is None:
            whose = one._replace(contact_id=await _named_in(session, one.raw[:LOOKED_AT], one.cover))
        rows.append(_row(whose, now))
    rows.sort(key=lambda row: (row["source"], row["source_id"]))
    await _KEEP.run_each(session, [{f"its_{name}": value for name, value in row.items()} for row in rows])


def _kept(spelling: Spelling) -> Any:
    """One original; of one that is there already, what it is known to be besides."""
    table = cast("Any", Incoming).__table__.c
    columns = {name: table[name] for name in _COLUMNS}
    insert = insert_on(Incoming, sqlite=spelling.sqlite).values(
        {name: sa.bindparam(f"its_{name}", type_=column.type) for name, column in columns.items()}
    )
    its = insert.excluded
    whose = sa.case((its.matched, sa.func.coalesce(its.contact_id, table.contact_id)), else_=table.contact_id)
    known = _has_lines(table.recipients, its.recipients, sqlite=spelling.sqlite)
    return insert.on_conflict_do_update(
        index_elements=["source", "source_id"],
        set_={
            "matched": sa.or_(table.matched, its.matched),
            "contact_id": whose,
            "recipients": _joined(table.recipients, its.recipients, sqlite=spelling.sqlite),
        },
        where=sa.or_(
            sa.and_(its.matched, sa.not_(table.matched)),
            whose.is_distinct_from(table.contact_id),
            sa.not_(known),
        ),
    )


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


def _joined(known: Any, more: Any, *, sqlite: bool) -> sa.ColumnElement[str]:
    """The recipients known so far and these."""
    return sa.case(
        (_has_lines(known, more, sqlite=sqlite), known),
        (known == "", more),
        else_=sa.func.substr(known + "\n" + more, 1, RECIPIENTS_LENGTH),
    )


def _has_lines(known: Any, more: Any, *, sqlite: bool) -> sa.ColumnElement[bool]:
    place = sa.func.instr if sqlite else sa.func.strpos
    return sa.or_(more == "", place("\n" + known + "\n", "\n" + more + "\n") > 0)


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
            "recipients": _joined(
                col(Incoming.recipients), insert.excluded.recipients, sqlite=is_embedded(session)
            ),
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


_KEEP = Statement(_kept)
