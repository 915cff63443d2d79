"""A person is erased: what was sent to them still counts, and nothing says whom it was sent to."""

import asyncio

import sqlalchemy as sa
from alembic import command
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.api import KeyMode
from models.campaign import Campaign, LeftOut
from models.contact import Contact
from models.delivery import Delivery
from models.event import Event, Incoming, event_about
from models.interaction import Interaction
from models.message import Message, MessageResult
from models.states import Channel, DeliveryState, EventKind, LeftOutReason, Purpose, SuppressionReason
from models.suppression import Suppression, address_hash
from models.tally import Account, Tally
from models.values import Cover, Reply
from store import Database, campaigns, cascade, contacts, erasure, events, incoming, suppressions
from store.schema import configuration
from tests.clocks import START
from tests.factories import a_campaign, a_contact, an_identity

ANA, BOB = "ana.durand@gmail.com", "bob@orange.fr"
PHONE = "+33612345678"


async def written_to(
    session: AsyncSession,
    contact: Contact,
    campaign: Campaign,
    *,
    state: DeliveryState = DeliveryState.REFUSED,
) -> Delivery:
    delivery = Delivery(
        campaign_id=campaign.id,
        contact_id=contact.id,
        channel=Channel.EMAIL,
        identity_id=1,
        provider="gmail",
        address=contact.email or "",
        due_at=START,
        state=state,
        reason=f"<{contact.email}> is unknown",
    )
    session.add(delivery)
    await session.flush()
    return delivery


async def said_from_outside(session: AsyncSession, contact: Contact, raw: bytes) -> None:
    """A mail that names the person on its envelope alone, and one that could not be read."""
    raw_of_own = b"I, " + raw[4:5]
    cover = Cover("smtp", ("b+token@retour.parti.example",), contact.email or "")
    await incoming.keep(session, source="mail", raw=raw_of_own, matched=False, now=START, cover=cover)
    problem = f"ValueError: {contact.email}"
    await incoming.set_aside(session, b"of " + raw, cover, problem=problem, now=START)


async def a_trace(session: AsyncSession, contact: Contact, campaign: Campaign) -> None:
    """A refused message, what came back of it, and a place among those left out."""
    delivery = await written_to(session, contact, campaign)
    reply = Reply(550, "5.1.1", f"<{contact.email}> is unknown")
    told = event_about(
        delivery,
        EventKind.REFUSED,
        source="test",
        source_id=str(delivery.id),
        at=START,
        now=START,
        reply=reply,
    )
    told.details = {"final_recipient": contact.email or "", "machine": "scanner"}
    await events.append(session, told)
    raw = f"To: {contact.email}".encode()
    await incoming.keep(session, source="mail", raw=raw, matched=True, now=START, contact_id=contact.id)
    await incoming.keep(session, source="lost", raw=b"who is " + raw, matched=False, now=START)
    await incoming.keep(
        session,
        source="lost",
        raw=f"From={(contact.phone or '').replace('+', '%2B')}".encode(),
        matched=False,
        now=START,
    )
    await said_from_outside(session, contact, raw)
    session.add(LeftOut(campaign_id=campaign.id, contact_id=contact.id, reason=LeftOutReason.CAPPED))
    session.add(
        Tally(
            campaign_id=campaign.id,
            account=Account.SAID,
            identity_id=0,
            provider="gmail",
            word=contact.email or "",
            shard=7,
            count=3,
            text=reply.text,
        )
    )
    await suppressions.suppress(
        session,
        channel=Channel.EMAIL,
        address_hash=address_hash(Channel.EMAIL, contact.email or ""),
        reason=SuppressionReason.HARD_BOUNCE,
        evidence="",
        event_id=None,
        now=START,
    )


def told_by_a_program(contact: Contact, campaign: Campaign) -> list[Message | Interaction]:
    """A message it asked for, and something the person did."""
    message = Message(
        key_id=1,
        mode=KeyMode.LIVE,
        campaign_id=campaign.id,
        identity_id=1,
        contact_id=contact.id,
        channel=Channel.EMAIL,
        purpose=Purpose.TRANSACTIONAL,
        address=contact.email or "",
        result=MessageResult.ACCEPTED,
        reference=f"gift of {contact.email}",
        details={"who": contact.email or ""},
        values={"who": contact.email or ""},
        send_at=START,
        created_at=START,
    )
    deed = Interaction(
        contact_id=contact.id,
        kind="meeting",
        label="meeting",
        at=START,
        details={"as": contact.email or ""},
        recorded_at=START,
    )
    return [message, deed]


async def a_past(database: Database) -> tuple[int, int]:
    """Ana and Bob got a message each, both refused with their address in the answer; numbers of theirs."""
    async with database.write() as session:
        campaign = await a_campaign(session, senders=[await an_identity(session)])
        people = [await a_contact(session, email=ANA, phone=PHONE), await a_contact(session, email=BOB)]
        for contact in people:
            await a_trace(session, contact, campaign)
            session.add_all(told_by_a_program(contact, campaign))
        return people[0].id, campaign.id


async def erase(database: Database, number: int) -> None:
    async with database.write() as session:
        await session.exec(sa.delete(Contact).where(col(Contact.id) == number))


async def everything(database: Database) -> str:
    """All rows of all tables that may know people, but for the words of the test's own counters."""
    said = []
    async with database.read() as session:
        for name, table in SQLModel.metadata.tables.items():
            columns = [column for column in table.c if (name, column.name) != ("tally", "word")]
            said += [repr(row) for row in (await (await session.connection()).execute(sa.select(*columns)))]
    return "\n".join(said)


async def test_no_table_names_an_erased_person_and_every_other_is_as_it_was(database: Database) -> None:
    number, _ = await a_past(database)
    assert ANA in await everything(database)
    await erase(database, number)
    left = await everything(database)
    assert "durand" not in left
    assert PHONE[1:] not in left
    assert BOB in left
    async with database.read() as session:
        texts = (await session.exec(select(Event.text))).all()
        raws = (await session.exec(select(Incoming.raw))).all()
        assert (await session.exec(select(sa.func.count()).select_from(Message))).one() == 2
        assert (await session.exec(select(sa.func.count()).select_from(Interaction))).one() == 1
    assert sorted(texts) == ["", f"<{BOB}> is unknown"]
    # Bob has no number.
    bobs = [f"To: {BOB}", f"of To: {BOB}", f"who is To: {BOB}"]
    assert sorted(raws) == [*([b""] * 5), b"From=", b"I, b", *(raw.encode() for raw in bobs)]


async def test_figures_are_the_same_after_an_erasure(database: Database) -> None:
    number, campaign_id = await a_past(database)

    async def figures() -> tuple[object, ...]:
        async with database.read() as session:
            return (
                await campaigns.count_states(session, campaign_id),
                await campaigns.progress(session, campaign_id),
                await campaigns.left_out(session, campaign_id),
                (await session.exec(select(sa.func.count()).select_from(LeftOut))).one(),
                sorted((await session.exec(select(Event.kind, Event.code, Event.provider))).all()),
                (await session.exec(select(sa.func.sum(Tally.count)))).one(),
                (await session.exec(select(sa.func.count()).select_from(Suppression))).one(),
            )

    before = await figures()
    await erase(database, number)
    assert await figures() == before


async def test_what_a_scanner_did_still_counts_for_nobody(database: Database) -> None:
    number, _ = await a_past(database)
    await erase(database, number)
    async with database.read() as session:
        details = (await session.exec(select(Event.details).where(col(Event.contact_id).is_(None)))).all()
    assert details == [{"machine": "scanner"}]


async def test_two_erased_people_of_one_campaign_stay_two(database: Database) -> None:
    number, campaign_id = await a_past(database)
    async with database.read() as session:
        numbers = (await session.exec(select(Contact.id).order_by(col(Contact.id).desc()))).all()
    for each in numbers:
        await erase(database, each)
    async with database.write() as session:
        # SQLite gives the number of the last person again, who may be left out of the same campaign.
        again = await a_contact(session, email="carl@free.fr")
        session.add(LeftOut(campaign_id=campaign_id, contact_id=again.id, reason=LeftOutReason.CAPPED))
    await erase(database, again.id)
    async with database.read() as session:
        assert len(set((await session.exec(select(LeftOut.contact_id))).all())) == 3
        assert (await session.exec(select(Delivery.contact_id))).all() == [None, None]
    assert number in numbers


async def test_who_waits_for_a_message_keeps_the_number_that_stops_it(database: Database) -> None:
    async with database.write() as session:
        contact = await a_contact(session, email=ANA)
        campaign = await a_campaign(session)
        await written_to(session, contact, campaign, state=DeliveryState.QUEUED)
    await erase(database, contact.id)
    async with database.read() as session:
        row = (await session.exec(select(Delivery))).one()
        assert (row.address, row.contact_id) == ("", contact.id)


async def test_what_a_launch_wrote_of_somebody_just_erased_is_found_and_blanked(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
        there = await a_contact(session, email=BOB)
        gone = Contact(id=999, email=ANA, created_at=START, updated_at=START)
        await written_to(session, there, campaign)
        late = await written_to(session, gone, campaign)
    async with database.write() as session:
        numbers = await erasure.left_behind(session, campaign.id)
        assert numbers == [late.id]
        await erasure.blank(session, numbers)
        assert await erasure.left_behind(session, campaign.id) == []
    left = await everything(database)
    assert "durand" not in left
    assert BOB in left


async def test_an_older_way_to_erase_is_replaced_when_the_tables_are_migrated(database: Database) -> None:
    async with database.write() as session:
        connection = await session.connection()
        if database.is_sqlite:
            await connection.exec_driver_sql(f"DROP TRIGGER {cascade.NAME}")
            await connection.exec_driver_sql(
                f"CREATE TRIGGER {cascade.NAME} AFTER DELETE ON contact BEGIN SELECT 1; END"
            )
        else:
            await connection.exec_driver_sql(
                f"CREATE OR REPLACE FUNCTION {cascade.NAME}() RETURNS trigger LANGUAGE plpgsql AS $$ "
                "BEGIN RETURN NULL; END $$"
            )
        assert not await connection.run_sync(cascade.is_installed)
    await database.migrate()
    async with database.read() as session:
        assert await (await session.connection()).run_sync(cascade.is_installed)
    number, _ = await a_past(database)
    await erase(database, number)
    assert "durand" not in await everything(database)


async def test_on_older_tables_people_can_be_deleted_without_it(database: Database) -> None:
    await asyncio.to_thread(command.downgrade, configuration(database.url), "0001")
    async with database.write() as session:
        await (await session.connection()).exec_driver_sql(
            "INSERT INTO contact (id, language, attributes, attributes_key, email_consent, sms_consent,"
            " created_at, updated_at) VALUES (1, 'fr', '{}', '{}', 'granted', 'granted',"
            " '2026-03-01 10:00:00', '2026-03-01 10:00:00')"
        )
    await erase(database, 1)


async def test_the_number_of_somebody_who_is_gone_never_means_somebody_else(database: Database) -> None:
    async with database.write() as session:
        first, last = await contacts.insert_contacts(
            session, [{"email": "a@b.fr"}, {"email": "b@b.fr"}], now=START
        )
        await contacts.erase(session, last)
        await contacts.erase(session, first)
    async with database.write() as session:
        [next_one] = await contacts.insert_contacts(session, [{"email": "c@b.fr"}], now=START)
        assert next_one > last
        assert await contacts.reserve(session, 1) >= [next_one + 1]


async def a_message_to(
    session: AsyncSession, address: str, campaign: Campaign, *, state: DeliveryState | None
) -> None:
    """One that a program asked for while nobody here had the address; without a `state`, suppressed."""
    suppressed = state is None
    message = Message(
        key_id=1,
        mode=KeyMode.LIVE,
        campaign_id=campaign.id,
        identity_id=1,
        channel=Channel.EMAIL,
        purpose=Purpose.TRANSACTIONAL,
        address=address,
        result=MessageResult.SUPPRESSED if suppressed else MessageResult.ACCEPTED,
        reference=f"gift of {address}",
        values={"who": address},
        send_at=START,
        created_at=START,
    )
    session.add(message)
    await session.flush()
    if state is None:
        return
    delivery = Delivery(
        campaign_id=campaign.id,
        message_id=message.id,
        channel=Channel.EMAIL,
        identity_id=1,
        provider="gmail",
        address=address,
        due_at=START,
        state=state,
        reason=f"<{address}> is unknown",
    )
    session.add(delivery)
    await session.flush()
    reply = Reply(550, "5.1.1", f"<{address}> is unknown")
    told = event_about(
        delivery, EventKind.REFUSED, source="t", source_id=str(message.id), at=START, now=START, reply=reply
    )
    await events.append(session, told)


async def test_messages_from_before_a_person_was_known_name_them_no_more(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session, senders=[await an_identity(session)])
        for state in (DeliveryState.REFUSED, DeliveryState.QUEUED, None):
            await a_message_to(session, ANA, campaign, state=state)
            await a_message_to(session, BOB, campaign, state=state)
        ana = await a_contact(session, email=ANA)
    await erase(database, ana.id)
    async with database.read() as session:
        messages = (
            await session.exec(select(Message.address, Message.values).order_by(col(Message.id)))
        ).all()
        events_of = (await session.exec(select(Event.text).order_by(col(Event.id)))).all()
        deliveries = (await session.exec(select(Delivery.address).order_by(col(Delivery.id)))).all()
    bob = (BOB, {"who": BOB})
    # What is to leave yet keeps what it needs.
    assert messages == [("", {}), bob, (ANA, {"who": ANA}), bob, ("", {}), bob]
    assert deliveries == ["", BOB, ANA, BOB]
    assert events_of[:2] == ["", f"<{BOB}> is unknown"]
