"""The last question before the wire, asked of a whole chunk at once."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from models.campaign import Campaign
from models.delivery import Delivery
from models.event import Event
from models.states import CampaignState, DeliveryState, EventKind, SuppressionReason
from models.suppression import address_hash
from scheduler.calendar import read_sending_windows, windows_to_rows
from scheduler.campaigns import pause
from scheduler.frequency import USUAL
from store import Database, claims, suppressions
from store.claims import fair_shares
from store.deliveries import Lane
from tests.clocks import START, ManualClock
from tests.factories import a_campaign, a_contact, a_seed, an_identity
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all, launched

S = DeliveryState
LEASE = timedelta(minutes=1)


async def rows(database: Database) -> list[Delivery]:
    async with database.read() as session:
        return list((await session.exec(select(Delivery).order_by(sa.column("id")))).all())


async def two_campaigns(database: Database, *addresses: str) -> list[int]:
    """The same people, in the same lane."""
    async with database.write() as session:
        for address in addresses:
            await a_contact(session, email=address)
        sender = await an_identity(session)
        made = [await a_campaign(session, senders=[sender]) for _ in range(2)]
    for campaign in made:
        await launched(database, campaign.id)
    return [campaign.id for campaign in made]


async def set_windows(database: Database, text: str, **more: object) -> None:
    async with database.write() as session:
        hours = windows_to_rows(read_sending_windows(text))
        await session.exec(sa.update(Campaign).values(windows=hours))
        if more:
            await session.exec(sa.update(Delivery).values(**more))


async def test_two_campaigns_in_one_chunk_do_not_get_round_the_cap(
    database: Database, clock: ManualClock
) -> None:
    await two_campaigns(database, "a@gmail.com", "b@gmail.com")
    transport = ScriptedTransport()
    dispatcher = a_dispatcher(database, transport, clock, frequency=USUAL)
    await drain_all(database, dispatcher, clock.now())
    assert sorted(transport.recipients) == ["a@gmail.com", "b@gmail.com"]
    found = await rows(database)
    assert sorted(row.state for row in found) == [S.ACCEPTED, S.ACCEPTED, S.CAPPED, S.CAPPED]
    (reason,) = {row.reason for row in found if row.state is S.CAPPED}
    assert reason.endswith("may leave from 2026-03-11 09:00")
    async with database.read() as session:
        wanted = select(Event).where(Event.kind == EventKind.CAPPED)
        assert {event.text for event in (await session.exec(wanted)).all()} == {reason}


async def test_two_workers_at_once_do_not_get_round_the_cap(database: Database, clock: ManualClock) -> None:
    people = [f"p{number:02}@gmail.com" for number in range(12)]
    await two_campaigns(database, *people)
    transport = ScriptedTransport()
    crew = [
        a_dispatcher(database, transport, clock, frequency=USUAL, chunk=5, worker_id=str(number) * 12)
        for number in range(3)
    ]
    await asyncio.gather(*(drain_all(database, worker, clock.now()) for worker in crew))
    assert sorted(transport.recipients) == people
    states = sorted(row.state for row in await rows(database))
    assert states == sorted([*[S.ACCEPTED] * 12, *[S.CAPPED] * 12])


async def test_exempt_messages_and_seeds_are_not_capped(database: Database, clock: ManualClock) -> None:
    async with database.write() as session:
        await a_seed(session, address="seed@gmail.com")
    await two_campaigns(database, "a@gmail.com")
    async with database.write() as session:
        await session.exec(sa.update(Delivery).values(exempt=True))
    transport = ScriptedTransport()
    await drain_all(database, a_dispatcher(database, transport, clock, frequency=USUAL), clock.now())
    assert sorted(transport.recipients) == [*["a@gmail.com"] * 2, *["seed@gmail.com"] * 2]


async def test_outside_its_hours_a_message_waits_for_the_next_opening(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        for number, place in enumerate(("13", "974", "971")):
            await a_contact(session, email=f"p{number}@gmail.com", departement=place)
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    await set_windows(database, "daily 09:00-12:00")
    # 9:00 UTC is 10:00 in Marseille, 13:00 on La Réunion, 5:00 in Guadeloupe.
    transport = ScriptedTransport()
    dispatcher = a_dispatcher(database, transport, clock)
    await drain_all(database, dispatcher, clock.now())
    assert transport.recipients == ["p0@gmail.com"]
    waiting = {
        row.address: (row.state, row.due_at - START)
        for row in await rows(database)
        if row.state is not S.ACCEPTED
    }
    assert waiting == {
        "p1@gmail.com": (S.QUEUED, timedelta(hours=20)),
        "p2@gmail.com": (S.QUEUED, timedelta(hours=4)),
    }
    clock.advance(timedelta(hours=4))
    await drain_all(database, dispatcher, clock.now())
    assert transport.recipients == ["p0@gmail.com", "p2@gmail.com"]


async def test_hours_that_open_only_after_the_deadline_end_a_message(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        await a_contact(session, email="a@gmail.com")
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    await set_windows(database, "daily 20:00-21:00", not_after=START + timedelta(hours=2))
    transport = ScriptedTransport()
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert transport.sent == []
    (row,) = await rows(database)
    assert row.state is S.EXPIRED


async def test_the_first_gate_that_is_shut_is_the_one_that_is_told(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        await a_contact(session, email="a@gmail.com")
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    await set_windows(database, "daily 20:00-21:00", attempts=0)
    async with database.write() as session:
        await suppressions.suppress(
            session,
            channel=(await rows(database))[0].channel,
            address_hash=address_hash((await rows(database))[0].channel, "a@gmail.com"),
            reason=SuppressionReason.STOP,
            evidence="",
            event_id=None,
            now=clock.now(),
        )
    await drain_all(database, a_dispatcher(database, ScriptedTransport(), clock), clock.now())
    assert [row.state for row in await rows(database)] == [S.SUPPRESSED]


async def test_a_pause_waits_for_the_gates_or_is_honoured_by_them(database: Database) -> None:
    async with database.write() as session:
        await a_contact(session, email="a@gmail.com")
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    paused = asyncio.Event()

    async def pause_it() -> None:
        async with database.write() as session:
            await pause(session, campaign.id, START)
        paused.set()

    async with database.write() as session:
        assert await claims.sending_among(session, [campaign.id]) == {campaign.id}
        pausing = asyncio.create_task(pause_it())
        await asyncio.sleep(0.3)
        # Whatever is marked now was let through before the pause, on both databases.
        assert not paused.is_set()
    await pausing
    async with database.write() as session:
        assert await claims.sending_among(session, [campaign.id]) == set()


@given(st.lists(st.integers(0, 500), max_size=8), st.integers(0, 300))
def test_shares_are_fair(due: list[int], room: int) -> None:
    shares = fair_shares(due, room)
    assert sum(shares) == min(room, sum(due))
    assert all(share <= count for share, count in zip(shares, due, strict=True))
    unsated = [share for share, count in zip(shares, due, strict=True) if share < count]
    # Who wants more has at most one less than anybody else.
    assert not unsated or min(unsated) >= max(shares) - 1


async def test_a_small_campaign_is_not_starved_by_a_large_one_and_an_urgent_one_goes_first(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        for number in range(60):
            await a_contact(
                session, email=f"p{number:02}@gmail.com", commune="Nice" if number > 54 else "Lyon"
            )
        sender = await an_identity(session)
        large, small, urgent = [await a_campaign(session, senders=[sender]) for _ in range(3)]
    for campaign in (large, small, urgent):
        await launched(database, campaign.id)
    async with database.write() as session:
        few = sa.select(sa.func.min(sa.column("id"))).select_from(sa.table("contact")).scalar_subquery()
        for campaign in (small, urgent):
            await session.exec(
                sa.delete(Delivery).where(
                    sa.column("campaign_id") == campaign.id, sa.column("contact_id") > few + 4
                )
            )
        await session.exec(sa.update(Campaign).where(sa.column("id") == urgent.id).values(urgent=True))
    lane = Lane(sender.id, "gmail")
    taken: list[list[int]] = []
    for turn in range(4):
        async with database.write() as session:
            found = await claims.claim_due(
                session, lane=lane, token=str(turn), now=START, lease=LEASE, limit=8, turn=turn
            )
        taken.append([row.campaign_id for row in found])
    first, second, third, _ = taken
    assert first.count(urgent.id) == 5
    assert (first + second).count(small.id) >= 4
    assert third.count(large.id) >= 6


@pytest.mark.parametrize("limit", [1, 2])
async def test_with_less_room_than_campaigns_each_has_its_turn(
    database: Database, clock: ManualClock, limit: int
) -> None:
    async with database.write() as session:
        for number in range(6):
            await a_contact(session, email=f"p{number:02}@gmail.com")
        sender = await an_identity(session)
        made = [await a_campaign(session, senders=[sender]) for _ in range(3)]
    for campaign in made:
        await launched(database, campaign.id)
    served: list[int] = []
    for turn in range(3):
        async with database.write() as session:
            found = await claims.claim_due(
                session,
                lane=Lane(sender.id, "gmail"),
                token="t",
                now=START,
                lease=LEASE,
                limit=limit,
                turn=turn,
            )
        served += [row.campaign_id for row in found]
    assert set(served) == {campaign.id for campaign in made}
    async with database.read() as session:
        states = set((await session.exec(select(Campaign.state))).all())
    assert states == {CampaignState.SENDING}
    assert clock.now() == START
