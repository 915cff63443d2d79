"""The bounce mailbox, in a real Dovecot: what is recorded, what is marked, and what is left alone."""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select

from deliverability.bounce_mailbox import KEYWORD, BounceRun, poll_bounces
from deliverability.suppression import is_suppressed
from models.bounce_box import BounceMailbox, MailboxTls
from models.delivery import Delivery
from models.errors import StoreError
from models.event import Event, Incoming
from models.seed import PolledMailbox
from models.states import Channel, EventKind
from models.tokens import TokenPurpose
from store import Database, mailboxes
from tests.clocks import ManualClock
from tests.deliverability.rows import TOKENS, a_delivery
from tests.servers.dovecot import PASSWORD, USER, Dovecot

BOUNCE = (Path(__file__).parent / "data/dsn_unknown_user.eml").read_bytes()
Look = Callable[..., Awaitable[BounceRun]]
LETTER = b"From: a@example.org\r\nTo: info@parti.example\r\nSubject: Bonjour\r\n\r\nUne question.\r\n"


@pytest.fixture
def mailbox(dovecot: Dovecot) -> BounceMailbox:
    return BounceMailbox("127.0.0.1", dovecot.imap_port, USER, PASSWORD, tls=MailboxTls.NONE)


@pytest.fixture
async def delivery(database: Database) -> Delivery:
    async with database.write() as session:
        return await a_delivery(session)


@pytest.fixture
def look(database: Database, clock: ManualClock, mailbox: BounceMailbox) -> Look:
    """Look once, with these things about the mailbox changed."""

    async def once(**changes: object) -> BounceRun:
        return await poll_bounces(database, TOKENS, clock, replace(mailbox, **changes), timeout_seconds=5)  # type: ignore[arg-type]

    return once


def bounce_for(delivery: Delivery) -> bytes:
    token = TOKENS.make(TokenPurpose.BOUNCE, delivery.id)
    return f"Delivered-To: b+{token}@retour.parti.example\r\n".encode() + BOUNCE


def put(dovecot: Dovecot, *mails: bytes) -> None:
    with dovecot.sign_in() as client:
        for mail in mails:
            client.append("INBOX", mail)


def flags(dovecot: Dovecot) -> list[set[bytes]]:
    """Of each mail in the inbox, by UID."""
    with dovecot.sign_in() as client:
        found = client.get_flags(client.search())
    return [set(found[number]) - {b"\\Recent"} for number in sorted(found)]


async def events(database: Database) -> list[Event]:
    async with database.read() as session:
        return list((await session.exec(select(Event))).all())


async def test_a_bounce_is_recorded_and_marked_and_post_is_left_alone(
    database: Database, dovecot: Dovecot, delivery: Delivery, look: Look, clock: ManualClock
) -> None:
    put(dovecot, LETTER, bounce_for(delivery), LETTER)
    assert await look() == BounceRun(recorded=1, left_alone=2)
    (event,) = await events(database)
    assert (event.kind, event.delivery_id) == (EventKind.BOUNCED, delivery.id)
    assert flags(dovecot) == [set(), {KEYWORD.encode()}, set()], "unread mail stays unread"
    async with database.read() as session:
        assert await is_suppressed(session, Channel.EMAIL, delivery.address, clock.now())
        assert len((await session.exec(select(Incoming))).all()) == 1, "others' post is not kept"
    assert await look() == BounceRun()


async def test_a_mail_that_was_recorded_and_not_marked_is_known_already(
    database: Database, dovecot: Dovecot, delivery: Delivery, look: Look
) -> None:
    """The end came between the commit and the mark: neither mark nor last UID were written."""
    put(dovecot, bounce_for(delivery))
    await look(mark="nothing")
    async with database.write() as session:
        await session.delete((await session.exec(select(PolledMailbox))).one())
    assert await look() == BounceRun(recorded=0, left_alone=0)
    assert len(await events(database)) == 1
    assert flags(dovecot) == [{KEYWORD.encode()}]


async def test_while_the_database_is_in_trouble_nothing_is_marked(
    tmp_path: Path, dovecot: Dovecot, delivery: Delivery, mailbox: BounceMailbox, clock: ManualClock
) -> None:
    put(dovecot, bounce_for(delivery))
    broken = Database(f"sqlite:///{tmp_path}/without-tables.db")
    with pytest.raises(StoreError):
        await poll_bounces(broken, TOKENS, clock, mailbox)
    await broken.close()
    assert flags(dovecot) == [set()]


async def test_recorded_mail_is_moved_where_it_is_wanted_and_nothing_is_deleted(
    database: Database, dovecot: Dovecot, delivery: Delivery, look: Look
) -> None:
    put(dovecot, LETTER, bounce_for(delivery))
    with dovecot.sign_in() as client:
        client.append("INBOX", LETTER, flags=[b"\\Deleted"])
    assert await look(mark="move:Traités") == BounceRun(recorded=1, left_alone=2)
    assert flags(dovecot) == [set(), {b"\\Deleted"}], "others may have marked mail for deletion"
    with dovecot.sign_in() as client:
        client.select_folder("Traités")
        assert len(client.search()) == 1
    assert len(await events(database)) == 1


async def test_every_mail_is_unknown_again_under_new_numbers(
    database: Database,
    dovecot: Dovecot,
    delivery: Delivery,
    look: Look,
    mailbox: BounceMailbox,
) -> None:
    put(dovecot, LETTER)
    await look()
    async with database.write() as session:
        row = await mailboxes.mailbox_at(session, mailbox.place)
        row.uid_validity, row.last_uid = row.uid_validity - 1, 1000
        session.add(row)
    put(dovecot, bounce_for(delivery))
    assert await look() == BounceRun(recorded=1, left_alone=1)


async def test_a_mailbox_that_is_away_is_told_once_and_looked_at_again(
    database: Database,
    dovecot: Dovecot,
    delivery: Delivery,
    look: Look,
    caplog: pytest.LogCaptureFixture,
) -> None:
    put(dovecot, bounce_for(delivery))
    program = Path("/usr/sbin/dovecot")
    dovecot.stop()
    for _ in range(3):
        run = await look()
        assert "cannot be read" in run.problem
    assert len([r for r in caplog.records if r.message == "bounce mailbox not readable"]) == 1
    dovecot.start(program)
    assert await look() == BounceRun(recorded=1)
    async with database.read() as session:
        assert (await session.exec(select(PolledMailbox))).one().problem == ""


async def test_a_wrong_password_is_explained_and_not_repeated(
    look: Look, caplog: pytest.LogCaptureFixture
) -> None:
    run = await look(password="un secret")
    assert "refused the sign-in" in run.problem
    assert "un secret" not in caplog.text + run.problem


@pytest.mark.parametrize("tls", [MailboxTls.IMPLICIT, MailboxTls.STARTTLS])
async def test_the_line_is_encrypted_and_the_certificate_checked(
    database: Database, dovecot: Dovecot, mailbox: BounceMailbox, clock: ManualClock, tls: MailboxTls
) -> None:
    put(dovecot, LETTER)
    port = dovecot.imaps_port if tls is MailboxTls.IMPLICIT else dovecot.imap_port
    there = replace(mailbox, host="localhost", port=port, tls=tls)
    run = await poll_bounces(database, TOKENS, clock, there)
    assert "certificate" in run.problem
    trusted = ssl.create_default_context(cafile=dovecot.ca_file)
    assert await poll_bounces(database, TOKENS, clock, there, ssl_context=trusted) == BounceRun(left_alone=1)


async def test_a_large_mail_is_read_as_far_as_its_news(
    database: Database, dovecot: Dovecot, delivery: Delivery, look: Look
) -> None:
    put(dovecot, bounce_for(delivery) + (b"x" * 900 + b"\r\n") * 3000)
    assert await look() == BounceRun(recorded=1)
    async with database.read() as session:
        assert len((await session.exec(select(Incoming))).one().raw) <= 1_000_000
