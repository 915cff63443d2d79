"""Between the mark "sending" and the record: whatever breaks there loses nothing and sends nothing twice."""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import select

from models.clock import SystemClock
from models.contact import Contact
from models.delivery import Delivery
from models.identity import DkimKey, Identity
from models.keyring import Keyring
from models.states import Channel, DeliveryState, EventKind, IdentityState
from models.template import TemplateVersion
from models.values import Accepted, Deferred, EmailEnvelope, EmailMessage, Refused, Reply
from scheduler import dispatch, handover, workshop
from scheduler.campaigns import release
from scheduler.pacing import Pace
from scheduler.recording import Recorder
from scheduler.uncertain import Decision, resolve_uncertain
from scheduler.upkeep import take_back, tell_problems
from sender import EmailBuilder, Parcel
from store import Database, campaigns, outcomes
from tests.clocks import START, ManualClock
from tests.factories import a_campaign, a_contact, a_template, an_identity
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all, launched
from tests.scheduler.ledgers import a_running_campaign, kinds, states

S = DeliveryState
PEOPLE = ("a@gmail.com", "b@gmail.com", "c@gmail.com")


async def problem_of(database: Database, campaign_id: int, dispatcher: dispatch.Dispatcher) -> str:
    async with database.read() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
    await tell_problems(database, [campaign], dispatcher.obstacles, pace=Pace(), now=START, zone="UTC")
    async with database.read() as session:
        return (await campaigns.get_campaign(session, campaign_id)).problem


async def test_a_transport_that_breaks_leaves_one_uncertain_and_the_others_recorded(
    database: Database, clock: ManualClock
) -> None:
    await a_running_campaign(database, *(f"p{number}@gmail.com" for number in range(5)))

    async def break_for_one(recipient: str) -> None:
        if recipient == "p1@gmail.com":
            raise RuntimeError("boom")
        await asyncio.sleep(0.01)  # the others are still under way when it breaks

    transport = ScriptedTransport(before=break_for_one)
    dispatcher = a_dispatcher(database, transport, clock)
    await drain_all(database, dispatcher, clock.now())
    clock.advance(timedelta(days=1))
    await drain_all(database, dispatcher, clock.now())
    found = await states(database)
    assert found.pop("p1@gmail.com") is S.UNCERTAIN
    assert set(found.values()) == {S.ACCEPTED}
    assert sorted(await kinds(database)) == [*[EventKind.ACCEPTED] * 4, EventKind.UNCERTAIN]
    assert len(transport.sent) == 4


async def test_a_server_slower_than_the_lease_is_waited_for(database: Database) -> None:
    await a_running_campaign(database, "slow@gmail.com", "quick@gmail.com")
    clock, answer = SystemClock(), asyncio.Event()

    async def take_time(recipient: str) -> None:
        if recipient == "slow@gmail.com":
            await answer.wait()

    lease = timedelta(seconds=1.5)
    dispatcher = a_dispatcher(database, ScriptedTransport(before=take_time), clock, lease=lease)
    draining = asyncio.create_task(drain_all(database, dispatcher, clock.now()))
    async with asyncio.timeout(60):
        # The quick one does not wait for the slow one to be recorded.
        while (await states(database))["quick@gmail.com"] is not S.ACCEPTED:
            await asyncio.sleep(0.05)
        first = await _leased_until(database)
        while (await _leased_until(database)) < first + lease:
            await asyncio.sleep(0.05)
    answer.set()
    await draining
    assert set((await states(database)).values()) == {S.ACCEPTED}


async def _leased_until(database: Database) -> datetime:
    async with database.read() as session:
        wanted = select(Delivery.leased_until).where(Delivery.address == "slow@gmail.com")
        moment = (await session.exec(wanted)).one()
    assert moment is not None
    return moment


async def test_cut_short_what_was_on_the_wire_is_uncertain_and_what_never_left_goes_later(
    database: Database,
) -> None:
    await a_running_campaign(database, "a@gmail.com", "b@gmail.com", "c@gmail.com")
    clock, on_the_wire = SystemClock(), asyncio.Event()

    async def hang(recipient: str) -> None:
        assert recipient
        on_the_wire.set()
        await asyncio.Event().wait()

    # The second slot is an hour away.
    slow = Pace(emails_per_second=1000, providers={"gmail": 1 / 3600})
    span = timedelta(hours=9)
    dispatcher = a_dispatcher(database, ScriptedTransport(before=hang), clock, pace=slow, span=span)
    draining = asyncio.create_task(drain_all(database, dispatcher, clock.now()))
    await on_the_wire.wait()
    draining.cancel()
    await asyncio.gather(draining, return_exceptions=True)
    found = await states(database)
    assert sorted(found.values()) == [S.DEFERRED, S.DEFERRED, S.UNCERTAIN]


@pytest.mark.parametrize("outcome", [Accepted, Refused, Deferred])
async def test_an_answer_no_database_can_hold_is_recorded_all_the_same(
    database: Database, clock: ManualClock, outcome: type[Accepted | Refused | Deferred]
) -> None:
    await a_running_campaign(database, "a@gmail.com")
    answer = outcome(Reply(250, None, "odd \x00 \udc80 words"))
    if isinstance(answer, Accepted):
        answer = Accepted(answer.reply, "id\x00" + "x" * 500)
    transport = ScriptedTransport(answers={"a@gmail.com": answer})
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert (await states(database))["a@gmail.com"] is S(outcome.__name__.lower())


async def test_an_outcome_that_cannot_be_recorded_takes_no_other_along(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_running_campaign(database, "a@gmail.com", "b@gmail.com", "c@gmail.com")
    real = Recorder.record_one

    async def stumble(self: Recorder, session: object, row: Delivery, *args: object, **how: object) -> bool:
        if row.address == "b@gmail.com":
            raise ZeroDivisionError
        return await real(self, session, row, *args, **how)  # type: ignore[arg-type]

    async def not_together(*args: object, **how: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(Recorder, "record_one", stumble)
    monkeypatch.setattr(outcomes, "record_taken", not_together)
    await drain_all(database, a_dispatcher(database, ScriptedTransport(), clock), clock.now())
    found = await states(database)
    assert (found["a@gmail.com"], found["b@gmail.com"], found["c@gmail.com"]) == (
        S.ACCEPTED,
        S.SENDING,
        S.ACCEPTED,
    )
    clock.advance(timedelta(minutes=6))
    await take_back(database, clock)
    assert (await states(database))["b@gmail.com"] is S.UNCERTAIN


async def test_outcomes_are_held_until_the_database_is_back(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_running_campaign(database, "a@gmail.com")
    real, refusals = outcomes.record_taken, iter(range(3))

    async def away(*args: object, **how: object) -> bool:
        if next(refusals, None) is not None:
            raise sa.exc.OperationalError("UPDATE", {}, Exception("gone"))
        return await real(*args, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(outcomes, "record_taken", away)
    await drain_all(database, a_dispatcher(database, ScriptedTransport(), clock), clock.now())
    assert (await states(database), await kinds(database)) == (
        {"a@gmail.com": S.ACCEPTED},
        [EventKind.ACCEPTED],
    )


async def test_a_worker_that_slept_past_its_lease_still_tells_the_truth(
    database: Database, clock: ManualClock
) -> None:
    await a_running_campaign(database, "a@gmail.com")

    async def sleep_long(recipient: str) -> None:
        assert recipient
        clock.advance(timedelta(minutes=6))
        await take_back(database, clock)
        assert await states(database) == {"a@gmail.com": S.UNCERTAIN}

    transport = ScriptedTransport(before=sleep_long)
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert await states(database) == {"a@gmail.com": S.ACCEPTED}
    assert await kinds(database) == [EventKind.UNCERTAIN, EventKind.ACCEPTED, EventKind.RESOLVED]


async def test_a_worker_that_slept_past_its_lease_sends_nothing_more_and_undoes_no_decision(
    database: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Asleep as a whole: nothing of it may wake and give back what it holds before the decision is made.
    monkeypatch.setattr(handover, "RECORD_EVERY_S", 60)
    campaign_id = await a_running_campaign(database, "a@gmail.com", "b@gmail.com")

    async def sleep_long(recipient: str) -> None:
        assert recipient == "a@gmail.com"
        clock.advance(timedelta(minutes=6))
        await take_back(database, clock)
        async with database.write() as session:
            assert await resolve_uncertain(session, campaign_id, Decision.NOT_SENT, "Ana", clock.now()) == 2

    transport = ScriptedTransport(before=sleep_long, connections=1)
    with caplog.at_level(logging.WARNING):
        await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert transport.recipients == ["a@gmail.com"]
    assert await states(database) == {"a@gmail.com": S.REFUSED, "b@gmail.com": S.REFUSED}
    assert "outcome of a delivery that is another's" in caplog.messages
    assert "a@gmail.com" not in caplog.text


async def test_a_message_that_cannot_be_written_does_not_hold_up_its_lane(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_running_campaign(database, "a@gmail.com", "b@gmail.com")

    really = EmailBuilder.build

    def stumble(self: EmailBuilder, message: EmailMessage, *, recipient: str, **how: Any) -> EmailEnvelope:
        if recipient == "a@gmail.com":
            raise ZeroDivisionError
        return really(self, message, recipient=recipient, **how)

    monkeypatch.setattr(EmailBuilder, "build", stumble)
    await drain_all(database, a_dispatcher(database, ScriptedTransport(), clock), clock.now())
    assert await states(database) == {"a@gmail.com": S.HELD, "b@gmail.com": S.ACCEPTED}


async def test_a_template_that_compiles_no_more_holds_its_campaign_until_a_person_releases_it(
    database: Database, clock: ManualClock
) -> None:
    campaign_id = await a_running_campaign(database, "a@gmail.com", "b@gmail.com")
    async with database.write() as session:
        (body,) = (await session.exec(select(TemplateVersion.body))).all()
        await session.exec(sa.update(TemplateVersion).values(body="<mjml><mj-body>"))
    dispatcher = a_dispatcher(database, ScriptedTransport(), clock)
    await drain_all(database, dispatcher, clock.now())
    assert set((await states(database)).values()) == {S.HELD}
    assert "2 messages are held back" in await problem_of(database, campaign_id, dispatcher)
    # Released too early they are held again, and that is told again.
    async with database.write() as session:
        assert await release(session, campaign_id, clock.now()) == 2
    await drain_all(database, dispatcher, clock.now())
    assert await kinds(database) == [EventKind.HELD] * 4
    async with database.write() as session:
        await session.exec(sa.update(TemplateVersion).values(body=body))
        await release(session, campaign_id, clock.now())
    await drain_all(database, dispatcher, clock.now())
    assert set((await states(database)).values()) == {S.ACCEPTED}
    assert await problem_of(database, campaign_id, dispatcher) == ""


@pytest.mark.parametrize("case", ["suspended", "resealed", "no transport"])
async def test_what_keeps_an_identity_from_sending_is_told_and_loses_nothing(
    database: Database, clock: ManualClock, case: str
) -> None:
    campaign_id = await a_running_campaign(database, "a@gmail.com")
    transport = ScriptedTransport(channel=Channel.SMS if case == "no transport" else Channel.EMAIL)
    async with database.write() as session:
        if case == "suspended":
            await session.exec(sa.update(Identity).values(state=IdentityState.SUSPENDED))
        if case == "resealed":
            sealed = Keyring("another secret, just as long as it needs to be").encrypt("x")
            await session.exec(sa.update(DkimKey).values(sealed_private_pem=sealed))
    dispatcher = a_dispatcher(database, transport, clock)
    await drain_all(database, dispatcher, clock.now())
    assert await states(database) == {"a@gmail.com": S.QUEUED}
    words = {"suspended": "is suspended", "resealed": "another secret", "no transport": "sends no e-mail"}
    assert words[case] in await problem_of(database, campaign_id, dispatcher)


async def test_an_identity_suspended_in_the_midst_of_a_long_lane_stops(
    database: Database, clock: ManualClock
) -> None:
    await a_running_campaign(database, *(f"p{number:02}@gmail.com" for number in range(40)))

    async def suspend(recipient: str) -> None:
        if recipient == "p00@gmail.com":
            async with database.write() as session:
                await session.exec(sa.update(Identity).values(state=IdentityState.SUSPENDED))

    transport = ScriptedTransport(before=suspend)
    pace = Pace(emails_per_second=1000, providers={"gmail": 1})
    await drain_all(database, a_dispatcher(database, transport, clock, pace=pace), clock.now())
    # Two a batch at one a second, looked at again every ten seconds.
    assert len(transport.sent) < 20
    assert set((await states(database)).values()) == {S.ACCEPTED, S.QUEUED}


async def test_an_sms_provider_that_asks_for_a_rest_gets_it(database: Database, clock: ManualClock) -> None:
    async with database.write() as session:
        for number in range(3):
            await a_contact(session, phone=f"+3363998000{number}")
        version = await a_template(session, channel=Channel.SMS)
        sender = await an_identity(session)
        sender.sms_per_second = 0.5
        campaign = await a_campaign(session, version=version, senders=[sender])
    await launched(database, campaign.id)
    too_fast = Deferred(Reply(429, None, "Too Many Requests"))
    transport = ScriptedTransport(
        channel=Channel.SMS, answers={f"+3363998000{number}": too_fast for number in range(3)}
    )
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert len(transport.sent) == 1


async def test_compiled_campaigns_are_kept_in_bounds(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workshop, "CONTENTS_KEPT", 1)
    async with database.write() as session:
        await a_contact(session, email="a@gmail.com")
        version, sender = await a_template(session), await an_identity(session)
        made = [await a_campaign(session, version=version, senders=[sender]) for _ in range(3)]
    for campaign in made:
        await launched(database, campaign.id)
    transport = ScriptedTransport()
    dispatcher = a_dispatcher(database, transport, clock)
    await drain_all(database, dispatcher, clock.now())
    assert len(transport.sent) == 3
    assert len(dispatcher._workshop._contents) == 1


async def test_errors_of_the_database_name_no_address(database: Database) -> None:
    async with database.write() as session:
        person = await a_contact(session)
    twin = Contact(id=person.id, email="secret@gmail.com", created_at=START, updated_at=START)
    with pytest.raises(sa.exc.IntegrityError) as refusal:
        async with database.write() as session:
            session.add(twin)
    assert "secret@gmail.com" not in str(refusal.value)


@pytest.mark.parametrize("queued", [False, True])
async def test_a_message_that_a_transport_does_not_take_leaves_once_when_it_does(
    database: Database, clock: ManualClock, *, queued: bool
) -> None:
    class Unwilling(ScriptedTransport):
        """Breaks at one message, before it has taken it or after; then it has learnt."""

        breaks: bool = True

        def offer(self, parcel: Parcel) -> None:
            wrong = self.breaks and parcel.envelope.recipient == "b@gmail.com"
            if queued or not wrong:
                super().offer(parcel)
            if wrong:
                self.breaks = False
                raise RuntimeError("boom")

    await a_running_campaign(database, *PEOPLE)
    transport = Unwilling()
    dispatcher = a_dispatcher(database, transport, clock)
    async with asyncio.timeout(60):
        for _ in range(2):
            await drain_all(database, dispatcher, clock.now())
            clock.advance(timedelta(minutes=1))
    assert sorted(transport.recipients) == list(PEOPLE)
    assert set((await states(database)).values()) == {S.ACCEPTED}
