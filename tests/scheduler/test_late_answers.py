"""What a person decides of uncertain messages cannot cross with the answer that a live worker still hears."""

from datetime import timedelta

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.delivery import Delivery
from models.states import Channel, DeliveryState
from models.worker import Worker
from scheduler.uncertain import LAST_WORD, Decision, resolve_uncertain
from store import Database, campaigns, workers
from tests.clocks import START, ManualClock
from tests.factories import a_campaign, a_contact

ALIVE, DEAD = "a" * 12, "d" * 12
SOON = START + timedelta(minutes=2)


async def an_uncertain_one(session: AsyncSession, campaign: Campaign, *, worker: str) -> None:
    contact = await a_contact(session)
    session.add(
        Delivery(
            campaign_id=campaign.id,
            contact_id=contact.id,
            channel=Channel.EMAIL,
            identity_id=1,
            provider="gmail",
            address=contact.email or "",
            state=DeliveryState.UNCERTAIN,
            claim_token=worker + "0" * 20,
            due_at=START,
            settled_at=START,
            attempts=1,
        )
    )


async def a_doubtful_campaign(database: Database) -> int:
    """One message of a worker that is alive, two of one that is gone."""
    async with database.write() as session:
        campaign = await a_campaign(session)
        for worker in (ALIVE, DEAD, DEAD):
            await an_uncertain_one(session, campaign, worker=worker)
    return campaign.id


async def decide(database: Database, campaign_id: int, clock: ManualClock, decision: Decision) -> int:
    async with database.write() as session:
        await workers.beat(session, Worker(id=ALIVE, host="here", pid=1, started_at=START), clock.now())
        return await resolve_uncertain(session, campaign_id, decision, "Ana", clock.now())


@pytest.mark.parametrize("decision", list(Decision))
async def test_what_a_live_worker_may_still_answer_for_is_left_until_it_cannot(
    database: Database, clock: ManualClock, decision: Decision
) -> None:
    campaign_id = await a_doubtful_campaign(database)
    clock.advance(SOON - clock.now())
    assert await decide(database, campaign_id, clock, decision) == 2
    async with database.read() as session:
        assert (await campaigns.progress(session, campaign_id))[DeliveryState.UNCERTAIN] == 1
    clock.advance(START + LAST_WORD - clock.now())
    assert await decide(database, campaign_id, clock, decision) == 0
    clock.advance(timedelta(seconds=1))
    assert await decide(database, campaign_id, clock, decision) == 1


@pytest.mark.parametrize("signed_off", [True, False])
async def test_a_worker_that_is_silent_may_know_the_answers_until_it_has_signed_off(
    database: Database, clock: ManualClock, *, signed_off: bool
) -> None:
    """Cut off from the database it sends on what it had marked, and tells when it is back."""
    async with database.write() as session:
        campaign = await a_campaign(session)
        await an_uncertain_one(session, campaign, worker=DEAD)
        await workers.beat(session, Worker(id=DEAD, host="there", pid=2, started_at=START), START)
        if signed_off:
            await workers.sign_off(session, DEAD, START)
    clock.advance(SOON - clock.now())
    assert await decide(database, campaign.id, clock, Decision.SEND_AGAIN) == (1 if signed_off else 0)
    clock.advance(LAST_WORD)
    assert await decide(database, campaign.id, clock, Decision.SEND_AGAIN) == (0 if signed_off else 1)
