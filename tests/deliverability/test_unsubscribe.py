"""Leaving and coming back."""

import pytest
from sqlmodel import select

from deliverability.feedback import Applied, apply
from deliverability.suppression import is_suppressed
from deliverability.unsubscribe import is_unsubscribed, resubscribe, unsubscribe
from models.contact import Contact
from models.errors import NotFoundError
from models.states import Channel, ConsentStatus, EventKind
from store import Database, events
from tests.clocks import START
from tests.deliverability.rows import a_contact, a_delivery, a_seed, heard


async def test_leaving_coming_back_and_leaving_again_each_take_effect(database: Database) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session)

        async def stands() -> tuple[bool, bool, ConsentStatus]:
            contact = (await session.exec(select(Contact).execution_options(populate_existing=True))).one()
            return (
                await is_unsubscribed(session, delivery.id),
                await is_suppressed(session, Channel.EMAIL, delivery.address, START),
                contact.email_consent,
            )

        # The clock stands still all the while: the order of the words counts.
        assert await unsubscribe(session, delivery.id, "one_click", START) is Applied.NEW
        assert await unsubscribe(session, delivery.id, "page", START) is Applied.REPEATED
        assert await stands() == (True, True, ConsentStatus.WITHDRAWN)
        assert await resubscribe(session, delivery.id, "page", START) is Applied.NEW
        assert await resubscribe(session, delivery.id, "page", START) is Applied.REPEATED
        assert await stands() == (False, False, ConsentStatus.GRANTED)
        assert await unsubscribe(session, delivery.id, "page", START) is Applied.NEW
        assert await stands() == (True, True, ConsentStatus.WITHDRAWN)


async def test_the_way_out_is_recorded(database: Database) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session)
        await unsubscribe(session, delivery.id, "one_click", START)
        (event,) = await events.events_of_delivery(session, delivery.id)
        assert (event.kind, event.details) == (EventKind.UNSUBSCRIBED, {"via": "one_click"})


async def test_leaving_by_the_link_in_a_text_message_leaves_that_channel_only(database: Database) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session, channel=Channel.SMS)
        await unsubscribe(session, delivery.id, "page", START)
        contact = (await session.exec(select(Contact).execution_options(populate_existing=True))).one()
        assert (contact.sms_consent, contact.email_consent) == (
            ConsentStatus.WITHDRAWN,
            ConsentStatus.GRANTED,
        )
        assert await is_suppressed(session, Channel.SMS, delivery.address, START)


async def test_a_complaint_is_not_taken_back_by_the_page(database: Database) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session)
        complaint = heard(EventKind.COMPLAINED, "arf", "1", delivery_id=delivery.id)
        await apply(session, complaint, START)
        await unsubscribe(session, delivery.id, "page", START)
        await resubscribe(session, delivery.id, "page", START)
        assert await is_suppressed(session, Channel.EMAIL, delivery.address, START)


async def test_one_persons_leaving_does_not_touch_another(database: Database) -> None:
    async with database.write() as session:
        leaving, staying = (
            await a_delivery(session),
            await a_delivery(session, contact=await a_contact(session)),
        )
        await unsubscribe(session, leaving.id, "page", START)
        assert not await is_unsubscribed(session, staying.id)
        assert not await is_suppressed(session, Channel.EMAIL, staying.address, START)


async def test_a_link_to_no_delivery_says_so(database: Database) -> None:
    async with database.write() as session:
        with pytest.raises(NotFoundError):
            await unsubscribe(session, 12345, "page", START)


async def test_the_link_in_a_mail_to_a_seed_is_recorded_and_silences_no_seed(database: Database) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session, seed=await a_seed(session))
        assert await unsubscribe(session, delivery.id, "page", START) is Applied.NEW
        assert not await is_unsubscribed(session, delivery.id)
        assert not await is_suppressed(session, Channel.EMAIL, delivery.address, START)


async def test_a_way_out_nobody_knows_is_recorded_as_the_page(database: Database) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session)
        await unsubscribe(session, delivery.id, "pigeon", START)
        (event,) = await events.events_of_delivery(session, delivery.id)
        assert event.details == {"via": "page"}
