"""In which folder our mail landed, seen in mailboxes the organisation owns.

A server's 250 says nothing of the folder, and no provider tells. So each campaign also writes to a few
seed mailboxes, and here they are read over IMAP (RFC 3501): the inbox and the junk folder (SPECIAL-USE,
RFC 6154), looking for our own header. The mails are never opened or moved: that would be engagement.

imapclient blocks, so each mailbox is read in a thread; a mailbox that does not answer is noted on its row.
"""

import asyncio
import logging
import re
import socket
import ssl
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError

from deliverability.feedback import apply
from deliverability.signals.mime import header, moment_in, open_mail
from deliverability.signals.origin import DELIVERY_HEADER
from models.clock import Clock
from models.errors import SettingsError, TocsinError
from models.keyring import Keyring
from models.seed import SeedMailbox
from models.states import Channel, EventKind
from models.tokens import TokenPurpose, Tokens
from models.values import Signal
from store import Database, seeds
from store.seeds import SentMail as AwaitedMail

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=3)
MISSING_AFTER = timedelta(hours=24)
TIMEOUT_SECONDS = 20.0
MAILBOXES_AT_ONCE = 4
INBOX = "INBOX"
JUNK_FLAG = b"\\Junk"
JUNK_NAMES = frozenset(
    {
        "junk",
        "spam",
        "junk e-mail",
        "junk email",
        "bulk",
        "bulk mail",
        "indésirables",
        "courrier indésirable",
        "courriers indésirables",
        "pourriel",
        "spamverdacht",
        "[gmail]/spam",
        "[google mail]/spam",
        "inbox.junk",
        "inbox.spam",
        "inbox/junk",
        "inbox/spam",
    }
)
"""How junk folders are called where the server does not say which one it is."""
_KEPT_HEADERS = ("Authentication-Results", "X-Spam-Status", "X-Forefront-Antispam-Report", "X-ME-Spam-Level")


@dataclass(frozen=True, slots=True)
class PlacementRun:
    """What one look at the seeds found; `problems` maps a seed's address to what stood in the way."""

    checked: int
    inbox: int
    spam: int
    missing: int
    problems: dict[str, str]


class SeedError(TocsinError):
    """A seed mailbox cannot be read: host, port, encryption, user name or password."""


class _Mailbox(Protocol):
    """The few commands used of imapclient, which carries no types."""

    def login(self, username: str, password: str) -> object: ...
    def list_folders(self) -> Sequence[tuple[Sequence[bytes], bytes, str]]: ...
    def select_folder(self, folder: str, readonly: bool = ...) -> object: ...  # noqa: FBT001 - theirs
    def search(self, criteria: Sequence[str]) -> Sequence[int]: ...
    def fetch(self, messages: Sequence[int], data: Sequence[str]) -> Mapping[int, Mapping[bytes, bytes]]: ...
    def logout(self) -> object: ...


@dataclass(frozen=True, slots=True)
class _Sighting:
    delivery_id: int
    folder: str
    junk: bool
    headers: bytes


async def poll_seeds(
    database: Database,
    keyring: Keyring,
    clock: Clock,
    *,
    missing_after: timedelta = MISSING_AFTER,
    timeout_seconds: float = TIMEOUT_SECONDS,
    ssl_context: ssl.SSLContext | None = None,
) -> PlacementRun:
    """Look once into every active seed mailbox that something was sent to, and record what is found.

    A mail not found `missing_after` it left is recorded as missing, if the mailbox could be read; found
    later all the same, that is recorded too, and counts. `timeout_seconds` is for each answer of a server.
    """
    now = clock.now()
    tokens = Tokens(keyring)
    async with database.read() as session:
        active = await seeds.list_active_seeds(session)
        sent = await seeds.sent_mails(session, now - LOOK_BACK)
    awaited = [mail for mail in sent if mail.seen in {None, EventKind.PLACED_MISSING}]
    mails_by_seed: dict[int, list[AwaitedMail]] = defaultdict(list)
    for mail in awaited:
        mails_by_seed[mail.seed_id].append(mail)
    turn = asyncio.Semaphore(MAILBOXES_AT_ONCE)

    async def look(seed: SeedMailbox) -> tuple[SeedMailbox, list[Signal], str]:
        async with turn:
            mails = mails_by_seed[seed.id]
            names = {tokens.make(TokenPurpose.MESSAGE, mail.delivery_id): mail.delivery_id for mail in mails}
            try:
                password = keyring.decrypt(seed.sealed_password)
                sightings = await asyncio.to_thread(
                    _read_mailbox, seed, password, names, timeout_seconds, ssl_context
                )
            except (OSError, IMAPClientError, SettingsError, ValueError) as error:
                log.warning("seed mailbox not readable", extra={"seed_id": seed.id})
                return seed, [], explain(error)
            return seed, _signals(mails, sightings, missing_after, now), ""

    results = await asyncio.gather(*(look(seed) for seed in active if mails_by_seed[seed.id]))
    return await _record(database, results, now)


async def look_in(
    seed: SeedMailbox,
    password: str,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    ssl_context: ssl.SSLContext | None = None,
) -> list[str]:
    """Sign in to a seed mailbox and name the folders that would be looked into, the inbox first.

    SeedError in plain words when that cannot be done.
    """
    try:
        return await asyncio.to_thread(_name_folders, seed, password, timeout_seconds, ssl_context)
    except (OSError, IMAPClientError, ValueError) as error:
        raise SeedError(explain(error), _advice(error)) from error


def _name_folders(
    seed: SeedMailbox, password: str, timeout_seconds: float, ssl_context: ssl.SSLContext | None
) -> list[str]:
    client: _Mailbox = IMAPClient(
        seed.imap_host, seed.imap_port, ssl=seed.tls, ssl_context=ssl_context, timeout=timeout_seconds
    )
    try:
        client.login(seed.username, password)
        return [folder for folder, _ in _folders(client)]
    finally:
        with suppress(OSError, IMAPClientError):
            client.logout()


async def _record(
    database: Database, results: Sequence[tuple[SeedMailbox, list[Signal], str]], now: datetime
) -> PlacementRun:
    found: dict[EventKind, int] = defaultdict(int)
    async with database.write() as session:
        for seed, signals, problem in results:
            await seeds.note_check(session, seed.id, at=now, problem=problem)
            for signal in signals:
                await apply(session, signal, now)
                found[signal.kind] += 1
    return PlacementRun(
        checked=sum(not problem for _, _, problem in results),
        inbox=found[EventKind.PLACED_INBOX],
        spam=found[EventKind.PLACED_SPAM],
        missing=found[EventKind.PLACED_MISSING],
        problems={seed.address: problem for seed, _, problem in results if problem},
    )


def _read_mailbox(
    seed: SeedMailbox,
    password: str,
    names: dict[str, int],
    timeout_seconds: float,
    ssl_context: ssl.SSLContext | None,
) -> list[_Sighting]:
    """Log in, look for each name in the inbox and the junk folders, log out. Blocks; see the thread above."""
    client: _Mailbox = IMAPClient(
        seed.imap_host, seed.imap_port, ssl=seed.tls, ssl_context=ssl_context, timeout=timeout_seconds
    )
    try:
        client.login(seed.username, password)
        found: list[_Sighting] = []
        for folder, junk in _folders(client):
            client.select_folder(folder, readonly=True)
            found.extend(_sightings(client, folder, names, junk=junk))
        return found
    finally:
        with suppress(OSError, IMAPClientError):
            client.logout()


def _folders(client: _Mailbox) -> Iterator[tuple[str, bool]]:
    """The inbox, then each junk folder: those the server marks, else those with a usual name."""
    yield INBOX, False
    listed = [(flags, str(name)) for flags, _, name in client.list_folders()]
    marked = [name for flags, name in listed if JUNK_FLAG.lower() in {flag.lower() for flag in flags}]
    for name in marked or [name for _, name in listed if name.lower() in JUNK_NAMES]:
        yield name, True


def _sightings(client: _Mailbox, folder: str, names: dict[str, int], *, junk: bool) -> Iterator[_Sighting]:
    for name, delivery_id in names.items():
        numbers = client.search(["HEADER", DELIVERY_HEADER, name]) or client.search(
            ["HEADER", "Message-ID", name]
        )
        if numbers:
            fetched = client.fetch(numbers[:1], ["BODY.PEEK[HEADER]"])
            headers = fetched.get(numbers[0], {}).get(b"BODY[HEADER]", b"")
            yield _Sighting(delivery_id, folder, junk, bytes(headers))


def _signals(
    mails: Sequence[AwaitedMail], sightings: Sequence[_Sighting], missing_after: timedelta, now: datetime
) -> list[Signal]:
    """One signal for each mail that was seen, or is overdue. Seen in both folders counts as spam."""
    # Junk comes last and wins.
    seen = {sighting.delivery_id: sighting for sighting in sightings}
    signals: list[Signal] = []
    for mail in mails:
        sighting = seen.get(mail.delivery_id)
        if sighting is not None:
            kind = EventKind.PLACED_SPAM if sighting.junk else EventKind.PLACED_INBOX
            signals.append(_signal(kind, mail, _details(sighting, mail, now), now))
        elif now - mail.sent_at >= missing_after:
            signals.append(_signal(EventKind.PLACED_MISSING, mail, {}, now))
    return signals


def _signal(kind: EventKind, mail: AwaitedMail, details: dict[str, str], now: datetime) -> Signal:
    return Signal(
        kind=kind,
        channel=Channel.EMAIL,
        source="seed",
        source_id=f"{mail.delivery_id}:{kind.value}",
        at=now,
        delivery_id=mail.delivery_id,
        details=details,
    )


def _details(sighting: _Sighting, mail: AwaitedMail, now: datetime) -> dict[str, str]:
    """The folder, what the provider wrote into the headers, and the seconds from leaving to arriving.

    Arrival is the topmost Received line, which the mailbox's own server wrote (RFC 5321 section 4.4).
    """
    details = {"folder": sighting.folder}
    headers = open_mail(sighting.headers)
    if headers is None:
        return details
    arrived_at = moment_in(re.sub(r".*;", "", header(headers, "Received")), now)
    details["latency_seconds"] = str(max(0, round((arrived_at - mail.sent_at).total_seconds())))
    for name in _KEPT_HEADERS:
        value = header(headers, name)
        if value:
            details[name.lower()] = value[:500]
    return details


def explain(error: Exception) -> str:
    """What stood in the way of reading a mailbox, in a plain sentence."""
    if isinstance(error, TimeoutError):
        return "The mail server did not answer in time."
    if isinstance(error, SettingsError):
        return str(error)
    match error:
        case LoginError():
            words = f"the server refused the sign-in: {_words_of(error)}"
        case socket.gaierror():
            words = "the name of its server is unknown"
        case ConnectionRefusedError():
            words = "nothing answers there (connection refused)"
        case ssl.SSLCertVerificationError():
            words = f"the certificate of its server cannot be trusted: {error.verify_message}"
        case ssl.SSLError():
            words = "its server does not speak TLS on that port"
        case _:
            words = _words_of(error)
    return f"The mailbox cannot be read: {words.rstrip('.')}."[:500]


def _words_of(error: Exception) -> str:
    """What the other side said, without Python's quotes or the system's numbers."""
    text = re.sub(r"^b'(.*)'$|\[Errno -?\d+\] ", r"\1", str(error).strip())
    return text or type(error).__name__


def _advice(error: Exception) -> str:
    if isinstance(error, LoginError):
        return "Most providers want an application password, and IMAP switched on."
    if isinstance(error, ssl.SSLError):
        return "Port 993 is the usual one; --no-tls is for rehearsals."
    return "Check the host and the port."
