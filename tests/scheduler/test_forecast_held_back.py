"""What waits for a canary, or for a person who halted a lane, is not foretold as if it left at once."""

from datetime import timedelta

import pytest

from models.campaign import UNTIL_TOLD
from models.canary import CanaryPlan
from scheduler.canary import watch_canaries
from scheduler.forecast import Forecast, ForecastOptions, forecast
from scheduler.pacing import Pace
from scheduler.upkeep import finish_if_done
from store import Database, canaries, throttles
from store.deliveries import Lane
from tests.clocks import START, ManualClock
from tests.factories import a_campaign, a_contact, an_identity
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all, launched

WAIT = timedelta(minutes=30)
OPTIONS = ForecastOptions(Pace(emails_per_second=1000, providers={"gmail": 1000, "orange": 1000}))
SOON = timedelta(minutes=2)


async def a_scene(database: Database, *, canary: bool, minutes: int | None = None) -> tuple[int, int]:
    """Forty people, half of them at Orange; the campaign's number and its sender's."""
    async with database.write() as session:
        for number in range(20):
            await a_contact(session, email=f"p{number}@gmail.com")
            await a_contact(session, email=f"p{number}@orange.fr")
        identity = await an_identity(session, emails_per_second=None)
        campaign = await a_campaign(session, senders=[identity], with_seeds=False)
        if minutes is not None:
            campaign.not_after = START + timedelta(minutes=minutes)
            session.add(campaign)
        if canary:
            await canaries.put(session, campaign.id, CanaryPlan(people=10, wait=WAIT))
    return campaign.id, identity.id


async def foretold(database: Database, campaign_id: int, clock: ManualClock) -> Forecast:
    async with database.read() as session:
        return await forecast(session, campaign_id, clock.now(), OPTIONS)


async def test_the_rest_begins_when_the_seeds_have_had_their_time(
    database: Database, clock: ManualClock
) -> None:
    campaign_id, _ = await a_scene(database, canary=True)
    before = await foretold(database, campaign_id, clock)
    await launched(database, campaign_id)
    running = await foretold(database, campaign_id, clock)
    for told in (before, running):
        assert told.messages == 40
        assert told.finishes_at is not None
        assert START + WAIT <= told.finishes_at <= START + WAIT + SOON
    transport = ScriptedTransport()
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    await finish_if_done(database, campaign_id, clock)
    await watch_canaries(database, clock)
    clock.advance(timedelta(minutes=10))
    waiting = await foretold(database, campaign_id, clock)
    assert 0 < waiting.messages == 40 - len(transport.sent)
    assert waiting.finishes_at is not None
    assert START + WAIT <= waiting.finishes_at <= START + WAIT + SOON


async def test_a_deadline_before_the_seeds_had_their_time_would_be_missed_by_the_rest(
    database: Database, clock: ManualClock
) -> None:
    campaign_id, _ = await a_scene(database, canary=True, minutes=20)
    told = await foretold(database, campaign_id, clock)
    assert told.missed == 30
    assert told.latest_start is None


@pytest.mark.parametrize("for_good", [True, False])
async def test_a_halted_lane_opens_when_it_was_said_or_nobody_knows_when(
    database: Database, clock: ManualClock, *, for_good: bool
) -> None:
    campaign_id, sender = await a_scene(database, canary=False)
    await launched(database, campaign_id)
    until = UNTIL_TOLD if for_good else START + timedelta(hours=2)
    async with database.write() as session:
        assert await throttles.halt_lane(session, campaign_id, Lane(sender, "orange"), until)
    told = await foretold(database, campaign_id, clock)
    ends = {part.provider: part.finishes_at for part in told.providers}
    assert ends["gmail"] is not None
    assert ends["gmail"] < START + SOON
    if for_good:
        assert ends["orange"] is told.finishes_at is None
    else:
        assert ends["orange"] is not None
        assert START + timedelta(hours=2) <= ends["orange"] < START + timedelta(hours=2) + SOON
