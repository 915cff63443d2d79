"""Campaigns end when nothing of them waits any more, whoever puts something back in that very moment."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from models.campaign import Campaign
from models.delivery import Delivery
from models.states import CampaignState, DeliveryState
from scheduler.uncertain import reopen
from scheduler.upkeep import finish_if_done, reopen_ended
from store import Database, campaigns
from tests.clocks import ManualClock
from tests.scheduler.ledgers import a_running_campaign

S = DeliveryState
BRIEF = timedelta(milliseconds=300)


async def a_campaign_in_doubt(database: Database, state: CampaignState = CampaignState.SENDING) -> int:
    """Its only message is uncertain."""
    number = await a_running_campaign(database, "a@gmail.com")
    async with database.write() as session:
        await session.exec(sa.update(Delivery).values(state=S.UNCERTAIN))
        await session.exec(sa.update(Campaign).values(state=state))
    return number


async def state_of(database: Database, number: int) -> CampaignState:
    async with database.read() as session:
        return (await campaigns.get_campaign(session, number)).state


async def test_a_campaign_does_not_end_while_something_is_put_back(
    database: Database, clock: ManualClock
) -> None:
    number = await a_campaign_in_doubt(database)
    async with database.write() as session:
        await session.exec(sa.update(Delivery).values(state=S.DEFERRED))
        await reopen(session, number, clock.now())
        ending = asyncio.create_task(finish_if_done(database, number, clock))
        await asyncio.sleep(BRIEF.total_seconds())
    await ending
    assert await state_of(database, number) is CampaignState.SENDING


async def test_what_is_put_back_while_a_campaign_ends_has_it_send_on(
    database: Database, clock: ManualClock
) -> None:
    number = await a_campaign_in_doubt(database)

    async def put_back() -> None:
        async with database.write() as session:
            await session.exec(sa.update(Delivery).values(state=S.DEFERRED))
            await reopen(session, number, clock.now())

    async with database.write() as session:
        await campaigns.hold(session, number, alone=True)
        putting = asyncio.create_task(put_back())
        await asyncio.sleep(BRIEF.total_seconds())
        assert await campaigns.move(
            session, number, origin=CampaignState.SENDING, to=CampaignState.FINISHED, now=clock.now()
        )
    await putting
    assert await state_of(database, number) is CampaignState.SENDING


async def test_two_who_put_something_back_at_once_do_not_wait_for_each_other(
    database: Database, clock: ManualClock
) -> None:
    number = await a_campaign_in_doubt(database)

    async def put_back() -> None:
        async with database.write() as session:
            await reopen(session, number, clock.now())
            await asyncio.sleep(BRIEF.total_seconds())

    async with asyncio.timeout(60):
        await asyncio.gather(put_back(), put_back())


@pytest.mark.parametrize("state", [CampaignState.FINISHED, CampaignState.INCOMPLETE])
async def test_housekeeping_reopens_what_ended_with_messages_waiting_and_nothing_else(
    database: Database, clock: ManualClock, state: CampaignState
) -> None:
    number = await a_campaign_in_doubt(database, state)
    assert await reopen_ended(database, clock) == 0
    assert await state_of(database, number) is state
    async with database.write() as session:
        await session.exec(sa.update(Delivery).values(state=S.QUEUED))
    assert await reopen_ended(database, clock) == 1
    assert await state_of(database, number) is CampaignState.SENDING
    async with database.write() as session:
        await session.exec(sa.update(Campaign).values(state=CampaignState.CANCELLED))
    assert await reopen_ended(database, clock) == 0
