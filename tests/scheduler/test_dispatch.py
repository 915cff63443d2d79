"""One delivery's life, from the queue to its end."""

import re
from datetime import timedelta
from email import policy
from email.parser import BytesParser

from sqlmodel import select

from models.clock import SystemClock
from models.contact import Contact
from models.delivery import Delivery
from models.event import Event
from models.providers import SMS
from models.states import (
    CampaignState,
    Channel,
    ConsentStatus,
    DeliveryState,
    EventKind,
    SuppressionReason,
)
from models.suppression import Suppression, address_hash
from models.tokens import TokenPurpose, Tokens
from models.values import Deferred, Outcome, Refused, Reply, SmsEnvelope, Uncertain
from scheduler.campaigns import cancel, close_cancelled, pause, resume
from scheduler.pacing import Pace
from store import Database, campaigns, suppressions
from store.events import events_of_delivery
from tests.clocks import START, ManualClock
from tests.factories import KEYRING, a_campaign, a_contact, a_seed, a_template, an_identity
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all, launched
from tests.scheduler.ledgers import a_running_campaign, rows

UNKNOWN_USER = Refused(Reply(550, "5.1.1", "5.1.1 user unknown"))
BUSY = Deferred(Reply(451, "4.3.2", "4.3.2 try later"))


async def kinds(database: Database, address: str) -> list[EventKind]:
    async with database.read() as session:
        wanted = select(Event.kind).join(Delivery).where(Delivery.address == address).order_by(Event.id)  # type: ignore[arg-type]
        return [EventKind(word) for word in (await session.exec(wanted)).all()]


async def test_an_accepted_message_is_recorded_with_its_event(database: Database, clock: ManualClock) -> None:
    await a_running_campaign(database, "a@gmail.com")
    transport = ScriptedTransport()
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert (await rows(database))["a@gmail.com"].state is DeliveryState.ACCEPTED
    assert await kinds(database, "a@gmail.com") == [EventKind.ACCEPTED]


async def test_the_message_carries_all_that_providers_and_bounces_need(
    database: Database, clock: ManualClock
) -> None:
    await a_running_campaign(database, "a@gmail.com")
    transport = ScriptedTransport()
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    letter = transport.letter_to("a@gmail.com")
    parsed = BytesParser(policy=policy.default).parsebytes(bytes(letter.data))
    tokens, delivery = Tokens(KEYRING), (await rows(database))["a@gmail.com"]
    leave = tokens.make(TokenPurpose.LEAVE, delivery.id)
    assert parsed["List-Unsubscribe"] == f"<https://tocsin.exemple.fr/u/{leave}>"
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert parsed["Message-ID"] == f"<{tokens.make(TokenPurpose.MESSAGE, delivery.id)}@parti.fr>"
    assert parsed["Feedback-ID"].endswith(":national:email:tocsin")
    assert letter.return_path == f"b+{tokens.make(TokenPurpose.BOUNCE, delivery.id)}@retour.parti.fr"
    assert parsed["Subject"] == "Bonjour Camille"
    signed = " ".join(parsed["DKIM-Signature"].lower().split())
    assert "list-unsubscribe:" in signed
    assert "list-unsubscribe-post" in signed


async def test_an_unknown_user_is_refused_for_good_and_suppressed(
    database: Database, clock: ManualClock
) -> None:
    await a_running_campaign(database, "a@gmail.com", "b@gmail.com")
    transport = ScriptedTransport(answers={"a@gmail.com": UNKNOWN_USER})
    dispatcher = a_dispatcher(database, transport, clock)
    await drain_all(database, dispatcher, clock.now())
    clock.advance(timedelta(days=1))
    await drain_all(database, dispatcher, clock.now())
    assert transport.recipients.count("a@gmail.com") == 1
    assert (await rows(database))["a@gmail.com"].state is DeliveryState.REFUSED
    async with database.read() as session:
        (row,) = (await session.exec(select(Suppression))).all()
    assert row.address_hash == address_hash(Channel.EMAIL, "a@gmail.com")
    assert row.reason is SuppressionReason.HARD_BOUNCE


async def test_a_block_refusal_suppresses_nobody(database: Database, clock: ManualClock) -> None:
    await a_running_campaign(database, "a@laposte.net")
    blocked = Refused(Reply(550, "5.5.0", "5.5.0 Service refuse. Veuillez essayer plus tard. LPN007_102"))
    transport = ScriptedTransport(answers={"a@laposte.net": blocked})
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    async with database.read() as session:
        assert (await session.exec(select(Suppression))).all() == []


async def test_an_answer_carries_its_fine_reason(database: Database, clock: ManualClock) -> None:
    await a_running_campaign(database, "a@gmail.com", "b@gmail.com", "c@gmail.com", "d@gmail.com")
    answers: dict[str, Outcome] = {
        "a@gmail.com": UNKNOWN_USER,
        "b@gmail.com": Refused(Reply(552, "5.2.2", "5.2.2 Mailbox full")),
        "c@gmail.com": Deferred(Reply(452, "4.2.2", "4.2.2 Mailbox full")),
    }
    transport = ScriptedTransport(answers=answers)
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    async with database.read() as session:
        found = {one.address: one.id for one in (await session.exec(select(Delivery))).all()}
        told = {
            address[0]: [one.details.get("cause") for one in await events_of_delivery(session, number)]
            for address, number in found.items()
        }
    assert told == {"a": ["userunknown"], "b": ["mailboxfull"], "c": ["mailboxfull"], "d": [None]}


async def test_a_temporary_refusal_is_tried_again_later_and_not_before(
    database: Database, clock: ManualClock
) -> None:
    await a_running_campaign(database, "a@gmail.com")
    transport = ScriptedTransport(answers={"a@gmail.com": BUSY})
    dispatcher = a_dispatcher(database, transport, clock)
    await drain_all(database, dispatcher, clock.now())
    clock.advance(timedelta(minutes=14))
    await drain_all(database, dispatcher, clock.now())
    assert len(transport.sent) == 1
    transport.answers.clear()
    clock.advance(timedelta(minutes=2))
    await drain_all(database, dispatcher, clock.now())
    assert len(transport.sent) == 2
    assert await kinds(database, "a@gmail.com") == [EventKind.DEFERRED, EventKind.ACCEPTED]


async def test_what_stays_deferred_expires_after_five_days(database: Database, clock: ManualClock) -> None:
    await a_running_campaign(database, "a@gmail.com")
    dispatcher = a_dispatcher(database, ScriptedTransport(answers={"a@gmail.com": BUSY}), clock)
    for _ in range(14):
        await drain_all(database, dispatcher, clock.now())
        clock.advance(timedelta(hours=9))
    assert (await rows(database))["a@gmail.com"].state is DeliveryState.EXPIRED
    assert (await kinds(database, "a@gmail.com"))[-1] is EventKind.EXPIRED


async def test_a_drop_after_the_content_is_uncertain_and_never_resent(
    database: Database, clock: ManualClock
) -> None:
    await a_running_campaign(database, "a@gmail.com")
    lost = Uncertain(Reply(None, None, "connection lost"))
    transport = ScriptedTransport(answers={"a@gmail.com": lost})
    dispatcher = a_dispatcher(database, transport, clock)
    await drain_all(database, dispatcher, clock.now())
    clock.advance(timedelta(days=3))
    await drain_all(database, dispatcher, clock.now())
    assert len(transport.sent) == 1
    assert (await rows(database))["a@gmail.com"].state is DeliveryState.UNCERTAIN


async def test_who_unsubscribes_while_queued_is_not_written_to(
    database: Database, clock: ManualClock
) -> None:
    await a_running_campaign(database, "a@gmail.com", "b@gmail.com")
    async with database.write() as session:
        await suppressions.suppress(
            session,
            channel=Channel.EMAIL,
            address_hash=address_hash(Channel.EMAIL, "a@gmail.com"),
            reason=SuppressionReason.UNSUBSCRIBE,
            evidence="",
            event_id=None,
            now=clock.now(),
        )
    transport = ScriptedTransport()
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert transport.recipients == ["b@gmail.com"]
    assert (await rows(database))["a@gmail.com"].state is DeliveryState.SUPPRESSED
    assert await kinds(database, "a@gmail.com") == [EventKind.SUPPRESSED]


async def test_who_withdraws_while_others_are_being_sent_is_not_written_to(
    database: Database, clock: ManualClock
) -> None:
    addresses = [f"p{number:02}@gmail.com" for number in range(20)]
    await a_running_campaign(database, *addresses)

    async def withdraw_the_last(recipient: str) -> None:
        if recipient != "p00@gmail.com":
            return
        async with database.write() as session:
            contact = (await session.exec(select(Contact).where(Contact.email == "p19@gmail.com"))).one()
            contact.email_consent = ConsentStatus.WITHDRAWN
            session.add(contact)

    transport = ScriptedTransport(before=withdraw_the_last, connections=1)
    await drain_all(database, a_dispatcher(database, transport, clock, chunk=8), clock.now())
    assert sorted(transport.recipients) == addresses[:-1]


async def test_a_pause_lets_nothing_more_leave_and_loses_nothing(
    database: Database, clock: ManualClock
) -> None:
    addresses = [f"p{number:02}@gmail.com" for number in range(30)]
    campaign_id = await a_running_campaign(database, *addresses)

    async def pause_at_once(recipient: str) -> None:
        if recipient == "p00@gmail.com":
            async with database.write() as session:
                await pause(session, campaign_id, clock.now())

    transport = ScriptedTransport(before=pause_at_once, connections=1)
    dispatcher = a_dispatcher(database, transport, clock, chunk=8)
    await drain_all(database, dispatcher, clock.now())
    paused_at = len(transport.sent)
    assert paused_at <= 8
    async with database.read() as session:
        counts = await campaigns.progress(session, campaign_id)
    assert counts == {DeliveryState.ACCEPTED: paused_at, DeliveryState.QUEUED: 30 - paused_at}
    transport.before = None
    async with database.write() as session:
        await resume(session, campaign_id, clock.now())
    await drain_all(database, dispatcher, clock.now())
    assert sorted(transport.recipients) == addresses


async def test_a_cancelled_campaign_leaves_sent_and_unsent_cleanly_apart(
    database: Database, clock: ManualClock
) -> None:
    campaign_id = await a_running_campaign(database, *(f"p{number:02}@gmail.com" for number in range(30)))

    async def cancel_at_once(recipient: str) -> None:
        if recipient == "p00@gmail.com":
            async with database.write() as session:
                await cancel(session, campaign_id, clock.now())

    transport = ScriptedTransport(before=cancel_at_once, connections=1)
    dispatcher = a_dispatcher(database, transport, clock, chunk=8)
    await drain_all(database, dispatcher, clock.now())
    async with database.write() as session:
        await close_cancelled(session, clock.now())
        campaign = await campaigns.get_campaign(session, campaign_id)
        counts = await campaigns.progress(session, campaign_id)
    assert campaign.state is CampaignState.CANCELLED
    assert counts[DeliveryState.ACCEPTED] == len(transport.sent)
    assert set(counts) == {DeliveryState.ACCEPTED, DeliveryState.CANCELLED}


async def test_messages_of_one_provider_keep_their_distance(database: Database, clock: ManualClock) -> None:
    await a_running_campaign(database, *(f"p{number}@gmail.com" for number in range(10)))
    transport = ScriptedTransport(clock=SystemClock())
    slow = Pace(emails_per_second=1000, providers={"gmail": 20})
    dispatcher = a_dispatcher(database, transport, SystemClock(), pace=slow)
    await drain_all(database, dispatcher, clock.now())
    assert len(transport.moments) == 10
    # Ten messages are nine steps of 50 ms; the slack is for a busy machine.
    assert transport.moments[-1] - transport.moments[0] >= timedelta(seconds=0.3)


async def test_an_erased_person_is_not_written_to(database: Database, clock: ManualClock) -> None:
    await a_running_campaign(database, "a@gmail.com")
    async with database.write() as session:
        contact = (await session.exec(select(Contact))).one()
        contact.email = contact.email_hash = None
        session.add(contact)
    transport = ScriptedTransport()
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert transport.sent == []
    assert (await rows(database))["a@gmail.com"].state is DeliveryState.CANCELLED


async def test_a_value_lost_since_the_launch_holds_the_delivery(
    database: Database, clock: ManualClock
) -> None:
    await a_running_campaign(database, "a@gmail.com", "b@gmail.com")
    async with database.write() as session:
        contact = (await session.exec(select(Contact).where(Contact.email == "a@gmail.com"))).one()
        contact.first_name = None
        session.add(contact)
    transport = ScriptedTransport()
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert transport.recipients == ["b@gmail.com"]
    held = (await rows(database))["a@gmail.com"]
    assert held.state is DeliveryState.HELD
    assert "first_name" in held.reason


async def test_nothing_in_a_seeds_mail_tells_it_from_a_persons(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        await a_contact(session, email="person@gmail.com")
        await a_seed(session, address="seed@gmail.com")
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    transport = ScriptedTransport()
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())

    def headers(address: str) -> dict[str, str]:
        parsed = BytesParser(policy=policy.default).parsebytes(bytes(transport.letter_to(address).data))
        # What is everybody's own: the address, the name, the tokens, and the signature over them.
        return {
            name: re.sub(r"[a-z2-7]{24}", "", str(value))
            for name, value in parsed.items()
            if name not in {"To", "Subject", "DKIM-Signature", "Content-Type"}
        }

    assert headers("seed@gmail.com") == headers("person@gmail.com")
    assert (await rows(database))["seed@gmail.com"].state is DeliveryState.ACCEPTED


async def test_a_text_message_names_where_its_fate_is_to_be_told(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        await a_contact(session, phone="+33639980001")
        version = await a_template(session, channel=Channel.SMS)
        sender = await an_identity(session, sms_sender="PARTI")
        campaign = await a_campaign(session, version=version, senders=[sender])
    await launched(database, campaign.id)
    transport = ScriptedTransport(channel=Channel.SMS)
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    (envelope,) = transport.sent
    assert isinstance(envelope, SmsEnvelope)
    row = (await rows(database))["+33639980001"]
    assert row.provider == SMS
    token = Tokens(KEYRING).make(TokenPurpose.MESSAGE, row.id)
    assert envelope.status_callback == f"https://tocsin.exemple.fr/hooks/twilio/status?d={token}"
    assert (envelope.sender, envelope.text) == ("PARTI", "Bonjour Camille, à samedi. STOP au 36000")


async def test_nothing_leaves_past_its_time(database: Database, clock: ManualClock) -> None:
    await a_running_campaign(database, "a@gmail.com")
    async with database.write() as session:
        row = (await session.exec(select(Delivery))).one()
        row.not_after = START + timedelta(minutes=1)
        session.add(row)
    clock.advance(timedelta(minutes=2))
    transport = ScriptedTransport()
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert transport.sent == []
    assert (await rows(database))["a@gmail.com"].state is DeliveryState.EXPIRED
