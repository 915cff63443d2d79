"""What people did with us elsewhere: written once for each name its teller gives it, listed, taken away."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import Contact
from models.errors import NotFoundError
from models.interaction import Interaction, kind_key
from store.contacts import KEYS
from store.engine import insert_for, is_among

_I = cast("Any", Interaction).__table__.c
Name = tuple[str, str]
"""A source, and what it calls something."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing one person did. `external_id` None: its teller has no name for it, so it is always new."""

    contact_id: int
    label: str
    at: datetime
    source: str = ""
    external_id: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)


async def people_named(session: AsyncSession, by: str, values: Collection[Any]) -> dict[Any, int]:
    """The numbers of contacts by `id` or one of their keys; they stay until the transaction ends.

    Who is not there is missing. Served by the primary key and the unique indexes of keys.
    """
    if by not in {"id", *KEYS}:
        raise ValueError(by)
    if not values:
        return {}
    its = getattr(Contact, by)
    wanted = (
        sa.select(its, col(Contact.id))
        .where(is_among(session, its, sorted(set(values))))
        .order_by(col(Contact.id))
        .with_for_update(read=True, key_share=True)
    )
    rows = await (await session.connection()).execute(wanted)
    return {row[0]: int(row[1]) for row in rows}


async def write(session: AsyncSession, deeds: Sequence[Deed], now: datetime) -> list[tuple[int, bool]]:
    """Write down what people did; for each its number, and whether it is new.

    The same name from the same source is the same row, and says from then on what was said last. Served by
    uq_interaction_external_id.
    """
    named: dict[Name, Deed] = {}
    for deed in deeds:
        if deed.external_id is not None:
            named[deed.source, deed.external_id] = deed
    # In one order, so that two tellers of the same things do not wait for each other in a circle.
    known = await _write_named(session, {name: named[name] for name in sorted(named)}, now)
    nameless = [deed for deed in deeds if deed.external_id is None]
    numbers = iter(await _add(session, nameless, now))
    told: list[tuple[int, bool]] = []
    for deed in deeds:
        if deed.external_id is None:
            told.append((next(numbers), True))
            continue
        name = (deed.source, deed.external_id)
        told.append(known[name])
        known[name] = (known[name][0], False)
    return told


async def _write_named(
    session: AsyncSession, deeds: Mapping[Name, Deed], now: datetime
) -> dict[Name, tuple[int, bool]]:
    """The number of each, and whether it is new: who comes second waits for the first, and changes it."""
    if not deeds:
        return {}
    connection = await session.connection()
    given = (
        insert_for(session, Interaction)
        .on_conflict_do_nothing(
            index_elements=["source", "external_id"], index_where=_I.external_id.is_not(None)
        )
        .returning(_I.source, _I.external_id, _I.id)
    )
    made = await connection.execute(given, [_row(deed, now) for deed in deeds.values()])
    known = {(row[0], row[1]): (int(row[2]), True) for row in made}
    there = {name for name in deeds if name not in known}
    if not there:
        return known
    await connection.execute(_CHANGE, [_changed(deeds[name], now) for name in deeds if name in there])
    asked = sa.select(_I.source, _I.external_id, _I.id).where(
        is_among(session, _I.external_id, sorted({name[1] for name in there})),
        is_among(session, _I.source, sorted({name[0] for name in there})),
    )
    found = {(row[0], row[1]): int(row[2]) for row in await connection.execute(asked)}
    known |= {name: (number, False) for name, number in found.items() if name in there}
    # Somebody took one away just now: then it is new.
    gone = {name: deeds[name] for name in there if name not in found}
    return known | await _write_named(session, gone, now)


_TOLD_ANEW: Final = ("contact_id", "kind", "label", "at", "details")
_CHANGE: Final = (
    sa.update(Interaction)
    .where(_I.source == sa.bindparam("its_source"), _I.external_id == sa.bindparam("its_external_id"))
    .values({_I[name]: sa.bindparam(f"its_{name}", type_=_I[name].type) for name in _TOLD_ANEW})
)


def _changed(deed: Deed, now: datetime) -> dict[str, Any]:
    row = _row(deed, now)
    return {f"its_{name}": row[name] for name in ("source", "external_id", *_TOLD_ANEW)}


async def _add(session: AsyncSession, deeds: Sequence[Deed], now: datetime) -> list[int]:
    if not deeds:
        return []
    given = insert_for(session, Interaction).returning(_I.id, sort_by_parameter_order=True)
    rows = await (await session.connection()).execute(given, [_row(deed, now) for deed in deeds])
    return [int(row[0]) for row in rows]


def _row(deed: Deed, now: datetime) -> dict[str, Any]:
    return {
        "contact_id": deed.contact_id,
        "kind": kind_key(deed.label),
        "label": deed.label,
        "at": deed.at,
        "source": deed.source,
        "external_id": deed.external_id,
        "details": dict(deed.details),
        "recorded_at": now,
    }


async def get(session: AsyncSession, number: int) -> Interaction:
    """One of them; NotFoundError. Served by the primary key."""
    found = await session.get(Interaction, number)
    if found is None:
        raise NotFoundError(f"There is no interaction number {number}.")
    return found


async def page(
    session: AsyncSession,
    *,
    contact_id: int | None = None,
    kind: str | None = None,
    source: str | None = None,
    external_id: str | None = None,
    since: datetime | None = None,
    before_id: int | None = None,
    limit: int,
) -> list[Interaction]:
    """The last that were recorded, of those asked for. `kind` is folded, `since` about when it was done.

    Served by ix_interaction_contact_id, or by the primary key walked backwards.
    """
    wanted = select(Interaction).order_by(_I.id.desc()).limit(limit)
    for column, value in (
        (_I.contact_id, contact_id),
        (_I.kind, kind),
        (_I.source, source),
        (_I.external_id, external_id),
    ):
        if value is not None:
            wanted = wanted.where(column == value)
    if since is not None:
        wanted = wanted.where(_I.at >= since)
    if before_id is not None:
        wanted = wanted.where(_I.id < before_id)
    return list((await session.exec(wanted)).all())


async def of_contact(session: AsyncSession, contact_id: int, *, limit: int) -> list[Interaction]:
    """What one person did, the last first. Served by ix_interaction_contact_id."""
    wanted = select(Interaction).where(_I.contact_id == contact_id)
    return list((await session.exec(wanted.order_by(_I.at.desc(), _I.id.desc()).limit(limit))).all())


async def remove(session: AsyncSession, number: int) -> None:
    """Take one away; NotFoundError when there is none. Served by the primary key."""
    gone = sa.delete(Interaction).where(_I.id == number)
    if not (await (await session.connection()).execute(gone)).rowcount:
        raise NotFoundError(f"There is no interaction number {number}.")
