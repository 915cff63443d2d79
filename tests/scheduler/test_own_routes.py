"""Providers that have a server of their own: what is told and foretold of them is not the relay's affair."""

from collections.abc import Collection
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlmodel import select

from models.identity import Identity
from models.pace import BreakerState, LimitScope, Measure, Throttle
from models.states import Channel
from scheduler.lanes_ahead import look_ahead
from scheduler.outages import Way
from scheduler.pacing import Pace
from scheduler.portions import tell_used_up
from scheduler.rests import tell_rests
from store import Database, campaigns
from tests.clocks import START, ManualClock
from tests.scheduler.ledgers import a_running_campaign
from tests.scheduler.paces import a_pacer, learn, permit_of, put_off, set_limit
from web.borrowed import say_borrowed
from web.i18n import Tongue

ROUTED = Pace(routes=frozenset({"orange"}))
ZONE = "Europe/Paris"


async def sender_of(database: Database) -> int:
    async with database.read() as session:
        return (await session.exec(select(Identity.id))).one()


async def told_by(database: Database, clock: ManualClock, pace: Pace, numbers: Collection[int]) -> list[str]:
    told: list[str] = []
    async with database.read() as session:
        sending = [await campaigns.get_campaign(session, number) for number in numbers]
        rests = await tell_rests(session, sending, pace, clock.now(), ZONE)
        for campaign in sending:
            told += [*rests.get(campaign.id, ())]
            told += await tell_used_up(session, campaign, pace, clock.now(), ZONE)
    return told


async def shut(database: Database, key: str) -> None:
    async with database.write() as session:
        session.add(
            Throttle(
                key=key,
                state=BreakerState.OPEN,
                opens_at=START + timedelta(minutes=30),
                reason="421 closed",
                changed_at=START,
            )
        )


def test_only_e_mail_takes_a_route() -> None:
    assert ROUTED.way(Channel.EMAIL, "orange") == Way(Channel.EMAIL, "orange")
    assert ROUTED.way(Channel.EMAIL, "gmail") == Pace().way(Channel.EMAIL, "orange") == Way(Channel.EMAIL)
    assert ROUTED.way(Channel.SMS, "orange") == Way(Channel.SMS)


async def test_a_relay_at_rest_is_told_of_what_goes_over_it_and_of_nothing_else(
    database: Database, clock: ManualClock
) -> None:
    number = await a_running_campaign(database, "a@orange.fr")
    await shut(database, "relay:email")
    told = "Our own way out rests until 10:30 after this answer: 421 closed"
    assert await told_by(database, clock, Pace(), [number]) == [told]
    assert await told_by(database, clock, ROUTED, [number]) == []


async def test_a_route_at_rest_is_told_by_its_name(database: Database, clock: ManualClock) -> None:
    numbers = [await a_running_campaign(database, "a@orange.fr", "b@gmail.com")]
    await shut(database, "relay:email:orange")
    (told,) = await told_by(database, clock, ROUTED, numbers)
    assert told == "Our own way out to Orange rests until 10:30 after this answer: 421 closed"
    french = say_borrowed(Tongue("fr", ZoneInfo(ZONE)), told)
    assert (
        french
        == "Notre propre voie vers Orange fait une pause jusqu’à 10:30 après cette réponse : 421 closed"
    )
    assert await told_by(database, clock, Pace(), numbers) == []


async def test_a_day_of_the_relay_that_is_used_up_keeps_nothing_of_a_route_back(
    database: Database, clock: ManualClock
) -> None:
    number = await a_running_campaign(database, "a@orange.fr")
    await set_limit(database, LimitScope.RELAY, "email", Measure.PER_DAY, 1)
    pacer = a_pacer(database, clock)
    permit = await permit_of(pacer, "gmail", identity=await sender_of(database))
    assert len(await pacer.reserve(permit, 1)) == 1
    assert len(await told_by(database, clock, Pace(), [number])) == 1
    assert await told_by(database, clock, ROUTED, [number]) == []


async def test_the_forecast_holds_a_route_to_its_own_limits(database: Database, clock: ManualClock) -> None:
    await a_running_campaign(database, "a@orange.fr")
    lane = (await sender_of(database), "orange")
    await set_limit(database, LimitScope.RELAY, "email", Measure.PER_MINUTE, 2)
    await shut(database, "relay:email")
    async with database.read() as session:
        shared = (await look_ahead(session, [lane], Pace(), ZONE, clock.now())).lanes[lane]
        own = (await look_ahead(session, [lane], ROUTED, ZONE, clock.now())).lanes[lane]
    assert "relay:email" in shared.rates
    assert shared.opens_at == START + timedelta(minutes=30)
    assert own.opens_at is None
    assert not [key for key in own.rates if key.startswith("relay:")]


async def test_what_was_answered_on_a_route_brakes_the_route_where_nothing_was_sent_before(
    database: Database, clock: ManualClock
) -> None:
    """As of a journal that another worker left: this one has asked for no permit yet."""
    pacer = a_pacer(database, clock, ROUTED)
    await learn(database, pacer, "orange", [put_off("421 4.7.0 Too many connections")], clock.now())
    direct = await permit_of(pacer, "orange", way=Way(Channel.EMAIL, "orange"))
    assert direct.connections == 1
    assert "relay:email" not in {limit.key for limit in (await permit_of(pacer, "gmail")).limits}


async def test_the_forecast_takes_no_row_of_a_clock_that_was_set_back_for_an_hours_rest(
    database: Database, clock: ManualClock
) -> None:
    await a_running_campaign(database, "a@orange.fr")
    lane = (await sender_of(database), "orange")
    pacer = a_pacer(database, clock)
    await pacer.reserve(await permit_of(pacer, "orange", identity=lane[0]), 4)
    async with database.read() as session:
        usual = (await look_ahead(session, [lane], Pace(), ZONE, clock.now())).lanes[lane]
        clock.advance(timedelta(hours=-1))
        later = (await look_ahead(session, [lane], Pace(), ZONE, clock.now())).lanes[lane]
    assert usual.opens_at is not None
    assert later.opens_at is None
