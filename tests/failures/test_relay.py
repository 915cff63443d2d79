"""The relay refuses connections, refuses messages, drops lines, stalls: what becomes of a campaign."""

import asyncio
from collections.abc import Callable

import pytest
from sqlmodel import select

from models.states import CampaignState, DeliveryState
from models.suppression import Suppression
from scheduler.outages import LOST_IN_A_ROW
from tests.crash.scene import CONNECTIONS, Scene
from tests.failures.gate import Gate
from tests.sender.servers import Manners, SmtpPeer

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]


async def _problem(scene: Scene, *, seconds: float = 60) -> str:
    async with asyncio.timeout(seconds):
        while not (problem := (await scene.campaign()).problem):
            await asyncio.sleep(0.1)
    return problem


async def test_a_relay_that_refuses_connections_is_told_and_tried_again_without_loss(
    a_scene: Callable[..., Scene],
) -> None:
    scene = a_scene(people=60)
    await scene.set_up()
    gate = Gate(scene.sink.port)
    # What waits half a minute before it tries again waits a second and a half.
    worker = scene.start(relay_port=gate.port, clock_speed=20)
    problem = await _problem(scene)
    assert str(gate.port) in problem
    assert await scene.numbers(DeliveryState.REFUSED) == {}
    await gate.open()
    try:
        await scene.finished(worker)
        await scene.check_end()
        assert (await scene.campaign()).problem == ""
    finally:
        await gate.shut()


async def test_a_relay_that_refuses_every_message_costs_no_address_its_place(
    a_scene: Callable[..., Scene],
) -> None:
    scene = a_scene(people=40)
    await scene.set_up()
    relay = await SmtpPeer(Manners(replies={"DOT": "554 5.7.1 Message refused by policy"})).start()
    worker = scene.start(relay_port=relay.port)
    try:
        async with asyncio.timeout(60):
            while (await scene.states())[DeliveryState.REFUSED] < 1:
                await asyncio.sleep(0.1)
        # Either all of them are refused, or the campaign is held before that; never a person suppressed.
        async with asyncio.timeout(60):
            while not await scene.is_done() and (await scene.campaign()).state is not CampaignState.PAUSED:
                await asyncio.sleep(0.1)
        states = await scene.states()
        assert states[DeliveryState.ACCEPTED] == states[DeliveryState.UNCERTAIN] == 0
        assert states.total() == 40
        async with scene.database.read() as session:
            assert (await session.exec(select(Suppression))).all() == []
        assert worker.is_running
    finally:
        await relay.stop()


async def test_a_relay_that_drops_the_line_after_2500_messages_gets_the_rest_once(
    a_scene: Callable[..., Scene],
) -> None:
    scene = a_scene(people=3000, lease_s=3600)
    await scene.set_up()
    await scene.sink.drop_at("dot", 2500)
    # What was cut off before its dot goes again a quarter of an hour later, in fifteen seconds here.
    await scene.finished(scene.start(clock_speed=60))
    # The line itself told us that it broke: those whose dot was written and not answered are uncertain.
    scene.kills = 1
    await scene.check_end()
    assert 1 <= (await scene.states())[DeliveryState.UNCERTAIN] <= CONNECTIONS


@pytest.mark.parametrize("step", ["MAIL", "DATA"])
async def test_a_relay_that_stalls_before_the_dot_gets_the_message_later(
    a_scene: Callable[..., Scene], step: str
) -> None:
    scene = a_scene(people=20)
    await scene.set_up()
    relay = await SmtpPeer(Manners(stall_at=step)).start()
    # Tried again a quarter of an hour later: in seven seconds and a half.
    worker = scene.start(relay_port=relay.port, smtp_timeout=0.5, clock_speed=120)
    try:
        async with asyncio.timeout(60):
            while (await scene.states())[DeliveryState.DEFERRED] < 1:
                await asyncio.sleep(0.1)
        relay.manners = Manners()
        await scene.finished(worker)
        assert await scene.states() == {DeliveryState.ACCEPTED: 20}
        assert sorted(message.recipient for message in relay.messages) == sorted(
            await scene.numbers(DeliveryState.ACCEPTED)
        )
    finally:
        await relay.stop()


async def test_a_relay_that_stops_reading_in_the_midst_of_a_message_never_gets_it_twice(
    a_scene: Callable[..., Scene],
) -> None:
    scene = a_scene(people=8, lease_s=3600)
    await scene.set_up()
    relay = await SmtpPeer(Manners(stall_at="BODY", window=4096)).start()
    worker = scene.start(relay_port=relay.port, verdict_s=1)
    try:
        async with asyncio.timeout(60):
            while (await scene.states())[DeliveryState.UNCERTAIN] < CONNECTIONS:
                await asyncio.sleep(0.05)
        relay.manners = Manners()
        await scene.finished(worker)
        states = await scene.states()
        # Our own system had taken all of it with its dot, and would have passed it on: nobody can be sure.
        assert states.total() == 8
        assert states[DeliveryState.UNCERTAIN] + states[DeliveryState.ACCEPTED] == 8
        taken = [message.recipient for message in relay.messages]
        assert len(taken) == len(set(taken)) == states[DeliveryState.ACCEPTED]
        assert not set(taken) & (await scene.numbers(DeliveryState.UNCERTAIN)).keys()
    finally:
        await relay.stop()


async def test_a_relay_that_stalls_after_the_dot_leaves_those_messages_uncertain(
    a_scene: Callable[..., Scene],
) -> None:
    scene = a_scene(people=40)
    await scene.set_up()
    relay = await SmtpPeer(Manners(stall_at="DOT")).start()
    worker = scene.start(relay_port=relay.port, verdict_s=3)
    try:
        async with asyncio.timeout(60):
            while relay.commands.count(".") < CONNECTIONS:
                await asyncio.sleep(0.05)
        relay.manners = Manners()
        await scene.finished(worker)
        states = await scene.states()
        assert CONNECTIONS <= states[DeliveryState.UNCERTAIN] <= 2 * CONNECTIONS
        assert states[DeliveryState.ACCEPTED] == 40 - states[DeliveryState.UNCERTAIN]
        taken = [message.recipient for message in relay.messages]
        assert len(taken) == len(set(taken)) == states[DeliveryState.ACCEPTED]
        # Not one of the uncertain was sent again.
        assert not set(taken) & (await scene.numbers(DeliveryState.UNCERTAIN)).keys()
    finally:
        await relay.stop()


async def test_a_relay_that_always_drops_the_line_after_the_dot_does_not_use_up_the_list(
    a_scene: Callable[..., Scene],
) -> None:
    scene = a_scene(people=400)
    await scene.set_up()
    relay = await SmtpPeer(Manners(drop_at="DOT")).start()
    # Half a minute until one message tries again is a second and a half.
    worker = scene.start(relay_port=relay.port, clock_speed=20)
    try:
        assert "left without an answer" in await _problem(scene)
        await asyncio.sleep(4)
        uncertain = (await scene.states())[DeliveryState.UNCERTAIN]
        # Those on their way when it was noticed, and one each time it was tried again.
        assert uncertain <= LOST_IN_A_ROW + 2 * CONNECTIONS + 4
        assert (await scene.campaign()).state is CampaignState.SENDING
        relay.manners = Manners()
        await scene.finished(worker)
        states = await scene.states()
        assert states[DeliveryState.ACCEPTED] == 400 - states[DeliveryState.UNCERTAIN]
        taken = [message.recipient for message in relay.messages]
        assert len(taken) == len(set(taken)) == states[DeliveryState.ACCEPTED]
        assert (await scene.campaign()).problem == ""
    finally:
        await relay.stop()
