"""What single answers make the brakes do is told as incidents, where people would want to know."""

from datetime import timedelta

import pytest
from sqlmodel import select

from deliverability.classify import classify_reply
from models.incident import Incident, IncidentDeed, IncidentKind, IncidentLevel
from models.pace import Throttle
from models.states import CampaignState, Channel
from models.tally import Account, Tally
from models.values import Refused, Reply
from scheduler.breakers import Scales
from store import Database
from store.campaigns import get_campaign
from store.deliveries import Lane
from tests.clocks import START, ManualClock
from tests.deliverability.rows import a_launched_campaign, an_identity
from tests.scheduler.paces import TAKEN, a_pacer, an_identity_of, answered, learn, put_off

BLOCKED = Refused(Reply(550, "5.7.1", "5.7.1 Our system has detected that your IP is on a block list"))


async def incidents_of(database: Database) -> list[Incident]:
    async with database.read() as session:
        return list((await session.exec(select(Incident))).all())


async def a_sender(database: Database) -> int:
    async with database.write() as session:
        return (await an_identity(session)).id


async def test_a_sender_who_is_shut_out_is_an_incident_once(database: Database, clock: ManualClock) -> None:
    sender = await a_sender(database)
    pacer = a_pacer(database, clock)
    verdict = classify_reply(BLOCKED.reply, provider="orange", channel=Channel.EMAIL, permanent=True)
    assert verdict.bounce_class == "block"
    for _ in range(3):
        await learn(database, pacer, "orange", [BLOCKED] * 4, START, identity=sender)
    (incident,) = await incidents_of(database)
    assert (incident.kind, incident.level, incident.deed) == (
        IncidentKind.BLOCKED,
        IncidentLevel.RED,
        IncidentDeed.PAUSED,
    )
    assert (incident.identity_id, incident.provider) == (sender, "orange")
    assert incident.evidence["examples"][0]["text"].startswith("550 5.7.1")
    assert incident.until is not None
    assert incident.until > START


async def test_it_ends_by_itself_once_mail_is_taken_again(database: Database, clock: ManualClock) -> None:
    sender = await a_sender(database)
    pacer = a_pacer(database, clock)
    await learn(database, pacer, "orange", [BLOCKED] * 4, START, identity=sender)
    later = START + timedelta(hours=1)
    await Scales(database).weigh(later)
    (incident,) = await incidents_of(database)
    assert incident.ended_at is None, "half-open: nobody knows yet"
    async with database.write() as session:
        for row in (await session.exec(select(Throttle))).all():
            await session.delete(row)
    await Scales(database).weigh(later)
    (incident,) = await incidents_of(database)
    assert (incident.ended_at, incident.ended_by) == (later, "")


async def test_ordinary_slowing_is_no_incident(database: Database, clock: ManualClock) -> None:
    sender = await a_sender(database)
    pacer = a_pacer(database, clock)
    await learn(
        database, pacer, "orange", [put_off("421 4.7.0 too many messages"), TAKEN], START, identity=sender
    )
    assert await incidents_of(database) == []


async def test_what_became_of_messages_is_recorded_even_if_their_sender_is_gone(
    database: Database, clock: ManualClock
) -> None:
    await learn(database, a_pacer(database, clock), "orange", [BLOCKED] * 4, START, identity=404)
    assert await incidents_of(database) == []


@pytest.mark.parametrize("share", [1.0, 0.1])
async def test_a_campaign_that_is_held_is_an_incident(
    database: Database, clock: ManualClock, share: float
) -> None:
    async with database.write() as session:
        sender = (await an_identity(session)).id
        campaign = await a_launched_campaign(session)
    spam = Refused(Reply(554, "5.7.1", "5.7.1 message refused as spam"))
    outcomes = [spam if number < 60 * share else TAKEN for number in range(60)]
    results = [answered("orange", one, identity=sender, campaign=campaign.id) for one in outcomes]
    pacer = a_pacer(database, clock)
    async with database.write() as session:
        await pacer.learn(session, Lane(sender, "orange"), an_identity_of(sender), results, START)
    found = await incidents_of(database)
    async with database.read() as session:
        paused = (await get_campaign(session, campaign.id)).state is CampaignState.PAUSED
    assert bool(found) is paused is (share > 0.5)
    if found:
        assert (found[0].campaign_id, found[0].reason) == (campaign.id, "held")


async def test_one_that_breakers_weigh_too_ends_once_its_brake_is_gone(
    database: Database, clock: ManualClock
) -> None:
    scene_sender = await a_sender(database)
    await learn(database, a_pacer(database, clock), "orange", [BLOCKED] * 4, START, identity=scene_sender)
    async with database.write() as session:
        campaign = await a_launched_campaign(session)
        campaign.launched_at = START
        session.add(campaign)
        heard = (
            (Account.SAID, 0, "refused|block|provider|550|5.7.1"),
            (Account.NEWS, scene_sender, "refused"),
        )
        for account, identity_id, word in heard:
            counter = Tally(
                campaign_id=campaign.id,
                account=account,
                identity_id=identity_id,
                provider="orange",
                word=word,
                shard=0,
                count=4,
            )
            session.add(counter)
    scales = Scales(database)
    await scales.weigh(START)
    later = START + timedelta(hours=1)
    await scales.weigh(later)
    (incident,) = await incidents_of(database)
    assert incident.evidence["breaker"] == "blocks"
    assert incident.ended_at is None, "half-open: nobody knows yet"
    async with database.write() as session:
        for row in (await session.exec(select(Throttle))).all():
            await session.delete(row)
    await scales.weigh(later)
    (incident,) = await incidents_of(database)
    assert incident.ended_at == later
