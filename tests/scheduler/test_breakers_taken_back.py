"""What a breaker did lasts until a person takes it back, and then it is taken back whole."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import ConflictError
from models.states import (
    CampaignState,
    EventKind,
)
from scheduler.breakers import Scales
from scheduler.campaigns import resume
from scheduler.incidents import close_incident
from scheduler.undoing import let_go_on
from store import Database, throttles
from tests.clocks import START
from tests.scheduler.scales import MINUTE, Scene, a_scene, place


@pytest.fixture
async def scene(database: Database) -> Scene:
    return await a_scene(database)


async def test_what_a_person_resumed_is_not_paused_over_the_messages_before(scene: Scene) -> None:
    await scene.bounce(0, 3000)
    await scene.weigh()
    await scene.bounce(30, 3520)
    await scene.weigh(1)
    (incident,) = await scene.of_campaign()
    async with scene.database.write() as session:
        await let_go_on(session, incident.id, by="Ana", now=START + 2 * MINUTE)
    for minute in range(3, 10):
        await scene.bounce(30, 3520 + 5 * minute)
        await scene.weigh(minute)
    assert await scene.state() is CampaignState.SENDING


async def test_a_pause_is_told_of_as_long_as_it_lasts(scene: Scene) -> None:
    await scene.bounce(60, 600)
    await scene.weigh()
    assert await scene.state() is CampaignState.PAUSED
    await scene.weigh(60 * 24 * 10)
    (incident,) = await scene.of_campaign()
    assert incident.ended_at is None
    async with scene.database.write() as session:
        await resume(session, scene.campaign.id, START)
    await scene.weigh(60 * 24 * 10 + 1)
    (incident,) = await scene.of_campaign()
    assert incident.ended_at is not None


async def test_a_rest_that_two_incidents_asked_for_ends_with_the_second(scene: Scene) -> None:
    shut_out = ("refused|auth|identity|550|5.7.26", 5)
    dead = ("refused|no_such_address|recipient|550|5.1.1", 40)
    await scene.count(said=[dead, shut_out], accepted=355, refused=45)
    await scene.weigh()
    first, second = await scene.incidents()
    async with scene.database.write() as session:
        await let_go_on(session, first.id, by="Ana", now=START + MINUTE)
    assert await scene.brake() is not None
    async with scene.database.write() as session:
        await let_go_on(session, second.id, by="Ana", now=START + MINUTE)
    assert await scene.brake() is None


async def test_a_halt_can_be_lifted_after_its_incident_was_closed(scene: Scene) -> None:
    await place(scene, EventKind.PLACED_SPAM, EventKind.PLACED_SPAM, EventKind.PLACED_INBOX)
    await scene.weigh()
    (incident,) = await scene.incidents()
    async with scene.database.write() as session:
        await close_incident(session, incident.id, by="Ana", now=START)
        assert await throttles.halted_lanes(session, [scene.campaign.id], START)
        ended = (await let_go_on(session, incident.id, by="Bo", now=START + MINUTE)).ended_at
        assert ended == START
        assert not await throttles.halted_lanes(session, [scene.campaign.id], START)
        with pytest.raises(ConflictError):
            await let_go_on(session, incident.id, by="Bo", now=START + MINUTE)


class Slow:
    """A database to which this worker's first writing comes late."""

    def __init__(self, database: Database) -> None:
        self.database, self.waits, self.goes = database, asyncio.Event(), asyncio.Event()
        self.read = database.read

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        self.waits.set()
        await self.goes.wait()
        async with self.database.write() as session:
            yield session


async def test_who_comes_late_does_not_do_again_what_a_person_took_back(scene: Scene) -> None:
    await scene.bounce(60, 600)
    slow = Slow(scene.database)
    late = asyncio.create_task(Scales(slow).weigh(START))  # type: ignore[arg-type]
    await slow.waits.wait()
    await scene.weigh()
    assert await scene.state() is CampaignState.PAUSED
    async with scene.database.write() as session:
        await resume(session, scene.campaign.id, START)
        await throttles.remove(session, [f"lane:{scene.identity.id}:orange"])
    slow.goes.set()
    await late
    assert await scene.state() is CampaignState.SENDING
    assert await scene.brake() is None
    assert len(await scene.incidents()) == len(await scene.of_campaign()) == 1
