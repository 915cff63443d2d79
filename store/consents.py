"""What people said of a channel: the append-only proof, and the latest word on the contact itself."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import ConsentRecord, Contact
from models.states import Channel, ConsentStatus
from store.engine import insert_for


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
