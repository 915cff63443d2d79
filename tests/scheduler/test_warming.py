"""Plans kept: begun with the list, stepped by what the days brought."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import Contact
from models.delivery import Delivery
from models.errors import ConflictError, NotFoundError
from models.event import Event, event_about
from models.identity import Identity
from models.pace import WarmupState
from models.states import (
    BounceClass,
    Channel,
    DeliveryState,
    EventKind,
    Fault,
    IdentityState,
    Permanence,
)
from models.tokens import Tokens
from models.values import Verdict
from scheduler.campaigns import schedule
from scheduler.dispatch import Dispatcher, DispatchOptions
from scheduler.letters import Addresses
from scheduler.warming import begin_warmup, complete_plans, set_plan, step_plans, stop_warmup
from scheduler.warmup import FLOOR
from store import Database, campaigns, identities, warmups
from tests.clocks import START, ManualClock
from tests.factories import KEYRING, a_campaign, a_contact, an_identity
from tests.scheduler.desks import FAST, ScriptedTransport, a_dispatcher, drain_all, launched

PARIS = "Europe/Paris"
RATE = Verdict(BounceClass.RATE, Fault.PROVIDER, Permanence.SOFT, "r")
GREY = Verdict(BounceClass.GREYLIST, Fault.PROVIDER, Permanence.SOFT, "g")
NOBODY = Verdict(BounceClass.NO_SUCH_ADDRESS, Fault.RECIPIENT, Permanence.HARD, "n")
SHUT_OUT = Verdict(BounceClass.BLOCK, Fault.IDENTITY, Permanence.SOFT, "b")
RELAY_SHUT = Verdict(BounceClass.BLOCK, Fault.RELAY, Permanence.SOFT, "b")


async def people_at(session: AsyncSession, domain: str, count: int) -> None:
    for number in range(count):
        await a_contact(session, email=f"p{number}@{domain}")


async def a_warming(database: Database, clock: ManualClock) -> Identity:
    async with database.write() as session:
        await people_at(session, "orange.fr", 60)
        await people_at(session, "gmail.com", 5)
        identity = await an_identity(session)
        campaign = await a_campaign(session, senders=[identity])
        await schedule(session, campaign.id, START.replace(tzinfo=None), "UTC", START)
        await campaigns.begin_launch(session, campaign.id, START)
    await begin_warmup(database, clock, identity.id, zone=PARIS)
    return identity


async def happened(
    database: Database,
    identity: Identity,
    at: datetime,
    *news: tuple[EventKind, Verdict | None],
    count: int = 1,
    provider: str = "orange",
) -> None:
    """Some messages of the identity to a provider, and what came of each of them at `at`."""
    async with database.write() as session:
        (campaign,) = await campaigns.list_campaigns(session)
        for _ in range(count):
            row = Delivery(
                campaign_id=campaign.id,
                channel=Channel.EMAIL,
                identity_id=identity.id,
                provider=provider,
                address="x@orange.fr",
                state=DeliveryState.ACCEPTED,
                due_at=at,
            )
            session.add(row)
            await session.flush()
            for kind, verdict in news:
                told = event_about(
                    row, kind, source="t", source_id=f"{row.id}/{kind}", at=at, now=at, verdict=verdict
                )
                session.add(told)


async def plan_of(
    database: Database, identity: Identity, provider: str = "orange"
) -> tuple[int, WarmupState]:
    async with database.read() as session:
        plans = await warmups.list_plans(session, identity_id=identity.id)
    (plan,) = [plan for plan in plans if plan.provider == provider]
    return plan.cap, plan.state


async def test_a_plan_for_each_provider_with_more_than_a_handful(
    database: Database, clock: ManualClock
) -> None:
    identity = await a_warming(database, clock)
    async with database.read() as session:
        (plan,) = await warmups.list_plans(session)
        assert (plan.provider, plan.cap, plan.target, plan.day) == ("orange", FLOOR, 60, date(2026, 3, 10))
        assert (await identities.get_identity(session, identity.id)).state is IdentityState.WARMING
        holding = await warmups.plan_under_way(session, identity.id, "orange")
        assert holding is not None
        assert holding.cap == FLOOR
        assert await warmups.plan_under_way(session, identity.id, "gmail") is None
        assert await warmups.caps(session, [identity.id]) == {(identity.id, "orange"): FLOOR}


async def test_who_joins_the_list_later_is_planned_for_before_the_next_launch(
    database: Database, clock: ManualClock
) -> None:
    identity = await a_warming(database, clock)
    async with database.write() as session:
        await people_at(session, "laposte.net", 30)
    await complete_plans(database, clock, zone=PARIS)
    assert await plan_of(database, identity, "laposte") == (FLOOR, WarmupState.RISING)
    assert await plan_of(database, identity) == (FLOOR, WarmupState.RISING)


async def test_the_day_is_over_at_midnight_of_the_installation(
    database: Database, clock: ManualClock
) -> None:
    identity = await a_warming(database, clock)
    # Half past eleven in the evening in Paris, and half past midnight.
    await happened(
        database, identity, datetime(2026, 3, 10, 22, 30, tzinfo=UTC), (EventKind.ACCEPTED, None), count=15
    )
    await happened(
        database, identity, datetime(2026, 3, 10, 23, 30, tzinfo=UTC), (EventKind.ACCEPTED, None), count=5
    )
    clock.advance(timedelta(hours=13))
    assert await step_plans(database, clock, zone=PARIS) == 0
    clock.advance(timedelta(hours=2))
    assert await step_plans(database, clock, zone=PARIS) == 1
    assert await plan_of(database, identity) == (30, WarmupState.RISING)
    assert await step_plans(database, clock, zone=PARIS) == 0
    async with database.read() as session:
        (plan,) = await warmups.list_plans(session)
    assert plan.day == date(2026, 3, 11)
    assert plan.history == [
        {
            "day": "2026-03-10",
            "cap": 20,
            "sent": 15,
            "deferred": 0,
            "hard": 0,
            "complaints": 0,
            "blocks": 0,
            "light": "green",
            "reason": "clean",
            "next": 30,
        }
    ]


@pytest.mark.parametrize(
    ("news", "cap"),
    [
        (((EventKind.DEFERRED, RATE), (EventKind.ACCEPTED, None)), 20),
        (((EventKind.DEFERRED, GREY), (EventKind.ACCEPTED, None)), 60),
        (((EventKind.REFUSED, NOBODY),), 20),
        (((EventKind.ACCEPTED, None), (EventKind.COMPLAINED, None)), 20),
        (((EventKind.DEFERRED, SHUT_OUT),), 20),
        (((EventKind.DEFERRED, RELAY_SHUT),), 60),
    ],
)
async def test_what_providers_answered_decides(
    database: Database,
    clock: ManualClock,
    news: tuple[tuple[EventKind, Verdict | None], ...],
    cap: int,
) -> None:
    identity = await a_warming(database, clock)
    await set_plan(database, clock, identity.id, "orange", cap=40)
    await happened(database, identity, START, (EventKind.ACCEPTED, None), count=15)
    await happened(database, identity, START, *news, count=10)
    await happened(database, identity, START, (EventKind.DEFERRED, SHUT_OUT), count=9, provider="gmail")
    clock.advance(timedelta(days=1))
    await step_plans(database, clock, zone=PARIS)
    assert (await plan_of(database, identity))[0] == cap


async def test_complaints_that_come_the_day_after_step_the_plan_back(
    database: Database, clock: ManualClock
) -> None:
    identity = await a_warming(database, clock)
    await set_plan(database, clock, identity.id, "orange", cap=40)
    await happened(database, identity, clock.now(), (EventKind.ACCEPTED, None), count=40)
    clock.advance(timedelta(days=1))
    await step_plans(database, clock, zone=PARIS)
    assert await plan_of(database, identity) == (60, WarmupState.RISING)
    # Nothing is sent on this day; what was said of the day before comes in.
    await happened(database, identity, clock.now(), (EventKind.COMPLAINED, None), count=3)
    clock.advance(timedelta(days=1))
    await step_plans(database, clock, zone=PARIS)
    assert await plan_of(database, identity) == (30, WarmupState.FALLING)


async def test_after_midnight_the_day_before_is_judged_first(database: Database, clock: ManualClock) -> None:
    async with database.write() as session:
        await people_at(session, "orange.fr", 300)
        identity = await an_identity(session)
        campaign = await a_campaign(session, senders=[identity], with_seeds=False)
    await begin_warmup(database, clock, identity.id, zone=PARIS)
    await set_plan(database, clock, identity.id, "orange", cap=60)
    await launched(database, campaign.id)
    transport = ScriptedTransport(clock=clock)
    dispatcher = a_dispatcher(database, transport, clock, zone=PARIS)
    by_day = []
    for step in (False, True):
        clock.advance(timedelta(days=1))
        if step:
            await step_plans(database, clock, zone=PARIS)
        await drain_all(database, dispatcher, clock.now())
        by_day.append(len(transport.sent))
    await dispatcher.close()
    # Half of sixty until the plan has stepped, as after a bad day; then what the day brought.
    assert by_day == [30, 90]


async def test_an_identity_whose_plans_are_done_is_active(database: Database, clock: ManualClock) -> None:
    identity = await a_warming(database, clock)
    for expected in (30, 45, 60, 60):
        await happened(database, identity, clock.now(), (EventKind.ACCEPTED, None), count=60)
        clock.advance(timedelta(days=1))
        await step_plans(database, clock, zone=PARIS)
        assert (await plan_of(database, identity))[0] == expected
    assert (await plan_of(database, identity))[1] is WarmupState.DONE
    async with database.read() as session:
        assert (await identities.get_identity(session, identity.id)).state is IdentityState.ACTIVE
        assert await warmups.plan_under_way(session, identity.id, "orange") is None


async def test_a_plan_can_be_set_and_stopped_by_hand(database: Database, clock: ManualClock) -> None:
    identity = await a_warming(database, clock)
    await set_plan(database, clock, identity.id, "orange", cap=50, target=500)
    assert (await plan_of(database, identity))[0] == 50
    with pytest.raises(NotFoundError, match="'gmail'"):
        await set_plan(database, clock, identity.id, "gmail", cap=50)
    assert await stop_warmup(database, clock, identity.id, provider="orange") == 1
    async with database.read() as session:
        assert (await identities.get_identity(session, identity.id)).state is IdentityState.ACTIVE
    await begin_warmup(database, clock, identity.id, zone=PARIS, target=40)
    assert await plan_of(database, identity) == (FLOOR, WarmupState.RISING)
    assert await stop_warmup(database, clock, identity.id) == 1


async def test_a_suspended_identity_does_not_warm_up(database: Database, clock: ManualClock) -> None:
    async with database.write() as session:
        identity = await an_identity(session, state=IdentityState.SUSPENDED)
    with pytest.raises(ConflictError, match="suspended"):
        await begin_warmup(database, clock, identity.id, zone=PARIS)


async def test_no_day_sends_more_than_its_cap_and_the_most_engaged_go_first(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        await people_at(session, "orange.fr", 60)
        identity = await an_identity(session)
        campaign = await a_campaign(session, senders=[identity], with_seeds=False)
    await begin_warmup(database, clock, identity.id, zone=PARIS)
    eager = await somebody_clicked(database, "p55@orange.fr", START - timedelta(days=3))
    await launched(database, campaign.id)
    transport = ScriptedTransport(clock=clock)
    dispatcher = Dispatcher(
        database,
        clock,
        transports={Channel.EMAIL: transport},
        addresses=Addresses(Tokens(KEYRING), "https://tocsin.exemple.fr"),
        keyring=KEYRING,
        options=DispatchOptions(pace=FAST, zone=PARIS),
    )
    by_day = []
    for _ in range(3):
        # A second after the launch, so that whoever is to come later is due as well.
        clock.advance(timedelta(seconds=1))
        await drain_all(database, dispatcher, clock.now())
        await drain_all(database, dispatcher, clock.now())
        by_day.append(len(transport.sent))
        clock.advance(timedelta(days=1))
        await step_plans(database, clock, zone=PARIS)
    await dispatcher.close()
    assert by_day == [20, 50, 60]
    assert transport.recipients[0] == eager


async def somebody_clicked(database: Database, address: str, at: datetime) -> str:
    """An earlier campaign, and a click in it."""
    async with database.write() as session:
        contact = (await session.exec(select(Contact).where(col(Contact.email) == address))).one()
        told = Event(
            contact_id=contact.id, kind=EventKind.CLICKED, source="t", source_id="c", at=at, recorded_at=at
        )
        session.add(told)
    return address
