"""The mail listener over LMTP: the answers of RFC 2033, read off the line."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from deliverability import arrival, inbox
from deliverability.inbox import InboundServer
from models.errors import SettingsError
from models.event import Event, Incoming
from models.states import EventKind
from models.tokens import TokenPurpose
from store import Database
from tests.clocks import ManualClock
from tests.deliverability.rows import TOKENS, a_delivery

BOUNCE = (Path(__file__).parent / "data/dsn_unknown_user.eml").read_bytes()


class Line:
    """What a mail server says and hears."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def hear(self) -> str:
        """The next whole answer; its last line."""
        while (line := (await asyncio.wait_for(self._reader.readline(), 5)).decode())[3:4] == "-":
            pass
        return line.strip()

    async def say(self, line: str) -> str:
        self._writer.write(f"{line}\r\n".encode())
        return await self.hear()

    async def hand_over(self, raw: bytes, *recipients: str) -> list[str]:
        """One mail; the answers for its recipients, each refused one left out."""
        await self.say("MAIL FROM:<>")
        taken = [each for each in recipients if (await self.say(f"RCPT TO:<{each}>")).startswith("250")]
        assert (await self.say("DATA")).startswith("354")
        self._writer.write(raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + b"\r\n.\r\n")
        answers = [await self.hear() for _ in taken]
        assert (await self.say("NOOP")).startswith("250"), "an answer too many"
        return answers


@pytest.fixture
async def line(database: Database, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Line]:
    """A connection to the listener's Unix socket."""
    path = tmp_path / "lmtp.sock"
    server = InboundServer(database, TOKENS, clock, "", 0, lmtp=True, path=path)
    await server.start()
    reader, writer = await asyncio.open_unix_connection(path)
    spoken = Line(reader, writer)
    assert (await spoken.hear()).startswith("220")
    assert (await spoken.say("LHLO mx.example")).startswith("250")
    yield spoken
    writer.close()
    await server.stop()
    assert not path.exists()


async def return_paths(database: Database, count: int) -> list[str]:
    async with database.write() as session:
        rows = [await a_delivery(session) for _ in range(count)]
    return [f"b+{TOKENS.make(TokenPurpose.BOUNCE, row.id)}@retour.parti.example" for row in rows]


async def test_each_recipient_has_its_own_answer_and_its_own_news(database: Database, line: Line) -> None:
    first, second = await return_paths(database, 2)
    answers = await line.hand_over(BOUNCE, first, "nobody@retour.parti.example", second)
    assert [answer[:9] for answer in answers] == ["250 2.0.0"] * 2
    async with database.read() as session:
        events = (await session.exec(select(Event))).all()
    assert {event.kind for event in events} == {EventKind.BOUNCED}
    assert len({event.delivery_id for event in events}) == 2


async def test_the_news_of_one_recipient_is_kept_when_that_of_another_cannot_be(
    database: Database, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await return_paths(database, 2)
    real = arrival.take_mail

    async def fail_for_the_first(*arguments: Any) -> object:
        if arguments[3].recipients == (first,):
            raise OSError("no room")
        return await real(*arguments)

    monkeypatch.setattr(inbox, "take_mail", fail_for_the_first)
    answers = await line.hand_over(BOUNCE, first, second)
    assert [answer[:3] for answer in answers] == ["451", "250"]
    async with database.read() as session:
        assert len((await session.exec(select(Event))).all()) == 1


async def test_a_mail_that_is_too_large_is_refused_to_each_recipient(
    database: Database, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = await return_paths(database, 2)
    large = b"Subject: x\n\n" + (b"x" * 900 + b"\n") * 2300
    assert [answer[:3] for answer in await line.hand_over(large, *paths)] == ["250", "250"]
    monkeypatch.setattr(inbox, "MAX_MAIL_BYTES", 2_000_000)
    assert [answer[:3] for answer in await line.hand_over(large, *paths)] == ["552", "552"]
    async with database.read() as session:
        (kept,) = (await session.exec(select(Incoming))).all()
    assert len(kept.raw) == arrival.KEPT_BYTES
    assert (kept.way, kept.sender, kept.recipients.splitlines()) == ("lmtp", "", paths)


async def test_our_own_server_may_ask_for_any_number_of_names(line: Line) -> None:
    """A domain with a catch-all attracts guesses, which are no fault of the server that passes them on."""
    await line.say("MAIL FROM:<>")
    answers = [await line.say(f"RCPT TO:<guess{number}@retour.parti.example>") for number in range(30)]
    assert {answer[:9] for answer in answers} == {"550 5.1.1"}


async def test_smtp_is_not_spoken(line: Line) -> None:
    assert (await line.say("EHLO mx.example")).startswith("500")


async def test_a_socket_that_cannot_be_made_is_explained(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    server = InboundServer(database, TOKENS, clock, "", 0, lmtp=True, path=tmp_path / "nowhere/lmtp.sock")
    with pytest.raises(SettingsError, match="TOCSIN_INBOUND_LMTP"):
        await server.start()
