"""What people said of a channel: the append-only proof, and the latest word on the contact itself."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import ConsentRecord, Contact
from models.states import Channel, ConsentStatus
from store.bulk import Question, Spelling, Statement, listed
from store.engine import insert_for, insert_on


@dataclass(frozen=True, slots=True)
class Said:
    """One statement: whose, of which channel, what, by which way, when."""

    contact_id: int
    channel: Channel
    status: ConsentStatus
    source: str
    given_at: datetime


async def record_statements(session: AsyncSession, statements: Sequence[Said], now: datetime) -> None:
    """`record_statement` for each, in the order of the contacts."""
    await _RECORD.run_each(
        session,
        [
            {
                "its_contact_id": one.contact_id,
                "its_channel": one.channel,
                "its_status": one.status,
                "its_source": one.source[:300],
                "its_given_at": one.given_at,
                "its_recorded_at": now,
            }
            for one in _in_order(statements)
        ],
    )


async def set_statuses(session: AsyncSession, statements: Sequence[Said], now: datetime) -> None:
    """`set_status` for each, in the order of the contacts."""
    for channel, change in _SET.items():
        rows = [
            {"its_status": one.status, "its_contact_id": one.contact_id, "its_updated_at": now}
            for one in _in_order(statements)
            if one.channel is channel
        ]
        await change.run_each(session, rows)


async def statements_through(
    session: AsyncSession, contact_ids: Collection[int], sources: Collection[str]
) -> list[Said]:
    """What these people said through one of `sources`, the last at the end; at the same moment a refusal.

    Served by the unique index that begins with the contact.
    """
    if not contact_ids:
        return []
    rows = await _THROUGH.ask(session, contacts=listed(session, sorted(contact_ids)))
    said = (Said(*row) for row in rows if row[3] in sources)
    return sorted(said, key=lambda one: (one.given_at, one.status is ConsentStatus.WITHDRAWN))


def _in_order(statements: Sequence[Said]) -> list[Said]:
    """Two who hear the same people do not wait for each other in a circle."""
    return sorted(statements, key=lambda one: one.contact_id)


async def record_statement(
    session: AsyncSession,
    *,
    contact_id: int,
    channel: Channel,
    status: ConsentStatus,
    source: str,
    given_at: datetime,
    now: datetime,
) -> None:
    """Add one statement to the proof; the same statement again is the same row."""
    row = {
        "contact_id": contact_id,
        "channel": channel,
        "status": status,
        "source": source[:300],
        "given_at": given_at,
        "recorded_at": now,
    }
    await session.exec(insert_for(session, ConsentRecord).values(row).on_conflict_do_nothing())


async def has_withdrawn(session: AsyncSession, channel: Channel, address: str) -> bool:
    """Whether the contact behind an address (normalised) withdrew the consent to its channel.

    Served by the unique indexes of addresses.
    """
    its, consent = (
        (col(Contact.email), col(Contact.email_consent))
        if channel is Channel.EMAIL
        else (col(Contact.phone), col(Contact.sms_consent))
    )
    return (await session.exec(select(consent).where(its == address))).first() is ConsentStatus.WITHDRAWN


async def set_status(
    session: AsyncSession, contact_id: int, channel: Channel, status: ConsentStatus, now: datetime
) -> None:
    """Write the latest word on the contact, which is what audiences are chosen by."""
    column = "email_consent" if channel is Channel.EMAIL else "sms_consent"
    change = (
        sa.update(Contact)
        .where(col(Contact.id) == contact_id)
        .values({column: status, "updated_at": now})
        .execution_options(synchronize_session=False)
    )
    await session.exec(change)


async def latest_statement(
    session: AsyncSession, contact_id: int, channel: Channel, sources: Collection[str]
) -> ConsentRecord | None:
    """The last thing a person said through one of `sources`; at the same moment a refusal wins.

    Served by the unique index that begins with contact and channel.
    """
    wanted = (
        select(ConsentRecord)
        .where(
            ConsentRecord.contact_id == contact_id,
            ConsentRecord.channel == channel,
            col(ConsentRecord.source).in_(sources),
        )
        .order_by(col(ConsentRecord.given_at).desc(), col(ConsentRecord.status).desc())
        .limit(1)
    )
    return (await session.exec(wanted)).first()


async def contact_of_phone(session: AsyncSession, phone: str) -> int | None:
    """The number of the contact with that telephone number (E.164). Served by its unique index."""
    return (await session.exec(select(Contact.id).where(Contact.phone == phone))).first()


async def statements_of(session: AsyncSession, contact_id: int, *, limit: int) -> list[ConsentRecord]:
    """What a person said of every channel, the newest first.

    Served by the unique index of consent_record, which begins with the contact.
    """
    wanted = (
        select(ConsentRecord)
        .where(ConsentRecord.contact_id == contact_id)
        .order_by(col(ConsentRecord.given_at).desc(), col(ConsentRecord.id).desc())
        .limit(limit)
    )
    return list((await session.exec(wanted)).all())


_SAID = cast("Any", ConsentRecord).__table__.c
_CONTACT = cast("Any", Contact).__table__.c


def _record(spelling: Spelling) -> Any:
    columns = [column for column in _SAID if column.name != "id"]
    row = {column.name: sa.bindparam(f"its_{column.name}", type_=column.type) for column in columns}
    return insert_on(ConsentRecord, sqlite=spelling.sqlite).values(row).on_conflict_do_nothing()


def _set(column: Any) -> Statement:
    change = (
        sa.update(Contact)
        .where(_CONTACT.id == sa.bindparam("its_contact_id", type_=_CONTACT.id.type))
        .values(
            {
                column: sa.bindparam("its_status", type_=column.type),
                _CONTACT.updated_at: sa.bindparam("its_updated_at", type_=_CONTACT.updated_at.type),
            }
        )
    )
    return Statement(lambda _spelling: change)


def _through(spelling: Spelling) -> sa.Select[Any]:
    fields = (_SAID.contact_id, _SAID.channel, _SAID.status, _SAID.source, _SAID.given_at)
    return sa.select(*fields).where(spelling.among(_SAID.contact_id, "contacts"))


_RECORD, _THROUGH = Statement(_record), Question(_through)
_SET = {Channel.EMAIL: _set(_CONTACT.email_consent), Channel.SMS: _set(_CONTACT.sms_consent)}
