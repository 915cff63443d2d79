"""A seed mailbox on the loopback, and mails of ours as they lie in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from sqlmodel import col, select

from deliverability.placement import PlacementRun, poll_seeds
from models.delivery import Delivery
from models.event import Event
from models.seed import SeedMailbox
from models.tokens import TokenPurpose
from sandbox.imap_server import ImapServer
from sandbox.mailboxes import Mailbox, MailFolder, SeedAccount
from store import Database
from tests.clocks import START, ManualClock
from tests.deliverability.rows import KEYRING, TOKENS, a_delivery, a_seed

ACCOUNT = SeedAccount("temoin@gmail.example", "gmail", "temoin", "ouvre-toi")


@dataclass
class Place:
    """A mailbox with an inbox and a junk folder, the server it is read from, and its port."""

    inbox: MailFolder
    junk: MailFolder
    everything: MailFolder
    mailbox: Mailbox
    server: ImapServer
    port: int = 0


@asynccontextmanager
async def a_place(*, labelled: bool = False) -> AsyncIterator[Place]:
    """A mailbox served over IMAP; `labelled`: as Gmail does it."""
    inbox, junk = MailFolder("INBOX"), MailFolder("Courrier indésirable", "\\Junk")
    everything = MailFolder("[Gmail]/Tous les messages", "\\All")
    folders = [inbox, MailFolder("Sent", "\\Sent"), junk, *([everything] if labelled else [])]
    mailbox = Mailbox(ACCOUNT, folders, labelled=labelled)
    server = ImapServer({"temoin": mailbox})
    place = Place(inbox, junk, everything, mailbox, server)
    _, place.port = await server.start()
    try:
        yield place
    finally:
        await server.stop()


def a_mail(delivery: Delivery, *, header: str = "X-Tocsin-Delivery", minutes: int = 2) -> bytes:
    """A mail of ours that arrived some minutes after the start."""
    token = TOKENS.make(TokenPurpose.MESSAGE, delivery.id)
    value = f"<{token}@parti.example>" if header == "Message-ID" else token
    when = format_datetime(START + timedelta(minutes=minutes))
    return (
        f"Received: from us by them; {when}\r\nAuthentication-Results: them; dkim=pass\r\n"
        f"{header}: {value}\r\nSubject: Bonjour\r\n\r\nBonjour\r\n"
    ).encode()


async def sent_to(database: Database, port: int, **changed: Any) -> tuple[SeedMailbox, Delivery]:
    """A seed, with what is `changed` of it, and a mail that left for it at the start."""
    async with database.write() as session:
        seed = await a_seed(session, port=port)
        for name, value in changed.items():
            setattr(seed, name, value)
        session.add(seed)
        return seed, await a_delivery(session, seed=seed)


async def poll(database: Database, clock: ManualClock, **options: Any) -> PlacementRun:
    """One look, with patience enough for a server that answers."""
    given: dict[str, Any] = {"missing_after": timedelta(hours=1), **options}
    return await poll_seeds(database, KEYRING, clock, **given)


async def events_of(database: Database) -> list[Event]:
    """What was recorded, in its order."""
    async with database.read() as session:
        return list((await session.exec(select(Event).order_by(col(Event.id)))).all())
