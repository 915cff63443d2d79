"""News is recorded once, whatever the order, and does what it should to the person and the delivery."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.feedback import Applied, apply, apply_all, settle_from_evidence
from deliverability.suppression import is_suppressed
from models.contact import ConsentRecord, Contact
from models.delivery import Delivery
from models.event import Event, Incoming
from models.states import (
    BounceClass,
    Channel,
    ConsentStatus,
    DeliveryState,
    EventKind,
    Permanence,
    SuppressionReason,
)
from models.suppression import Suppression
from models.values import Reply, Signal
from store import Database
from tests.clocks import START
from tests.deliverability.rows import a_contact, a_delivery, a_seed, heard

NO_SUCH_USER = Reply(550, "5.1.1", "550 5.1.1 user unknown")
CLOSED = Reply(550, "5.2.1", "550 5.2.1 mailbox closed")
LATER = START + timedelta(hours=1)


def news(delivery: Delivery, kind: EventKind, *, name: str = "", reply: Reply | None = None) -> Signal:
    return Signal(
        kind=kind,
        channel=delivery.channel,
        source="test",
        source_id=name or f"{delivery.id}:{kind.value}",
        at=START,
        delivery_id=delivery.id,
        reply=reply,
        raw=b"as it came",
    )


async def kinds_of(session: AsyncSession, delivery: Delivery) -> list[EventKind]:
    wanted = select(Event.kind).where(Event.delivery_id == delivery.id).order_by(Event.kind)
    return [EventKind(kind) for kind in (await session.exec(wanted)).all()]


async def suppressed(session: AsyncSession, delivery: Delivery, now: datetime = LATER) -> bool:
    return await is_suppressed(session, delivery.channel, delivery.address, now)


async def test_the_same_news_is_recorded_once(database: Database) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session)
        results = [await apply(session, news(delivery, EventKind.DELIVERED), LATER) for _ in range(10)]
        assert results == [Applied.NEW] + [Applied.REPEATED] * 9
        assert await kinds_of(session, delivery) == [EventKind.DELIVERED]
        assert (await session.exec(select(sa.func.count()).select_from(Incoming))).one() == 1


async def test_the_same_news_heard_twice_at_once_is_recorded_once(database: Database) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session)

    async def hear() -> Applied:
        async with database.write() as session:
            return await apply(session, news(delivery, EventKind.COMPLAINED), LATER)

    results = await asyncio.gather(*(hear() for _ in range(5)))
    assert sorted(results) == [Applied.NEW] + [Applied.REPEATED] * 4


async def test_a_hard_bounce_suppresses_the_address_and_says_why(database: Database) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session)
        await apply(session, news(delivery, EventKind.BOUNCED, reply=NO_SUCH_USER), LATER)
        assert await suppressed(session, delivery)
        row = (await session.exec(select(Suppression))).one()
        event = (await session.exec(select(Event))).one()
    assert (row.reason, row.event_id) == (SuppressionReason.HARD_BOUNCE, event.id)
    assert delivery.address not in row.evidence
    assert event.rule in row.evidence


async def test_a_refusal_that_is_not_the_persons_fault_suppresses_nobody(database: Database) -> None:
    reply = Reply(550, "5.5.0", "550 5.5.0 Service refuse. LPN007_510")
    async with database.write() as session:
        delivery = await a_delivery(session, contact=await a_contact(session, email="a@laposte.net"))
        await apply(session, news(delivery, EventKind.BOUNCED, reply=reply), LATER)
        assert not await suppressed(session, delivery)


async def test_a_closed_mailbox_is_suppressed_once_found_closed_a_week_apart(database: Database) -> None:
    async with database.write() as session:
        contact = await a_contact(session)
        first, second = [await a_delivery(session, contact=contact) for _ in range(2)]
        late = replace(news(second, EventKind.BOUNCED, reply=CLOSED), at=START + timedelta(days=8))
        # The later news arrives first.
        await apply(session, late, LATER)
        assert not await suppressed(session, first)
        await apply(session, news(first, EventKind.BOUNCED, reply=CLOSED), LATER)
        assert await suppressed(session, first)


async def test_a_mailbox_found_closed_twice_in_one_day_is_not_suppressed(database: Database) -> None:
    async with database.write() as session:
        contact = await a_contact(session)
        for _ in range(2):
            delivery = await a_delivery(session, contact=contact)
            await apply(session, news(delivery, EventKind.BOUNCED, reply=CLOSED), LATER)
        assert not await suppressed(session, delivery)


@pytest.mark.parametrize("kind", [EventKind.COMPLAINED, EventKind.UNSUBSCRIBED])
async def test_an_objection_suppresses_and_withdraws_consent_with_proof(
    database: Database, kind: EventKind
) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session)
        await apply(session, news(delivery, kind), LATER)
    async with database.read() as session:
        assert await suppressed(session, delivery)
        contact = (await session.exec(select(Contact))).one()
        proof = (await session.exec(select(ConsentRecord))).one()
    assert (contact.email_consent, contact.sms_consent) == (ConsentStatus.WITHDRAWN, ConsentStatus.GRANTED)
    assert (proof.status, proof.given_at) == (ConsentStatus.WITHDRAWN, START)
    assert proof.source == ("complaint" if kind is EventKind.COMPLAINED else "unsubscribe link")


async def test_stop_from_a_number_we_never_wrote_to_still_counts(database: Database) -> None:
    signal = heard(
        EventKind.UNSUBSCRIBED, "twilio inbound", "SM9", channel=Channel.SMS, recipient="+33612345678"
    )
    async with database.write() as session:
        await a_contact(session, phone="+33612345678")
        assert await apply(session, signal, LATER) is Applied.NEW
        assert await is_suppressed(session, Channel.SMS, "+33612345678", LATER)
        await session.commit()
        contact = (await session.exec(select(Contact).execution_options(populate_existing=True))).one()
        assert (contact.sms_consent, contact.email_consent) == (
            ConsentStatus.WITHDRAWN,
            ConsentStatus.GRANTED,
        )


async def test_news_of_an_unknown_message_changes_nothing_and_is_kept(database: Database) -> None:
    signal = heard(EventKind.BOUNCED, "dsn", "x", reply=NO_SUCH_USER, raw=b"raw")
    async with database.write() as session:
        assert await apply(session, signal, LATER) is Applied.UNMATCHED
        assert (await session.exec(select(Event))).first() is None
        assert [kept.matched for kept in (await session.exec(select(Incoming))).all()] == [False]


@pytest.mark.parametrize(
    "kind", [EventKind.DELIVERED, EventKind.CLICKED, EventKind.BOUNCED, EventKind.RELAYED]
)
async def test_evidence_settles_an_uncertain_delivery(database: Database, kind: EventKind) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session, state=DeliveryState.UNCERTAIN)
        await apply(session, news(delivery, kind, reply=Reply(550, "5.2.2", "full")), LATER)
        assert delivery.state is DeliveryState.ACCEPTED
        assert await kinds_of(session, delivery) == sorted([EventKind.ACCEPTED, kind])


@pytest.mark.parametrize("state", sorted(set(DeliveryState) - {DeliveryState.UNCERTAIN}))
async def test_late_news_moves_no_other_state(database: Database, state: DeliveryState) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session, state=state)
        await apply(session, news(delivery, EventKind.DELIVERED), LATER)
        await session.refresh(delivery)
        assert delivery.state is state


async def test_news_that_came_while_the_message_was_on_the_wire_settles_it_afterwards(
    database: Database,
) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session, state=DeliveryState.SENDING)
        await apply(session, news(delivery, EventKind.DELIVERED), LATER)
        delivery.state = DeliveryState.UNCERTAIN
        await session.flush()
        assert await settle_from_evidence(session, delivery, LATER)
        assert delivery.state is DeliveryState.ACCEPTED
        assert not await settle_from_evidence(session, delivery, LATER)


async def test_a_deferral_alone_does_not_prove_that_the_message_left(database: Database) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session, state=DeliveryState.SENDING)
        await apply(session, news(delivery, EventKind.DEFERRED, reply=Reply(451, "4.7.1", "later")), LATER)
        delivery.state = DeliveryState.UNCERTAIN
        await session.flush()
        assert not await settle_from_evidence(session, delivery, LATER)
        assert delivery.state is DeliveryState.UNCERTAIN


async def test_what_somebody_else_settled_meanwhile_is_not_settled_again(database: Database) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session, state=DeliveryState.SENDING)
        await apply(session, news(delivery, EventKind.DELIVERED), LATER)
        delivery.state = DeliveryState.UNCERTAIN
        await session.flush()
        await session.exec(
            sa.update(Delivery)
            .values(state=DeliveryState.ACCEPTED)
            .execution_options(synchronize_session=False)
        )
        assert not await settle_from_evidence(session, delivery, LATER)
        assert await kinds_of(session, delivery) == [EventKind.DELIVERED]


async def test_the_providers_number_leads_to_the_delivery(database: Database) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session, channel=Channel.SMS, provider_message_id="SM7")
        signal = replace(
            news(delivery, EventKind.DELIVERED), delivery_id=None, provider_message_id="SM7", recipient=None
        )
        assert await apply(session, signal, LATER) is Applied.NEW
        assert await kinds_of(session, delivery) == [EventKind.DELIVERED]


async def test_a_refused_text_message_is_judged_by_the_tables_for_text_messages(database: Database) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session, channel=Channel.SMS)
        await apply(session, news(delivery, EventKind.BOUNCED, reply=Reply(30005, None, "")), LATER)
        (event,) = (await session.exec(select(Event))).all()
        assert event.bounce_class is BounceClass.NO_SUCH_ADDRESS
        assert await suppressed(session, delivery)


async def test_a_message_given_up_after_temporary_refusals_says_nothing_final_of_the_person(
    database: Database,
) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session)
        given_up = news(delivery, EventKind.BOUNCED, reply=Reply(450, None, "450 user unknown"))
        await apply(session, given_up, LATER)
        assert (await session.exec(select(Event.permanence))).one() is Permanence.SOFT
        assert not await suppressed(session, delivery)


async def test_a_complaint_about_an_address_we_never_wrote_to_still_silences_it(database: Database) -> None:
    signal = heard(EventKind.COMPLAINED, "test", "1", recipient="inconnue@exemple.fr")
    async with database.write() as session:
        assert await apply(session, signal, LATER) is Applied.NEW
        assert await is_suppressed(session, Channel.EMAIL, "inconnue@exemple.fr", LATER)


async def test_a_provider_that_calls_before_our_own_commit_is_understood(database: Database) -> None:
    early = heard(
        EventKind.DELIVERED,
        "twilio",
        "SM1:delivered",
        channel=Channel.SMS,
        provider_message_id="SM1",
        recipient="+33611111111",
    )
    async with database.write() as session:
        contact = await a_contact(session, phone="+33611111111")
        delivery = await a_delivery(
            session, contact=contact, channel=Channel.SMS, state=DeliveryState.UNCERTAIN
        )
        assert await apply(session, early, LATER) is Applied.NEW
        assert (delivery.state, delivery.provider_message_id) == (DeliveryState.ACCEPTED, "SM1")
        other = replace(early, source_id="SM2:delivered", provider_message_id="SM2")
        assert await apply(session, other, LATER) is Applied.UNMATCHED


async def test_a_seed_is_never_suppressed(database: Database) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session, seed=await a_seed(session))
        await apply(session, news(delivery, EventKind.BOUNCED, reply=NO_SUCH_USER), LATER)
        await apply(session, news(delivery, EventKind.COMPLAINED), LATER)
        assert not await suppressed(session, delivery)
        assert all((await session.exec(select(Event.seed))).all())


KINDS = [
    EventKind.DELIVERED,
    EventKind.BOUNCED,
    EventKind.COMPLAINED,
    EventKind.CLICKED,
    EventKind.UNSUBSCRIBED,
    EventKind.RESUBSCRIBED,
    EventKind.DEFERRED,
    # People change their minds more than once.
    EventKind.UNSUBSCRIBED,
    EventKind.RESUBSCRIBED,
]


async def _state_after(
    url: str, order: list[int], moments: dict[int, int], heap: int = 1
) -> tuple[object, ...]:
    """What becomes of one delivery by all the news, each at its own moment, in `order`, so many at a time."""
    database = Database(url)
    async with database.write() as session:
        delivery = await a_delivery(session, state=DeliveryState.UNCERTAIN)
        told = []
        for number in order:
            kind = KINDS[number]
            reply = CLOSED if kind in {EventKind.BOUNCED, EventKind.DEFERRED} else None
            one = news(delivery, kind, name=f"{delivery.id}:{number}", reply=reply)
            told.append(replace(one, at=START + timedelta(minutes=moments[number])))
        for start in range(0, len(told), heap):
            await apply_all(session, told[start : start + heap], LATER)
        await session.refresh(delivery)
        contact = (
            await session.exec(
                select(Contact)
                .where(Contact.id == delivery.contact_id)
                .execution_options(populate_existing=True)
            )
        ).one()
        reasons = await session.exec(
            select(Suppression.reason).where(sa.column("lifted_at").is_(None)).order_by(Suppression.reason)
        )
        facts = (
            delivery.state,
            tuple(await kinds_of(session, delivery)),
            contact.email_consent,
            tuple(reasons.all()),
        )
        await session.rollback()
    await database.close()
    return facts


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.lists(st.integers(0, len(KINDS) - 1), min_size=10, max_size=10),
    moments=st.permutations(range(len(KINDS))),
    data=st.data(),
)
def test_ten_pieces_of_news_in_any_order_and_heaps_of_any_size_end_in_the_same_state(
    migrated_sqlite_file: Path, order: list[int], moments: list[int], data: st.DataObject
) -> None:
    shuffled, heap = data.draw(st.permutations(order)), data.draw(st.integers(1, 10))
    url = f"sqlite:///{migrated_sqlite_file}"
    at = dict(enumerate(moments))
    assert asyncio.run(_state_after(url, order, at)) == asyncio.run(_state_after(url, [*shuffled], at, heap))


@pytest.mark.parametrize("kind", [EventKind.BOUNCED, EventKind.COMPLAINED, EventKind.UNSUBSCRIBED])
async def test_late_news_of_an_erased_person_counts_and_names_nobody(
    database: Database, kind: EventKind
) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session)
        await session.exec(sa.delete(Contact).where(col(Contact.id) == delivery.contact_id))
        await session.refresh(delivery)
        signal = replace(
            news(delivery, kind, reply=NO_SUCH_USER), details={"subject": "Re: Ana", "via": "mailto"}
        )
        assert await apply(session, signal, LATER) is Applied.NEW
        event = (await session.exec(select(Event))).one()
        assert (event.kind, event.text, event.details) == (kind, "", {"via": "mailto"})
        assert (await session.exec(select(Incoming))).first() is None
        assert (await session.exec(select(Suppression))).first() is None


async def test_the_original_of_a_complaint_that_names_a_person_goes_with_them(database: Database) -> None:
    async with database.write() as session:
        contact = await a_contact(session)
        signal = heard(
            EventKind.COMPLAINED,
            "arf",
            "1",
            recipient=contact.email,
            raw=f"Original-Rcpt-To: <{(contact.email or '').upper()}>".encode(),
        )
        assert await apply(session, signal, LATER) is Applied.NEW
        await session.exec(sa.delete(Contact).where(col(Contact.id) == contact.id))
        assert (await session.exec(select(Incoming.raw))).all() == [b""]


async def test_what_came_of_a_message_goes_with_its_person(database: Database) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session)
        await apply(session, news(delivery, EventKind.BOUNCED, reply=NO_SUCH_USER), LATER)
        await session.exec(sa.delete(Contact).where(col(Contact.id) == delivery.contact_id))
    async with database.read() as session:
        assert (await session.exec(select(Incoming.raw))).all() == [b""]
        # The promise not to write there again outlives the person's data.
        assert len((await session.exec(select(Suppression))).all()) == 1
