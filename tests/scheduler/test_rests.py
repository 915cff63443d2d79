"""A campaign whose lanes rest says so, in words for people, as long as something of it waits there."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlmodel import select

from models.campaign import Campaign
from models.delivery import Delivery
from models.identity import Identity
from models.states import DeliveryState
from scheduler.pacer import Pacer
from scheduler.pacing import Pace
from scheduler.upkeep import tell_problems
from store import Database, campaigns, throttles
from store.deliveries import Lane
from tests.clocks import ManualClock
from tests.scheduler.ledgers import a_running_campaign
from tests.scheduler.paces import a_pacer, learn, permit_of, put_off
from web.borrowed import say_borrowed
from web.i18n import Tongue

RATE = put_off("421 4.7.28 Gmail has detected an unusual rate of mail originating from your IP address")


async def problem_of(database: Database, clock: ManualClock, number: int) -> str:
    async with database.read() as session:
        campaign = await campaigns.get_campaign(session, number)
    await tell_problems(database, [campaign], {}, pace=Pace(), now=clock.now(), zone="Europe/Paris")
    async with database.read() as session:
        return (await campaigns.get_campaign(session, number)).problem


async def a_rest(database: Database, clock: ManualClock) -> Pacer:
    async with database.read() as session:
        identity = (await session.exec(select(Identity.id))).one()
    pacer = a_pacer(database, clock)
    await permit_of(pacer, "gmail", identity=identity)
    await learn(database, pacer, "gmail", [RATE], clock.now(), identity=identity)
    return pacer


async def test_a_campaign_says_who_rests_until_when_and_after_which_answer(
    database: Database, clock: ManualClock
) -> None:
    number = await a_running_campaign(database, "a@gmail.com", "b@sfr.fr")
    assert await problem_of(database, clock, number) == ""
    await a_rest(database, clock)
    told = await problem_of(database, clock, number)
    # Google's procedure: ten minutes, and a little more so that not everybody comes back at once.
    assert told.startswith("Gmail rests until 10:1")
    assert " after this answer: 421 4.7.28 Gmail has detected an unusual rate" in told
    french = say_borrowed(Tongue("fr", ZoneInfo("Europe/Paris")), told)
    assert french.startswith("Rien ne part vers Gmail avant 10:1")
    clock.advance(timedelta(hours=1))
    assert await problem_of(database, clock, number) == ""


async def test_a_rest_that_ends_on_another_day_is_told_with_its_day(
    database: Database, clock: ManualClock
) -> None:
    clock.advance(timedelta(hours=13, minutes=55))
    number = await a_running_campaign(database, "a@gmail.com")
    await a_rest(database, clock)
    assert (await problem_of(database, clock, number)).startswith("Gmail rests until 11/03 00:0")


async def test_a_campaign_that_is_done_with_a_provider_has_no_problem_with_it(
    database: Database, clock: ManualClock
) -> None:
    number = await a_running_campaign(database, "a@gmail.com", "b@sfr.fr")
    await a_rest(database, clock)
    async with database.write() as session:
        gone = sa.update(Delivery).where(sa.column("provider") == "gmail")
        await session.exec(gone.values(state=DeliveryState.ACCEPTED))
        assert (await session.exec(select(Campaign.id))).one() == number
    assert await problem_of(database, clock, number) == ""


async def test_a_campaign_that_is_halted_at_a_provider_says_so(
    database: Database, clock: ManualClock
) -> None:
    number = await a_running_campaign(database, "a@gmail.com", "b@sfr.fr")
    async with database.write() as session:
        lane = Lane((await session.exec(select(Identity.id))).one(), "gmail")
        await throttles.halt_lane(session, number, lane, clock.now() + timedelta(hours=1))
    told = await problem_of(database, clock, number)
    assert told == "Gmail gets no more of it for now: its incident says why."
    french = say_borrowed(Tongue("fr", ZoneInfo("Europe/Paris")), told)
    assert french == "Rien de plus n’en part vers Gmail pour l’instant : son incident dit pourquoi."
    clock.advance(timedelta(hours=1))
    assert await problem_of(database, clock, number) == ""
