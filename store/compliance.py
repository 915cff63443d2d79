"""Whom there is consent of, and of whom it can be shown: the question of whoever answers for the mail.

Reads the whole table of people, once: two seconds for a million. A page shows it, nothing waits for it.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import ConsentRecord, Contact, TargetingStatement
from models.states import Channel, ConsentStatus


@dataclass(frozen=True, slots=True)
class Consents:
    """People of whom there is an address of a channel, or, of targeting, all of them.

    `proven`: those who agreed and whose word is on record with where it was given.
    """

    people: int = 0
    granted: int = 0
    withdrawn: int = 0
    proven: int = 0

    @property
    def unknown(self) -> int:
        """People who have said nothing."""
        return self.people - self.granted - self.withdrawn


@dataclass(frozen=True, slots=True)
class Coverage:
    """Whom there is consent of, and of whom it is known where their data come from (`origin`)."""

    people: int
    email: Consents
    sms: Consents
    targeting: Consents
    origin: int


async def coverage(session: AsyncSession) -> Coverage:
    """Consent of everybody. Reads the table of contacts; the proofs by their unique indexes."""
    email, sms, targeting = (
        _counted(has, consent)
        for has, consent in (
            (col(Contact.email).is_not(None), col(Contact.email_consent)),
            (col(Contact.phone).is_not(None), col(Contact.sms_consent)),
            (sa.true(), col(Contact.targeting_consent)),
        )
    )
    proofs = [
        _count(has.is_not(None) & _granted(consent) & _statement(channel))
        for channel, has, consent in (
            (Channel.EMAIL, col(Contact.email), col(Contact.email_consent)),
            (Channel.SMS, col(Contact.phone), col(Contact.sms_consent)),
        )
    ]
    agreed = sa.exists().where(
        col(TargetingStatement.contact_id) == col(Contact.id),
        col(TargetingStatement.status) == ConsentStatus.GRANTED,
        col(TargetingStatement.source) != "",
    )
    origin = sa.exists().where(
        col(ConsentRecord.contact_id) == col(Contact.id), col(ConsentRecord.source) != ""
    )
    wanted = sa.select(
        sa.func.count(),
        *email,
        *sms,
        *targeting,
        *proofs,
        _count(_granted(col(Contact.targeting_consent)) & agreed),
        _count(origin),
    ).select_from(Contact)
    row = [int(value or 0) for value in (await (await session.connection()).execute(wanted)).one()]
    people, columns, (by_mail, by_phone, targeted, known) = row[0], row[1:10], row[10:]
    return Coverage(
        people=people,
        email=Consents(columns[0], columns[1], columns[2], by_mail),
        sms=Consents(columns[3], columns[4], columns[5], by_phone),
        targeting=Consents(columns[6], columns[7], columns[8], targeted),
        origin=known,
    )


def _counted(has: sa.ColumnElement[bool], consent: Any) -> tuple[Any, Any, Any]:
    return (
        _count(has),
        _count(has & _granted(consent)),
        _count(has & (consent == ConsentStatus.WITHDRAWN)),
    )


def _granted(consent: Any) -> sa.ColumnElement[bool]:
    found: sa.ColumnElement[bool] = consent == ConsentStatus.GRANTED
    return found


def _statement(channel: Channel) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        col(ConsentRecord.contact_id) == col(Contact.id),
        col(ConsentRecord.channel) == channel,
        col(ConsentRecord.status) == ConsentStatus.GRANTED,
        col(ConsentRecord.source) != "",
    )


def _count(condition: sa.ColumnElement[bool]) -> Any:
    return sa.func.sum(sa.case((condition, 1), else_=0))
