"""The bounce mailbox on servers that drip, pour, number sparsely or leave out what they must tell."""

import asyncio
import re
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from deliverability import bounce_mailbox
from deliverability.bounce_mailbox import BounceRun, poll_bounces
from models.bounce_box import BounceMailbox, MailboxTls
from store import Database, mailboxes
from tests.clocks import ManualClock
from tests.deliverability.rows import TOKENS

LETTER = b"From: a@example.org\r\nSubject: Bonjour\r\n\r\nUne question.\r\n"
Say = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def drip(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def pour(writer: asyncio.StreamWriter) -> None:
    writer.write(b"* 1 FETCH (UID 1 BODY[]<0> {4000000000}\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


@dataclass
class Server:
    """A mailbox with mails of these UIDs; on `fetch` it does something else than it should."""

    uids: list[int] = field(default_factory=list)
    uid_next: int | None = None
    fetch: Say | None = None
    searches: list[str] = field(default_factory=list)
    port: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"* OK hello\r\n")
            while line := (await reader.readline()).decode():
                tag, _, command = line.strip().partition(" ")
                if "FETCH" in command and self.fetch is not None:
                    await self.fetch(writer)
                writer.write(self._answer(command) + f"{tag} OK done\r\n".encode())
        except (OSError, asyncio.CancelledError):
            pass  # hung up on, or the test is over
        finally:
            writer.close()

    def _answer(self, command: str) -> bytes:
        if command.startswith("CAPABILITY"):
            return b"* CAPABILITY IMAP4rev1\r\n"
        if command.startswith("SELECT"):
            told = "" if self.uid_next is None else f"* OK [UIDNEXT {self.uid_next}] next\r\n"
            return f"* {len(self.uids)} EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n{told}".encode()
        if command.startswith("UID SEARCH"):
            self.searches.append(command)
            return f"* SEARCH {' '.join(map(str, self._wanted(command)))}\r\n".encode()
        if command.startswith("UID FETCH"):
            numbers = [int(word) for word in command.split()[2].split(",")]
            return b"".join(
                b"* %d FETCH (UID %d BODY[]<0> {%d}\r\n%b)\r\n" % (place, number, len(LETTER), LETTER)
                for place, number in enumerate(numbers, 1)
            )
        return b""

    def _wanted(self, command: str) -> list[int]:
        found = re.search(r"(\d+):(\d+)", command)
        if found is None:
            return self.uids[-1:]
        return [number for number in self.uids if int(found[1]) <= number <= int(found[2])]


@asynccontextmanager
async def a_mailbox(server: Server) -> AsyncIterator[BounceMailbox]:
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    try:
        port = listening.sockets[0].getsockname()[1]
        yield BounceMailbox("127.0.0.1", port, "bounces", "secret", tls=MailboxTls.NONE)
    finally:
        listening.close()


async def last_uid(database: Database, box: BounceMailbox) -> int:
    async with database.read() as session:
        return (await mailboxes.mailbox_at(session, box.place)).last_uid


async def test_a_server_that_drips_is_left_in_time(database: Database, clock: ManualClock) -> None:
    async with a_mailbox(Server([1], 2, fetch=drip)) as box:
        run = await poll_bounces(database, TOKENS, clock, box, timeout_seconds=20, step_seconds=0.5)
        assert run == BounceRun(problem="The mail server did not answer in time.")
        assert await last_uid(database, box) == 0


async def test_a_server_that_pours_fills_no_memory(database: Database, clock: ManualClock) -> None:
    async with a_mailbox(Server([1], 2, fetch=pour)) as box:
        tracemalloc.start()
        run = await poll_bounces(database, TOKENS, clock, box, timeout_seconds=20)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert "more than a mailbox can hold" in run.problem
        assert peak < 100 * 1024 * 1024


async def test_mails_far_apart_are_all_found_a_span_at_a_time(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounce_mailbox, "SPAN", 100)
    monkeypatch.setattr(bounce_mailbox, "MOST_SPANS", 3)
    server = Server([5, 250, 251, 420], 421)
    async with a_mailbox(server) as box:
        assert await poll_bounces(database, TOKENS, clock, box) == BounceRun(left_alone=3)
        assert await last_uid(database, box) == 300
        assert [search.split()[-1] for search in server.searches] == ["1:100", "101:200", "201:300"]
        assert await poll_bounces(database, TOKENS, clock, box) == BounceRun(left_alone=1)
        assert await last_uid(database, box) == 420
        assert await poll_bounces(database, TOKENS, clock, box) == BounceRun()


async def test_a_server_that_does_not_tell_its_next_number_is_asked_for_its_last(
    database: Database, clock: ManualClock
) -> None:
    async with a_mailbox(Server([3, 9])) as box:
        assert await poll_bounces(database, TOKENS, clock, box) == BounceRun(left_alone=2)
        assert await last_uid(database, box) == 9
    async with a_mailbox(Server([])) as box:
        assert await poll_bounces(database, TOKENS, clock, box) == BounceRun()
