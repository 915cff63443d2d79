"""A person who is deleted while a campaign sends keeps nobody else's message back, and leaves no open end."""

from datetime import timedelta

import sqlalchemy as sa
from sqlmodel import col, select

from models.contact import Contact
from models.delivery import Delivery
from models.event import Event
from models.states import DeliveryState
from scheduler.upkeep import finish_if_done, reconcile, take_back
from store import Database
from tests.clocks import ManualClock
from tests.factories import a_campaign, a_contact
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all, launched

S = DeliveryState
GONE, THERE = "gone@gmail.com", "there@gmail.com"


async def a_running_campaign(database: Database) -> int:
    async with database.write() as session:
        for address in (GONE, THERE):
            await a_contact(session, email=address)
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    return campaign.id


async def delete_person(database: Database) -> None:
    async with database.write() as session:
        await session.exec(sa.delete(Contact).where(col(Contact.email) == GONE))


async def states(database: Database) -> dict[str, DeliveryState]:
    async with database.read() as session:
        return {row.address: row.state for row in (await session.exec(select(Delivery))).all()}


async def is_proved(database: Database, campaign_id: int, clock: ManualClock) -> bool:
    await finish_if_done(database, campaign_id, clock)
    return (await reconcile(database, campaign_id, clock)).equal


async def test_who_is_deleted_before_the_message_left_gets_none_and_the_others_get_theirs(
    database: Database, clock: ManualClock
) -> None:
    campaign_id = await a_running_campaign(database)
    await delete_person(database)
    transport = ScriptedTransport()
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert transport.recipients == [THERE]
    assert await states(database) == {GONE: S.CANCELLED, THERE: S.ACCEPTED}
    assert await is_proved(database, campaign_id, clock)


async def test_what_was_answered_is_recorded_though_the_person_was_deleted_meanwhile(
    database: Database, clock: ManualClock
) -> None:
    campaign_id = await a_running_campaign(database)

    async def on_the_wire(recipient: str) -> None:
        if recipient == GONE:
            await delete_person(database)

    transport = ScriptedTransport(before=on_the_wire, connections=1)
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert await states(database) == {GONE: S.ACCEPTED, THERE: S.ACCEPTED}
    assert await is_proved(database, campaign_id, clock)


async def test_who_was_written_to_can_be_deleted_and_the_evidence_stays(
    database: Database, clock: ManualClock
) -> None:
    campaign_id = await a_running_campaign(database)
    await drain_all(database, a_dispatcher(database, ScriptedTransport(), clock), clock.now())
    await delete_person(database)
    clock.advance(timedelta(minutes=10))
    await take_back(database, clock)
    async with database.read() as session:
        assert len((await session.exec(select(Event))).all()) == 2
    assert await is_proved(database, campaign_id, clock)
