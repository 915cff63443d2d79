"""The mail listener, spoken to by a real client and by clients that misbehave."""

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
)
from sqlmodel import select

from deliverability import inbox
from deliverability.arrival import KEPT_BYTES
from deliverability.inbox import InboundServer
from deliverability.suppression import is_suppressed
from models.delivery import Delivery
from models.errors import SettingsError
from models.event import Event, Incoming
from models.states import Channel, EventKind
from models.tokens import TokenPurpose
from store import Database
from tests.clocks import ManualClock
from tests.deliverability.rows import TOKENS, a_delivery

DATA = Path(__file__).parent / "data"
BOUNCE = (DATA / "dsn_unknown_user.eml").read_bytes()


@pytest.fixture
async def listener(database: Database, clock: ManualClock) -> AsyncIterator[InboundServer]:
    """The listener on a free port."""
    server = InboundServer(
        database, TOKENS, clock, "127.0.0.1", 0, complaint_address="plaintes@parti.example"
    )
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(listener: InboundServer) -> AsyncIterator[SMTP]:
    """A mail server that has something to hand over."""
    smtp = SMTP(hostname="127.0.0.1", port=listener.port, start_tls=False, timeout=10)
    await smtp.connect()
    yield smtp
    smtp.close()


@pytest.fixture
async def delivery(database: Database) -> Delivery:
    async with database.write() as session:
        return await a_delivery(session)


def return_path(delivery: Delivery) -> str:
    return f"b+{TOKENS.make(TokenPurpose.BOUNCE, delivery.id)}@retour.parti.example"


async def test_a_bounce_is_recorded_before_it_is_acknowledged(
    database: Database, client: SMTP, delivery: Delivery, clock: ManualClock
) -> None:
    await client.sendmail("", [return_path(delivery)], BOUNCE)
    async with database.read() as session:
        event = (await session.exec(select(Event))).one()
        kept = (await session.exec(select(Incoming))).one()
        assert (event.kind, event.delivery_id, kept.matched) == (EventKind.BOUNCED, delivery.id, True)
        assert await is_suppressed(session, Channel.EMAIL, delivery.address, clock.now())


async def test_a_bounce_sent_twice_is_one_event(database: Database, client: SMTP, delivery: Delivery) -> None:
    for _ in range(2):
        await client.sendmail("", [return_path(delivery)], BOUNCE)
    async with database.read() as session:
        assert len((await session.exec(select(Event))).all()) == 1


@pytest.mark.parametrize(
    "recipient",
    [
        "someone@parti.example",
        "b+aaaaaaaaaaaaaaaaaaaaaaaa@retour.parti.example",
        "b+@retour.parti.example",
        "contact@retour.parti.example",
    ],
)
async def test_mail_for_anybody_else_is_refused(client: SMTP, recipient: str) -> None:
    with pytest.raises(SMTPRecipientsRefused) as refusal:
        await client.sendmail("x@y.example", [recipient], BOUNCE)
    assert refusal.value.recipients[0].code == 550
    assert refusal.value.recipients[0].message.startswith("5.1.1")


@pytest.mark.parametrize("recipient", ["fbl@retour.parti.example", "Plaintes@Parti.example"])
async def test_a_complaint_of_no_known_message_is_kept_for_a_person_to_read(
    database: Database, client: SMTP, recipient: str
) -> None:
    await client.sendmail("feedback@fai.example", [recipient], (DATA / "arf_abuse.eml").read_bytes())
    async with database.read() as session:
        assert (await session.exec(select(Event))).first() is None
        assert not (await session.exec(select(Incoming))).one().matched


async def test_a_mail_to_the_leaving_address_unsubscribes(
    database: Database, client: SMTP, delivery: Delivery, clock: ManualClock
) -> None:
    address = f"unsubscribe+{TOKENS.make(TokenPurpose.LEAVE, delivery.id)}@retour.parti.example"
    await client.sendmail("camille@exemple.fr", [address], b"Subject: stop\r\n\r\n")
    async with database.read() as session:
        assert await is_suppressed(session, Channel.EMAIL, delivery.address, clock.now())


async def test_while_the_database_is_in_trouble_the_sender_is_asked_to_come_back(
    tmp_path: Path, clock: ManualClock
) -> None:
    broken = Database(f"sqlite:///{tmp_path}/without-tables.db")
    server = InboundServer(broken, TOKENS, clock, "127.0.0.1", 0)
    await server.start()
    client = SMTP(hostname="127.0.0.1", port=server.port, start_tls=False, timeout=10)
    await client.connect()
    with pytest.raises(SMTPDataError) as refusal:
        await client.sendmail("", [f"b+{TOKENS.make(TokenPurpose.BOUNCE, 1)}@x.example"], BOUNCE)
    assert refusal.value.code == 451
    client.close()
    await server.stop()
    await broken.close()


@pytest.mark.parametrize("line", [b"x" * 74 + b".\r\n", b"x" * 5_000_000], ids=len)
async def test_of_a_large_mail_the_beginning_is_kept_and_read(
    database: Database, client: SMTP, delivery: Delivery, line: bytes
) -> None:
    """Whatever the length of its lines; and what follows it on the connection is understood."""
    for _ in range(2):
        await client.sendmail("", [return_path(delivery)], BOUNCE + line * (25_000_000 // len(line)))
    async with database.read() as session:
        event = (await session.exec(select(Event))).one()
        kept = (await session.exec(select(Incoming))).one()
        assert (event.kind, event.delivery_id) == (EventKind.BOUNCED, delivery.id)
        assert len(kept.raw) == KEPT_BYTES
        assert kept.raw.startswith(BOUNCE.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    "body",
    [
        b"X: 1\r\n",
        b".\r\n",
        b"..\r\n",
        b"\r\n.x\r\n..\r\n",
        b".\n.\r\n",
        b"a.\r\nb\r\n.\r\r\n",
        b"x" * 3000 + b".\r\n",
    ],
)
async def test_a_mail_arrives_as_it_was_written_whatever_its_dots(
    database: Database, listener: InboundServer, delivery: Delivery, body: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    stuffed = (b"\r\n" + body).replace(b"\r\n.", b"\r\n..")[2:]
    ask = f"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<{return_path(delivery)}>\r\nDATA\r\n".encode()
    writer.write(ask)
    while not (await reader.readline()).startswith(b"354"):
        pass
    for piece in (stuffed[:1], stuffed[1:3], stuffed[3:] + b".\r", b"\nNOOP\r\nQUIT\r\n"):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)
    assert [line[:3] for line in (await reader.read()).splitlines()] == [b"250", b"250", b"221"]
    writer.close()
    async with database.read() as session:
        assert (await session.exec(select(Incoming))).one().raw == body


async def test_a_large_mail_takes_no_more_memory_than_its_beginning(
    listener: InboundServer, delivery: Delivery
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    for line in (b"EHLO x", b"MAIL FROM:<>", f"RCPT TO:<{return_path(delivery)}>".encode(), b"DATA"):
        writer.write(line + b"\r\n")
    while not (await reader.readline()).startswith(b"354"):
        pass
    writer.write(BOUNCE)
    tracemalloc.start()
    try:
        for _ in range(60):
            writer.write((b"x" * 998 + b"\r\n") * 1000)
            await writer.drain()
        writer.write(b".\r\n")
        assert (await reader.readline()).startswith(b"250")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    writer.close()
    assert peak < 20_000_000, "of 60 million octets"


async def test_a_mail_beyond_measure_is_refused_for_good(
    database: Database, client: SMTP, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Announced or not: nobody keeps trying it."""
    await client.mail("")
    await client.rcpt(return_path(delivery))
    monkeypatch.setattr(inbox, "MAX_MAIL_BYTES", 3_000_000)
    with pytest.raises(SMTPDataError) as refusal:
        await client.data(b"Subject: x\r\n\r\n" + b"x" * 4_000_000)
    assert refusal.value.code == 552
    with pytest.raises(SMTPResponseException) as announced:
        await client.mail("", options=["SIZE=100000001"])
    assert announced.value.code == 552
    async with database.read() as session:
        assert (await session.exec(select(Incoming))).first() is None


async def test_a_mail_that_comes_too_slowly_is_let_go(
    listener: InboundServer, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large one may take its time, if it comes at all."""
    monkeypatch.setattr(inbox, "SILENCE_SECONDS", 2.0)
    for piece, expected in ((b"x" * 60_000, b"250"), (b"x", b"")):
        heard = b""
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        for line in (b"EHLO x", b"MAIL FROM:<>", f"RCPT TO:<{return_path(delivery)}>".encode(), b"DATA"):
            writer.write(line + b"\r\n")
        while not (await reader.readline()).startswith(b"354"):
            pass
        begun = time.monotonic()
        while time.monotonic() < begun + 2.5:
            writer.write(piece)
            await asyncio.sleep(0.1)
        with suppress(ConnectionError):
            writer.write(b"\r\n.\r\n")
            heard = (await reader.readline())[:3]
        assert heard == expected
        writer.close()


async def test_somebody_who_tries_addresses_is_shown_out(client: SMTP) -> None:
    await client.mail("x@y.example")
    codes = []
    for number in range(11):
        with pytest.raises(SMTPRecipientRefused) as refusal:
            await client.rcpt(f"guess{number}@parti.example")
        codes.append(refusal.value.code)
    assert codes == [550] * 10 + [421]


async def test_one_mail_cannot_have_too_many_recipients(client: SMTP, delivery: Delivery) -> None:
    await client.mail("")
    for _ in range(20):
        await client.rcpt(return_path(delivery))
    with pytest.raises(SMTPRecipientRefused) as refusal:
        await client.rcpt(return_path(delivery))
    assert refusal.value.code == 452


async def test_a_client_that_hangs_up_in_the_midst_leaves_nothing_and_disturbs_nobody(
    database: Database, listener: InboundServer, client: SMTP, delivery: Delivery
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    for line in (b"HELO x", b"MAIL FROM:<>", f"RCPT TO:<{return_path(delivery)}>".encode(), b"DATA"):
        await reader.readline()
        writer.write(line + b"\r\n")
    await reader.readline()
    writer.write(BOUNCE[:200])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await client.sendmail("", [return_path(delivery)], BOUNCE)
    async with database.read() as session:
        assert len((await session.exec(select(Incoming))).all()) == 1


async def test_rubbish_instead_of_commands_is_survived(
    listener: InboundServer, client: SMTP, delivery: Delivery
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(b"\x00\xff\xfe" * 50 + b"\r\nGET / HTTP/1.1\r\n\r\n")
    await writer.drain()
    assert (await reader.readline()).startswith(b"220")
    writer.close()
    await client.sendmail("", [return_path(delivery)], BOUNCE)


async def test_two_listeners_cannot_have_one_port(
    database: Database, listener: InboundServer, clock: ManualClock
) -> None:
    second = InboundServer(database, TOKENS, clock, "127.0.0.1", listener.port)
    with pytest.raises(SettingsError, match="cannot use"):
        await second.start()


async def test_a_client_too_many_is_asked_to_come_back_and_disturbs_nobody(
    listener: InboundServer, client: SMTP, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MAX_SESSIONS", 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    assert (await reader.read()).startswith(b"421 4.3.2")
    writer.close()
    await client.sendmail("", [return_path(delivery)], BOUNCE)
    await client.quit()
    late = SMTP(hostname="127.0.0.1", port=listener.port, start_tls=False, timeout=10)
    await late.connect()
    await late.quit()


async def test_one_connection_cannot_bring_mails_for_ever(
    client: SMTP, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MAX_MAILS_A_SESSION", 2)
    for _ in range(2):
        await client.sendmail("", [return_path(delivery)], BOUNCE)
    with pytest.raises(SMTPDataError) as refusal:
        await client.sendmail("", [return_path(delivery)], BOUNCE)
    assert refusal.value.code == 452


async def test_a_mail_that_cannot_be_read_is_kept_for_a_person_to_read(
    database: Database, client: SMTP, delivery: Delivery
) -> None:
    await client.sendmail("", [return_path(delivery)], b"X: boundary=\r\n" * 30 + b"\r\nx\r\n")
    async with database.read() as session:
        kept = (await session.exec(select(Incoming))).one()
        assert not kept.matched
        assert b"boundary=" in kept.raw


async def test_a_listener_that_stops_finishes_every_mail_it_was_recording(
    database: Database, clock: ManualClock, delivery: Delivery
) -> None:
    server = InboundServer(database, TOKENS, clock, "127.0.0.1", 0)
    await server.start()
    clients = [SMTP(hostname="127.0.0.1", port=server.port, start_tls=False, timeout=10) for _ in range(4)]
    for one in clients:
        await one.connect()
    for one in clients:
        await one.mail("")
        await one.rcpt(return_path(delivery))
    sending = [asyncio.create_task(one.data(b"X: %d\r\n" % n + BOUNCE)) for n, one in enumerate(clients)]
    await sending[0]
    await asyncio.gather(*sending)
    await server.stop()
    async with database.read() as session:
        assert len((await session.exec(select(Incoming))).all()) == 4
    for one in clients:
        one.close()


async def test_a_listener_that_never_listened_stops_without_a_word(
    database: Database, clock: ManualClock
) -> None:
    server = InboundServer(database, TOKENS, clock, "127.0.0.1", 2525)
    await server.stop()
    assert server.port == 2525
