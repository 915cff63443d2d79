"""Mail from strangers, opened without ever raising.

The standard library's parser with its oldest policy (`compat32`): the newer one validates headers and
raises on what broken mail systems send. It still fails on some inputs (deep nesting, unknown charsets),
so everything that touches it is here, behind functions that answer None or "" instead.
"""

import codecs
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from weakref import WeakKeyDictionary

MAX_BYTES = 1_000_000
"""What is read of one mail: reports are small, and what follows is the returned content."""
MAX_PARTS = 200
MAX_BOUNDARIES = 20
"""The parser holds every line against every open boundary: nesting is what makes it slow."""
MAX_HEADER = 4000
MAX_ADDRESSES = 50_000
"""Characters of a header in which addresses are looked for: a thousand of them."""
MAX_AGE = timedelta(days=60)
STATUS_PARTS = frozenset({"message/delivery-status", "message/global-delivery-status"})
ENCLOSED = frozenset({"message/rfc822", "message/global"})
SLOW_CHARSETS = frozenset({"punycode", "idna"})
"""Encodings of host names, in which no mail is written, and whose decoders take minutes for a megabyte."""
_EMPTY_LINES = re.compile(rb"[\r\n]{20,}")
_TYPE = "\0type"
"""No header is called so: the type found once is kept among them, each reader asks for it."""
_FIELDS: "WeakKeyDictionary[Message, dict[str, str]]" = WeakKeyDictionary()
_SPACES = re.compile(r"\s+")


def open_mail(raw: bytes, most: int = MAX_BYTES) -> Message | None:
    """The mail in `raw`, of which at most `most` octets are read; None when it cannot be parsed.

    So is a mail nested deeper than any mail system does it.
    """
    read = raw[:most]
    if read.lower().count(b"boundary=") > MAX_BOUNDARIES:
        return None
    # In a status part the parser makes a message of each.
    read = _EMPTY_LINES.sub(b"\n" * 10, read)
    try:
        return message_from_bytes(read, policy=policy.compat32)
    except Exception:  # noqa: BLE001 - the parser recurses and assumes; a stranger's mail stops nothing
        return None


_FIELDS_OF_MAILS = (
    *("From", "To", "Subject", "Date", "Received", "Return-Path", "Message-ID", "MIME-Version"),
    *("Content-Type", "Auto-Submitted", "Delivered-To", "X-Failed-Recipients"),
)


def why_unread(raw: bytes, mail: Message | None) -> str:
    """Why nothing of `raw` is news, in one line for a person; "" when there is nothing to tell.

    `mail`: what `open_mail` made of it.
    """
    if not raw.strip():
        return "The mail is empty."
    if raw[:MAX_BYTES].lower().count(b"boundary=") > MAX_BOUNDARIES:
        return (
            f"The mail is nested deeper than any mail system does it: more than {MAX_BOUNDARIES} boundaries."
        )
    if mail is None:
        return "The mail cannot be taken apart."
    if not any(header(mail, name) for name in _FIELDS_OF_MAILS):
        return "This is no mail: none of its first lines is a field such as From or Subject."
    if any(content_type(part) in STATUS_PARTS for part in parts_of(mail)):
        return "The delivery report speaks of no recipient: it has neither an Action nor a Status."
    if content_type(mail) == "multipart/report":
        return "The report has no part that says what it reports."
    return ""


def parts_of(mail: Message, *, enclosed: bool = True) -> list[Message]:
    """Every part, the mail itself first, at most `MAX_PARTS`; `enclosed`: those of messages inside too."""
    found: list[Message] = []
    waiting = [mail]
    while waiting and len(found) < MAX_PARTS:
        part = waiting.pop(0)
        found.append(part)
        if enclosed or content_type(part) not in ENCLOSED:
            waiting[:0] = children_of(part)
    return found


def children_of(part: Message) -> list[Message]:
    """The parts directly inside `part`, none for a leaf."""
    # Asked for the payload of a leaf, the library decodes it, and may raise.
    payload = part.get_payload() if part.is_multipart() else None
    return [child for child in payload if isinstance(child, Message)] if isinstance(payload, list) else []


def content_type(part: Message) -> str:
    """Type and subtype in lower case, `text/plain` when the header is missing or broken."""
    fields = _fields(part)
    kind = fields.get(_TYPE)
    if kind is None:
        kind = part.get_content_type() if "content-type" in fields else part.get_default_type()
        fields[_TYPE] = kind
    return kind


def header(mail: Message, name: str) -> str:
    """The first 4,000 characters of a header on one line, encoded words decoded; "" when it is missing."""
    written = _as_utf8(_fields(mail).get(name.lower(), ""))[:MAX_HEADER]
    if "=?" not in written:
        return clean(written)
    try:
        return clean(str(make_header(decode_header(written))))
    except Exception:  # noqa: BLE001 - unknown charset, broken encoded word
        return clean(written)


def fields_of(part: Message) -> Iterator[tuple[str, str]]:
    """Every field of a part as it is written, in its order, names as written."""
    for name, value in part.raw_items():
        yield name, _as_utf8(str(value))


def _as_utf8(written: str) -> str:
    # `mail.get` would put a mark in place of each letter that is written as it is, in UTF-8 (RFC 6532).
    return (
        written
        if written.isascii()
        else written.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    )


def _fields(mail: Message) -> dict[str, str]:
    """The first value of each header by its name in lower case; a reader asks for twenty of them."""
    found = _FIELDS.get(mail)
    if found is None:
        found = {}
        for name, value in mail.raw_items():
            found.setdefault(name.lower(), str(value))
        _FIELDS[mail] = found
    return found


def body_text(part: Message) -> str:
    """The decoded text of a leaf; "" for a container. Bytes that are not in its charset are replaced."""
    try:
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes):
            return ""
        charset = str(part.get_content_charset() or "utf-8")
    except Exception:  # noqa: BLE001 - broken transfer encoding or parameters
        return ""
    try:
        name = "utf-8" if codecs.lookup(charset).name in SLOW_CHARSETS else charset
        return payload.decode(name, "replace").replace("\0", "")
    except (LookupError, ValueError):
        return payload.decode("utf-8", "replace").replace("\0", "")


def texts_of(mail: Message) -> Iterator[str]:
    """The plain texts a person would read, in order, without those of enclosed messages."""
    waiting = [mail]
    seen = 0
    while waiting and seen < MAX_PARTS:
        part = waiting.pop(0)
        seen += 1
        kind = content_type(part)
        inside = children_of(part)
        if inside and kind.startswith("multipart/"):
            waiting[:0] = inside
        elif kind == "text/plain" or kind.startswith("multipart/"):
            # A container whose boundary is nowhere is a text after all.
            yield body_text(part)


def enclosed_headers(mail: Message) -> list[Message]:
    """The headers of the messages returned inside: whole messages, and parts that hold headers alone."""
    found: list[Message] = []
    for part in parts_of(mail):
        match content_type(part):
            case kind if kind in ENCLOSED:
                found.extend(children_of(part)[:1])
            case "text/rfc822-headers" | "message/rfc822-headers" | "message/global-headers":
                inside = children_of(part)
                opened = (
                    inside[0] if inside else open_mail(body_text(part).lstrip().encode("utf-8", "replace"))
                )
                if opened is not None:
                    found.append(opened)
            case _:
                pass
    return found


def clean(text: str) -> str:
    """One line without control characters or lone surrogates."""
    if text.isprintable():
        # No other space than the common one is printable.
        return (_SPACES.sub(" ", text) if "  " in text else text).strip()
    printable = text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return _SPACES.sub(" ", "".join(sign if sign.isprintable() else " " for sign in printable)).strip()


def addresses_in(value: str) -> list[str]:
    """The addresses that a header such as To names, in its order; none where it cannot be taken apart."""
    try:
        return [address for _, address in getaddresses([clean(value[:MAX_ADDRESSES])]) if "@" in address]
    except (RecursionError, ValueError, IndexError):  # groups within groups within groups
        return []


def moment_in(text: str, now: datetime) -> datetime:
    """The moment an RFC 5322 date names, in UTC; `now` when it is unreadable, in the future or very old.

    Clocks out there are wrong, and a date is written by whoever sent the mail.
    """
    try:
        moment = parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
        return now
    return moment if now - MAX_AGE <= moment <= now else now
