"""Connections to the relay, where somebody limits them: all lanes and workers together open no more."""

import asyncio
import random
from datetime import timedelta

import pytest
from sqlmodel import select

from models.clock import SystemClock
from models.delivery import Delivery
from models.errors import BadInputError
from models.pace import BreakerState, ConnectionSlot, LimitScope, Measure, PaceLimit, Throttle
from models.states import Channel, DeliveryState
from scheduler import pace_desk, places
from scheduler.outages import Way
from scheduler.pacer import Pacer, Permit
from scheduler.places import LEASE
from sender.smtp import SmtpOptions, SmtpServer, SmtpTransport, Tls
from store import Database, limits
from tests.clocks import START, ManualClock
from tests.factories import a_campaign, a_contact
from tests.scheduler.desks import FAST, a_dispatcher, drain_all, launched
from tests.scheduler.paces import a_pacer, permit_of, set_limit
from tests.sender.servers import Manners, SmtpPeer

SECOND = timedelta(seconds=1)
DOMAINS = ("gmail.com", "orange.fr", "exemple.fr")


async def limit_relay(database: Database, most: float, measure: Measure = Measure.CONNECTIONS) -> None:
    await set_limit(database, LimitScope.RELAY, "email", measure, most)


async def test_a_relay_that_nobody_limited_is_each_process_own_affair(
    database: Database, clock: ManualClock
) -> None:
    permit = await permit_of(a_pacer(database, clock), "gmail")
    assert (permit.opens_at, permit.connections, permit.messages) == (None, None, None)
    async with database.read() as session:
        assert (await session.exec(select(ConnectionSlot))).all() == []


async def test_workers_share_the_relays_connections_alike_whatever_lanes_they_serve(
    database: Database, clock: ManualClock
) -> None:
    await limit_relay(database, 5)
    await limit_relay(database, 50, Measure.MESSAGES_PER_CONNECTION)
    first, second, third = (a_pacer(database, clock) for _ in range(3))
    alone = await permit_of(first, "gmail")
    assert (alone.opens_at, alone.connections, alone.messages) == (None, 5, 50)
    assert (await permit_of(first, "orange", identity=2)).connections == 5
    # Who comes later waits until the first has given some of them up.
    assert (await permit_of(second, "gmail")).reason.startswith("Other workers use the connections")

    async def dealt(*users: Pacer) -> list[int]:
        for _ in range(16):
            clock.advance(SECOND * 10)
            told = [await permit_of(one, "gmail") for one in users]
        return sorted(permit.connections or 0 for permit in told)

    assert await dealt(first, second, third) == [1, 2, 2]
    # One that ends leaves its part to the others.
    await third.close()
    assert await dealt(first, second) == [2, 3]


async def test_more_workers_than_connections_leave_some_without_and_a_limit_taken_back_frees_all(
    database: Database, clock: ManualClock
) -> None:
    await limit_relay(database, 1)
    pacers = [a_pacer(database, clock) for _ in range(3)]
    permits = [await permit_of(one, "gmail") for one in pacers]
    assert [permit.opens_at is None for permit in permits] == [True, False, False]
    async with database.write() as session:
        await limits.unset_limit(
            session, scope=LimitScope.RELAY, subject="email", measure=Measure.CONNECTIONS
        )
    clock.advance(SECOND * 13)
    permits = [await permit_of(one, "gmail") for one in pacers]
    assert [(permit.opens_at, permit.connections) for permit in permits] == [(None, None)] * 3


@pytest.mark.parametrize("seed", range(12))
async def test_permits_of_workers_that_come_go_and_hang_never_exceed_the_limit(
    database: Database, clock: ManualClock, seed: int
) -> None:
    """A worker acts upon its last permit until its places have lapsed; then it must ask again."""
    chance = random.Random(seed)
    most = chance.randint(1, 7)
    await limit_relay(database, most)
    alive: dict[Pacer, tuple[Permit, object]] = {}
    for _ in range(60):
        clock.advance(SECOND * chance.choice([0, 1, 4, 6, 21]))
        deed = chance.random()
        if deed < 0.2 or not alive:
            alive[a_pacer(database, clock)] = (Permit(clock.now(), 1, 0, ()), clock.now())
        elif deed < 0.3:
            gone = chance.choice(list(alive))
            del alive[gone]
            if chance.random() < 0.5:
                await gone.close()
            else:
                clock.advance(LEASE + SECOND)  # it was killed: its places lapse before others act on them
                alive = {one: (Permit(clock.now(), 1, 0, ()), clock.now()) for one in alive}
        # Who works asks again in good time, as the dispatcher does with each chunk.
        for one in chance.sample(list(alive), len(alive)):
            permit = await permit_of(one, chance.choice(["gmail", "orange", "other"]))
            alive[one] = (permit, clock.now())
        in_use = sum(permit.connections or 0 for permit, _ in alive.values() if permit.opens_at is None)
        assert in_use <= most


async def test_a_provider_with_a_route_of_its_own_takes_none_of_the_relays(
    database: Database, clock: ManualClock
) -> None:
    await limit_relay(database, 1)
    first, second = a_pacer(database, clock), a_pacer(database, clock)
    assert (await permit_of(first, "gmail")).connections == 1
    direct = await permit_of(second, "orange", way=Way(Channel.EMAIL, "orange"))
    assert (direct.opens_at, direct.connections) == (None, 2)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("people", "chunk", "seconds"), [(240, 10, 0.02), (300, 150, 0.1)], ids=["small chunks", "long ones"]
)
async def test_two_senders_over_one_real_relay_open_no_more_than_was_set(
    database: Database,
    migrated_url: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    people: int,
    chunk: int,
    seconds: float,
) -> None:
    monkeypatch.setattr(places, "LEASE", timedelta(seconds=3))
    monkeypatch.setattr(places, "REFUSED", timedelta(seconds=0.2))
    async with database.write() as session:
        for number in range(people):
            await a_contact(session, email=f"p{number}@{DOMAINS[number % 3]}")
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    await limit_relay(database, 3)
    relay = await SmtpPeer(Manners(seconds=seconds)).start()
    clock = SystemClock()

    async def work() -> None:
        mine = Database(migrated_url)
        line = SmtpTransport(SmtpOptions(relay=SmtpServer("127.0.0.1", relay.port, Tls.NONE)))
        dispatcher = a_dispatcher(mine, line, clock, pace=FAST, chunk=chunk)
        try:
            while len(relay.messages) < people:
                await drain_all(mine, dispatcher, clock.now())
                await asyncio.sleep(0.1)
        finally:
            await line.close()
            await dispatcher.close()
            await mine.close()

    try:
        await asyncio.gather(work(), work())
        assert relay.most_open <= 3
        assert len({message.recipient for message in relay.messages}) == len(relay.messages) == people
        async with database.read() as session:
            assert set((await session.exec(select(Delivery.state))).all()) == {DeliveryState.ACCEPTED}
    finally:
        await relay.stop()


async def test_who_has_no_connection_keeps_nobody_from_finding_out(
    database: Database, clock: ManualClock
) -> None:
    await limit_relay(database, 1)
    first, second = a_pacer(database, clock), a_pacer(database, clock)
    permits = [await permit_of(one, "gmail") for one in (first, second)]
    assert [permit.opens_at is None for permit in permits] == [True, False]
    async with database.write() as session:
        session.add(
            Throttle(
                key="provider:orange",
                state=BreakerState.OPEN,
                opens_at=clock.now() + SECOND,
                changed_at=clock.now(),
            )
        )
    clock.advance(SECOND * 11)
    # The one without asks first, again and again.
    assert (await permit_of(second, "orange")).opens_at is not None
    assert (await permit_of(first, "orange")).opens_at is None


async def test_a_lane_that_finds_out_gives_up_no_connection_of_another_lane(
    database: Database, clock: ManualClock
) -> None:
    direct = Way(Channel.EMAIL, "orange")
    first, second = a_pacer(database, clock), a_pacer(database, clock)
    assert (await permit_of(first, "orange", identity=2, way=direct)).connections == 2
    async with database.write() as session:
        session.add(
            Throttle(
                key="lane:1:orange",
                state=BreakerState.OPEN,
                opens_at=clock.now() - SECOND,
                changed_at=clock.now() - SECOND,
            )
        )
    assert (await permit_of(first, "orange", identity=1, way=direct)).batch == 1
    assert (await permit_of(second, "orange", identity=2, way=direct)).opens_at is not None


async def test_lanes_of_one_process_that_ask_at_once_all_have_what_it_holds(
    database: Database, clock: ManualClock
) -> None:
    mine = places.Places(database)
    for _ in range(10):
        clock.advance(SECOND * 21)
        found = await asyncio.gather(*(mine.hold("provider:orange", 6, clock.now()) for _ in range(4)))
        assert found == [6, 6, 6, 6]


async def test_places_forgotten_while_they_are_kept_stay_forgotten(
    database: Database, clock: ManualClock
) -> None:
    mine = places.Places(database)
    assert await mine.hold("relay:email", 2, clock.now()) == 2
    clock.advance(SECOND * 30)
    keeping = asyncio.create_task(mine.keep("relay:email", clock.now()))
    await asyncio.sleep(0)
    mine.forget("relay:email")
    await keeping
    assert mine.count("relay:email") == 0


async def test_places_that_nobody_counts_any_more_lapse_while_messages_flow(
    database: Database, clock: ManualClock
) -> None:
    await limit_relay(database, 4)
    pacer = a_pacer(database, clock)
    await permit_of(pacer, "gmail")
    async with database.write() as session:
        await limits.unset_limit(
            session, scope=LimitScope.RELAY, subject="email", measure=Measure.CONNECTIONS
        )
    clock.advance(SECOND * 30)
    assert (await permit_of(pacer, "gmail")).connections is None
    for _ in range(10):
        clock.advance(SECOND * 21)
        await pacer.keep(Way(Channel.EMAIL))
    async with database.read() as session:
        ends = (await session.exec(select(ConnectionSlot.leased_until))).all()
    assert all(end is None or end < clock.now() for end in ends)


@pytest.mark.parametrize(
    ("scope", "subject"),
    [(LimitScope.RELAY, "sms"), (LimitScope.RELAY, "email:orange"), (LimitScope.IDENTITY, "1")],
)
async def test_connections_are_counted_at_servers_and_nowhere_else(
    database: Database, scope: LimitScope, subject: str
) -> None:
    limit = PaceLimit(scope=scope, subject=subject, measure=Measure.CONNECTIONS, amount=2, changed_at=START)
    async with database.write() as session:
        with pytest.raises(BadInputError, match="counted for a provider or for the mail relay"):
            await pace_desk.set_limit(session, limit)
