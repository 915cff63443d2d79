"""A process that slept beyond its lease: it settles its own claims, and lets go of what was taken over."""

import asyncio
from datetime import timedelta

import pytest
from sqlmodel import select

from models.delivery import Delivery
from models.event import Event
from models.states import CampaignState, DeliveryState, EventKind
from scheduler import handover
from scheduler.uncertain import Decision, resolve_uncertain
from scheduler.upkeep import finish_if_done, take_back
from store import Database, campaigns, claims
from store.deliveries import Lane
from tests.clocks import ManualClock
from tests.factories import a_campaign, a_contact
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all, launched

S = DeliveryState
SLEEP = timedelta(minutes=6)


@pytest.fixture(autouse=True)
def _looked_at_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is the tests', and a worker that waits looks at it twenty times a second, not once."""
    monkeypatch.setattr(handover, "RECORD_EVERY_S", 0.05)


async def a_running_campaign(database: Database) -> int:
    async with database.write() as session:
        for address in ("a@gmail.com", "b@gmail.com"):
            await a_contact(session, email=address)
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    return campaign.id


async def states(database: Database) -> dict[str, DeliveryState]:
    async with database.read() as session:
        return {row.address: row.state for row in (await session.exec(select(Delivery))).all()}


async def has_parcels(transport: ScriptedTransport) -> None:
    """Wait until something waits for a connection."""
    async with asyncio.timeout(60):
        while not transport.waiting:
            await asyncio.sleep(0.01)


async def test_a_process_that_slept_does_not_take_its_own_messages_for_abandoned(
    database: Database, clock: ManualClock
) -> None:
    campaign_id = await a_running_campaign(database)
    transport = ScriptedTransport(connections=1)
    dispatcher = a_dispatcher(database, transport, clock)

    async def sleep_and_sweep(recipient: str) -> None:
        if recipient == "a@gmail.com":
            await has_parcels(transport)
            clock.advance(SLEEP)
            await take_back(database, clock, spared=dispatcher.claims_held)
            assert set((await states(database)).values()) == {S.SENDING}
            await finish_if_done(database, campaign_id, clock)
            async with database.read() as session:
                campaign = await campaigns.get_campaign(session, campaign_id)
            assert campaign.state is CampaignState.SENDING

    transport.before = sleep_and_sweep
    await drain_all(database, dispatcher, clock.now())
    assert transport.recipients == ["a@gmail.com", "b@gmail.com"]
    assert set((await states(database)).values()) == {S.ACCEPTED}
    async with database.read() as session:
        assert set((await session.exec(select(Event.kind))).all()) == {EventKind.ACCEPTED}
    assert dispatcher.claims_held == frozenset()


async def test_claims_that_a_process_holds_are_spared_and_those_it_lost_sight_of_are_not(
    database: Database, clock: ManualClock
) -> None:
    await a_running_campaign(database)
    async with database.write() as session:
        lane = Lane((await session.exec(select(Delivery.identity_id))).first() or 0, "gmail")
        for token in ("held", "lost"):
            await claims.claim_due(
                session, lane=lane, token=token, now=clock.now(), lease=timedelta(minutes=1), limit=1
            )
    clock.advance(SLEEP)
    await take_back(database, clock, spared={"held", "another"})
    assert sorted((await states(database)).values()) == [S.CLAIMED, S.QUEUED]


async def test_what_was_decided_about_messages_of_a_sleeper_keeps_them_from_leaving(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = await a_running_campaign(database)
    renewed = asyncio.Event()
    real = claims.extend_lease

    async def extend(*args: object, **how: object) -> int:
        renewed.set()
        return await real(*args, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(claims, "extend_lease", extend)

    transport = ScriptedTransport(connections=1)

    async def sleep_long(recipient: str) -> None:
        if recipient != "a@gmail.com":
            return
        await has_parcels(transport)
        # The others' clock runs on; the sleeper's stands still until all is decided.
        clock.advance(SLEEP)
        await take_back(database, clock)
        async with database.write() as session:
            assert await resolve_uncertain(session, campaign_id, Decision.NOT_SENT, "Ana", clock.now()) == 2
        assert not renewed.is_set()
        # Awake again, it renews its lease.
        asleep.advance(SLEEP)
        async with asyncio.timeout(60):
            await renewed.wait()
        await asyncio.sleep(0.5)

    transport.before = sleep_long
    asleep = ManualClock(clock.now())
    await drain_all(database, a_dispatcher(database, transport, asleep), asleep.now())
    assert transport.recipients == ["a@gmail.com"]
    assert await states(database) == {"a@gmail.com": S.REFUSED, "b@gmail.com": S.REFUSED}
