"""What messages and the gates before them need to know of people, read in bulk."""

from collections.abc import Collection
from datetime import date
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import Contact
from models.states import Channel, ConsentStatus
from store.bulk import Question, Spelling, listed
from store.engine import checked, is_among

_C = cast("Any", Contact).__table__.c


class Person(NamedTuple):
    """One contact as a message needs it; the columns are those of `models.contact.Contact`."""

    id: int
    email: str | None
    phone: str | None
    civility: str | None
    first_name: str | None
    last_name: str | None
    level: str | None
    commune: str | None
    postcode: str | None
    departement: str | None
    region: str | None
    canton: str | None
    circonscription: str | None
    polling_station: str | None
    attributes: dict[str, str]


class Standing(NamedTuple):
    """Where a person stands at the last moment: addresses, consents, what tells their time zone, age."""

    id: int
    email: str | None
    phone: str | None
    email_consent: ConsentStatus
    sms_consent: ConsentStatus
    targeting_consent: ConsentStatus
    departement: str | None
    postcode: str | None
    birth_date: date | None


PREFIX = 7
"""Characters of a telephone number that tell the territory."""
HOME = (
    *("departement", "region", "postcode", "phone"),
    *("commune_key", "canton_key", "circonscription", "polling_station"),
)
"""What tells where a person lives and votes."""


def _chosen(spelling: Spelling, fields: tuple[str, ...]) -> sa.Select[Any]:
    wanted = sa.select(*(_C[name] for name in fields)).where(spelling.among(_C.id, "ids"))
    return wanted.order_by(_C.id)


def _homes(spelling: Spelling) -> sa.Select[Any]:
    # Of a telephone number its beginning tells the territory: so there are few places for many people.
    told = {"phone": sa.func.substr(_C.phone, 1, PREFIX).label("phone")}
    columns = [told.get(name, _C[name]) for name in ("id", *HOME)]
    return sa.select(*columns).where(spelling.among(_C.id, "ids")).order_by(_C.id)


def _standing(spelling: Spelling) -> sa.Select[Any]:
    wanted = _chosen(spelling, Standing._fields)
    # In the order of their numbers, so that two who lock many never wait for one another in a ring.
    return wanted if spelling.sqlite else wanted.with_for_update(key_share=True)


_PEOPLE = Question(lambda spelling: _chosen(spelling, Person._fields))
_STANDING = Question(_standing)
_HOMES = Question(_homes)


async def read_people(session: AsyncSession, contact_ids: Collection[int]) -> dict[int, Person]:
    """Contacts by number; those that are gone are missing. Served by the primary key."""
    rows = await _PEOPLE.ask(session, ids=listed(session, contact_ids)) if contact_ids else ()
    return {row[0]: Person._make(row) for row in rows}


async def read_homes(
    session: AsyncSession, contact_ids: Collection[int]
) -> dict[int, tuple[str | None, ...]]:
    """Where people live, by number: the columns of `HOME`; who is gone is missing. By the primary key."""
    rows = await _HOMES.ask(session, ids=listed(session, contact_ids)) if contact_ids else ()
    return {row[0]: tuple(row[1:]) for row in rows}


async def hold_still(session: AsyncSession, contact_ids: Collection[int]) -> dict[int, Standing]:
    """Where people stand; nobody changes it until this transaction ends, nor asks the same of them.

    On PostgreSQL their rows are locked, on SQLite a writing transaction keeps the others out. Served by
    the primary key.
    """
    rows = await _STANDING.ask(session, ids=listed(session, contact_ids)) if contact_ids else ()
    return {row[0]: Standing._make(row) for row in rows}


async def withdrawn_at(session: AsyncSession, channel: Channel, addresses: Collection[str]) -> set[str]:
    """Those of some addresses (normalised) whose people withdrew their consent to messages there.

    Served by the unique indexes of addresses.
    """
    if not addresses:
        return set()
    email = channel is Channel.EMAIL
    its, consent = (_C.email, _C.email_consent) if email else (_C.phone, _C.sms_consent)
    wanted = sa.select(its).where(is_among(session, its, sorted(addresses)))
    withdrawn = checked(session, consent == ConsentStatus.WITHDRAWN)
    return set((await (await session.connection()).scalars(wanted.where(withdrawn))).all())
