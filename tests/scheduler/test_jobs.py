"""The conductor at work: from a scheduled campaign to a finished one, and through every stumble."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from models.campaign import Campaign
from models.clock import SystemClock
from models.delivery import Delivery
from models.event import Event, event_about
from models.states import WAITING, CampaignState, Channel, DeliveryState, EventKind
from models.tokens import Tokens
from models.values import Cover, Deferred, Outcome, Reply
from scheduler import Conductor, ConductorOptions, DispatchOptions, RetryPolicy
from scheduler.campaigns import cancel, pause, resume, schedule
from store import Database, campaigns, events, incoming
from tests.factories import KEYRING, a_campaign, a_contact
from tests.scheduler.desks import FAST, ScriptedTransport

CLOCK = SystemClock()
MANY = 1500
"""More than a lane has under way at once."""


@asynccontextmanager
async def conducting(
    database: Database,
    transport: ScriptedTransport,
    *,
    alone: bool = False,
    housekeeping_every: timedelta = timedelta(hours=1),
    give_up: timedelta = timedelta(minutes=2),
) -> AsyncIterator[Conductor]:
    options = ConductorOptions(
        public_url="https://tocsin.exemple.fr/",
        dispatch=DispatchOptions(
            pace=FAST,
            retry=RetryPolicy(
                first=timedelta(milliseconds=200), ceiling=timedelta(milliseconds=500), give_up=give_up
            ),
        ),
        sweep_every=timedelta(milliseconds=100),
        alone=alone,
        housekeeping_every=housekeeping_every,
    )
    conductor = Conductor(
        database,
        CLOCK,
        transports={Channel.EMAIL: transport},
        tokens=Tokens(KEYRING),
        keyring=KEYRING,
        options=options,
    )
    task = asyncio.create_task(conductor.run())
    await asyncio.sleep(0)
    yield conductor
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def a_scheduled_campaign(database: Database, people: int, *, starts_in: float = 0) -> int:
    async with database.write() as session:
        for number in range(people):
            await a_contact(session, email=f"p{number:03}@gmail.com")
        campaign = await a_campaign(session)
        moment = (CLOCK.now() + timedelta(seconds=starts_in)).replace(tzinfo=None)
        await schedule(session, campaign.id, moment, "UTC", CLOCK.now())
    return campaign.id


async def state_of(database: Database, campaign_id: int) -> Campaign:
    async with database.read() as session:
        return await campaigns.get_campaign(session, campaign_id)


async def counted(database: Database, campaign_id: int) -> dict[DeliveryState, int]:
    async with database.read() as session:
        return await campaigns.progress(session, campaign_id)


async def until(database: Database, campaign_id: int, *states: CampaignState) -> Campaign:
    async with asyncio.timeout(60):
        while (campaign := await state_of(database, campaign_id)).state not in states:
            await asyncio.sleep(0.05)
    return campaign


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.02)


async def test_a_campaign_starts_at_its_moment_and_finishes(database: Database) -> None:
    campaign_id = await a_scheduled_campaign(database, 30, starts_in=0.6)
    transport = ScriptedTransport(clock=CLOCK)
    begun = CLOCK.now()
    async with conducting(database, transport):
        done = await until(database, campaign_id, CampaignState.FINISHED)
    assert sorted(transport.recipients) == [f"p{number:03}@gmail.com" for number in range(30)]
    assert transport.moments[0] - begun >= timedelta(seconds=0.5)
    assert (done.frozen, done.problem) == (30, "")


async def test_a_campaign_scheduled_while_the_conductor_runs_starts_on_time(database: Database) -> None:
    transport = ScriptedTransport()
    async with conducting(database, transport) as conductor:
        campaign_id = await a_scheduled_campaign(database, 3, starts_in=0.3)
        await conductor.wake()
        await until(database, campaign_id, CampaignState.FINISHED)
    assert len(transport.sent) == 3


async def test_a_campaign_put_off_does_not_start_at_its_old_moment(database: Database) -> None:
    campaign_id = await a_scheduled_campaign(database, 3, starts_in=0.4)
    transport = ScriptedTransport()
    async with conducting(database, transport):
        async with database.write() as session:
            later = (CLOCK.now() + timedelta(hours=1)).replace(tzinfo=None)
            await pause(session, campaign_id, CLOCK.now())
            await session.exec(
                sa.update(Campaign).values(starts_at=later.replace(tzinfo=UTC), local_time=later.isoformat())
            )
            await resume(session, campaign_id, CLOCK.now())
        await asyncio.sleep(0.8)
        assert (await state_of(database, campaign_id)).state is CampaignState.SCHEDULED
    assert transport.sent == []


async def test_temporary_refusals_are_retried_until_taken(database: Database) -> None:
    campaign_id = await a_scheduled_campaign(database, 5)
    busy: Outcome = Deferred(Reply(450, "4.2.0", "4.2.0 later"))
    transport = ScriptedTransport(answers={"p002@gmail.com": busy})

    async def relent(recipient: str) -> None:
        if transport.recipients.count("p002@gmail.com") == 2:
            transport.answers.clear()
        assert recipient

    transport.before = relent
    async with conducting(database, transport):
        await until(database, campaign_id, CampaignState.FINISHED)
    assert transport.recipients.count("p002@gmail.com") == 3
    assert len(transport.sent) == 7


async def test_a_campaign_is_finished_with_what_was_given_up_counted(database: Database) -> None:
    campaign_id = await a_scheduled_campaign(database, 2)
    never = Deferred(Reply(452, "4.2.2", "4.2.2 mailbox full"))
    mailboxes = ScriptedTransport(answers={"p000@gmail.com": never})
    async with conducting(database, mailboxes, give_up=timedelta(seconds=1)):
        await until(database, campaign_id, CampaignState.FINISHED)
    async with database.read() as session:
        counts = await campaigns.progress(session, campaign_id)
    assert counts == {DeliveryState.ACCEPTED: 1, DeliveryState.EXPIRED: 1}


async def test_pause_and_resume_lose_and_double_nobody(database: Database) -> None:
    campaign_id = await a_scheduled_campaign(database, MANY)
    transport = ScriptedTransport()
    async with conducting(database, transport) as conductor:
        await eventually(lambda: len(transport.sent) > 10)
        async with database.write() as session:
            await pause(session, campaign_id, CLOCK.now())
        await asyncio.sleep(1)
        standing = len(transport.sent)
        await asyncio.sleep(0.4)
        assert len(transport.sent) == standing < MANY
        async with database.write() as session:
            await resume(session, campaign_id, CLOCK.now())
        await conductor.wake()
        await until(database, campaign_id, CampaignState.FINISHED)
    assert len(transport.recipients) == len(set(transport.recipients)) == MANY


async def test_after_a_cancellation_every_delivery_has_an_end(database: Database) -> None:
    campaign_id = await a_scheduled_campaign(database, MANY)
    transport = ScriptedTransport()
    async with conducting(database, transport):
        await eventually(lambda: len(transport.sent) > 10)
        async with database.write() as session:
            await cancel(session, campaign_id, CLOCK.now())
        async with asyncio.timeout(60):
            while (counts := await counted(database, campaign_id)).keys() & WAITING:
                await asyncio.sleep(0.05)
    assert counts[DeliveryState.ACCEPTED] == len(transport.sent)
    assert set(counts) == {DeliveryState.ACCEPTED, DeliveryState.CANCELLED}


@pytest.mark.parametrize("attempts", [0, 1])
async def test_a_claim_whose_worker_died_goes_back_to_the_queue(database: Database, attempts: int) -> None:
    campaign_id = await a_scheduled_campaign(database, 3)
    transport = ScriptedTransport(before=lambda _: asyncio.sleep(0))
    async with conducting(database, ScriptedTransport()) as _:
        await until(database, campaign_id, CampaignState.FINISHED)
    await _leave_behind(database, campaign_id, DeliveryState.CLAIMED, attempts=attempts)
    async with conducting(database, transport):
        await until(database, campaign_id, CampaignState.FINISHED)
    assert transport.recipients == ["p000@gmail.com"]


async def test_what_a_dead_worker_had_on_the_wire_is_uncertain_and_not_resent(database: Database) -> None:
    campaign_id = await a_scheduled_campaign(database, 3)
    async with conducting(database, ScriptedTransport()):
        await until(database, campaign_id, CampaignState.FINISHED)
    await _leave_behind(database, campaign_id, DeliveryState.SENDING, attempts=5)
    transport = ScriptedTransport()
    async with conducting(database, transport):
        await until(database, campaign_id, CampaignState.FINISHED)
    assert transport.sent == []
    async with database.read() as session:
        counts = await campaigns.progress(session, campaign_id)
        told = (await session.exec(select(Event).where(Event.kind == EventKind.UNCERTAIN))).all()
    assert counts == {DeliveryState.ACCEPTED: 2, DeliveryState.UNCERTAIN: 1}
    assert len(told) == 1


async def test_who_is_alone_takes_over_at_once_what_was_left_behind(database: Database) -> None:
    campaign_id = await a_scheduled_campaign(database, 3)
    async with conducting(database, ScriptedTransport()):
        await until(database, campaign_id, CampaignState.FINISHED)
    leased_until = CLOCK.now() + timedelta(hours=1)
    await _leave_behind(database, campaign_id, DeliveryState.CLAIMED, attempts=0, leased_until=leased_until)
    transport = ScriptedTransport()
    async with conducting(database, transport):
        await asyncio.sleep(0.5)
    assert transport.sent == []
    async with conducting(database, transport, alone=True):
        await until(database, campaign_id, CampaignState.FINISHED)
    assert transport.recipients == ["p000@gmail.com"]


async def test_a_bounce_that_overtook_the_dead_worker_proves_that_the_message_left(
    database: Database,
) -> None:
    campaign_id = await a_scheduled_campaign(database, 1)
    async with conducting(database, ScriptedTransport()):
        await until(database, campaign_id, CampaignState.FINISHED)
    await _leave_behind(database, campaign_id, DeliveryState.SENDING, attempts=5)
    async with database.write() as session:
        row = (await session.exec(select(Delivery))).one()
        now = CLOCK.now()
        bounce = event_about(row, EventKind.BOUNCED, source="dsn", source_id="1", at=now, now=now)
        assert await events.append(session, bounce)
    async with conducting(database, ScriptedTransport()):
        await until(database, campaign_id, CampaignState.FINISHED)
    assert await counted(database, campaign_id) == {DeliveryState.ACCEPTED: 1}


GONE = datetime(2026, 1, 1, tzinfo=UTC)


async def _leave_behind(
    database: Database,
    campaign_id: int,
    state: DeliveryState,
    *,
    attempts: int,
    leased_until: datetime = GONE,
) -> None:
    """Put the first delivery and its campaign as a worker that was killed would have left them."""
    async with database.write() as session:
        await session.exec(
            sa.update(Delivery)
            .where(col(Delivery.address) == "p000@gmail.com")
            .values(
                state=state, attempts=attempts, claim_token="dead", leased_until=leased_until, settled_at=None
            )
        )
        await session.exec(
            sa.update(Campaign)
            .where(col(Campaign.id) == campaign_id)
            .values(state=CampaignState.SENDING, finished_at=None)
        )


async def test_a_sum_that_does_not_come_out_makes_the_campaign_incomplete(database: Database) -> None:
    campaign_id = await a_scheduled_campaign(database, 3)
    async with conducting(database, ScriptedTransport()):
        await until(database, campaign_id, CampaignState.FINISHED)
    async with database.write() as session:
        await session.exec(
            sa.update(Campaign)
            .where(col(Campaign.id) == campaign_id)
            .values(state=CampaignState.SENDING, frozen=4)
        )
    async with conducting(database, ScriptedTransport()):
        done = await until(database, campaign_id, CampaignState.INCOMPLETE)
    assert "Frozen at the launch: 4, with an end: 3, waiting: 0." in done.problem


async def test_stopping_hands_back_what_was_not_sent(database: Database) -> None:
    campaign_id = await a_scheduled_campaign(database, 100)
    transport = ScriptedTransport(before=lambda _: asyncio.sleep(0.02))
    async with conducting(database, transport):
        await eventually(lambda: len(transport.sent) > 10)
    async with database.read() as session:
        counts = await campaigns.progress(session, campaign_id)
    back = counts.pop(DeliveryState.QUEUED, 0) + counts.pop(DeliveryState.DEFERRED, 0)
    assert counts == {DeliveryState.ACCEPTED: len(transport.sent)}
    assert len(transport.sent) + back == 100
    assert back > 0


async def test_originals_older_than_they_are_kept_for_are_forgotten_by_housekeeping(
    database: Database,
) -> None:
    now = CLOCK.now()
    async with database.write() as session:
        for raw, days in ((b"old", 91), (b"young", 89)):
            await incoming.keep(session, source="dsn", raw=raw, matched=False, now=now - timedelta(days=days))
    often = timedelta(milliseconds=100)
    async with (
        conducting(database, ScriptedTransport(), housekeeping_every=often),
        asyncio.timeout(60),
    ):
        left: list[bytes] = []
        while left != [b"young"]:
            await asyncio.sleep(0.1)
            async with database.read() as session:
                left = [one.raw for one in await incoming.list_unmatched(session)]


async def test_mail_that_was_set_aside_is_tried_again_by_housekeeping(database: Database) -> None:
    long_ago = CLOCK.now() - timedelta(hours=5)
    cover = Cover("smtp", ("fbl@retour.parti.example",))
    async with database.write() as session:
        await incoming.set_aside(session, b"Subject: x\r\n\r\n", cover, problem="a bug", now=long_ago)
    often = timedelta(milliseconds=100)
    async with (
        conducting(database, ScriptedTransport(), housekeeping_every=often),
        asyncio.timeout(60),
    ):
        left = 1
        while left:
            await asyncio.sleep(0.1)
            async with database.read() as session:
                left = await incoming.count_aside(session)
    async with database.read() as session:
        assert [one.source for one in await incoming.list_unmatched(session)] == ["mail"]
