"""Lanes of one process at the same time: none starves a campaign, and one message tries who rested."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from models.clock import SystemClock
from models.pace import BreakerState, Throttle
from models.states import Channel, Purpose
from scheduler.outages import Way
from scheduler.pacing import Pace
from store import Database, identities
from store.deliveries import Lane
from tests.clocks import START, ManualClock
from tests.factories import a_campaign, a_contact, an_identity
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, launched
from tests.scheduler.paces import a_pacer, permit_of
from tests.scheduler.program_desks import Desk


@pytest.mark.timeout(60)
async def test_slow_lanes_side_by_side_send_for_each_of_their_campaigns(database: Database) -> None:
    clock = SystemClock()
    async with database.write() as session:
        for number in range(40):
            await a_contact(session, email=f"p{number:02}@gmail.com")
        senders = [await an_identity(session, key=key) for key in ("une", "autre")]
        for sender in senders:
            sender.emails_per_second = 8
            session.add(sender)
        made = [await a_campaign(session, senders=[sender]) for sender in senders for _ in range(2)]
        campaigns = [campaign.id for campaign in made]
        lanes = [Lane(sender.id, "gmail") for sender in senders]
    for campaign in campaigns:
        await launched(database, campaign)
    transport = ScriptedTransport(clock=clock)
    dispatcher = a_dispatcher(
        database,
        transport,
        clock,
        pace=Pace(emails_per_second=1000, providers={"gmail": 1000}),
        span=timedelta(seconds=0.1),  # shorter than from one message to the next: one is claimed at a time
    )
    draining = [asyncio.create_task(dispatcher.drain(lane)) for lane in lanes]
    while len(transport.sent) < 60:
        await asyncio.sleep(0.1)
    dispatcher.stop()
    await asyncio.gather(*draining)
    async with database.read() as session:
        connection = await session.connection()
        found = await connection.exec_driver_sql("SELECT campaign_id FROM delivery WHERE state = 'accepted'")
        sent = Counter(found.scalars())
    # Of some fifteen each; by the same lot each time one of a lane would have them all.
    assert all(sent[campaign] >= 3 for campaign in campaigns), sent


@pytest.mark.parametrize("route", [True, False])
async def test_all_lanes_of_a_process_together_try_a_provider_with_one_message(
    database: Database, clock: ManualClock, *, route: bool
) -> None:
    way = Way(Channel.EMAIL, "gmail" if route else "")
    async with database.write() as session:
        session.add(
            Throttle(
                key="provider:gmail",
                state=BreakerState.OPEN,
                factor=0.1,
                ceiling=1.0,
                clean=0,
                trips=1,
                step_up=True,
                connections=1,
                opens_at=START - timedelta(seconds=1),
                rule="gmail-unusual-rate",
                reason="421 4.7.28",
                changed_at=START - timedelta(minutes=10),
            )
        )
    pacer = a_pacer(database, clock)
    permits = await asyncio.gather(
        *(permit_of(pacer, "gmail", identity=number, way=way) for number in range(1, 9))
    )
    assert [permit.batch for permit in permits if permit.opens_at is None] == [1]


async def test_what_somebody_asked_for_goes_before_campaigns(database: Database, clock: ManualClock) -> None:
    desk = await Desk(database, clock).open()
    async with database.write() as session:
        for number in range(5):
            await a_contact(session, email=f"p{number}@gmail.com")
        sender = await identities.get_identity(session, desk.identity)
        campaign = await a_campaign(session, senders=[sender], with_seeds=False)
    await launched(database, campaign.id)
    await desk.ask(desk.wish("camille@gmail.com", purpose=Purpose.TRANSACTIONAL))
    transport = ScriptedTransport(clock=clock)
    dispatcher = a_dispatcher(database, transport, clock, chunk=1)
    clock.advance(timedelta(seconds=1))
    await dispatcher.drain(Lane(desk.identity, "gmail"))
    await dispatcher.close()
    assert (transport.recipients[0], len(transport.recipients)) == ("camille@gmail.com", 6)
