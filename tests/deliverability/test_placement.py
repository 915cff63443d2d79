"""Seeds are found where they landed, in mailboxes served over IMAP on the loopback."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlmodel import select

from deliverability.placement import PlacementRun
from models.event import Event
from models.states import DeliveryState, EventKind
from store import Database, seeds
from tests.clocks import START, ManualClock
from tests.deliverability.rows import a_delivery, a_seed
from tests.deliverability.seed_mailboxes import Place, a_mail, a_place, poll, sent_to


@pytest.fixture
async def mailbox() -> AsyncIterator[Place]:
    """A mailbox served over IMAP."""
    async with a_place() as place:
        yield place


async def found(database: Database) -> list[Event]:
    async with database.read() as session:
        return list((await session.exec(select(Event).order_by(Event.kind))).all())


async def test_a_mail_in_the_inbox_is_placed_there_with_how_long_it_took(
    database: Database, mailbox: Place, clock: ManualClock
) -> None:
    _, delivery = await sent_to(database, mailbox.port)
    mailbox.inbox.add(a_mail(delivery), START)
    clock.advance(timedelta(minutes=5))
    run = await poll(database, clock)
    assert (run.checked, run.inbox, run.spam, run.missing, run.problems) == (1, 1, 0, 0, {})
    (event,) = await found(database)
    assert (event.kind, event.delivery_id, event.seed) == (EventKind.PLACED_INBOX, delivery.id, True)
    assert event.details == {
        "folder": "INBOX",
        "latency_seconds": "120",
        "authentication-results": "them; dkim=pass",
    }


async def test_a_mail_in_the_folder_the_server_marks_as_junk_is_spam(
    database: Database, mailbox: Place, clock: ManualClock
) -> None:
    _, delivery = await sent_to(database, mailbox.port)
    mailbox.junk.add(a_mail(delivery), START)
    assert (await poll(database, clock)).spam == 1
    (event,) = await found(database)
    assert event.details["folder"] == "Courrier indésirable"


@pytest.mark.parametrize("name", ["Spam", "INBOX.Junk", "Indésirables"])
async def test_a_junk_folder_without_a_mark_is_known_by_its_name(
    database: Database, mailbox: Place, clock: ManualClock, name: str
) -> None:
    mailbox.junk.special_use, mailbox.junk.name = "", name
    _, delivery = await sent_to(database, mailbox.port)
    mailbox.junk.add(a_mail(delivery), START)
    assert (await poll(database, clock)).spam == 1


async def test_a_mail_whose_header_was_removed_is_known_by_its_message_id(
    database: Database, mailbox: Place, clock: ManualClock
) -> None:
    _, delivery = await sent_to(database, mailbox.port)
    mailbox.inbox.add(a_mail(delivery, header="Message-ID"), START)
    assert (await poll(database, clock)).inbox == 1


async def test_a_mail_is_missing_only_once_the_time_is_up_and_found_later_all_the_same(
    database: Database, mailbox: Place, clock: ManualClock
) -> None:
    _, delivery = await sent_to(database, mailbox.port)
    clock.advance(timedelta(minutes=59))
    assert (await poll(database, clock)).missing == 0
    clock.advance(timedelta(minutes=1))
    assert (await poll(database, clock)).missing == 1
    mailbox.inbox.add(a_mail(delivery, minutes=60), START)
    assert (await poll(database, clock)).checked == 0
    assert (await poll(database, clock, only_due=False)).inbox == 1
    assert [event.kind for event in await found(database)] == [
        EventKind.PLACED_INBOX,
        EventKind.PLACED_MISSING,
    ]


async def test_what_was_found_is_not_looked_for_again(
    database: Database, mailbox: Place, clock: ManualClock
) -> None:
    _, delivery = await sent_to(database, mailbox.port)
    mailbox.inbox.add(a_mail(delivery), START)
    await poll(database, clock)
    assert (await poll(database, clock)).checked == 0
    assert len(await found(database)) == 1


async def test_looking_opens_no_mail(database: Database, mailbox: Place, clock: ManualClock) -> None:
    _, delivery = await sent_to(database, mailbox.port)
    mail = mailbox.inbox.add(a_mail(delivery), START)
    await poll(database, clock)
    assert mail.flags == set()


async def test_a_mail_that_never_left_is_not_missing(
    database: Database, mailbox: Place, clock: ManualClock
) -> None:
    async with database.write() as session:
        seed = await a_seed(session, port=mailbox.port)
        await a_delivery(session, seed=seed, state=DeliveryState.REFUSED)
    clock.advance(timedelta(hours=2))
    assert await poll(database, clock) == PlacementRun(0, 0, 0, 0, {})


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def _babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 I am a mail exchanger\r\n")
    await writer.drain()
    await reader.read(100)
    writer.close()


async def _unwilling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"* OK ready\r\n")
    while line := await reader.readline():
        writer.write(line.split()[0] + b" NO [AUTHENTICATIONFAILED] wrong password\r\n")
    writer.close()


@pytest.mark.parametrize("manner", [_silent, _babbling, _unwilling])
async def test_a_mailbox_that_cannot_be_read_is_noted_and_its_mail_not_called_missing(
    database: Database, mailbox: Place, clock: ManualClock, manner: object
) -> None:
    server = await asyncio.start_server(manner, "127.0.0.1", 0)  # type: ignore[arg-type]
    broken, _ = await sent_to(database, server.sockets[0].getsockname()[1])
    _, delivery = await sent_to(database, mailbox.port)
    mailbox.inbox.add(a_mail(delivery), START)
    clock.advance(timedelta(hours=2))
    run = await poll(database, clock, timeout_seconds=2 if manner is _silent else 20)
    server.close()
    assert (run.checked, run.inbox, run.missing) == (1, 1, 0)
    assert list(run.problems) == [broken.address]
    async with database.read() as session:
        row = await seeds.get_seed(session, broken.id)
        assert row.last_problem == run.problems[broken.address] != ""
        assert row.last_checked_at == clock.now()


async def test_a_seed_out_of_use_is_not_read(database: Database, mailbox: Place, clock: ManualClock) -> None:
    seed, delivery = await sent_to(database, mailbox.port)
    mailbox.inbox.add(a_mail(delivery), START)
    async with database.write() as session:
        await seeds.set_active(session, seed.id, active=False)
    assert (await poll(database, clock)).checked == 0
