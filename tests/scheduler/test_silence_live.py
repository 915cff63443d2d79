"""Two workers over real SMTP in the sandbox, and a vote that somebody enters while they send."""

import asyncio
from datetime import timedelta

from sqlmodel import col, select

from models.clock import SystemClock
from models.delivery import Delivery
from models.event import Event
from models.states import Channel, DeliveryState, EventKind
from models.tokens import Tokens
from sandbox import World, WorldOptions
from scheduler.dispatch import Dispatcher, DispatchOptions
from scheduler.letters import Addresses
from scheduler.pacing import Pace
from scheduler.vigil import HOLDS
from sender import SmtpOptions, SmtpServer, SmtpTransport
from sender.smtp import Tls
from store import Database, deliveries
from store.election_calendar import enter_day
from tests.factories import KEYRING, a_campaign, a_contact, an_identity
from tests.scheduler.desks import launched
from tests.scheduler.voting import PARIS, a_vote

PEOPLE = 600
UNDER_WAY = timedelta(seconds=3)
"""What was let go just before the vote was known may still be on the wire."""


async def work(database: Database, clock: SystemClock, worker: Dispatcher) -> None:
    """Empty every lane."""
    async with database.read() as session:
        lanes = await deliveries.due_lanes(session, clock.now() + timedelta(days=1))
    await asyncio.gather(*(worker.drain(lane) for lane in lanes))


async def test_a_vote_entered_while_two_workers_send_stops_them_within_seconds(database: Database) -> None:
    clock = SystemClock()
    async with database.write() as session:
        for number in range(PEOPLE):
            await a_contact(session, email=f"ordinaire.{number}@laposte.net")
        campaign = await a_campaign(session, senders=[await an_identity(session)])
    await launched(database, campaign.id)
    async with World(WorldOptions(seed=5)) as world:
        host, port = world.smtp_routes["laposte"]
        server = SmtpServer(host, port, Tls.NONE)
        transports = [SmtpTransport(SmtpOptions(routes={"laposte": server})) for _ in range(2)]
        workers = [
            Dispatcher(
                database,
                clock,
                transports={Channel.EMAIL: transport},
                addresses=Addresses(Tokens(KEYRING), "https://tocsin.exemple.fr"),
                keyring=KEYRING,
                options=DispatchOptions(
                    pace=Pace(emails_per_second=1000, providers={"laposte": 20}), zone=PARIS
                ),
            )
            for transport in transports
        ]
        async with asyncio.timeout(60):
            working = asyncio.gather(*(work(database, clock, worker) for worker in workers))
            await asyncio.sleep(2)
            async with database.write() as session:
                tomorrow = clock.now().date() + timedelta(days=1)
                await enter_day(session, a_vote(day=tomorrow), by="ana", now=clock.now())
            entered_at = clock.now()
            await working
        for worker, transport in zip(workers, transports, strict=True):
            await worker.close()
            await transport.close()
    async with database.read() as session:
        wanted = select(Event).where(col(Event.kind) == EventKind.ACCEPTED)
        accepted = list((await session.exec(wanted)).all())
        rows = list((await session.exec(select(Delivery))).all())
    assert 0 < len(accepted) < PEOPLE / 2
    assert max(event.at for event in accepted) < entered_at + HOLDS + UNDER_WAY
    stopped = [row for row in rows if row.state is DeliveryState.EXPIRED]
    assert len(stopped) > PEOPLE / 3
    assert {row.reason.partition(" since ")[0] for row in stopped} == {"election silence"}
    assert len({row.address for row in rows if row.state is DeliveryState.ACCEPTED}) == len(accepted)
