"""A person who is deleted while a campaign sends keeps nobody else's message back, and leaves no open end."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from models.contact import Contact
from models.delivery import Delivery
from models.event import Event
from models.states import DeliveryState
from models.values import Accepted, Outcome, Refused, Reply, Uncertain
from scheduler.uncertain import Decision, resolve_uncertain
from scheduler.upkeep import finish_if_done, reconcile, take_back
from store import Database
from tests.clocks import ManualClock
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all
from tests.scheduler.ledgers import a_running_campaign, states

S = DeliveryState
GONE, THERE, NOBODY = "gone@gmail.com", "there@gmail.com", ""


async def delete_person(database: Database) -> None:
    async with database.write() as session:
        await session.exec(sa.delete(Contact).where(col(Contact.email) == GONE))


async def is_proved(database: Database, campaign_id: int, clock: ManualClock) -> bool:
    await finish_if_done(database, campaign_id, clock)
    return (await reconcile(database, campaign_id, clock)).equal


async def test_who_is_deleted_before_the_message_left_gets_none_and_the_others_get_theirs(
    database: Database, clock: ManualClock
) -> None:
    campaign_id = await a_running_campaign(database, GONE, THERE)
    await delete_person(database)
    transport = ScriptedTransport()
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert transport.recipients == [THERE]
    assert await states(database) == {NOBODY: S.CANCELLED, THERE: S.ACCEPTED}
    assert await is_proved(database, campaign_id, clock)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Accepted(Reply(250, "2.0.0", f"taken for {GONE}")), S.ACCEPTED),
        (Refused(Reply(550, "5.1.1", f"{GONE} is unknown")), S.REFUSED),
        (Uncertain(Reply(None, None, f"cut off with {GONE}")), S.UNCERTAIN),
    ],
)
async def test_what_was_answered_is_recorded_without_whom_though_the_person_was_deleted_meanwhile(
    database: Database, clock: ManualClock, answer: Outcome, state: DeliveryState
) -> None:
    campaign_id = await a_running_campaign(database, GONE, THERE)

    async def on_the_wire(recipient: str) -> None:
        if recipient == GONE:
            await delete_person(database)

    transport = ScriptedTransport(before=on_the_wire, connections=1, answers={GONE: answer})
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert await states(database) == {NOBODY: state, THERE: S.ACCEPTED}
    await finish_if_done(database, campaign_id, clock)
    async with database.read() as session:
        reasons = (await session.exec(select(Delivery.reason))).all()
        texts = (await session.exec(select(Event.text))).all()
    assert not [text for text in [*reasons, *texts] if GONE in text]
    assert await is_proved(database, campaign_id, clock)


async def test_a_message_to_an_erased_person_is_not_sent_again(
    database: Database, clock: ManualClock
) -> None:
    campaign_id = await a_running_campaign(database, GONE, THERE)
    lost = ScriptedTransport(answers={GONE: Uncertain(Reply(None, None, "cut off"))})
    await drain_all(database, a_dispatcher(database, lost, clock), clock.now())
    await delete_person(database)
    clock.advance(timedelta(hours=1))
    async with database.write() as session:
        await resolve_uncertain(session, campaign_id, Decision.SEND_AGAIN, "Ana", clock.now())
    transport = ScriptedTransport()
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert transport.recipients == []
    assert await states(database) == {NOBODY: S.CANCELLED, THERE: S.ACCEPTED}


async def test_who_was_written_to_can_be_deleted_and_the_evidence_stays(
    database: Database, clock: ManualClock
) -> None:
    campaign_id = await a_running_campaign(database, GONE, THERE)
    await drain_all(database, a_dispatcher(database, ScriptedTransport(), clock), clock.now())
    await delete_person(database)
    clock.advance(timedelta(minutes=10))
    await take_back(database, clock)
    async with database.read() as session:
        assert len((await session.exec(select(Event))).all()) == 2
    assert await is_proved(database, campaign_id, clock)


async def test_who_is_erased_while_the_launch_writes_them_is_forgotten_when_the_campaign_ends(
    database: Database, clock: ManualClock
) -> None:
    campaign_id = await a_running_campaign(database, GONE, THERE)
    await delete_person(database)
    async with database.write() as session:
        # As a launch leaves it that had read the person before they went and wrote them after.
        await session.exec(sa.update(Delivery).where(col(Delivery.address) == "").values(address=GONE))
    transport = ScriptedTransport()
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert transport.recipients == [THERE]
    assert await is_proved(database, campaign_id, clock)
    assert await states(database) == {NOBODY: S.CANCELLED, THERE: S.ACCEPTED}
