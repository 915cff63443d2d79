"""One mail from outside becomes news in the ledger, by whichever way it came: SMTP, LMTP, IMAP or a pipe.

Every way in ends here, so that a bounce means the same everywhere and is one event however often, and by
however many ways, it comes. Of each mail the same beginning is kept and read, however large it is.

A mail that our own reader or ledger stumbles over would come again and again and hold up what is behind it.
It is set aside with its error instead, is taken for received, and is tried again by itself later, when a
newer version may know better (`take_mail`, `try_again`). That the database is away is no such error.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.feedback import Applied, apply_all
from deliverability.feeds.filing import Filed, file_reports
from deliverability.feeds.values import UnreadableReportError
from deliverability.one_thread import OneThread
from deliverability.signals.mail import read_inbound
from deliverability.signals.mime import MAX_BYTES, addresses_in, open_mail
from deliverability.signals.origin import bounced_delivery, left_delivery
from models.errors import StoreError
from models.event import Incoming
from models.states import EventKind
from models.tokens import Tokens
from models.values import Cover, Signal
from store import Database, incoming
from store.together import Together

if TYPE_CHECKING:
    from deliverability.feeds.reading import Sighting

log = logging.getLogger(__name__)

COMPLAINT_LOCAL_PARTS = frozenset({"fbl", "abuse", "complaints"})
REPORT_LOCAL_PARTS = frozenset({"dmarc", "dmarc-reports", "dmarc-failures", "tls-reports", "tlsrpt"})
"""Where receivers send their reports: what rua, ruf (DMARC) and the TLS-RPT record name."""
RECIPIENT_HEADERS = ("Delivered-To", "X-Original-To", "X-Envelope-To", "Envelope-To", "X-Delivered-To", "To")
"""Where mail servers write whom a mail came for. Anybody can write them: only what we signed counts."""
KEPT_BYTES = MAX_BYTES
"""Of each mail. What a report says comes before the message it encloses."""
READING_SECONDS = 60.0
STUMBLES = 3
"""So often the database may fail over one mail, and yet take it in as set aside, before it is the mail."""
FIRST_WAIT = timedelta(hours=4)
LONGEST_WAITS = 5
"""After so many tries the wait, seven weeks, grows no more."""
GATHER_S = 0.02
"""So long at most a mail waits for those that are on their way: what follows from one takes ten statements,
and from twenty ten."""
UNKNOWN = ""
TALK = frozenset({EventKind.REPLIED, EventKind.AUTORESPONDED})


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one mail told, and what became of each piece of it.

    `reports`: those of receivers that it carried, and `problems` those of them that could not be read.
    """

    signals: tuple[Signal, ...]
    outcomes: tuple[Applied, ...]
    reports: Filed = field(default_factory=Filed)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetAside:
    """That a mail was kept, unread, and why."""

    problem: str


def is_signed(address: str, tokens: Tokens) -> bool:
    """Whether it is a return path or a leaving address that we made."""
    return bounced_delivery(address, tokens) is not None or left_delivery(address, tokens) is not None


def recipients_in(raw: bytes, tokens: Tokens) -> list[str]:
    """The addresses of ours its headers say a mail was delivered to, for ways in that have no envelope."""
    mail = open_mail(raw)
    if mail is None:
        return []
    written = [str(value) for name in RECIPIENT_HEADERS for value in mail.get_all(name, [])]
    addresses = dict.fromkeys(address for value in written for address in addresses_in(value))
    return [address for address in addresses if is_signed(address, tokens)]


def is_about_us(signals: Sequence[Signal]) -> bool:
    """Whether a mail out of a mailbox is any business of ours.

    A letter or an absence note that names no message of ours is somebody's post; a bounce or a complaint is
    looked at by a person all the same.
    """
    return any(signal.delivery_id is not None or signal.kind not in TALK for signal in signals)


def _read(raw: bytes, cover: Cover, tokens: Tokens, now: datetime) -> tuple[Cover, list[Signal], "Sighting"]:
    # XML and archives: for who receives mail, not for who sends it.
    from deliverability.feeds.reading import read_mail  # noqa: PLC0415

    sighting = read_mail(raw, now)
    if sighting.reports:
        # A receiver's report is never news of a message, whatever address it came for.
        return cover, [], sighting
    known = recipients_in(raw, tokens) if cover.recipients is None else cover.recipients
    cover = replace(cover, recipients=tuple(known))
    # Delivered to nobody we know of, it may still enclose a message of ours.
    signals = read_inbound(raw, known or [UNKNOWN], tokens, now)
    return cover, [replace(signal, cover=cover) for signal in signals], sighting


async def take_mail(
    database: Database, tokens: Tokens, raw: bytes, cover: Cover, now: datetime
) -> Arrival | SetAside | None:
    """`record_mail`; or, when it fails over this very mail, keep it for later and say so.

    Whichever it is, it is committed when this returns. StoreError when the database is away, or failed over
    this mail for the first times: whoever brings it keeps it, and tries again.
    """
    raw = raw[:KEPT_BYTES]
    try:
        return await record_mail(database, tokens, raw, cover, now)
    except Exception as error:
        problem = _told(error)
        async with database.write() as session:
            tries = await incoming.set_aside(session, raw, cover, problem=problem, now=now)
        if isinstance(error, StoreError) and tries < STUMBLES:
            raise
        log.exception("mail set aside", extra={"way": cover.way})
        return SetAside(problem)


async def try_again(database: Database, tokens: Tokens, now: datetime, *, everything: bool = False) -> int:
    """Read again what was set aside, at longer and longer intervals, or `everything`; how many are read now.

    Safe to repeat: a mail that is on record already changes nothing.
    """
    read = after = 0
    while True:
        async with database.read() as session:
            page = await incoming.list_aside(session, after_id=after)
            session.expunge_all()
        for one in page:
            after = one.id
            wait = FIRST_WAIT * 4 ** (min(one.tries, LONGEST_WAITS) - 1)
            if everything or one.received_at + wait <= now:
                read += await _try_one(database, tokens, one, now)
        if not page:
            return read


async def _try_one(database: Database, tokens: Tokens, one: Incoming, now: datetime) -> bool:
    cover = Cover(one.way, tuple(one.recipients.splitlines()) or None, one.sender)
    try:
        # Of somebody who was erased since nothing is left to be read.
        taken = await take_mail(database, tokens, one.raw, cover, now) if one.raw else None
    except StoreError:
        # Over this one, or altogether: then the next question says so.
        return False
    if isinstance(taken, SetAside):
        return False
    async with database.write() as session:
        await incoming.settle_aside(session, one.id)
    return True


@dataclass(frozen=True, slots=True)
class _Read:
    """A mail that was read."""

    raw: bytes
    cover: Cover
    signals: Sequence[Signal]
    now: datetime


async def _record_all(session: AsyncSession, mails: Sequence[_Read]) -> list[list[Applied]]:
    now = mails[-1].now
    for mail in mails:
        if not mail.signals:
            await incoming.keep(
                session, source="mail", raw=mail.raw, matched=False, now=now, cover=mail.cover
            )
    outcomes = iter(await apply_all(session, [signal for mail in mails for signal in mail.signals], now))
    return [[next(outcomes) for _ in mail.signals] for mail in mails]


_READER = OneThread()
_DESKS: WeakKeyDictionary[Database, Together[_Read, list[Applied]]] = WeakKeyDictionary()
"""Mails that come at the same time are recorded by one transaction."""


def _desk_of(database: Database) -> Together[_Read, list[Applied]]:
    desk = _DESKS.get(database)
    if desk is None:
        desk = _DESKS[database] = Together(_record_all, gather_s=GATHER_S)
    return desk


def on_the_way(database: Database) -> AbstractContextManager[None]:
    """Within this block a mail is being received: those that are read already wait for it a moment."""
    return _desk_of(database).expecting()


async def record_mail(
    database: Database, tokens: Tokens, raw: bytes, cover: Cover, now: datetime
) -> Arrival | None:
    """Record the news of a mail; when this returns it is committed.

    Without recipients on its cover its headers are asked, and a mail that is no business of ours is left
    alone: None, and nothing is kept of it.
    """
    desk = _desk_of(database)
    with desk.expecting():
        async with asyncio.timeout(READING_SECONDS):
            # Parsing a large mail takes long enough to keep others waiting.
            piece = partial(_read, raw[:KEPT_BYTES], cover, tokens, now)
            known, signals, sighting = await _READER.do(piece)
    if sighting.reports:
        return await _file(database, sighting, now)
    if sighting.problems:
        raise UnreadableReportError(sighting.problems[0])
    if cover.recipients is None and not is_about_us(signals):
        return None
    outcomes = await desk.do(database, _Read(raw, known, signals, now))
    for signal, outcome in zip(signals, outcomes, strict=True):
        if outcome is Applied.UNMATCHED:
            log.info("news of no known message", extra={"source": signal.source})
    log.info("mail recorded", extra={"signals": len(signals)})
    return Arrival(tuple(signals), tuple(outcomes))


async def _file(database: Database, sighting: "Sighting", now: datetime) -> Arrival:
    async with database.write() as session:
        filed = await file_reports(session, sighting.reports, now)
    log.info("reports recorded", extra={"new": filed.new, "known": filed.known, "mended": filed.mended})
    return Arrival((), (), filed, sighting.problems)


def _told(error: Exception) -> str:
    """An error on one line, without the values of the statement that failed: those are the mail's."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {lines[0] if lines else 'no word'}"
