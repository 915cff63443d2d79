"""Consent and its proof, and what was kept to; on both databases."""

from datetime import timedelta

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import LeftOut
from models.contact import ConsentRecord, Contact, TargetingStatement
from models.delivery import Delivery
from models.event import event_about
from models.preflight import PreflightOverride
from models.states import (
    Channel,
    ConsentStatus,
    DeliveryState,
    EventKind,
    LeftOutReason,
    Purpose,
    SuppressionReason,
)
from models.suppression import Suppression
from store import Database, events
from store.compliance import Consents, coverage
from store.compliance_log import campaigns_between, honoured, kept_back, overrides_between
from tests.clocks import START
from tests.deliverability.rows import a_contact, a_delivery, a_launched_campaign, an_identity
from tests.deliverability.sent_campaigns import a_sent_campaign

GRANTED, WITHDRAWN, UNKNOWN = ConsentStatus.GRANTED, ConsentStatus.WITHDRAWN, ConsentStatus.UNKNOWN
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def somebody(session: AsyncSession, number: int, **columns: object) -> Contact:
    contact = await a_contact(session, email=f"p{number}@parti.example")
    contact.email_consent = contact.sms_consent = UNKNOWN
    contact.sqlmodel_update(columns)
    session.add(contact)
    await session.flush()
    return contact


def said(contact: Contact, channel: Channel, source: str, status: ConsentStatus = GRANTED) -> ConsentRecord:
    return ConsentRecord(
        contact_id=contact.id,
        channel=channel,
        status=status,
        source=source,
        given_at=START,
        recorded_at=START,
    )


async def test_consent_is_proven_by_a_statement_that_says_where(database: Database) -> None:
    async with database.write() as session:
        shown, silent, sourceless, gone, other = [
            await somebody(session, number, email_consent=GRANTED) for number in range(5)
        ]
        gone.email_consent = WITHDRAWN
        await somebody(session, 5)
        session.add_all(
            [
                said(shown, Channel.EMAIL, "stand du marché"),
                said(shown, Channel.EMAIL, "formulaire"),
                said(sourceless, Channel.EMAIL, ""),
                said(gone, Channel.EMAIL, "formulaire"),
                said(other, Channel.SMS, "formulaire"),
                said(silent, Channel.EMAIL, "formulaire", WITHDRAWN),
            ]
        )
    async with database.read() as session:
        found = await coverage(session)
    assert found.email == Consents(people=6, granted=4, withdrawn=1, proven=1)
    assert found.email.unknown == 1
    assert found.sms == Consents()
    assert (found.people, found.origin) == (6, 4)


async def test_who_has_no_address_of_a_channel_is_not_counted_there(database: Database) -> None:
    async with database.write() as session:
        reached = await somebody(session, 1, phone="+33612345678", sms_consent=GRANTED)
        without = await somebody(session, 2, email=None, sms_consent=GRANTED, email_consent=GRANTED)
        session.add_all([said(one, channel, "a") for one in (reached, without) for channel in Channel])
    async with database.read() as session:
        found = await coverage(session)
    assert found.email == Consents(people=1)
    assert found.sms == Consents(people=1, granted=1, proven=1)


async def test_targeting_is_a_consent_of_its_own(database: Database) -> None:
    async with database.write() as session:
        shown = await somebody(session, 1, targeting_consent=GRANTED)
        await somebody(session, 2, targeting_consent=GRANTED)
        session.add(
            TargetingStatement(
                contact_id=shown.id, status=GRANTED, source="formulaire", given_at=START, recorded_at=START
            )
        )
    async with database.read() as session:
        found = await coverage(session)
    assert found.targeting == Consents(people=2, granted=2, proven=1)
    assert found.email.granted == 0


async def test_nobody_is_nobody(database: Database) -> None:
    async with database.read() as session:
        found = await coverage(session)
    assert (found.people, found.email, found.origin) == (0, Consents(), 0)


async def test_campaigns_of_a_time_with_what_was_kept_back(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        lanes = {"gmail": (100, 3)}
        await a_sent_campaign(session, identity, lanes, launched_at=START - DAY)
        campaign = await a_sent_campaign(session, identity, lanes, launched_at=START)
        await a_sent_campaign(session, identity, lanes, launched_at=START + DAY)
        await a_sent_campaign(session, identity, lanes, launched_at=START, purpose=Purpose.TRANSACTIONAL)
        session.add_all(
            LeftOut(campaign_id=campaign.id, contact_id=number, reason=LeftOutReason.NO_CONSENT)
            for number in range(3)
        )
        await a_delivery(session, campaign=campaign, identity=identity, state=DeliveryState.SUPPRESSED)
        await a_delivery(session, campaign=campaign, identity=identity, state=DeliveryState.EXPIRED)
    async with database.read() as session:
        (found,) = await campaigns_between(session, START, START + DAY)
        kept = (await kept_back(session, [found.id]))[campaign.id]
        assert await kept_back(session, []) == {}
    assert (kept.sent, kept.stopped, kept.expired) == (100, 1, 1)
    assert kept.left_out == {LeftOutReason.NO_CONSENT: 3}


async def test_who_went_past_a_check_in_a_time(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_launched_campaign(session)
        for hours in (-1, 0, 24):
            at = START + hours * HOUR
            session.add(PreflightOverride(campaign_id=campaign.id, at=at, by=f"{hours}", reason="r"))
    async with database.read() as session:
        found = await overrides_between(session, START, START + DAY)
    assert [(row.by, name) for row, name in found] == [("0", campaign.name)]


async def a_suppressed(session: AsyncSession, contact: Contact, **columns: object) -> Delivery:
    """Somebody's message bounced, and their address was suppressed."""
    delivery = await a_delivery(session, contact=contact)
    event = event_about(
        delivery, EventKind.BOUNCED, source="t", source_id=str(delivery.id), at=START + HOUR, now=START + HOUR
    )
    assert await events.append(session, event)
    row = Suppression(
        channel=Channel.EMAIL,
        address_hash="0" * 64,
        reason=SuppressionReason.HARD_BOUNCE,
        event_id=event.id,
        created_at=START + HOUR,
    )
    row.sqlmodel_update(columns)
    session.add(row)
    await session.flush()
    return delivery


async def sent_again(session: AsyncSession, contact: Contact, at: timedelta, **columns: object) -> Delivery:
    delivery = await a_delivery(session, contact=contact)
    delivery.settled_at = moment = START + at
    delivery.sqlmodel_update(columns)
    session.add(delivery)
    if delivery.state is DeliveryState.ACCEPTED:
        event = event_about(
            delivery, EventKind.ACCEPTED, source="d", source_id=str(delivery.id), at=moment, now=moment
        )
        assert await events.append(session, event)
    await session.flush()
    return delivery


async def test_a_message_after_its_address_was_suppressed_is_found(database: Database) -> None:
    async with database.write() as session:
        contact = await somebody(session, 1)
        await a_suppressed(session, contact)
        breach = await sent_again(session, contact, 2 * HOUR)
    async with database.read() as session:
        found = await honoured(session, START)
    assert found.looked_at == 1
    assert [(one.delivery_id, one.sent_at) for one in found.breaches] == [(breach.id, START + 2 * HOUR)]


@pytest.mark.parametrize(
    ("suppression", "delivery", "at"),
    [
        # Before it, or on the wire while it was made.
        ({}, {}, HOUR / 2),
        ({}, {}, HOUR + timedelta(minutes=14)),
        # It never left.
        ({}, {"state": DeliveryState.SUPPRESSED}, 3 * HOUR),
        # The suppression had ended.
        ({"lifted_at": START + 2 * HOUR}, {}, 3 * HOUR),
        ({"until": START + 2 * HOUR}, {}, 3 * HOUR),
        # Another channel, another address.
        ({"channel": Channel.SMS}, {}, 3 * HOUR),
        ({}, {"address": "new@parti.example"}, 3 * HOUR),
    ],
)
async def test_what_is_no_breach_is_not_told(
    database: Database, suppression: dict[str, object], delivery: dict[str, object], at: timedelta
) -> None:
    async with database.write() as session:
        contact = await somebody(session, 1)
        await a_suppressed(session, contact, **suppression)
        await sent_again(session, contact, at, **delivery)
    async with database.read() as session:
        found = await honoured(session, START)
    assert (found.looked_at, found.breaches) == (1, ())


async def test_what_somebody_decided_later_of_a_message_is_no_sending(database: Database) -> None:
    async with database.write() as session:
        contact = await somebody(session, 1)
        await a_suppressed(session, contact)
        sent = await sent_again(session, contact, HOUR / 2)
        # Was uncertain; a person said three hours later that it had left.
        sent.settled_at = START + 3 * HOUR
        session.add(sent)
    async with database.read() as session:
        found = await honoured(session, START)
    assert found.breaches == ()


async def test_a_suppression_of_before_the_time_is_not_looked_at(database: Database) -> None:
    async with database.write() as session:
        contact = await somebody(session, 1)
        await a_suppressed(session, contact)
        await sent_again(session, contact, 3 * HOUR)
    async with database.read() as session:
        found = await honoured(session, START + 2 * HOUR)
    assert (found.looked_at, found.breaches) == (0, ())
