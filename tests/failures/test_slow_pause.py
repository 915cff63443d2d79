"""A pause at a slow pace: what waits for its moment stays, however far ahead the moments were given out."""

import asyncio
from collections.abc import Callable

import pytest

from models.clock import SystemClock
from models.states import DeliveryState
from scheduler.campaigns import cancel, pause, resume
from tests.crash.scene import Scene

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

TAKES_EFFECT_S = 4
"""Two seconds after the gates each message asks again, and what has just left arrives; some to spare."""


async def test_nothing_arrives_a_few_seconds_after_a_pause_and_everybody_is_written_to_after_it(
    a_scene: Callable[..., Scene],
) -> None:
    scene = a_scene(people=60, emails_per_second=2)
    await scene.set_up()
    worker = scene.start()
    await scene.arrived(4, worker)
    async with scene.database.write() as session:
        await pause(session, scene.campaign_id, SystemClock().now())
    await asyncio.sleep(TAKES_EFFECT_S)
    standing = (await scene.sink.control.count()).messages
    # Moments are given out up to ten seconds ahead: at two a second, twenty more would come in that time.
    await asyncio.sleep(12)
    assert (await scene.sink.control.count()).messages == standing
    states = await scene.states()
    assert states[DeliveryState.SENDING] == states[DeliveryState.UNCERTAIN] == 0
    assert states[DeliveryState.ACCEPTED] == standing
    async with scene.database.write() as session:
        await resume(session, scene.campaign_id, SystemClock().now())
    await scene.let_go()
    await scene.finished(worker)
    await scene.check_end()
    assert (await scene.states())[DeliveryState.ACCEPTED] == 60


async def test_a_cancelled_campaign_at_a_slow_pace_leaves_sent_and_unsent_apart(
    a_scene: Callable[..., Scene],
) -> None:
    scene = a_scene(people=40, emails_per_second=2)
    await scene.set_up()
    worker = scene.start()
    await scene.arrived(4, worker)
    async with scene.database.write() as session:
        await cancel(session, scene.campaign_id, SystemClock().now())
    async with asyncio.timeout(60):
        while (await scene.states()).keys() - {DeliveryState.ACCEPTED, DeliveryState.CANCELLED}:
            await asyncio.sleep(0.2)
    standing = (await scene.sink.control.count()).messages
    states = await scene.states()
    assert states == {DeliveryState.ACCEPTED: standing, DeliveryState.CANCELLED: 40 - standing}
    await asyncio.sleep(5)
    assert (await scene.sink.control.count()).messages == standing < 40
