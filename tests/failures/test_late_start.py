"""Nothing ran when a campaign's moment came: three hours later it is sent, skipped or asked about."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from models.clock import SystemClock
from models.states import CampaignState, LatePolicy
from store import campaigns
from tests.crash.scene import Scene

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("policy", "state"),
    [
        (LatePolicy.SEND, CampaignState.FINISHED),
        (LatePolicy.SKIP, CampaignState.CANCELLED),
        (LatePolicy.ASK, CampaignState.PAUSED),
    ],
)
async def test_a_late_start_is_what_the_campaign_says(
    a_scene: Callable[..., Scene], policy: LatePolicy, state: CampaignState
) -> None:
    scene = a_scene(people=20)
    await scene.set_up()
    async with scene.database.write() as session:
        campaign = await campaigns.get_campaign(session, scene.campaign_id)
        campaign.late_policy, campaign.late_minutes = policy, 60
        session.add(campaign)
    late = SystemClock().now() + timedelta(hours=3)
    worker = scene.start(clock_from=late.isoformat())
    async with asyncio.timeout(60):
        while (campaign := await scene.campaign()).state is not state:
            assert worker.is_running, scene.told()
            await asyncio.sleep(0.1)
    if policy is LatePolicy.SEND:
        await scene.check_end()
    else:
        assert "nothing ran then" in campaign.problem
        assert await scene.sink.arrivals() == {}
