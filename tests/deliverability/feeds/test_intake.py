"""Reports of receivers that come by mail: kept once, by whichever way, and no news of any message."""

from collections.abc import AsyncIterator

import pytest
from aiosmtplib import SMTP, SMTPRecipientsRefused
from sqlmodel import select

from deliverability.arrival import Arrival, SetAside, take_mail
from deliverability.bounce_mailbox import BounceRun, poll_bounces
from deliverability.feeds.filing import Filed
from deliverability.inbox import InboundServer
from models.authentication import DmarcFailure, DmarcReport, DmarcRow, TlsReport, TlsRow
from models.bounce_box import BounceMailbox, MailboxTls
from models.event import Event, Incoming
from models.tokens import TokenPurpose
from models.values import Cover
from store import Database, incoming
from tests.clocks import START, ManualClock
from tests.deliverability.reports import (
    DKIM_FAILED,
    a_failure,
    a_mail,
    a_record,
    a_tls_report,
    an_aggregate,
    mailed,
)
from tests.deliverability.rows import TOKENS, a_delivery
from tests.servers.dovecot import PASSWORD, USER, Dovecot


async def kept(database: Database) -> tuple[int, int, int, int, int]:
    """Reports, failures and TLS reports on record; and what else mails became: events, originals."""
    async with database.read() as session:
        return (
            len((await session.exec(select(DmarcReport))).all()),
            len((await session.exec(select(DmarcFailure))).all()),
            len((await session.exec(select(TlsReport))).all()),
            len((await session.exec(select(Event))).all()),
            len((await session.exec(select(Incoming))).all()),
        )


@pytest.fixture
async def listener(database: Database, clock: ManualClock) -> AsyncIterator[InboundServer]:
    server = InboundServer(database, TOKENS, clock, "127.0.0.1", 0)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(listener: InboundServer) -> AsyncIterator[SMTP]:
    smtp = SMTP(hostname="127.0.0.1", port=listener.port, start_tls=False, timeout=10)
    await smtp.connect()
    yield smtp
    smtp.close()


async def test_reports_sent_to_the_published_addresses_are_kept_once(
    database: Database, client: SMTP
) -> None:
    tls = a_mail(a_tls_report(), kind="application/tlsrpt+json", name="r.json")
    for _ in range(2):
        await client.sendmail("", ["dmarc@b.parti.fr"], mailed())
        await client.sendmail("noreply@mailbox.example", ["DMARC@b.parti.fr"], a_failure(fields=DKIM_FAILED))
        await client.sendmail("", ["tls-reports@b.parti.fr"], tls)
    assert await kept(database) == (1, 1, 1, 0, 0)
    async with database.read() as session:
        row = (await session.exec(select(DmarcRow))).one()
        policy = (await session.exec(select(TlsRow))).one()
    assert (row.source_ip, row.messages, row.dkim, row.dkim_domain, row.dkim_selector) == (
        "192.0.2.10",
        3,
        True,
        "parti.fr",
        "t1",
    )
    assert (policy.domain, policy.successes, policy.failures) == ("parti.fr", 97, 3)
    assert policy.failure_details[0]["kind"] == "certificate-expired"


async def test_other_names_are_refused_as_before(client: SMTP) -> None:
    with pytest.raises(SMTPRecipientsRefused):
        await client.sendmail("", ["dmarcus@b.parti.fr"], mailed())


@pytest.mark.parametrize("raw", [mailed(), a_failure(fields=DKIM_FAILED)])
async def test_a_report_at_a_return_path_is_no_news_of_that_message(database: Database, raw: bytes) -> None:
    async with database.write() as session:
        number = (await a_delivery(session)).id
    address = f"b+{TOKENS.make(TokenPurpose.BOUNCE, number)}@b.parti.fr"
    taken = await take_mail(database, TOKENS, raw, Cover("smtp", (address,)), START)
    assert isinstance(taken, Arrival)
    assert taken.reports == Filed(new=1)
    assert (await kept(database))[3:] == (0, 0)


async def test_a_complaint_is_still_one(database: Database) -> None:
    async with database.write() as session:
        number = (await a_delivery(session)).id
    address = f"b+{TOKENS.make(TokenPurpose.BOUNCE, number)}@b.parti.fr"
    await take_mail(database, TOKENS, a_failure(kind="abuse"), Cover("smtp", (address,)), START)
    assert (await kept(database))[1:4] == (0, 0, 1)


async def test_a_report_that_cannot_be_read_is_set_aside_with_its_reason(database: Database) -> None:
    broken = a_mail(b"\x1f\x8b\x08 broken")
    taken = await take_mail(database, TOKENS, broken, Cover("smtp", ("dmarc@b.parti.fr",)), START)
    assert isinstance(taken, SetAside)
    assert "broken" in taken.problem
    async with database.read() as session:
        assert [one.raw for one in await incoming.list_aside(session)] == [broken]


async def test_a_report_that_was_cut_gives_way_to_the_whole_one(database: Database) -> None:
    whole = an_aggregate(a_record(count=3), a_record("198.51.100.9", 40))
    cover = Cover("smtp", ("dmarc@b.parti.fr",))
    cut = whole[: whole.index(b"198.51.100.9")]
    for raw, became in (
        (cut, Filed(new=1)),
        (cut, Filed(known=1)),
        (whole, Filed(mended=1)),
        (cut, Filed(known=1)),
    ):
        mail = a_mail(raw, kind="text/xml", name="r.xml")
        taken = await take_mail(database, TOKENS, mail, cover, START)
        assert isinstance(taken, Arrival)
        assert taken.reports == became
    async with database.read() as session:
        assert (await session.exec(select(DmarcReport))).one().problems == []
        rows = (await session.exec(select(DmarcRow).order_by("messages"))).all()
    assert [row.messages for row in rows] == [3, 40]


async def test_reports_in_the_bounce_mailbox_are_recorded_and_other_post_is_left_alone(
    database: Database, clock: ManualClock, dovecot: Dovecot
) -> None:
    with dovecot.sign_in() as client:
        client.append("INBOX", mailed())
        client.append("INBOX", b"From: a@b.example\r\nSubject: Photos\r\n\r\nhello\r\n")
    box = BounceMailbox("127.0.0.1", dovecot.imap_port, USER, PASSWORD, tls=MailboxTls.NONE)
    run = await poll_bounces(database, TOKENS, clock, box)
    assert run == BounceRun(recorded=1, left_alone=1)
    assert (await kept(database))[0] == 1
