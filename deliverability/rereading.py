"""A kept original in the hands of its own reader: a mail's, a provider's webhook's, a text message's.

The reader is chosen by the source the original was kept under, never by its looks: what one provider calls a
bounce may mean something else in another's words.
"""

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl

from deliverability.signals import twilio
from deliverability.signals.hooks import PROVIDERS
from deliverability.signals.mail import read_inbound
from models.event import Incoming
from models.tokens import Tokens
from models.values import Signal
from store.incoming import ASIDE

log = logging.getLogger(__name__)

BY_MAIL: Final = frozenset({"dsn", "mail", "arf"})
READ_AS_MAIL: Final = BY_MAIL | {"unsubscribe mail", ASIDE}
HEAD: Final = 64 * 1024
SOMEBODY: Final = "replay@localhost"
"""Stands for an address that names no message: then only the original's own content can."""
_ARRIVED_AT = re.compile(
    rb"^(?:To|Delivered-To|X-Original-To|Envelope-To):(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE
)
_ADDRESS = re.compile(rb"[^\s<>,;:\"]+@[^\s<>,;:\"]+")


async def signals_in(original: Incoming, tokens: Tokens) -> Sequence[Signal] | None:
    """What it says to this version's reader of its source; None when there is none, or it cannot read it."""
    try:
        return await asyncio.to_thread(_read, original, tokens)
    except Exception:
        log.exception("original not read", extra={"original": original.id})
        return None


def _read(original: Incoming, tokens: Tokens) -> Sequence[Signal] | None:
    source, raw, came_at = original.source, original.raw, original.received_at
    if source in PROVIDERS:
        return PROVIDERS[source].read_again(raw, tokens, came_at)
    if source == twilio.SOURCE:
        return [_texted(raw, came_at)]
    if source not in READ_AS_MAIL:
        return None
    return read_inbound(raw, original.recipients.splitlines() or arrived_at(raw), tokens, came_at)


def _texted(raw: bytes, came_at: datetime) -> Signal:
    """Without the verdict of the rules in force: those that are tried judge it."""
    form = dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))
    return replace(twilio.read_status(form, came_at), verdict=None)


def arrived_at(raw: bytes) -> list[str]:
    """The addresses an original was sent to, by its own head: for those kept without their envelope."""
    head = raw[:HEAD].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    found = [address for line in _ARRIVED_AT.findall(head) for address in _ADDRESS.findall(line)]
    named = list(dict.fromkeys(address.decode("ascii", "ignore") for address in found))
    return [address for address in named if address.startswith("b+")][:1] or [SOMEBODY]
