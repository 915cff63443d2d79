"""A campaign whose moment passed while nothing ran, and moments in the nights the clocks change."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from models.campaign import Campaign
from models.clock import Clock, SystemClock
from models.delivery import Delivery
from models.states import CampaignState, Channel, LatePolicy
from models.tokens import Tokens
from models.worker import Worker
from scheduler import Conductor, ConductorOptions
from scheduler.campaigns import cancel, pause, resume, schedule
from scheduler.dispatch import CHUNK, DispatchOptions
from scheduler.expansion import launch
from scheduler.late import lateness, may_start, stop_interrupted
from scheduler.presence import Presence
from store import Database, campaigns, workers
from tests.clocks import START, ManualClock
from tests.factories import KEYRING, a_campaign, a_contact
from tests.scheduler.desks import FAST, ScriptedTransport, drain_all

HOUR = timedelta(hours=1)


async def a_scheduled(database: Database, policy: LatePolicy, *, minutes: int = 60) -> Campaign:
    """Due an hour after START, in Paris."""
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session)
        campaign.late_policy, campaign.late_minutes = policy, minutes
        session.add(campaign)
        await session.flush()
        return await schedule(
            session, campaign.id, datetime.fromisoformat("2026-03-10T11:00"), "Europe/Paris", START
        )


async def begin(database: Database, campaign_id: int, now: datetime) -> Campaign:
    """What the launch job does."""
    async with database.read() as session:
        found = await campaigns.get_campaign(session, campaign_id)
    if await may_start(database, found, now):
        await launch(database, campaign_id, now, language="fr")
    async with database.read() as session:
        return await campaigns.get_campaign(session, campaign_id)


@pytest.mark.parametrize("policy", list(LatePolicy))
async def test_a_start_within_the_time_allowed_is_a_start(database: Database, policy: LatePolicy) -> None:
    campaign = await a_scheduled(database, policy)
    found = await begin(database, campaign.id, START + 2 * HOUR)
    assert (found.state, found.frozen) == (CampaignState.SENDING, 1)


async def test_a_newsletter_is_sent_however_late(database: Database) -> None:
    campaign = await a_scheduled(database, LatePolicy.SEND)
    assert (await begin(database, campaign.id, START + 50 * HOUR)).state is CampaignState.SENDING


async def test_a_reminder_that_comes_too_late_is_skipped(database: Database) -> None:
    campaign = await a_scheduled(database, LatePolicy.SKIP)
    found = await begin(database, campaign.id, START + 16 * HOUR)
    assert (found.state, found.frozen) == (CampaignState.CANCELLED, 0)
    assert found.finished_at == START + 16 * HOUR
    assert found.problem == (
        "It was to start on 2026-03-10 11:00 (Europe/Paris), but nothing ran then:"
        " it would be 15 h late. It was skipped."
    )


async def test_whoever_is_asked_may_send_it_after_all(database: Database) -> None:
    campaign = await a_scheduled(database, LatePolicy.ASK, minutes=30)
    now = START + HOUR + timedelta(minutes=31)
    found = await begin(database, campaign.id, now)
    assert (found.state, found.frozen) == (CampaignState.PAUSED, 0)
    assert "31 min late. Resume it" in found.problem
    assert (await begin(database, campaign.id, now + HOUR)).state is CampaignState.PAUSED
    async with database.write() as session:
        await resume(session, campaign.id, now + 20 * HOUR)
    sent = await begin(database, campaign.id, now + 20 * HOUR + timedelta(seconds=2))
    assert (sent.state, sent.problem) == (CampaignState.SENDING, "")


async def test_whoever_is_asked_may_cancel_it(database: Database) -> None:
    campaign = await a_scheduled(database, LatePolicy.ASK, minutes=0)
    await begin(database, campaign.id, START + 2 * HOUR)
    async with database.write() as session:
        assert (await cancel(session, campaign.id, START + 3 * HOUR)).state is CampaignState.CANCELLED


async def test_a_moment_gone_when_it_is_scheduled_means_at_once(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
        campaign.late_policy = LatePolicy.SKIP
        await schedule(session, campaign.id, datetime.fromisoformat("2026-03-01T08:00"), "UTC", START)
    assert (await begin(database, campaign.id, START)).state is CampaignState.SENDING


async def test_a_pause_before_the_start_is_no_lateness(database: Database) -> None:
    campaign = await a_scheduled(database, LatePolicy.SKIP)
    async with database.write() as session:
        await pause(session, campaign.id, START)
    async with database.write() as session:
        resumed = await resume(session, campaign.id, START + 30 * HOUR)
        assert lateness(resumed, START + 30 * HOUR) == timedelta(0)
    assert (await begin(database, campaign.id, START + 30 * HOUR)).state is CampaignState.SENDING


@pytest.mark.parametrize(
    ("wall", "instant"),
    [
        ("2026-03-28T20:00", "2026-03-28T19:00+00:00"),
        ("2026-03-29T20:00", "2026-03-29T18:00+00:00"),
        ("2026-10-24T20:00", "2026-10-24T18:00+00:00"),
        ("2026-10-25T20:00", "2026-10-25T19:00+00:00"),
    ],
)
async def test_eight_in_the_evening_stays_eight_in_the_evening_when_the_clocks_change(
    database: Database, wall: str, instant: str
) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
        due = await schedule(session, campaign.id, datetime.fromisoformat(wall), "Europe/Paris", START)
    assert due.starts_at == datetime.fromisoformat(instant)
    async with database.read() as session:
        kept = await campaigns.get_campaign(session, campaign.id)
    assert (kept.local_time, kept.zone) == (f"{wall}:00", "Europe/Paris")


@pytest.mark.parametrize("night", ["2026-03-29T01:00", "2026-10-25T01:00"])
async def test_a_clock_that_jumps_in_the_night_of_a_change_starts_nothing_early_and_nothing_twice(
    database: Database, night: str
) -> None:
    change = datetime.fromisoformat(night).replace(tzinfo=UTC)
    clock = ManualClock(change - 2 * HOUR)
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session)
        wall = (change + HOUR).replace(tzinfo=None)
        await schedule(session, campaign.id, wall, "UTC", clock.now())
    states = []
    # On by an hour and a half, an hour back, two on: as clocks set by hand do in such a night.
    for jump in (0, 90, -60, 149, 1, -60, 60, 61):
        clock.advance(timedelta(minutes=jump))
        found = await begin(database, campaign.id, clock.now())
        states.append((clock.now() >= change + HOUR, found.state, found.launched_at))
    waiting = [state for due, state, _ in states[:4]]
    assert waiting == [CampaignState.SCHEDULED] * 4
    assert not any(due for due, *_ in states[:4])
    launches = {launched_at for _, state, launched_at in states[4:]}
    assert launches == {change + HOUR}
    assert found.frozen == 1


def a_conductor(
    database: Database, clock: Clock, transport: ScriptedTransport, *, chunk: int = CHUNK
) -> Conductor:
    """The service, looking ten times a second."""
    return Conductor(
        database,
        clock,
        transports={Channel.EMAIL: transport},
        tokens=Tokens(KEYRING),
        keyring=KEYRING,
        options=ConductorOptions(
            public_url="https://tocsin.exemple.fr",
            sweep_every=timedelta(milliseconds=100),
            dispatch=DispatchOptions(pace=FAST, chunk=chunk),
        ),
    )


async def test_the_service_coming_up_again_asks_before_it_sends(database: Database) -> None:
    clock = SystemClock()
    gone = clock.now() - 5 * HOUR
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session)
        campaign.late_policy = LatePolicy.ASK
        session.add(campaign)
        await schedule(session, campaign.id, (gone + HOUR).replace(tzinfo=None), "UTC", gone)
    transport = ScriptedTransport()
    conductor = a_conductor(database, clock, transport)
    running = asyncio.create_task(conductor.run())
    found = await until(database, campaign.id, CampaignState.PAUSED)
    assert "it would be 4 h late. Resume it" in found.problem
    assert not transport.sent
    async with database.write() as session:
        await resume(session, campaign.id, clock.now())
    await conductor.wake()
    await until(database, campaign.id, CampaignState.FINISHED)
    assert len(transport.sent) == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def until(database: Database, campaign_id: int, state: CampaignState) -> Campaign:
    async with asyncio.timeout(30):
        while True:
            async with database.read() as session:
                found = await campaigns.get_campaign(session, campaign_id)
            if found.state is state:
                return found
            await asyncio.sleep(0.05)


async def an_interrupted(
    database: Database, policy: LatePolicy, state: CampaignState, gone: datetime
) -> Campaign:
    """Under way when the last worker was heard of, at `gone`."""
    campaign = await a_scheduled(database, policy)
    async with database.write() as session:
        await workers.beat(session, Worker(id="0" * 12, host="h", pid=1, started_at=gone, seen_at=gone), gone)
    begun = await begin(database, campaign.id, START + HOUR)
    assert begun.state is CampaignState.SENDING
    async with database.write() as session:
        row = await campaigns.get_campaign(session, campaign.id)
        row.state, row.expanded = state, state is CampaignState.SENDING
        session.add(row)
        return row


UNDER_WAY = (CampaignState.LAUNCHING, CampaignState.SENDING)


@pytest.mark.parametrize("state", UNDER_WAY)
@pytest.mark.parametrize(
    ("policy", "following"),
    [
        (LatePolicy.SEND, None),
        (LatePolicy.SKIP, CampaignState.CANCELLED),
        (LatePolicy.ASK, CampaignState.PAUSED),
    ],
)
async def test_a_campaign_interrupted_for_days_is_what_it_says_of_being_late(
    database: Database, policy: LatePolicy, state: CampaignState, following: CampaignState | None
) -> None:
    gone = START + HOUR
    campaign = await an_interrupted(database, policy, state, gone)
    await stop_interrupted(database, gone, gone + 50 * HOUR)
    async with database.read() as session:
        found = await campaigns.get_campaign(session, campaign.id)
    assert found.state is (following or state)
    if following is not None:
        told = "It was interrupted: nothing ran from 2026-03-10 11:00 (Europe/Paris) on, for 2 d."
        assert found.problem.startswith(told)


@pytest.mark.parametrize("state", UNDER_WAY)
@pytest.mark.parametrize("policy", list(LatePolicy))
async def test_a_short_interruption_is_none(
    database: Database, policy: LatePolicy, state: CampaignState
) -> None:
    gone = START + HOUR
    campaign = await an_interrupted(database, policy, state, gone)
    await stop_interrupted(database, gone, gone + HOUR)
    async with database.read() as session:
        assert (await campaigns.get_campaign(session, campaign.id)).state is state


async def test_an_interrupted_campaign_whose_messages_were_not_due_has_missed_nothing(
    database: Database,
) -> None:
    gone = START + HOUR
    campaign = await an_interrupted(database, LatePolicy.SKIP, CampaignState.SENDING, gone)
    async with database.write() as session:
        await session.exec(sa.update(Delivery).values(due_at=gone + 12 * HOUR))
    await stop_interrupted(database, gone, gone + 12 * HOUR)
    async with database.read() as session:
        assert (await campaigns.get_campaign(session, campaign.id)).state is CampaignState.SENDING


async def test_whoever_is_asked_about_an_interrupted_campaign_may_send_the_rest(database: Database) -> None:
    gone = START + HOUR
    campaign = await an_interrupted(database, LatePolicy.ASK, CampaignState.SENDING, gone)
    now = gone + 50 * HOUR
    await stop_interrupted(database, gone, now)
    async with database.write() as session:
        assert (await resume(session, campaign.id, now + HOUR)).state is CampaignState.SENDING
    # Told of the same silence a second time: somebody has decided since.
    await stop_interrupted(database, gone, now + HOUR)
    async with database.read() as session:
        assert (await campaigns.get_campaign(session, campaign.id)).state is CampaignState.SENDING


async def test_the_service_coming_up_in_the_midst_of_a_campaign_asks_before_it_sends_the_rest(
    database: Database,
) -> None:
    clock = SystemClock()
    gone = clock.now() - 5 * HOUR
    campaign = await an_interrupted(database, LatePolicy.ASK, CampaignState.SENDING, gone)
    transport = ScriptedTransport()
    conductor = a_conductor(database, clock, transport)
    running = asyncio.create_task(conductor.run())
    found = await until(database, campaign.id, CampaignState.PAUSED)
    assert "for 5 h. Resume it to send the rest" in found.problem
    assert not transport.sent
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_process_that_slept_notices_the_silence_and_a_clock_set_forward_is_none(
    database: Database, clock: ManualClock
) -> None:
    uptime = [100.0]
    presence = Presence(database, clock, "1" * 12, uptime=lambda: uptime[0])
    assert await presence.silence() is None
    await presence.beat()
    begun = clock.now()
    clock.advance(3 * HOUR)
    assert await presence.silence() is None
    uptime[0] += 3 * 3600
    assert await presence.silence() == begun
    # Another worker was there all the time.
    other = Worker(id="2" * 12, host="h", pid=1, started_at=begun, seen_at=clock.now())
    async with database.write() as session:
        await workers.beat(session, other, clock.now())
    assert await presence.silence() is None


async def test_a_lane_that_is_emptied_when_the_machine_goes_to_sleep_is_not_emptied_after_it_awakes(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        for _ in range(11):
            await a_contact(session)
    campaign = await a_scheduled(database, LatePolicy.SKIP)
    clock.advance(HOUR)
    transport = ScriptedTransport(connections=1)
    conductor = a_conductor(database, clock, transport, chunk=3)
    presence = conductor._presence
    await presence.beat()
    await begin(database, campaign.id, clock.now())

    async def sleep(_recipient: str) -> None:
        if len(transport.sent) == 1:
            clock.advance(10 * HOUR)
            presence._last_uptime -= 10 * HOUR.total_seconds()

    transport.before = sleep
    await drain_all(database, conductor._dispatcher, clock.now())
    assert len(transport.sent) == 2
    async with database.read() as session:
        found = await campaigns.get_campaign(session, campaign.id)
    assert found.state is CampaignState.CANCELLED
