"""The real engine over real SMTP to the sandbox's Orange, which lets in 30 a second over two connections."""

import asyncio
from datetime import timedelta

import pytest
from sqlmodel import col, select

from models.clock import SystemClock
from models.event import Event
from models.states import Channel, EventKind
from models.tokens import Tokens
from sandbox import World, WorldOptions
from scheduler.dispatch import Dispatcher, DispatchOptions
from scheduler.letters import Addresses
from scheduler.pacing import Pace
from sender import SmtpOptions, SmtpServer, SmtpTransport
from sender.smtp import Tls
from store import Database, deliveries, throttles
from tests.factories import KEYRING, a_campaign, a_contact, a_segment, an_identity
from tests.scheduler.desks import launched

PEOPLE = 340
TRIES = 5


async def sent_a_little_too_fast(database: Database, town: str) -> tuple[list[Event], list[Event]]:
    """A campaign to Orange's people of one town: what was accepted, and what was put off."""
    clock = SystemClock()
    async with database.write() as session:
        for number in range(PEOPLE):
            await a_contact(session, email=f"ordinaire.{town}.{number}@orange.fr", commune=town)
        campaign = await a_campaign(
            session,
            senders=[await an_identity(session, key=town.lower())],
            include=[await a_segment(session, f"commune:{town}")],
        )
    await launched(database, campaign.id)
    async with World(WorldOptions(seed=3)) as world:
        host, port = world.smtp_routes["orange"]
        transport = SmtpTransport(SmtpOptions(routes={"orange": SmtpServer(host, port, Tls.NONE)}))
        dispatcher = Dispatcher(
            database,
            clock,
            transports={Channel.EMAIL: transport},
            addresses=Addresses(Tokens(KEYRING), "https://tocsin.exemple.fr"),
            keyring=KEYRING,
            # Half as much again as Orange lets through.
            options=DispatchOptions(pace=Pace(emails_per_second=1000, providers={"orange": 45})),
        )
        async with asyncio.timeout(90):
            async with database.read() as session:
                lanes = await deliveries.due_lanes(session, clock.now() + timedelta(days=1))
            await asyncio.gather(*(dispatcher.drain(lane) for lane in lanes))
        await dispatcher.close()
        await transport.close()
    async with database.read() as session:
        of_it = select(Event).where(Event.campaign_id == campaign.id).order_by(col(Event.id))
        events = list((await session.exec(of_it)).all())
    accepted = [event for event in events if event.kind is EventKind.ACCEPTED]
    put_off = [event for event in events if event.kind is EventKind.DEFERRED]
    assert len(accepted) + len(put_off) == PEOPLE
    return accepted, put_off


@pytest.mark.timeout(300)
async def test_orange_is_met_with_two_connections_and_half_the_pace_once_it_asks_for_it(
    database: Database,
) -> None:
    for number in range(TRIES):
        accepted, put_off = await sent_a_little_too_fast(database, f"Ville{number}")
        # A machine that is busy elsewhere may not have been too fast at all.
        if put_off:
            break
    async with database.read() as session:
        brakes = await throttles.list_all(session)
    assert {event.rule for event in put_off} == {"ofr-lpn-service-refused"}
    assert len(put_off) < PEOPLE * 0.1
    assert [brake.key for brake in brakes] == ["provider:orange"]
    assert 0.4 <= brakes[0].factor <= 0.95
    # Once it is slowed, nothing more is put off.
    last_lesson = max(event.recorded_at for event in put_off)
    assert len([event for event in accepted if event.recorded_at > last_lesson]) > PEOPLE * 0.05
