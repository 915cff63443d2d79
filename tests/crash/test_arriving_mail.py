"""kill -9 while mail is taken in: at the commit of what it tells, and before anybody hears that it was taken.

A real Postfix keeps what nobody said yes to, a real Dovecot what nobody marked; both bring it again.
"""

import asyncio
import signal
from pathlib import Path

import pytest
from aiosmtplib import SMTP
from sqlmodel import select

from deliverability.suppression import is_suppressed
from models.clock import SystemClock
from models.delivery import Delivery
from models.event import Event, Incoming
from models.states import Channel
from models.suppression import Suppression
from models.tokens import TokenPurpose
from store import Database
from tests.deliverability.rows import TOKENS, a_delivery
from tests.servers import free_port
from tests.servers.dovecot import Dovecot
from tests.servers.mail_taker import MailTask
from tests.servers.postfix import Postfix, StartPostfix
from tests.servers.workers import Nursery, Worker

pytestmark = [pytest.mark.journey, pytest.mark.timeout(200)]

DOMAIN = "bounces.news.example.org"
BOUNCE = (Path(__file__).parents[1] / "deliverability/data/dsn_unknown_user.eml").read_bytes()
LETTER = b"From: a@example.org\r\nTo: info@parti.example\r\nSubject: Bonjour\r\n\r\nUne question.\r\n"
SECONDS = 60
UNHURRIED = {"queue_run_delay": "2s", "minimal_backoff_time": "2s", "maximal_backoff_time": "3s"}
"""A retry that meets the end of the attempt before it is put off for five minutes."""


async def written_to(database: Database, count: int) -> tuple[list[Delivery], list[str]]:
    """Messages and their return paths."""
    async with database.write() as session:
        rows = [await a_delivery(session) for _ in range(count)]
    return rows, [f"b+{TOKENS.make(TokenPurpose.BOUNCE, row.id)}@{DOMAIN}" for row in rows]


async def check(database: Database, rows: list[Delivery]) -> None:
    """One event and one suppression for each, and each original once."""
    async with database.read() as session:
        events = (await session.exec(select(Event.delivery_id))).all()
        raws = (await session.exec(select(Incoming.raw))).all()
        stopped = (await session.exec(select(Suppression))).all()
        assert sorted(filter(None, events)) == sorted(row.id for row in rows)
        assert len(stopped) == len(rows)
        assert len(set(raws)) == len(raws)
        for row in rows:
            assert await is_suppressed(session, Channel.EMAIL, row.address, SystemClock().now())


async def killed(process: Worker) -> None:
    status = await process.ended(seconds=SECONDS)
    assert status == -signal.SIGKILL, f"it went by the place where it should have died: {status}"


async def emptied(mta: Postfix, mails: int) -> None:
    """Once Postfix is rid of so many mails."""
    try:
        async with asyncio.timeout(SECONDS):
            while mta.log.count(": removed") < mails:
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(mta.log)
    assert "status=bounced" not in mta.log


@pytest.mark.parametrize(
    ("way", "places"),
    [
        ("smtp", [("commit:before", 1), ("commit:after", 1)]),
        ("lmtp", [("commit:before", 1), ("commit:after", 1), ("commit:before", 2), ("commit:after", 2)]),
    ],
)
async def test_a_bounce_whose_taker_dies_is_brought_again_and_counted_once(
    database: Database,
    migrated_url: str,
    tmp_path: Path,
    *,
    nursery: Nursery,
    postfix: StartPostfix,
    way: str,
    places: list[tuple[str, int]],
) -> None:
    port, log = free_port(), str(tmp_path / "log")
    transport = f"smtp:[127.0.0.1]:{port}" if way == "smtp" else f"lmtp:inet:127.0.0.1:{port}"
    mta = postfix(settings={"relay_domains": DOMAIN, "relay_transport": transport, **UNHURRIED})
    everybody: list[Delivery] = []
    for mails, (die_at, nth) in enumerate(places, start=1):
        rows, paths = await written_to(database, 2)
        everybody += rows
        doomed = await nursery.take_mail(MailTask(way, migrated_url, port, log, die_at, nth))
        async with SMTP(hostname=mta.host, port=mta.port, start_tls=False, timeout=60) as client:
            await client.sendmail("", paths, b"X-Mail: %d\r\n" % mails + BOUNCE)
        await killed(doomed)
        taker = await nursery.take_mail(MailTask(way, migrated_url, port, log))
        await emptied(mta, mails)
        taker.signal(signal.SIGKILL)
        await taker.ended()
        await check(database, everybody)
    assert mta.log.count("status=deferred") >= len(places), "each was refused an answer once"


async def test_a_mailbox_whose_reader_dies_is_read_on_and_each_bounce_counted_once(
    database: Database, migrated_url: str, tmp_path: Path, nursery: Nursery, dovecot: Dovecot
) -> None:
    port, log = dovecot.imap_port, str(tmp_path / "log")
    places = [
        (f"{what}:{when}", nth)
        for what, most in (("commit", 3), ("mark", 1))
        for when in ("before", "after")
        for nth in range(1, most + 1)
    ]
    everybody: list[Delivery] = []
    with dovecot.sign_in() as client:
        client.append("INBOX", LETTER)
    for die_at, nth in places:
        rows, (path,) = await written_to(database, 1)
        everybody += rows
        with dovecot.sign_in() as client:
            client.append("INBOX", f"To: {path}\r\n".encode() + BOUNCE)
        await killed(await nursery.take_mail(MailTask("imap", migrated_url, port, log, die_at, nth)))
        reader = await nursery.take_mail(MailTask("imap", migrated_url, port, log))
        assert await reader.ended(seconds=SECONDS) == 0, reader.log.read_text()
        await check(database, everybody)
        with dovecot.sign_in() as client:
            assert len(client.search(["KEYWORD", "TocsinRecorded"])) == len(everybody)
            assert len(client.search()) == len(everybody) + 1
