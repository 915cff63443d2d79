"""Which of our messages a report speaks of, by the signed tokens we put into its headers.

Recipients are often redacted in complaints and rewritten by forwarders in bounces, and a bare address
in a report proves nothing: anybody can write one. A token can only come from our own message
(RFC 6650 section 4.4 asks senders to recognise their mail by such means).
"""

import re
from collections.abc import Iterable
from email.message import Message

from deliverability.signals.mime import header
from models.tokens import TOKEN_LENGTH, TokenPurpose, Tokens

DELIVERY_HEADER = "X-Tocsin-Delivery"
BOUNCE_LOCAL_PART = "b"
LEAVE_LOCAL_PART = "unsubscribe"
_TOKEN = rf"([a-z2-7]{{{TOKEN_LENGTH}}})"
_PLACES: tuple[tuple[str, re.Pattern[str], TokenPurpose], ...] = (
    (DELIVERY_HEADER, re.compile(_TOKEN, re.IGNORECASE), TokenPurpose.MESSAGE),
    ("Message-ID", re.compile(rf"<?{_TOKEN}@", re.IGNORECASE), TokenPurpose.MESSAGE),
    ("List-Unsubscribe", re.compile(rf"/u/{_TOKEN}", re.IGNORECASE), TokenPurpose.LEAVE),
    ("Return-Path", re.compile(rf"\b{BOUNCE_LOCAL_PART}\+{_TOKEN}@", re.IGNORECASE), TokenPurpose.BOUNCE),
)
_TAGGED = re.compile(rf"([a-z]+)\+{_TOKEN}@[^@]*", re.IGNORECASE)


def delivery_behind(headers: Iterable[Message], tokens: Tokens) -> int | None:
    """The delivery whose token stands in one of these header blocks, or None."""
    for block in headers:
        for name, pattern, purpose in _PLACES:
            found = pattern.search(header(block, name))
            number = tokens.read(purpose, found[1].lower()) if found else None
            if number is not None:
                return number
    return None


def bounced_delivery(address: str, tokens: Tokens) -> int | None:
    """The delivery of a return path `b+<token>@…` that we signed, or None."""
    return _tagged_delivery(address, BOUNCE_LOCAL_PART, TokenPurpose.BOUNCE, tokens)


def left_delivery(address: str, tokens: Tokens) -> int | None:
    """The delivery of an address `unsubscribe+<token>@…` that we signed, or None."""
    return _tagged_delivery(address, LEAVE_LOCAL_PART, TokenPurpose.LEAVE, tokens)


def _tagged_delivery(address: str, local_part: str, purpose: TokenPurpose, tokens: Tokens) -> int | None:
    found = _TAGGED.fullmatch(address.strip().strip("<>"))
    if found is None or found[1].lower() != local_part:
        return None
    return tokens.read(purpose, found[2].lower())
