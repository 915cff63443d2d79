"""One mail from outside becomes news in the ledger, by whichever way it came: SMTP, LMTP, IMAP or a pipe.

Every way in ends here, so that a bounce means the same everywhere and is one event however often, and by
however many ways, it comes.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import getaddresses

from deliverability.feedback import Applied, apply
from deliverability.signals.mail import read_inbound
from deliverability.signals.mime import open_mail
from deliverability.signals.origin import bounced_delivery, left_delivery
from models.states import EventKind
from models.tokens import Tokens
from models.values import Signal
from store import Database, incoming

log = logging.getLogger(__name__)

COMPLAINT_LOCAL_PARTS = frozenset({"fbl", "abuse", "complaints"})
RECIPIENT_HEADERS = ("Delivered-To", "X-Original-To", "X-Envelope-To", "Envelope-To", "X-Delivered-To", "To")
"""Where mail servers write whom a mail came for. Anybody can write them: only what we signed counts."""
UNKNOWN = ""
TALK = frozenset({EventKind.REPLIED, EventKind.AUTORESPONDED})


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one mail told, and what became of each piece of it."""

    signals: tuple[Signal, ...]
    outcomes: tuple[Applied, ...]


def is_signed(address: str, tokens: Tokens) -> bool:
    """Whether it is a return path or a leaving address that we made."""
    return bounced_delivery(address, tokens) is not None or left_delivery(address, tokens) is not None


def recipients_in(raw: bytes, tokens: Tokens) -> list[str]:
    """The addresses of ours its headers say a mail was delivered to, for ways in that have no envelope."""
    mail = open_mail(raw)
    if mail is None:
        return []
    written = [str(value) for name in RECIPIENT_HEADERS for value in mail.get_all(name, [])]
    addresses = dict.fromkeys(address for _, address in getaddresses(written))
    return [address for address in addresses if is_signed(address, tokens)]


def is_about_us(signals: Sequence[Signal]) -> bool:
    """Whether a mail out of a mailbox is any business of ours.

    A letter or an absence note that names no message of ours is somebody's post; a bounce or a complaint is
    looked at by a person all the same.
    """
    return any(signal.delivery_id is not None or signal.kind not in TALK for signal in signals)


def _read(raw: bytes, recipients: Sequence[str] | None, tokens: Tokens, now: datetime) -> list[Signal]:
    known = recipients_in(raw, tokens) if recipients is None else recipients
    # Delivered to nobody we know of, it may still enclose a message of ours.
    return read_inbound(raw, known or [UNKNOWN], tokens, now)


async def record_mail(
    database: Database,
    tokens: Tokens,
    raw: bytes,
    recipients: Sequence[str] | None,
    now: datetime,
) -> Arrival | None:
    """Record the news of a mail that came for `recipients`; when this returns it is committed.

    Without `recipients` its headers are asked, and a mail that is no business of ours is left alone: None,
    and nothing is kept of it.
    """
    # Parsing a large mail takes long enough to keep others waiting.
    signals = await asyncio.to_thread(_read, raw, recipients, tokens, now)
    if recipients is None and not is_about_us(signals):
        return None
    async with database.write() as session:
        if not signals:
            await incoming.keep(session, source="mail", raw=raw, matched=False, now=now)
        outcomes = [await apply(session, signal, now) for signal in signals]
    for signal, outcome in zip(signals, outcomes, strict=True):
        if outcome is Applied.UNMATCHED:
            log.info("news of no known message", extra={"source": signal.source})
    log.info("mail recorded", extra={"signals": len(signals)})
    return Arrival(tuple(signals), tuple(outcomes))
