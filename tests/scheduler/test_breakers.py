"""Breakers act on the right scope, once, on numbers that mean something; and a person can take it back."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from models.campaign import UNTIL_TOLD, Campaign, CampaignLane
from models.event import event_about
from models.incident import IncidentDeed, IncidentKind, IncidentLevel
from models.pace import BreakerState, Throttle
from models.states import (
    BounceClass,
    CampaignState,
    DeliveryState,
    EventKind,
    Fault,
    Permanence,
)
from models.suppression import Suppression
from models.tally import Account, Tally
from models.values import Reply, Verdict
from scheduler.breakers import Scales
from scheduler.incidents import close_incident, open_incident
from scheduler.undoing import let_go_on
from store import Database, throttles
from store.claims import claim_due
from store.deliveries import Lane, due_lanes
from store.tally_fold import advance
from tests.clocks import START
from tests.deliverability.rows import a_delivery
from tests.scheduler.scales import MINUTE, Scene, a_scene, place


@pytest.fixture
async def scene(database: Database) -> Scene:
    return await a_scene(database)


async def test_too_many_dead_addresses_lay_the_lane_to_rest_and_say_so_once(scene: Scene) -> None:
    await scene.bounce(40, 400)
    await scene.weigh()
    await scene.weigh(1)
    (incident,) = await scene.incidents()
    assert (incident.kind, incident.level, incident.deed) == (
        IncidentKind.HARD_BOUNCES,
        IncidentLevel.RED,
        IncidentDeed.STOPPED,
    )
    assert (incident.part, incident.whole, incident.provider) == (40, 400, "orange")
    assert incident.evidence["examples"][0]["text"].startswith("no: refused|no_such_address")
    brake = await scene.brake()
    assert brake is not None
    assert (brake.state, brake.opens_at) == (BreakerState.OPEN, START + timedelta(hours=12))
    assert incident.until == brake.opens_at


async def test_few_messages_are_told_and_nothing_else_happens(scene: Scene) -> None:
    await scene.bounce(60, 120)
    await scene.weigh()
    (incident,) = await scene.incidents()
    assert (incident.level, incident.deed) == (IncidentLevel.AMBER, IncidentDeed.TOLD)
    assert await scene.brake() is None
    assert await scene.state() is CampaignState.SENDING


async def test_what_gets_worse_is_acted_upon(scene: Scene) -> None:
    await scene.bounce(20, 400)
    await scene.weigh()
    assert await scene.brake() is None
    await scene.bounce(60, 800)
    await scene.weigh(1)
    (incident,) = await scene.incidents()
    assert (incident.level, incident.deed) == (IncidentLevel.RED, IncidentDeed.STOPPED)
    assert [step["what"] for step in incident.evidence["steps"]] == ["opened", "worse"]
    assert await scene.brake() is not None


async def test_five_per_cent_in_any_five_hundred_pause_the_campaign(scene: Scene) -> None:
    await scene.bounce(0, 3000)
    await scene.weigh()
    await scene.bounce(30, 3520)  # 0.9 % of all, 5.8 % of the last 520
    await scene.weigh(1)
    (incident,) = await scene.of_campaign()
    assert (incident.campaign_id, incident.deed) == (scene.campaign.id, IncidentDeed.PAUSED)
    assert (incident.part, incident.whole) == (30, 520)
    assert await scene.state() is CampaignState.PAUSED


async def test_what_a_relay_took_and_sent_back_pauses_the_campaign(scene: Scene) -> None:
    for bounced, state in ((240, CampaignState.SENDING), (300, CampaignState.PAUSED)):
        said = [("bounced|no_such_address|recipient|550|5.1.1", bounced)]
        # Of small domains alone, for which nothing else would stop.
        await scene.count("other", said, accepted=5000, bounced=bounced)
        await scene.weigh()
        assert await scene.state() is state
    assert {one.evidence["last"] for one in await scene.of_campaign()} == {0}


async def test_complaints_slow_then_rest(scene: Scene) -> None:
    await scene.count(accepted=10_000, complained=12)
    await scene.weigh()
    brake = await scene.brake()
    assert brake is not None
    assert (brake.state, brake.factor) == (BreakerState.CLOSED, 0.5)
    await scene.count(accepted=10_000, complained=25)
    await scene.weigh(1)
    (incident,) = await scene.incidents()
    assert incident.deed is IncidentDeed.STOPPED
    brake = await scene.brake()
    assert brake is not None
    assert brake.state is BreakerState.OPEN


async def test_a_rest_under_way_is_lengthened_and_not_doubled(scene: Scene) -> None:
    async with scene.database.write() as session:
        row = Throttle(key=f"lane:{scene.identity.id}:orange", state=BreakerState.OPEN, changed_at=START)
        row.opens_at, row.trips, row.rule = START + 15 * MINUTE, 1, "some-rule"
        session.add(row)
    await scene.bounce(40, 400)
    await scene.weigh()
    brake = await scene.brake()
    assert brake is not None
    assert (brake.opens_at, brake.trips, brake.rule) == (START + timedelta(hours=12), 1, "some-rule")


async def test_deferrals_do_not_slow_what_rests_for_its_provider(scene: Scene) -> None:
    async with scene.database.write() as session:
        row = Throttle(key="provider:orange", state=BreakerState.OPEN, changed_at=START)
        row.opens_at = START + 90 * MINUTE
        session.add(row)
    await scene.count(accepted=500, refused=0, deferred=400)
    await scene.weigh()
    (incident,) = await scene.incidents()
    assert (incident.deed, incident.until) == (IncidentDeed.PAUSED, START + 90 * MINUTE)
    assert await scene.brake() is None


async def test_small_domains_of_many_owners_are_only_told_of(scene: Scene) -> None:
    await scene.bounce(200, 1000, provider="other")
    await scene.weigh()
    of_lane = await scene.incidents()
    assert [(one.level, one.deed) for one in of_lane] == [(IncidentLevel.AMBER, IncidentDeed.TOLD)]
    assert await scene.brake("other") is None


async def test_an_incident_ends_by_itself_over_new_messages(scene: Scene) -> None:
    await scene.bounce(40, 400)
    await scene.weigh()
    await scene.bounce(41, 590)
    await scene.weigh(1)
    assert (await scene.incidents())[0].ended_at is None
    await scene.bounce(42, 600)
    await scene.weigh(2)
    (incident,) = await scene.incidents()
    assert (incident.ended_at, incident.ended_by) == (START + 2 * MINUTE, "")
    # What is over is not held against anybody again, though all together it is still 7 %.
    await scene.bounce(42, 601)
    await scene.weigh(3)
    assert len(await scene.incidents()) == 1


async def test_as_bad_again_is_acted_upon_again(scene: Scene) -> None:
    await scene.bounce(40, 400)
    await scene.weigh()
    later = 12 * 60 + 5
    await scene.bounce(80, 800)
    await scene.weigh(later)
    (incident,) = await scene.incidents()
    assert [step["what"] for step in incident.evidence["steps"]] == ["opened", "again"]
    brake = await scene.brake()
    assert brake is not None
    assert brake.opens_at is not None
    assert brake.opens_at > START + later * MINUTE


async def test_a_person_lets_it_go_on_and_it_does_not_trip_over_the_same_figures(scene: Scene) -> None:
    await scene.bounce(40, 400)
    await scene.weigh()
    (incident,) = await scene.incidents()
    async with scene.database.write() as session:
        await let_go_on(session, incident.id, by="Ana", now=START + MINUTE, note="old list, cleaned")
    assert await scene.brake() is None
    for minute in (2, 3):
        await scene.weigh(minute)
        await scene.bounce(40, 400 + minute)
    (incident,) = await scene.incidents()
    assert incident.ended_by == "Ana"
    assert incident.evidence["steps"][-1]["note"] == "old list, cleaned"
    assert await scene.brake() is None
    await scene.bounce(90, 800)
    await scene.weigh(5)
    assert await scene.brake() is not None


async def test_closing_leaves_what_was_done(scene: Scene) -> None:
    await scene.bounce(40, 400)
    await scene.weigh()
    (incident,) = await scene.incidents()
    async with scene.database.write() as session:
        assert await close_incident(session, incident.id, by="Ana", now=START)
        assert not await close_incident(session, incident.id, by="Ana", now=START)
    assert await scene.brake() is not None


async def test_a_campaign_that_was_paused_is_resumed_by_letting_it_go_on(scene: Scene) -> None:
    await scene.bounce(0, 3000)
    await scene.weigh()
    await scene.bounce(30, 3520)
    await scene.weigh(1)
    (incident,) = await scene.of_campaign()
    async with scene.database.write() as session:
        await let_go_on(session, incident.id, by="Ana", now=START + 2 * MINUTE)
    assert await scene.state() is CampaignState.SENDING


async def test_seeds_in_spam_halt_the_campaign_there_and_nowhere_else(scene: Scene) -> None:
    async with scene.database.write() as session:
        session.add(
            CampaignLane(campaign_id=scene.campaign.id, identity_id=scene.identity.id, provider="gmail")
        )
        for provider in ("orange", "gmail"):
            waiting = await a_delivery(
                session,
                campaign=scene.campaign,
                identity=scene.identity,
                provider=provider,
                state=DeliveryState.QUEUED,
            )
            waiting.due_at = START
            session.add(waiting)
    await place(scene, EventKind.PLACED_SPAM, EventKind.PLACED_SPAM, EventKind.PLACED_INBOX)
    await scene.weigh()
    (incident,) = await scene.incidents()
    assert (incident.kind, incident.deed, incident.campaign_id) == (
        IncidentKind.SPAM_PLACEMENT,
        IncidentDeed.STOPPED,
        scene.campaign.id,
    )
    async with scene.database.read() as session:
        lanes = (await session.exec(select(CampaignLane).order_by(col(CampaignLane.provider)))).all()
        assert [lane.halted_until for lane in lanes] == [None, UNTIL_TOLD]
        assert [lane.provider for lane in await due_lanes(session, START + MINUTE)] == ["gmail"]
    async with scene.database.write() as session:
        await let_go_on(session, incident.id, by="Ana", now=START + MINUTE)
    async with scene.database.read() as session:
        assert len(await due_lanes(session, START + MINUTE)) == 2
    await scene.weigh(3)
    await scene.weigh(4)
    assert len(await scene.incidents()) == 1


async def test_one_answer_that_shuts_the_sender_out_stops_it_there(scene: Scene) -> None:
    await scene.count(said=[("bounced|auth|identity|550|5.7.515", 1)], accepted=5000, bounced=1)
    await scene.weigh()
    (incident,) = await scene.incidents()
    assert (incident.kind, incident.deed) == (IncidentKind.BLOCKED, IncidentDeed.STOPPED)


async def test_what_single_answers_did_is_not_done_again(scene: Scene) -> None:
    key = f"lane:{scene.identity.id}:orange"
    async with scene.database.write() as session:
        row = Throttle(key=key, state=BreakerState.OPEN, changed_at=START, trips=1)
        row.opens_at = START + 15 * MINUTE
        session.add(row)
        await open_incident(
            session,
            IncidentKind.BLOCKED,
            IncidentLevel.RED,
            identity_id=scene.identity.id,
            provider="orange",
            evidence={"brake": key, "undo": [{"do": "brake", "key": key}]},
            until=row.opens_at,
            now=START,
        )
    await scene.count(said=[("refused|block|provider|550|5.7.1", 9)], accepted=100, refused=9)
    await scene.weigh(1)
    await scene.weigh(2)
    brake = await scene.brake()
    assert brake is not None
    assert brake.opens_at == START + 15 * MINUTE
    await scene.count(said=[("refused|block|provider|550|5.7.1", 19)], accepted=100, refused=19)
    await scene.weigh(20)
    (incident,) = await scene.incidents()
    assert incident.evidence["steps"][-1]["what"] == "again"
    assert incident.until is not None
    assert incident.until >= START + timedelta(hours=24)


async def test_many_workers_open_one_incident_and_act_once(scene: Scene) -> None:
    await scene.bounce(40, 400)
    others = [Scales(scene.database) for _ in range(6)]
    await asyncio.gather(*(one.weigh(START) for one in others))
    (incident,) = await scene.incidents()
    assert incident.evidence["acts"] == 1
    brake = await scene.brake()
    assert brake is not None
    assert brake.trips == 1


async def test_nobody_is_ever_suppressed_by_a_breaker(scene: Scene) -> None:
    await scene.bounce(400, 500)
    await scene.weigh()
    async with scene.database.read() as session:
        assert (await session.exec(select(Suppression))).all() == []


async def test_nothing_is_read_while_nothing_has_changed(scene: Scene) -> None:
    await scene.bounce(1, 1000)
    await scene.weigh()
    async with scene.database.write() as session:  # without moving the mark
        await session.exec(sa.update(Tally).where(col(Tally.account) == Account.SAID).values(count=500))
        await session.exec(sa.update(Tally).where(col(Tally.account) == Account.HARD).values(count=500))
    assert await scene.weigh(1) == 0
    assert await scene.incidents() == []


async def test_an_incident_of_a_campaign_long_over_ends(scene: Scene) -> None:
    await scene.bounce(60, 120)
    await scene.weigh()
    async with scene.database.write() as session:
        change = {"state": CampaignState.FINISHED, "finished_at": START}
        await session.exec(sa.update(Campaign).values(**change))
    await scene.weigh(60 * 24 * 8)
    (incident,) = await scene.incidents()
    assert incident.ended_at is not None


async def test_real_events_are_weighed_once_they_are_counted(scene: Scene) -> None:
    verdict = Verdict(BounceClass.NO_SUCH_ADDRESS, Fault.RECIPIENT, Permanence.HARD, "status")
    async with scene.database.write() as session:
        for number in range(220):
            bad = number % 8 == 0
            delivery = await a_delivery(
                session,
                campaign=scene.campaign,
                identity=scene.identity,
                provider="orange",
                state=DeliveryState.REFUSED if bad else DeliveryState.ACCEPTED,
            )
            told = event_about(
                delivery,
                EventKind.REFUSED if bad else EventKind.ACCEPTED,
                source="test",
                source_id=str(number),
                at=START,
                now=START,
                reply=Reply(550, "5.1.1", "5.1.1 nobody here") if bad else None,
                verdict=verdict if bad else None,
            )
            session.add(told)
    await scene.weigh()
    assert await scene.incidents() == []
    await advance(scene.database)
    await scene.weigh()
    (incident,) = await scene.incidents()
    assert (incident.part, incident.whole, incident.deed) == (28, 220, IncidentDeed.STOPPED)
    assert incident.evidence["examples"][0]["text"] == "5.1.1 nobody here"


async def test_what_was_halted_is_not_claimed_by_who_drains_the_lane(scene: Scene) -> None:
    lane = Lane(scene.identity.id, "orange")
    async with scene.database.write() as session:
        waiting = await a_delivery(
            session,
            campaign=scene.campaign,
            identity=scene.identity,
            provider="orange",
            state=DeliveryState.QUEUED,
        )
        waiting.due_at = START
        session.add(waiting)
        await throttles.halt_lane(session, scene.campaign.id, lane, START + MINUTE)
    claim = {"lane": lane, "token": "t" * 32, "lease": MINUTE, "limit": 10}
    async with scene.database.write() as session:
        assert await claim_due(session, now=START, **claim) == []  # type: ignore[arg-type]
        assert len(await claim_due(session, now=START + MINUTE, **claim)) == 1  # type: ignore[arg-type]
