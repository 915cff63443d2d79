"""A person who is deleted while a campaign sends keeps nobody else's message back, and leaves no open end."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.feedback import Applied, apply
from models.contact import Contact
from models.delivery import Delivery
from models.event import Event
from models.states import Channel, ConsentStatus, DeliveryState, EventKind
from models.values import Accepted, Outcome, Refused, Reply, Signal, Uncertain
from scheduler.campaigns import cancel
from scheduler.uncertain import Decision, resolve_uncertain
from scheduler.upkeep import finish_if_done, reconcile, take_back
from store import Database, erasure, freezing
from tests.clocks import ManualClock
from tests.factories import a_campaign, a_contact
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all, launched
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


async def those_known(database: Database) -> set[int | None]:
    """The numbers of people in the ledger and in its events."""
    async with database.read() as session:
        found = (await session.exec(select(Delivery.contact_id))).all()
        return {*found, *(await session.exec(select(Event.contact_id))).all()}


async def test_who_is_given_the_number_of_an_erased_person_is_not_given_their_history(
    database: Database, clock: ManualClock
) -> None:
    campaign_id = await a_running_campaign(database, THERE, GONE)
    newcomers: list[int] = []

    async def on_the_wire(recipient: str) -> None:
        if recipient == GONE:
            await delete_person(database)
            async with database.write() as session:
                newcomers.append((await a_contact(session, email="new@gmail.com")).id)

    transport = ScriptedTransport(before=on_the_wire, connections=1)
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    await finish_if_done(database, campaign_id, clock)
    assert not await those_known(database) & set(newcomers)


async def test_what_was_uncertain_of_an_erased_person_is_nobodys_once_it_is_decided(
    database: Database, clock: ManualClock
) -> None:
    campaign_id = await a_running_campaign(database, GONE)
    lost = ScriptedTransport(answers={GONE: Uncertain(Reply(None, None, "cut off"))})
    await drain_all(database, a_dispatcher(database, lost, clock), clock.now())
    await finish_if_done(database, campaign_id, clock)
    await delete_person(database)
    await erasure.forget(database)
    assert await those_known(database) != {None}
    clock.advance(timedelta(hours=1))
    async with database.write() as session:
        assert await resolve_uncertain(session, campaign_id, Decision.SENT, "Ana", clock.now())
    await erasure.forget(database)
    assert await those_known(database) == {None}


async def test_a_campaign_cancelled_before_its_end_keeps_nobody_who_was_erased_while_it_was_launched(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.write() as session:
        for address in (GONE, THERE):
            await a_contact(session, email=address)
        campaign = await a_campaign(session)
    really = freezing.freeze

    async def erased_meanwhile(session: AsyncSession, *batch: Any) -> bool:
        await session.exec(sa.delete(Contact).where(col(Contact.email) == GONE))
        return await really(session, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(freezing, "freeze", erased_meanwhile)
        await launched(database, campaign.id)
    async with database.write() as session:
        await cancel(session, campaign.id, clock.now())
    await take_back(database, clock)
    assert await states(database) == {NOBODY: S.CANCELLED, THERE: S.CANCELLED}


async def test_what_an_erased_person_says_is_not_said_by_who_was_given_their_number(
    database: Database, clock: ManualClock
) -> None:
    await a_running_campaign(database, GONE)
    lost = ScriptedTransport(answers={GONE: Uncertain(Reply(None, None, "cut off"))})
    await drain_all(database, a_dispatcher(database, lost, clock), clock.now())
    await delete_person(database)
    async with database.write() as session:
        newcomer = await a_contact(session, email="new@gmail.com", email_consent=ConsentStatus.GRANTED)
        (row,) = (await session.exec(select(Delivery))).all()
        said = Signal(
            EventKind.UNSUBSCRIBED, Channel.EMAIL, "unsubscribe-link", "1", clock.now(), delivery_id=row.id
        )
        assert await apply(session, said, clock.now()) is Applied.NEW
    async with database.read() as session:
        found = await session.get(Contact, newcomer.id)
    assert found is not None
    assert found.email_consent is ConsentStatus.GRANTED
    async with database.read() as session:
        told = select(Event.contact_id).where(Event.kind == EventKind.UNSUBSCRIBED)
        assert (await session.exec(told)).all() == [None]
