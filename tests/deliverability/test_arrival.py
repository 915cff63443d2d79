"""Mails that our own reader or ledger stumbles over: kept with their error, and never in anybody's way."""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtplib import SMTP, SMTPDataError
from sqlmodel import select

from deliverability import arrival, rereading
from deliverability.arrival import Arrival, SetAside, on_the_way, take_mail, try_again
from deliverability.bounce_mailbox import KEYWORD, BounceRun, poll_bounces
from deliverability.feedback import Applied
from deliverability.inbox import InboundServer
from deliverability.originals import read_originals_again
from deliverability.rulebook import shipped
from models.bounce_box import BounceMailbox, MailboxTls
from models.errors import StoreError
from models.event import Event, Incoming
from models.tokens import TokenPurpose
from models.values import Cover
from store import Database, incoming
from tests.clocks import START, ManualClock
from tests.deliverability.rows import TOKENS, a_delivery
from tests.servers.dovecot import PASSWORD, USER, Dovecot

BOUNCE = (Path(__file__).parent / "data/dsn_unknown_user.eml").read_bytes()
POISON = b"X-Poison: yes\r\n" + BOUNCE
DAY = timedelta(days=1)


class Stumbling:
    """Fails over each mail that says so, as long as it is told to, and else does what it stands for."""

    def __init__(self, real: Callable[..., Any], error: Exception | None) -> None:
        self._real = real
        self.error = error
        self.is_held = False
        self.goes_on = threading.Event()

    def __call__(self, *given: Any) -> Any:
        heaps = (one if isinstance(one, list) else [one] for one in given)
        told = [one if isinstance(one, bytes) else getattr(one, "raw", b"") for heap in heaps for one in heap]
        if any(b"X-Poison" in raw for raw in told):
            if self.is_held:
                self.goes_on.wait(60)
            if self.error is not None:
                raise self.error
        return self._real(*given)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Stumbling:
    """A reader that stumbles."""
    made = Stumbling(vars(arrival)["read_inbound"], RecursionError("too deep for\nme"))
    monkeypatch.setattr(arrival, "read_inbound", made)
    return made


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Stumbling:
    """A ledger that stumbles, as if the database were away."""
    made = Stumbling(vars(arrival)["apply_all"], StoreError("The database cannot be used: no."))
    monkeypatch.setattr(arrival, "apply_all", made)
    return made


@pytest.fixture
async def address(database: Database) -> str:
    """A return path."""
    async with database.write() as session:
        number = (await a_delivery(session)).id
    return f"b+{TOKENS.make(TokenPurpose.BOUNCE, number)}@retour.parti.example"


async def kept(database: Database) -> list[Incoming]:
    async with database.read() as session:
        return await incoming.list_aside(session)


async def events(database: Database) -> int:
    async with database.read() as session:
        return len((await session.exec(select(Event))).all())


async def test_a_mail_the_reader_stumbles_over_is_kept_with_its_error_and_its_envelope(
    database: Database, address: str, reader: Stumbling
) -> None:
    cover = Cover("lmtp", (address,), "postmaster@fai.example")
    told = await take_mail(database, TOKENS, POISON, cover, START)
    assert told == SetAside("RecursionError: too deep for")
    (row,) = await kept(database)
    assert (row.raw, row.problem, row.tries) == (POISON, "RecursionError: too deep for", 1)
    assert (row.way, row.sender, row.recipients) == ("lmtp", "postmaster@fai.example", address)
    assert await events(database) == 0


async def test_what_was_set_aside_is_read_once_the_reader_can(
    database: Database, address: str, reader: Stumbling
) -> None:
    await take_mail(database, TOKENS, POISON, Cover("smtp", (address,)), START)
    hours = timedelta(hours=1)
    assert await try_again(database, TOKENS, START + 5 * hours) == 0
    assert [row.tries for row in await kept(database)] == [2], "and longer and longer between"
    reader.error = None
    assert await try_again(database, TOKENS, START + 6 * hours) == 0
    assert await try_again(database, TOKENS, START + 17 * hours) == 1
    assert (await kept(database), await events(database)) == ([], 1)
    again = await take_mail(database, TOKENS, POISON, Cover("smtp", (address,)), START)
    assert isinstance(again, Arrival)
    assert again.outcomes == (Applied.REPEATED,)


async def test_a_person_may_have_it_read_at_once(database: Database, address: str, reader: Stumbling) -> None:
    await take_mail(database, TOKENS, POISON, Cover("imap", None), START)
    reader.error = None
    assert await try_again(database, TOKENS, START, everything=True) == 1
    assert await kept(database) == []


async def test_one_that_stays_unreadable_keeps_no_other_back(
    database: Database, address: str, reader: Stumbling, ledger: Stumbling
) -> None:
    for first in (b"", b"X: 2\r\n", b"X: 3\r\n"):
        await take_mail(database, TOKENS, first + POISON, Cover("smtp", (address,)), START)
    reader.error = None
    assert await try_again(database, TOKENS, START + 30 * DAY) == 0, "now it is the ledger"
    assert [row.tries for row in await kept(database)] == [2, 2, 2]
    ledger.error = None
    assert await try_again(database, TOKENS, START + 30 * DAY) == 3


async def test_a_database_that_fails_over_one_mail_alone_is_believed_twice(
    database: Database, address: str, ledger: Stumbling
) -> None:
    """It may have been away for a moment; a mail that it fails over each time must come to an end."""
    cover = Cover("smtp", (address,))
    for _ in range(2):
        with pytest.raises(StoreError):
            await take_mail(database, TOKENS, POISON, cover, START)
    assert isinstance(await take_mail(database, TOKENS, BOUNCE, cover, START), Arrival)
    assert isinstance(await take_mail(database, TOKENS, POISON, cover, START), SetAside)


async def test_a_mail_that_was_recorded_after_all_is_set_aside_no_longer(
    database: Database, address: str, ledger: Stumbling
) -> None:
    cover = Cover("smtp", (address,))
    with pytest.raises(StoreError):
        await take_mail(database, TOKENS, POISON, cover, START)
    ledger.error = None
    await take_mail(database, TOKENS, POISON, cover, START)
    await try_again(database, TOKENS, START + DAY)
    assert (await kept(database), await events(database)) == ([], 1)


async def test_while_the_database_is_away_nothing_is_set_aside(tmp_path: Path, reader: Stumbling) -> None:
    away = Database(f"sqlite:///{tmp_path}/without-tables.db")
    for _ in range(5):
        with pytest.raises(StoreError):
            await take_mail(away, TOKENS, POISON, Cover("smtp", ("b+x@y.fr",)), START)
    await away.close()


async def test_a_reader_that_does_not_come_back_is_not_waited_for(
    database: Database, address: str, reader: Stumbling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "READING_SECONDS", 0.1)
    reader.is_held = True
    told = await take_mail(database, TOKENS, POISON, Cover("smtp", (address,)), START)
    reader.goes_on.set()
    assert isinstance(told, SetAside)
    assert "TimeoutError" in told.problem


async def test_the_listener_takes_it_for_received_and_the_next_one_after_it(
    database: Database, clock: ManualClock, address: str, reader: Stumbling, ledger: Stumbling
) -> None:
    server = InboundServer(database, TOKENS, clock, "127.0.0.1", 0)
    await server.start()
    client = SMTP(hostname="127.0.0.1", port=server.port, start_tls=False, timeout=10)
    await client.connect()
    await client.sendmail("", [address], POISON)
    await client.sendmail("", [address], BOUNCE)
    reader.error = None
    with pytest.raises(SMTPDataError, match="451"):
        await client.sendmail("", [address], b"X: 2\r\n" + POISON)
    client.close()
    await server.stop()
    assert (len(await kept(database)), await events(database)) == (2, 1)


async def test_the_mailbox_is_read_past_it(
    database: Database, clock: ManualClock, dovecot: Dovecot, address: str, reader: Stumbling
) -> None:
    mailbox = BounceMailbox("127.0.0.1", dovecot.imap_port, USER, PASSWORD, tls=MailboxTls.NONE)
    to_us = f"Delivered-To: {address}\r\n".encode()
    with dovecot.sign_in() as client:
        for mail in (to_us + POISON, to_us + BOUNCE):
            client.append("INBOX", mail)
    run = await poll_bounces(database, TOKENS, clock, mailbox)
    assert run == BounceRun(recorded=1, set_aside=1)
    with dovecot.sign_in() as client:
        assert len(client.search(["KEYWORD", KEYWORD])) == 2
    assert (len(await kept(database)), await events(database)) == (1, 1)
    reader.error = None
    assert await try_again(database, TOKENS, clock.now(), everything=True) == 1


async def test_the_mailbox_is_read_past_one_the_database_fails_over(
    database: Database, clock: ManualClock, dovecot: Dovecot, address: str, ledger: Stumbling
) -> None:
    mailbox = BounceMailbox("127.0.0.1", dovecot.imap_port, USER, PASSWORD, tls=MailboxTls.NONE)
    to_us = f"Delivered-To: {address}\r\n".encode()
    with dovecot.sign_in() as client:
        for mail in (to_us + POISON, to_us + BOUNCE):
            client.append("INBOX", mail)
    for _ in range(2):
        with pytest.raises(StoreError):
            await poll_bounces(database, TOKENS, clock, mailbox)
    assert await poll_bounces(database, TOKENS, clock, mailbox) == BounceRun(recorded=1, set_aside=1)


async def test_originals_are_read_again_past_it(
    database: Database, address: str, reader: Stumbling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rereading, "read_inbound", reader)
    await take_mail(database, TOKENS, POISON, Cover("smtp", (address,)), START)
    await take_mail(database, TOKENS, BOUNCE, Cover("smtp", (address,)), START)
    now = START + DAY
    seen = await read_originals_again(database, TOKENS, shipped(), since=START - DAY, now=now, act=True)
    assert (seen.read, seen.unread, await events(database)) == (1, 1, 1)


async def test_the_envelope_stays_beside_the_original_and_is_believed_when_it_is_read_again(
    database: Database, address: str
) -> None:
    """The headers of a bounce need not say where it came; kept before, it had to be guessed from them."""
    raw = BOUNCE.replace(b"To:", b"X-To:")
    await take_mail(database, TOKENS, raw, Cover("smtp", (address,), ""), START)
    async with database.write() as session:
        row = (await session.exec(select(Incoming))).one()
        assert (row.way, row.sender, row.recipients) == ("smtp", "", address)
        await session.delete((await session.exec(select(Event))).one())
    seen = await read_originals_again(
        database, TOKENS, shipped(), since=START - DAY, now=START + DAY, act=True
    )
    assert (seen.news, await events(database)) == (1, 1)


async def test_one_original_that_came_for_several_keeps_all_of_them(database: Database) -> None:
    async with database.write() as session:
        numbers = [(await a_delivery(session)).id for _ in range(2)]
    paths = [f"b+{TOKENS.make(TokenPurpose.BOUNCE, number)}@retour.example" for number in numbers]
    for path in [*paths, paths[0]]:
        await take_mail(database, TOKENS, BOUNCE, Cover("lmtp", (path,), "a_%@b.fr"), START)
    async with database.read() as session:
        row = (await session.exec(select(Incoming))).one()
    assert row.recipients.splitlines() == paths


async def test_a_mail_waits_for_those_that_are_coming_in_and_only_for_them(
    database: Database, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "GATHER_S", 100.0)
    cover = Cover("smtp", (address,))
    async with asyncio.timeout(60):
        with on_the_way(database):
            first = asyncio.create_task(take_mail(database, TOKENS, BOUNCE, cover, START))
            await asyncio.sleep(0.3)
            assert await events(database) == 0
        assert isinstance(await first, Arrival)
        assert isinstance(await take_mail(database, TOKENS, BOUNCE, cover, START), Arrival)


async def test_a_mail_that_is_read_for_ever_holds_up_no_other(
    database: Database, address: str, reader: Stumbling
) -> None:
    reader.is_held = True
    cover = Cover("smtp", (address,))
    held = asyncio.create_task(take_mail(database, TOKENS, POISON, cover, START))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(60):
        told = await asyncio.gather(*(take_mail(database, TOKENS, BOUNCE, cover, START) for _ in range(10)))
    assert all(isinstance(one, Arrival) for one in told)
    assert not held.done()
    reader.goes_on.set()
    assert isinstance(await held, SetAside)


async def test_a_mail_waits_for_those_that_are_read(
    database: Database, address: str, reader: Stumbling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "GATHER_S", 100.0)
    reader.error, reader.is_held = None, True
    cover = Cover("smtp", (address,))
    quick = asyncio.create_task(take_mail(database, TOKENS, BOUNCE, cover, START))
    await asyncio.sleep(0)
    slow = asyncio.create_task(take_mail(database, TOKENS, POISON, cover, START))
    await asyncio.sleep(0.3)
    assert not quick.done()
    reader.goes_on.set()
    async with asyncio.timeout(60):
        await asyncio.gather(quick, slow)
