"""What the mail listener hears of a mail before it comes, and whom a mail waits for."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiosmtpd import smtp
from hypothesis import example, given
from hypothesis import strategies as st

from deliverability import arrival, inbox
from deliverability.inbox import InboundServer
from models.delivery import Delivery
from models.tokens import TokenPurpose
from store import Database
from tests.clocks import ManualClock
from tests.deliverability.rows import TOKENS, a_delivery
from tests.deliverability.test_inbox import BOUNCE


@pytest.fixture
async def listener(database: Database, clock: ManualClock) -> AsyncIterator[InboundServer]:
    """The listener on a free port."""
    server = InboundServer(database, TOKENS, clock, "127.0.0.1", 0)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def delivery(database: Database) -> Delivery:
    async with database.write() as session:
        return await a_delivery(session)


PATHS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["<", "", " <"]),
    st.text(alphabet='ab.@+"=é -<>(', max_size=12) | st.emails() | st.just(""),
    st.sampled_from([">", "", "> "]),
    st.sampled_from(["", " SIZE=12", " SIZE=12 BODY=8BITMIME", "x", "SIZE=1"]),
)


@given(PATHS)
@example("<a@b..c>")
@example("<a@.b>")
@example("<a@b.>")
async def test_plain_paths_are_taken_as_the_library_takes_them_apart(path: str) -> None:
    def told(session: smtp.SMTP) -> tuple[str | None, list[str]]:
        try:
            address, rest = session._getaddr(path)
        except Exception as error:  # noqa: BLE001 - whatever the library raises
            return type(error).__name__, []
        return address, (rest or "").split()

    loop = asyncio.get_running_loop()
    ours, theirs = inbox._SmtpSession(object(), loop=loop), smtp.SMTP(object(), loop=loop)
    assert told(ours) == told(theirs)


async def test_a_mail_server_may_say_how_large_the_mail_is(
    listener: InboundServer, delivery: Delivery
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    path = f"b+{TOKENS.make(TokenPurpose.BOUNCE, delivery.id)}@retour.parti.example"
    said = ["EHLO mx.fai.example", f"MAIL FROM:<> SIZE={len(BOUNCE)} BODY=8BITMIME", f"RCPT TO:<{path}>"]
    answers = [await reader.readline()]
    for line in [*said, "MAIL FROM:<>", "RSET", "MAIL FROM:<> SIZE=999999999"]:
        writer.write(line.encode() + b"\r\n")
        answers.append(await reader.readline())
        while answers[-1][3:4] == b"-":
            answers[-1] = await reader.readline()
    writer.close()
    assert [answer[:3] for answer in answers] == [b"220", b"250", b"250", b"250", b"503", b"250", b"552"]


async def test_a_mail_waits_a_moment_for_the_one_that_is_coming_in_beside_it(
    listener: InboundServer, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "GATHER_S", 100.0)
    path = f"b+{TOKENS.make(TokenPurpose.BOUNCE, delivery.id)}@retour.parti.example"
    lines = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(2)]
    for reader, writer in lines:
        for said in ("", "HELO mx.fai.example", "MAIL FROM:<>", f"RCPT TO:<{path}>", "DATA"):
            writer.write(f"{said}\r\n".encode() if said else b"")
            await reader.readline()
    answers = [asyncio.create_task(reader.readline()) for reader, _ in lines]
    lines[0][1].write(BOUNCE + b"\r\n.\r\n")
    await asyncio.sleep(0.3)
    assert not answers[0].done()
    lines[1][1].write(BOUNCE + b"\r\n.\r\n")
    async with asyncio.timeout(60):
        assert [await answer for answer in answers] == [b"250 2.0.0 Recorded\r\n"] * 2
    for _, writer in lines:
        writer.close()
