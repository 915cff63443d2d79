"""Contacts: found by their keys, listed, and written many at a time.

Every write goes through `prepared`, which fills what is derived from an address or a word: fingerprints
for suppressions, folded twins for comparison. Bulk writes use tables, not objects: an import of a
million rows is the ordinary case.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import ConsentRecord, Contact, ContactTag, Tag
from models.errors import NotFoundError
from models.states import Channel, ConsentStatus
from models.suppression import address_hash
from models.text import fold
from store.engine import insert_for, is_among, planned_afresh
from store.loading import reserve_numbers

__all__ = [
    "add_statements",
    "add_tags",
    "audience_batch",
    "erase",
    "find_contact",
    "find_numbered",
    "find_stored",
    "get_contact",
    "get_contacts",
    "insert_contacts",
    "latest_statements",
    "page_contacts",
    "prepared",
    "release_keys",
    "remove_tags",
    "reserve",
    "tags_of",
    "update_contacts",
]

VALUES_A_STATEMENT: Final = 10_000
KEYS: Final = ("external_id", "email", "phone")
DATA_COLUMNS: Final = (
    *KEYS,
    *("civility", "first_name", "last_name", "language", "birth_date", "level", "commune", "postcode"),
    *("departement", "region", "canton", "circonscription", "polling_station", "attributes"),
    *("email_consent", "sms_consent", "targeting_consent"),
)
"""The columns a caller gives; all others are derived from them."""
BLANK: Final[Mapping[str, Any]] = {
    "language": "fr",
    "attributes": {},
    "email_consent": ConsentStatus.UNKNOWN,
    "sms_consent": ConsentStatus.UNKNOWN,
    "targeting_consent": ConsentStatus.UNKNOWN,
}
"""What a new contact has of the columns that are never empty."""
_FOLDED: Final = ("level", "commune", "canton")
_contacts = cast("sa.Table", Contact.__table__)  # type: ignore[attr-defined]
_contact_tags = cast("sa.Table", ContactTag.__table__)  # type: ignore[attr-defined]
_folded: Final = lru_cache(maxsize=65_536)(fold)


def prepared(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` (some of `DATA_COLUMNS`) with the fingerprint or folded twin of each that has one."""
    row = dict(values)
    for name, channel in (("email", Channel.EMAIL), ("phone", Channel.SMS)):
        if name in row:
            address = row[name]
            row[f"{name}_hash"] = None if address is None else address_hash(channel, address)
    if "email" in row:
        row["email_domain"] = None if row["email"] is None else row["email"].rpartition("@")[2]
    for name in _FOLDED:
        if name in row:
            row[f"{name}_key"] = None if row[name] is None else _folded(row[name])
    if "attributes" in row:
        row["attributes_key"] = {name: _folded(text) for name, text in row["attributes"].items()}
    return row


@dataclass(slots=True)
class StoredContact:
    """A contact as plain values: `values` holds `DATA_COLUMNS`, `tags` the folded keys."""

    id: int
    values: dict[str, Any]
    tags: set[str] = field(default_factory=set)


async def get_contact(session: AsyncSession, contact_id: int) -> Contact:
    """The contact of that number; NotFoundError when there is none. Served by the primary key."""
    contact = await session.get(Contact, contact_id)
    if contact is None:
        raise NotFoundError(f"There is no contact number {contact_id}.")
    return contact


async def find_contact(
    session: AsyncSession,
    *,
    external_id: str | None = None,
    email: str | None = None,
    phone: str | None = None,
) -> Contact | None:
    """The contact with that identifier, else that e-mail, else that telephone; served by unique indexes."""
    for column, value in (("external_id", external_id), ("email", email), ("phone", phone)):
        if value is not None:
            found = await session.exec(select(Contact).where(getattr(Contact, column) == value))
            if contact := found.one_or_none():
                return contact
    return None


async def page_contacts(
    session: AsyncSession,
    *,
    condition: sa.ColumnElement[bool] | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[Contact]:
    """The newest contacts that meet the condition, from just before a number on.

    Served by the primary key, walked backwards.
    """
    question = select(Contact).order_by(col(Contact.id).desc()).limit(limit)
    if condition is not None:
        question = question.where(condition)
    if before_id is not None:
        question = question.where(col(Contact.id) < before_id)
    return list((await session.exec(question)).all())


async def audience_batch(
    session: AsyncSession, condition: sa.ColumnElement[bool], *, after_id: int, limit: int
) -> list[Contact]:
    """The next contacts after a number, in order of number: who was erased meanwhile is not among them.

    Served by the primary key, together with the indexes the condition names.
    """
    question = select(Contact).where(col(Contact.id) > after_id, condition)
    return list((await session.exec(question.order_by(col(Contact.id)).limit(limit))).all())


async def get_contacts(session: AsyncSession, contact_ids: Collection[int]) -> list[Contact]:
    """Those of the contacts that exist, in no order; served by the primary key."""
    if not contact_ids:
        return []
    return list((await session.exec(select(Contact).where(col(Contact.id).in_(contact_ids)))).all())


async def tags_of(session: AsyncSession, contact_ids: Collection[int]) -> dict[int, list[str]]:
    """The labels each contact wears, in order; every number asked for is a key.

    Served by ix_contact_tag_contact_id.
    """
    labels: dict[int, list[str]] = {contact_id: [] for contact_id in contact_ids}
    for part in _parts(contact_ids):
        question = (
            select(ContactTag.contact_id, Tag.label)
            .join(Tag, col(Tag.key) == col(ContactTag.tag_key))
            .where(is_among(session, col(ContactTag.contact_id), part))
            .order_by(col(ContactTag.contact_id), col(Tag.key))
        )
        for contact_id, label in (await session.exec(question)).all():
            labels[contact_id].append(label)
    return labels


async def find_stored(
    session: AsyncSession, keys: Mapping[str, Collection[str]], *, with_tags: bool
) -> list[StoredContact]:
    """The contacts that have one of the given keys, locked until the transaction ends, in order of number.

    `keys` maps each of `KEYS` to values. Served by the three unique indexes.
    """
    columns = [_contacts.c.id, *(_contacts.c[name] for name in DATA_COLUMNS)]
    found: dict[int, StoredContact] = {}
    for name, values in keys.items():
        # Whoever has been found by one key need not be looked for by the next.
        known = {contact.values[name] for contact in found.values()}
        for part in _parts(value for value in values if value not in known):
            question = (
                sa.select(*columns).where(is_among(session, _contacts.c[name], part)).order_by(_contacts.c.id)
            )
            for row in await _ask(session, question.with_for_update()):
                found[row[0]] = StoredContact(row[0], dict(zip(DATA_COLUMNS, row[1:], strict=True)))
    if with_tags and found:
        await _read_tags(session, found)
    return [found[contact_id] for contact_id in sorted(found)]


async def find_numbered(session: AsyncSession, contact_id: int) -> StoredContact:
    """The contact of that number with its tags, locked; NotFoundError. Served by the primary key."""
    columns = [_contacts.c.id, *(_contacts.c[name] for name in DATA_COLUMNS)]
    question = sa.select(*columns).where(_contacts.c.id == contact_id).with_for_update()
    for row in await _ask(session, question):
        found = StoredContact(row[0], dict(zip(DATA_COLUMNS, row[1:], strict=True)))
        await _read_tags(session, {contact_id: found})
        return found
    raise NotFoundError(f"There is no contact number {contact_id}.")


async def erase(session: AsyncSession, contact_id: int) -> None:
    """Erase a person with all that is kept of them (`store.erasure`); NotFoundError when there is none."""
    gone = sa.delete(_contacts).where(_contacts.c.id == contact_id)
    if not (await (await session.connection()).execute(gone)).rowcount:
        raise NotFoundError(f"There is no contact number {contact_id}.")


async def _read_tags(session: AsyncSession, found: Mapping[int, StoredContact]) -> None:
    for part in _parts(found):
        question = sa.select(col(ContactTag.contact_id), col(ContactTag.tag_key)).where(
            is_among(session, col(ContactTag.contact_id), part)
        )
        for contact_id, key in await _ask(session, question):
            found[contact_id].tags.add(key)


async def _ask(session: AsyncSession, question: sa.Executable) -> Sequence[Any]:
    connection = await session.connection()
    async with planned_afresh(session):
        return (await connection.execute(question)).all()


def _parts(values: Iterable[Any]) -> Iterable[list[Any]]:
    listed = list(values)
    for start in range(0, len(listed), VALUES_A_STATEMENT):
        yield listed[start : start + VALUES_A_STATEMENT]


async def insert_contacts(
    session: AsyncSession,
    rows: Sequence[Mapping[str, Any]],
    *,
    now: datetime,
    numbers: Sequence[int] | None = None,
) -> list[int]:
    """Create contacts from some of `DATA_COLUMNS` each; their numbers, in the order of the rows.

    `numbers` have been reserved by the caller, or are reserved here.
    """
    if not rows:
        return []
    numbers = numbers or await reserve_numbers(session, _contacts, len(rows))
    # Columns nobody has are not sent: NULL is what they hold anyway.
    present = dict.fromkeys(name for row in rows for name in row)
    blank = dict.fromkeys(present) | dict(BLANK)
    filled = [
        prepared({**blank, **row}) | {"id": number, "created_at": now, "updated_at": now}
        for number, row in zip(numbers, rows, strict=True)
    ]
    connection = await session.connection()
    await connection.execute(sa.insert(_contacts), filled)
    return list(numbers)


async def reserve(session: AsyncSession, count: int) -> list[int]:
    """Numbers for `count` new contacts, rising."""
    return await reserve_numbers(session, _contacts, count)


async def release_keys(session: AsyncSession, changes: Mapping[str, Collection[int]]) -> None:
    """Take each key from the contacts of those numbers, so that others may have it in this transaction.

    Served by the primary key.
    """
    connection = await session.connection()
    for name, contact_ids in changes.items():
        for part in _parts(contact_ids):
            freed = sa.update(_contacts).where(is_among(session, _contacts.c.id, part)).values({name: None})
            await connection.execute(freed)


async def update_contacts(
    session: AsyncSession, changes: Sequence[tuple[int, Mapping[str, Any]]], *, now: datetime
) -> None:
    """Write the changed columns of each contact; contacts with the same columns changed go together."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for contact_id, values in changes:
        row = prepared(values) | {"updated_at": now}
        groups[tuple(sorted(row))].append({f"new_{name}": row[name] for name in row} | {"row_id": contact_id})
    connection = await session.connection()
    for names, rows in groups.items():
        statement = (
            sa.update(_contacts)
            .where(_contacts.c.id == sa.bindparam("row_id"))
            .values({name: sa.bindparam(f"new_{name}") for name in names})
        )
        await connection.execute(statement, rows)


async def add_tags(
    session: AsyncSession, labels: Mapping[str, str], worn: Collection[tuple[str, int]]
) -> None:
    """Add words to the vocabulary (`labels`, by folded key) and tags to contacts (key, contact number).

    What is there already stays. Sorted, so that two imports take their locks in the same order.
    """
    connection = await session.connection()
    if labels:
        words = [{"key": key, "label": labels[key]} for key in sorted(labels)]
        await connection.execute(insert_for(session, Tag).on_conflict_do_nothing(), words)
    if worn:
        rows = [{"tag_key": key, "contact_id": contact_id} for key, contact_id in sorted(worn)]
        await connection.execute(insert_for(session, ContactTag).on_conflict_do_nothing(), rows)


async def remove_tags(session: AsyncSession, contact_id: int, keys: Collection[str]) -> int:
    """Take tags, by folded key, off a contact; how many it wore. Served by the primary key."""
    if not keys:
        return 0
    worn = sa.delete(_contact_tags).where(
        is_among(session, _contact_tags.c.tag_key, sorted(keys)), _contact_tags.c.contact_id == contact_id
    )
    return (await (await session.connection()).execute(worn)).rowcount


async def add_statements(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add to the proof of consent; a statement that is there already stays one row."""
    if rows:
        connection = await session.connection()
        insert = insert_for(session, ConsentRecord).on_conflict_do_nothing()
        await connection.execute(insert, [dict(row) for row in rows])


async def latest_statements(
    session: AsyncSession, contact_ids: Collection[int]
) -> dict[tuple[int, Channel, ConsentStatus], datetime]:
    """When each contact last said yes, and last said no, of each channel.

    Served by the unique index of consent_record, which begins with the contact.
    """
    latest: dict[tuple[int, Channel, ConsentStatus], datetime] = {}
    for part in _parts(contact_ids):
        question = (
            sa.select(
                col(ConsentRecord.contact_id),
                col(ConsentRecord.channel),
                col(ConsentRecord.status),
                sa.func.max(col(ConsentRecord.given_at)),
            )
            .where(is_among(session, col(ConsentRecord.contact_id), part))
            .group_by(col(ConsentRecord.contact_id), col(ConsentRecord.channel), col(ConsentRecord.status))
        )
        for contact_id, channel, status, given_at in await _ask(session, question):
            latest[contact_id, channel, status] = given_at
    return latest
