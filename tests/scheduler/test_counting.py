"""The conductor keeps the campaigns' counters up to date while it sends."""

import asyncio
from datetime import timedelta

from models.clock import SystemClock
from models.states import CampaignState, Channel, DeliveryState
from models.tokens import Tokens
from scheduler import Conductor, ConductorOptions, DispatchOptions
from scheduler.campaigns import schedule
from store import Database, campaigns, tallies
from store.tally_check import differences
from store.territory_counts import of_campaign, uncounted
from tests.factories import KEYRING, a_campaign, a_contact
from tests.scheduler.desks import FAST, ScriptedTransport

CLOCK = SystemClock()
PATIENCE_S = 30


async def test_counters_follow_what_is_sent_and_the_report_is_right_all_along(database: Database) -> None:
    async with database.write() as session:
        for number in range(40):
            await a_contact(session, email=f"p{number}@gmail.com", departement="75" if number % 2 else "13")
        campaign = await a_campaign(session)
        await schedule(session, campaign.id, CLOCK.now().replace(tzinfo=None), "UTC", CLOCK.now())
    conductor = Conductor(
        database,
        CLOCK,
        transports={Channel.EMAIL: ScriptedTransport()},
        tokens=Tokens(KEYRING),
        keyring=KEYRING,
        options=ConductorOptions(
            public_url="https://tocsin.exemple.fr/",
            dispatch=DispatchOptions(pace=FAST),
            sweep_every=timedelta(milliseconds=100),
            count_every=timedelta(milliseconds=100),
            count_places_every=timedelta(milliseconds=100),
        ),
    )
    working = asyncio.create_task(conductor.run())
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await _ended_and_counted(database, campaign.id):
                await asyncio.sleep(0.05)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    async with database.read() as session:
        assert await campaigns.progress(session, campaign.id) == {DeliveryState.ACCEPTED: 40}
        assert await differences(session, campaign.id) == []
        places = await of_campaign(session, campaign.id)
    assert {place: figures.arrived for place, figures in places.shown.items()} == {"13": 20, "75": 20}


async def _ended_and_counted(database: Database, campaign_id: int) -> bool:
    async with database.read() as session:
        state = (await campaigns.get_campaign(session, campaign_id)).state
        behind = await tallies.behind(session) + await uncounted(session)
        return state is CampaignState.FINISHED and behind == 0
