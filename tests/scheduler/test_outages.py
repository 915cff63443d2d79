"""Our own mail server is down: messages wait, nobody is blamed, and it is told in one line."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from models.delivery import Delivery
from models.event import Event
from models.pace import PaceRow
from models.states import BounceClass, Channel, DeliveryState, EventKind, Fault, Permanence
from models.values import Deferred, Outcome, Reply, Uncertain
from scheduler.campaigns import pause as pause_campaign
from scheduler.campaigns import resume
from scheduler.dispatch import Dispatcher
from scheduler.outages import FIRST_PAUSE, LOST_IN_A_ROW, Outages, Way
from scheduler.pacer import Pacer, Permit
from scheduler.pacing import Pace, from_microseconds, to_microseconds
from scheduler.upkeep import tell_problems
from store import Database, campaigns
from tests.clocks import START, ManualClock
from tests.scheduler.desks import TAKEN, ScriptedTransport, a_dispatcher, drain_all
from tests.scheduler.ledgers import a_running_campaign

DOWN = Deferred(
    Reply(None, None, "The mail server relay.example:587 cannot be reached: connection refused."),
    unreached=True,
)
BUSY = Deferred(Reply(451, "4.3.0", "later"))
PEOPLE = [f"{name}@{host}" for host in ("gmail.com", "orange.fr") for name in "abcdefghijkl"]


class Relay(ScriptedTransport):
    """Up or down for everybody alike."""

    def shut(self, outcome: Outcome = DOWN, *hosts: str) -> None:
        self.answers = {each: outcome for each in PEOPLE if not hosts or each.endswith(hosts)}


async def rows(database: Database) -> list[Delivery]:
    async with database.read() as session:
        return list((await session.exec(select(Delivery))).all())


async def events(database: Database) -> list[Event]:
    async with database.read() as session:
        return list((await session.exec(select(Event))).all())


async def pace_row(database: Database, key: str) -> int | None:
    async with database.read() as session:
        return (await session.exec(select(PaceRow.arrival_us).where(PaceRow.key == key))).first()


async def shut_until(database: Database, key: str = "relay:email") -> datetime:
    arrival = await pace_row(database, key)
    assert arrival is not None
    return from_microseconds(arrival)


async def problem_of(database: Database, campaign_id: int, dispatcher: Dispatcher) -> str:
    async with database.read() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
    await tell_problems(database, [campaign], dispatcher.obstacles, pace=Pace(), now=START, zone="UTC")
    async with database.read() as session:
        return (await campaigns.get_campaign(session, campaign_id)).problem


@pytest.fixture
async def campaign_id(database: Database) -> int:
    """A campaign to a dozen people at each of two providers, on its way."""
    return await a_running_campaign(database, *PEOPLE)


async def test_no_more_than_one_group_a_lane_is_tried_and_the_rest_waits_uncounted(
    database: Database, clock: ManualClock, campaign_id: int
) -> None:
    relay = Relay()
    relay.shut()
    dispatcher = a_dispatcher(database, relay, clock)
    await drain_all(database, dispatcher, clock.now())
    tried = len(relay.sent)
    assert 1 <= tried <= 16
    await drain_all(database, dispatcher, clock.now())
    assert len(relay.sent) == tried
    found = await rows(database)
    assert sum(row.attempts for row in found) == tried
    assert {row.state for row in found} <= {DeliveryState.QUEUED, DeliveryState.DEFERRED}
    assert all(row.first_attempt_at is None for row in found if row.attempts == 0)
    told = await problem_of(database, campaign_id, dispatcher)
    again = await shut_until(database)
    assert told == f"{DOWN.reply.text} Messages wait; it is tried again at {again:%H:%M}."


async def test_it_is_tried_with_one_message_less_and_less_often_until_it_answers(
    database: Database, clock: ManualClock, campaign_id: int
) -> None:
    relay = Relay()
    relay.shut()
    dispatcher = a_dispatcher(database, relay, clock)
    await drain_all(database, dispatcher, clock.now())
    for pause in (30, 60, 120, 240, 300, 300):
        until = await shut_until(database)
        # The clock goes on a little while messages take their places.
        assert pause - 3 <= (until - clock.now()).total_seconds() <= pause
        tried = len(relay.sent)
        clock.advance(until - clock.now() - timedelta(seconds=4))
        await drain_all(database, dispatcher, clock.now())
        assert len(relay.sent) == tried
        clock.advance(until - clock.now())
        await drain_all(database, dispatcher, clock.now())
        assert len(relay.sent) == tried + 1
    relay.answers.clear()
    clock.advance(timedelta(minutes=5))
    for _ in range(3):
        await drain_all(database, dispatcher, clock.now())
        clock.advance(timedelta(seconds=1))
    assert {row.state for row in await rows(database)} == {DeliveryState.ACCEPTED}
    assert await problem_of(database, campaign_id, dispatcher) == ""


async def test_an_answer_opens_the_way_and_a_later_outage_begins_with_half_a_minute(
    database: Database, clock: ManualClock, campaign_id: int
) -> None:
    assert campaign_id
    relay = Relay()
    relay.shut()
    dispatcher = a_dispatcher(database, relay, clock)
    await drain_all(database, dispatcher, clock.now())
    clock.advance(timedelta(seconds=30))
    await drain_all(database, dispatcher, clock.now())
    relay.shut(BUSY)
    clock.advance(timedelta(seconds=60))
    await drain_all(database, dispatcher, clock.now())
    assert await shut_until(database) <= clock.now()
    relay.shut()
    clock.advance(timedelta(hours=5))
    await drain_all(database, dispatcher, clock.now())
    assert 27 <= (await shut_until(database) - clock.now()).total_seconds() <= 30


async def test_nobody_is_blamed_for_what_never_left_the_house(
    database: Database, clock: ManualClock, campaign_id: int
) -> None:
    assert campaign_id
    relay = Relay()
    relay.shut()
    await drain_all(database, a_dispatcher(database, relay, clock), clock.now())
    found = await events(database)
    assert found
    for event in found:
        assert event.kind is EventKind.DEFERRED
        assert (event.bounce_class, event.fault, event.permanence) == (
            BounceClass.TRANSIENT,
            Fault.RELAY,
            Permanence.SOFT,
        )
        assert event.provider in {"gmail", "orange"}
    assert await pace_row(database, "provider:gmail") != to_microseconds(clock.now() + timedelta(minutes=5))


async def test_a_route_of_its_own_that_is_shut_holds_up_nobody_else(
    database: Database, clock: ManualClock, campaign_id: int
) -> None:
    relay = Relay(routes=frozenset({"orange"}))
    relay.shut(DOWN, "orange.fr")
    dispatcher = a_dispatcher(database, relay, clock)
    await drain_all(database, dispatcher, clock.now())
    states = {(row.provider, row.state) for row in await rows(database)}
    assert {state for provider, state in states if provider == "gmail"} == {DeliveryState.ACCEPTED}
    assert DeliveryState.ACCEPTED not in {state for provider, state in states if provider == "orange"}
    assert await pace_row(database, "relay:email") is None
    assert await pace_row(database, "relay:email:orange") is not None
    assert "cannot be reached" in await problem_of(database, campaign_id, dispatcher)


async def test_a_service_that_has_just_started_asks_for_itself(
    database: Database, clock: ManualClock, campaign_id: int
) -> None:
    assert campaign_id
    relay = Relay()
    relay.shut()
    await drain_all(database, a_dispatcher(database, relay, clock), clock.now())
    relay.answers.clear()
    relay.sent.clear()
    await drain_all(database, a_dispatcher(database, relay, clock), clock.now())
    assert len(relay.sent) > 8


async def test_a_pause_while_a_message_is_about_to_find_out_does_not_leave_the_way_shut(
    database: Database, clock: ManualClock, campaign_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = Relay()
    relay.shut()
    dispatcher = a_dispatcher(database, relay, clock)
    await drain_all(database, dispatcher, clock.now())
    relay.answers = {}
    clock.advance(timedelta(minutes=5))
    really = Pacer.reserve
    asked = False

    async def in_a_while(pacer: Pacer, permit: Permit, count: int, *, latest: datetime) -> Sequence[datetime]:
        """Moments far enough ahead for the campaign to be asked again, which is paused before they come."""
        nonlocal asked
        await really(pacer, permit, count, latest=latest)
        if not asked:  # several lanes come by at once: one of them pauses
            asked = True
            async with database.write() as session:
                await pause_campaign(session, campaign_id, clock.now())
        return [clock.now() + timedelta(seconds=3)] * count

    with monkeypatch.context() as slowly:
        slowly.setattr(Pacer, "reserve", in_a_while)
        await drain_all(database, dispatcher, clock.now())
    async with database.write() as session:
        await resume(session, campaign_id, clock.now())
    for _ in range(3):
        clock.advance(timedelta(hours=1))
        await drain_all(database, dispatcher, clock.now())
    assert {row.state for row in await rows(database)} == {DeliveryState.ACCEPTED}


def test_message_after_message_without_an_answer_shuts_the_way_and_any_answer_counts_anew() -> None:
    outages, way = Outages(), Way(Channel.EMAIL)
    lost = Uncertain(Reply(None, None, "The connection was lost."))
    for answer in (TAKEN, BUSY):
        for _ in range(LOST_IN_A_ROW - 1):
            assert not outages.learn(way, lost, 1, START)
        assert not outages.learn(way, answer, 1, START)
    assert not outages.knows(way)
    assert [outages.learn(way, lost, 1, START) for _ in range(LOST_IN_A_ROW)][-1]
    assert outages.is_shut(way, START)
    # Others that were on their way by then make it no longer; they, too, let nothing follow.
    assert outages.learn(way, lost, 1, START)
    assert outages.reopens_at(way) == START + FIRST_PAUSE
    (told,) = dict(outages.told()).values()
    assert told.startswith("Message after message is left without an answer: The connection was lost. ")
    later = START + FIRST_PAUSE
    assert outages.enter(way, later)
    assert not outages.enter(way, later)
    assert outages.learn(way, lost, 1, later)
    assert outages.reopens_at(way) == later + 2 * FIRST_PAUSE
    assert outages.enter(way, later + 2 * FIRST_PAUSE)
    assert not outages.learn(way, TAKEN, 1, later + 2 * FIRST_PAUSE)
    assert not outages.knows(way)
    assert not outages.learn(way, lost, 1, later)
