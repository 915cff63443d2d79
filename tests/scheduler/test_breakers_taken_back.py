"""What a breaker did lasts until a person takes it back, and then it is taken back whole."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.rulebook import Deed, Reaction
from models.errors import ConflictError
from models.pace import BreakerState
from models.states import BounceClass, CampaignState, Channel, EventKind
from scheduler.brake_incidents import tell_of_hold, tell_of_rests
from scheduler.breakers import Scales
from scheduler.campaigns import resume
from scheduler.incidents import close_incident
from scheduler.pacing import scopes_of
from scheduler.reactions import Demand
from scheduler.throttle import Brake, Cause
from scheduler.undoing import let_go_on
from store import Database, incidents, throttles
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


async def test_workers_and_people_at_once_never_wait_for_each_other_for_ever(scene: Scene) -> None:
    scopes = scopes_of(Channel.EMAIL, scene.identity.id, "orange", "parti.example", "")
    keys = [scopes.lane, scopes.provider]

    def a_demand(key: str) -> Demand:
        reaction, cause = Reaction(Deed.SUSPEND, span=timedelta(days=1)), Cause("r", "550 no")
        return Demand(reaction, cause, key, scene.campaign.id, 1, BounceClass.BLOCK)

    async def weigh(worker: int) -> None:
        scales = Scales(scene.database)
        for turn in range(1, 6):
            await scene.bounce(80 * turn + worker, 600 * turn)
            await scales.weigh(START + turn * MINUTE)

    async def answer() -> None:
        for _ in range(8):
            async with scene.database.write() as session:
                await throttles.hold(session, keys, START)
                await throttles.hold_campaign(session, scene.campaign.id, "no", START)
                await tell_of_hold(session, a_demand(scopes.lane), scopes, START)
                rest = replace(Brake(START), state=BreakerState.OPEN, opens_at=START + timedelta(days=1))
                calm, shut = dict.fromkeys(keys, Brake(START)), dict.fromkeys(keys, rest)
                called = [a_demand(key) for key in keys]
                await tell_of_rests(session, called, calm, shut, scopes=scopes, now=START)

    async def let_go() -> None:
        for turn in range(8):
            async with scene.database.read() as session:
                found = await incidents.list_incidents(session, open_only=True)
            for one in found:
                with suppress(ConflictError):
                    async with scene.database.write() as session:
                        await let_go_on(session, one.id, by="Ana", now=START + turn * MINUTE)

    async with asyncio.timeout(60):
        await asyncio.gather(weigh(0), weigh(1), weigh(2), answer(), answer(), answer(), let_go(), let_go())
    async with scene.database.read() as session:
        left = await incidents.list_incidents(session, open_only=True, limit=500)
        ever = await incidents.list_incidents(session, limit=500)
    assert len({one.scope for one in left}) == len(left)
    assert len(ever) > 3
