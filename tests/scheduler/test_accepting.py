"""What programs ask for: on record once, sent once, refused by name; nobody gets what they must not get."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlmodel import select

from models.campaign import Campaign
from models.event import Event
from models.message import Message, MessageResult
from models.states import (
    CampaignState,
    Channel,
    ConsentStatus,
    DeliveryState,
    EventKind,
    Purpose,
    SuppressionReason,
)
from models.suppression import address_hash
from scheduler.asked import Asker, Receipt, Refusal, Results
from scheduler.upkeep import finish_if_done, reconcile
from store import Database, campaigns, rates, suppressions, tally_fold
from store.idempotency import Answered, Call, Different
from tests.clocks import START, ManualClock
from tests.factories import a_contact, an_identity
from tests.scheduler.desks import ScriptedTransport
from tests.scheduler.program_desks import Desk


@pytest.fixture
async def desk(database: Database, clock: ManualClock) -> Desk:
    return await Desk(database, clock).open()


def refused(results: Sequence[Receipt | Refusal]) -> list[str]:
    return [result.code for result in results if isinstance(result, Refusal)]


async def test_a_message_to_somebody_unknown_is_sent_with_what_the_program_said(desk: Desk) -> None:
    (receipt,) = await desk.ask(desk.wish())
    assert isinstance(receipt, Receipt)
    assert (receipt.result, receipt.number > 0, receipt.identity.id) == (
        MessageResult.ACCEPTED,
        True,
        desk.identity,
    )
    transport = ScriptedTransport()
    await desk.drain(transport)
    assert b"Bonjour Camille" in transport.letter_to("camille@gmail.com").data
    (row,) = await desk.rows()
    assert (row.state, row.message_id, row.contact_id, row.provider) == (
        DeliveryState.ACCEPTED,
        receipt.number,
        None,
        "gmail",
    )


async def test_the_same_person_may_get_several_and_each_is_sent_once(desk: Desk) -> None:
    async with desk.database.write() as session:
        person = await a_contact(session, email="camille@gmail.com")
    await desk.ask(*[desk.wish() for _ in range(3)])
    await desk.ask(desk.wish())
    transport = ScriptedTransport()
    await desk.drain(transport)
    await desk.drain(transport)
    assert transport.recipients == ["camille@gmail.com"] * 4
    assert {row.contact_id for row in await desk.rows()} == {person.id}


async def test_what_a_program_says_goes_before_what_is_known_of_the_person(desk: Desk) -> None:
    async with desk.database.write() as session:
        await a_contact(session, email="a@gmail.com", first_name="Claude")
        await a_contact(session, email="b@gmail.com", first_name="Claude")
    await desk.ask(desk.wish("a@gmail.com", variables={}), desk.wish("b@gmail.com"))
    transport = ScriptedTransport()
    await desk.drain(transport)
    assert b"Bonjour Claude" in transport.letter_to("a@gmail.com").data
    assert b"Bonjour Camille" in transport.letter_to("b@gmail.com").data


async def test_missing_variables_are_named_and_nothing_of_theirs_is_queued(desk: Desk) -> None:
    results = await desk.ask(desk.wish(variables={}), desk.wish("b@gmail.com"))
    assert refused(results) == ["missing_variables"]
    assert isinstance(results[0], Refusal)
    assert results[0].parts == ("first_name",)
    assert [row.address for row in await desk.rows()] == ["b@gmail.com"]


async def test_who_must_not_be_written_to_is_a_result_and_gets_nothing(desk: Desk) -> None:
    async with desk.database.write() as session:
        await a_contact(session, email="silent@gmail.com", email_consent=ConsentStatus.UNKNOWN)
        await a_contact(session, email="gone@gmail.com", email_consent=ConsentStatus.WITHDRAWN)
        await a_contact(session, email="yes@gmail.com")
        await suppressions.suppress(
            session,
            channel=Channel.EMAIL,
            address_hash=address_hash(Channel.EMAIL, "bounced@gmail.com"),
            reason=SuppressionReason.HARD_BOUNCE,
            evidence="",
            event_id=None,
            now=START,
        )
    mail = Purpose.CAMPAIGN
    results = await desk.ask(
        desk.wish("silent@gmail.com", purpose=mail),
        desk.wish("silent@gmail.com"),
        desk.wish("gone@gmail.com"),
        desk.wish("bounced@gmail.com"),
        desk.wish("unknown@gmail.com", purpose=mail),
        desk.wish("yes@gmail.com", purpose=mail),
    )
    assert [one.reason for one in results if isinstance(one, Receipt)] == [
        "no_consent",
        "",
        "withdrawn",
        "suppressed",
        "no_consent",
        "",
    ]
    assert {row.address for row in await desk.rows()} == {"silent@gmail.com", "yes@gmail.com"}
    async with desk.database.read() as session:
        assert len((await session.exec(select(Message))).all()) == 6


async def test_consent_withdrawn_after_the_call_is_honoured(desk: Desk) -> None:
    async with desk.database.write() as session:
        person = await a_contact(session, email="camille@gmail.com")
    await desk.ask(desk.wish())
    async with desk.database.write() as session:
        person.email_consent = ConsentStatus.WITHDRAWN
        session.add(person)
    transport = ScriptedTransport()
    await desk.drain(transport)
    assert transport.recipients == []
    assert [row.state for row in await desk.rows()] == [DeliveryState.SUPPRESSED]


async def test_one_call_counts_once_however_often_it_is_made(desk: Desk) -> None:
    call = Call(desk.key, "order-1", "a" * 64)

    def tell(found: Results) -> tuple[int, str]:
        (only,) = found
        assert isinstance(only, Receipt)
        return 202, f"number {only.number}"

    async def again() -> object:
        return await desk.acceptor.accept(Asker(desk.key), [desk.wish()], tell, call)

    answers = await asyncio.gather(*(again() for _ in range(50)))
    told = {answer.answer for answer in answers if isinstance(answer, Answered)}
    assert len(told) == 1
    assert sum(isinstance(answer, Answered) and answer.fresh for answer in answers) == 1
    assert len(await desk.rows()) == 1
    assert await again() == Answered(202, told.pop())
    other = Call(desk.key, "order-1", "b" * 64)
    assert (
        await desk.acceptor.accept(Asker(desk.key), [desk.wish()], lambda _: (202, ""), other) == Different()
    )
    desk.clock.advance(timedelta(hours=25))
    await again()
    assert len(await desk.rows()) == 2


async def test_a_call_that_falls_in_the_midst_leaves_nothing(desk: Desk) -> None:
    call = Call(desk.key, "order-1", "a" * 64)

    def killed(_: Results) -> tuple[int, str]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await desk.acceptor.accept(Asker(desk.key), [desk.wish()], killed, call)
    assert await desk.rows() == []
    answer = await desk.acceptor.accept(Asker(desk.key), [desk.wish()], lambda _: (202, "x"), call)
    assert answer == Answered(202, "x", fresh=True)
    assert len(await desk.rows()) == 1


async def test_a_refused_call_may_be_mended_under_the_same_key(desk: Desk) -> None:
    call = Call(desk.key, "order-1", "a" * 64)
    bad, good = desk.wish(variables={}), desk.wish()
    await desk.acceptor.accept(Asker(desk.key), [bad], lambda _: (422, "no"), call)
    mended = Call(desk.key, "order-1", "b" * 64)
    answer = await desk.acceptor.accept(Asker(desk.key), [good], lambda _: (202, "yes"), mended)
    assert answer == Answered(202, "yes", fresh=True)


async def test_test_keys_and_magic_addresses_go_nowhere(desk: Desk) -> None:
    results = await desk.ask(
        desk.wish("somebody@gmail.com"),
        desk.wish("suppressed+1@example.com"),
        asker=Asker(desk.key, test=True),
    )
    results += await desk.ask(desk.wish("bounced@example.com"))
    assert [one.reason for one in results if isinstance(one, Receipt)] == ["", "suppressed", ""]
    assert {row.provider for row in await desk.rows()} == {"sandbox"}
    async with desk.database.read() as session:
        assert {one.test for one in (await session.exec(select(Campaign))).all()} == {True}


async def test_a_later_moment_an_end_and_hours_are_kept(desk: Desk) -> None:
    night = START.replace(hour=23)
    desk.clock.advance(night - desk.clock.now())
    text = {"version_id": desk.text, "channel": Channel.SMS, "heed_hours": True}
    number = "+33612345678"
    results = await desk.ask(
        desk.wish(send_at=night + timedelta(hours=1)),
        desk.wish(expires_at=night - timedelta(hours=1)),
        desk.wish(number, **text),
        desk.wish(number, **text, expires_at=night + timedelta(hours=1)),
    )
    assert refused(results) == ["expires_too_soon", "expires_too_soon"]
    first, third = results[0], results[2]
    assert isinstance(first, Receipt)
    assert isinstance(third, Receipt)
    assert first.send_at == night + timedelta(hours=1)
    assert third.send_at.hour == 8
    assert third.segments == 1


async def test_a_stream_ends_when_it_is_idle_is_proved_and_sends_on(desk: Desk) -> None:
    await desk.ask(desk.wish(), desk.wish("b@gmail.com"))
    transport = ScriptedTransport()
    await desk.drain(transport)
    async with desk.database.read() as session:
        stream = (await session.exec(select(Campaign))).one()
    await finish_if_done(desk.database, stream.id, desk.clock)
    assert (await state_of(desk, stream.id)).state is CampaignState.SENDING
    desk.clock.advance(timedelta(hours=2))
    await finish_if_done(desk.database, stream.id, desk.clock)
    ended = await state_of(desk, stream.id)
    assert (ended.state, ended.frozen, ended.problem) == (CampaignState.FINISHED, 2, "")
    await desk.ask(desk.wish("c@gmail.com"))
    assert (await state_of(desk, stream.id)).state is CampaignState.SENDING
    await desk.drain(transport)
    assert len(transport.recipients) == 3
    assert (await reconcile(desk.database, stream.id, desk.clock)).equal


async def state_of(desk: Desk, number: int) -> Campaign:
    async with desk.database.read() as session:
        return await campaigns.get_campaign(session, number)


async def test_keys_bound_to_identities_write_as_no_other(desk: Desk) -> None:
    async with desk.database.write() as session:
        other = (await an_identity(session, key="other", domain="autre.fr")).id
    bound = Asker(desk.key, identity_ids=(other,))
    results = await desk.ask(desk.wish(identity_id=desk.identity), desk.wish(), asker=bound)
    assert refused(results) == ["identity_not_allowed"]
    assert isinstance(results[1], Receipt)
    assert results[1].identity.id == other


async def test_an_identity_writes_as_soon_as_it_is_there(desk: Desk) -> None:
    await desk.ask(desk.wish())
    async with desk.database.write() as session:
        other = (await an_identity(session, key="other", domain="autre.fr")).id
    (result,) = await desk.ask(desk.wish(identity_id=other))
    assert isinstance(result, Receipt)
    assert result.identity.id == other
    assert refused(await desk.ask(desk.wish(identity_id=999))) == ["identity_not_allowed"]


async def test_an_event_of_the_message_says_it_was_accepted(desk: Desk) -> None:
    await desk.ask(desk.wish())
    await desk.drain(ScriptedTransport())
    async with desk.database.read() as session:
        kinds = {event.kind for event in (await session.exec(select(Event))).all()}
    assert EventKind.ACCEPTED in kinds


@pytest.mark.parametrize(
    ("word", "states"),
    [
        ("delivered", [DeliveryState.ACCEPTED]),
        ("bounced", [DeliveryState.REFUSED]),
        ("uncertain", [DeliveryState.UNCERTAIN]),
        ("deferred", [DeliveryState.DEFERRED]),
    ],
)
async def test_magic_addresses_do_the_same_every_time_and_blame_nobody(
    desk: Desk, word: str, states: list[DeliveryState]
) -> None:
    address = f"{word}@example.com"
    for _ in range(2):
        await desk.ask(desk.wish(address))
    transport = ScriptedTransport()
    await desk.drain(transport)
    assert transport.sent == [], "nothing of it goes through the real transport"
    assert [row.state for row in await desk.rows()] == states * 2
    async with desk.database.read() as session:
        assert not await suppressions.suppressed_hashes(
            session, Channel.EMAIL, [address_hash(Channel.EMAIL, address)], START
        )
    again = await desk.ask(desk.wish(address))
    assert isinstance(again[0], Receipt)
    assert again[0].result is MessageResult.ACCEPTED


async def test_where_no_mail_is_sent_test_messages_are_rehearsed_all_the_same(desk: Desk) -> None:
    await desk.ask(desk.wish(), desk.wish("b@example.com"))
    transport = ScriptedTransport(channel=Channel.SMS)
    await desk.drain(transport)
    assert {row.address: row.state for row in await desk.rows()} == {
        "camille@gmail.com": DeliveryState.QUEUED,
        "b@example.com": DeliveryState.ACCEPTED,
    }


async def test_streams_are_in_no_list_of_campaigns_and_tests_in_no_rates(desk: Desk) -> None:
    await desk.ask(desk.wish("bounced@example.com"))
    await desk.drain(ScriptedTransport())
    await tally_fold.rebuild(desk.database)
    async with desk.database.read() as session:
        (stream,) = (await session.exec(select(Campaign))).all()
        assert await campaigns.list_campaigns(session) == []
        assert await campaigns.find_campaign(session, stream.name) is None
        assert (await rates.tallies(session, [stream.id])).lanes == ()


async def test_lanes_of_a_call_that_came_to_nothing_are_tied_by_the_next(desk: Desk) -> None:
    def refused_after_all(_: Results) -> tuple[int, str]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await desk.acceptor.accept(Asker(desk.key), [desk.wish()], refused_after_all)
    for _ in range(2):
        await desk.ask(desk.wish())
    transport = ScriptedTransport()
    await desk.drain(transport)
    assert len(transport.recipients) == 2
