"""Builds and signs e-mails: a multipart/alternative of the two parts that templates rendered.

`email.message.EmailMessage` would encode 45 kB again for each recipient; here the parts come in their
transfer encoding, and what a sender's messages have in common is written once.
"""

import binascii
import hashlib
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from models.errors import NaiveDatetimeError
from models.signing import EmailSender
from models.values import EmailEnvelope, EmailMessage
from sender.dkim import OVERSIGNED, Signer, is_canonical, unfold
from sender.errors import MessageError
from sender.headers import (
    MAX_LINE_OCTETS,
    write_address,
    write_field_name,
    write_mailbox,
    write_structured,
    write_text,
)

_TEXT_PART = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
_HTML_PART = b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
_OWN_FIELDS = frozenset(
    {
        *("from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "mime-version"),
        *("content-type", "content-transfer-encoding", "dkim-signature", "return-path", "received"),
    }
)
"""What `headers` may not hold: the builder writes it, or nobody but a mail server may."""

_HEAD = (
    b"%bTo: %b\r\nSubject: %b\r\nDate: %b\r\nMessage-ID: %b\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/alternative;\r\n boundary="%b"\r\n'
)
_RELAXED_HEAD = (
    b"%bto:%b\r\nsubject:%b\r\ndate:%b\r\nmessage-id:%b\r\nmime-version:1.0\r\n"
    b'content-type:multipart/alternative; boundary="%b"\r\n'
)
"""The same in DKIM's relaxed form (RFC 6376 section 3.4.2)."""
_HEAD_NAMES = (b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type")
_RELAYED_HEAD = (
    b"%bto:%b\r\nsubject:%b\r\n%.0b%.0bmime-version:1.0\r\n"
    b'content-type:multipart/alternative; boundary="%b"\r\n'
)
"""What of it stays as it is on the way through a provider: `%.0b` writes nothing of a value."""
_PUT_ANEW = frozenset({b"date", b"message-id"})
_OVERSIGNED_RELAYED = tuple(name for name in OVERSIGNED if name not in _PUT_ANEW)


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of the caller's headers: before their values on the wire, in relaxed form, and alone."""

    wire: tuple[bytes, ...]
    relaxed: tuple[bytes, ...]
    bare: tuple[bytes, ...]


class EmailBuilder:
    """Writes the e-mails of one sender; may be called from several threads at once."""

    def __init__(self, sender: EmailSender) -> None:
        """MessageError or SigningKeyError when the sender itself cannot be written or sign."""
        self._signer = Signer(sender.signing_keys)
        opening = {b"From": write_mailbox(sender.name, sender.from_email, offset=len("From: "))}
        if sender.reply_to is not None:
            opening[b"Reply-To"] = write_address(sender.reply_to).encode()
        self._opening = b"".join(b"%b: %b\r\n" % field for field in opening.items())
        self._relaxed_opening = b"".join(
            b"%b:%b\r\n" % (name.lower(), unfold(value)) for name, value in opening.items()
        )
        self._names = (*(name.lower() for name in opening), *_HEAD_NAMES)
        self._relayed_names = tuple(name for name in self._names if name not in _PUT_ANEW)
        # Drawn anew each time, so that nobody can put the boundary of a mail to come into a value.
        self._secret = secrets.token_bytes(16)

    @property
    def signs(self) -> bool:
        """Whether it has a key."""
        return self._signer.signs

    def build(
        self,
        message: EmailMessage,
        *,
        recipient: str,
        return_path: str,
        message_id: str,
        date: datetime,
        headers: Sequence[tuple[str, str]] = (),
        for_relay: Sequence[tuple[str, str]] | None = None,
    ) -> EmailEnvelope:
        """One message, signed, to one recipient.

        `message_id` with or without its angle brackets; `date` aware, also the time of the signatures;
        `return_path` "" for none. `headers` are further fields, printable ASCII, each name once and none
        of those the builder writes; they are signed too. `for_relay`, perhaps empty: fields for a provider
        that takes them off and puts a Message-ID and a Date of its own; none of these is signed.
        MessageError when anything would not survive the way: a line break in a value, an address that needs
        SMTPUTF8, a line of over 998 octets. The envelope of a message that is proven is proven too.
        """
        if not message.proven:
            _check_part("text", message.text)
            _check_part("HTML", message.html)
        to = write_address(recipient)
        sent_from = write_address(return_path) if return_path else ""
        moment = _to_second(date)
        identifier = _write_message_id(message_id)
        boundary = self._boundary_for(message, identifier)
        subject = write_text(message.subject, offset=len("Subject: "))
        values = (to.encode(), subject, _write_date(moment), identifier)
        names = _known_names(tuple([name for name, _ in headers]))
        given = [write_structured(name, value) for name, value in headers]
        body = _write_body(message, boundary)
        signatures = b""
        if self._signer.signs:
            form = _RELAXED_HEAD if for_relay is None else _RELAYED_HEAD
            relaxed = form % (self._relaxed_opening, *map(_relax, values), boundary)
            signatures = self._signer.sign_written(
                (self._names if for_relay is None else self._relayed_names) + names.bare,
                b"".join([relaxed, *_lines(names.relaxed, [_relax(value) for value in given])]),
                body,
                at=moment,
                is_canonical=message.proven or is_canonical(body),
                oversigned=OVERSIGNED if for_relay is None else _OVERSIGNED_RELAYED,
            )
        head = _HEAD % (self._opening, *values, boundary)
        extra = _write_unsigned(for_relay) if for_relay else b""
        data = b"".join([signatures, head, *_lines(names.wire, given), extra, b"\r\n", body])
        envelope = EmailEnvelope(sent_from, to, data)
        return envelope.vouched() if message.proven else envelope

    def _boundary_for(self, message: EmailMessage, identifier: bytes) -> bytes:
        """A boundary that nobody can have foreseen; another one if the message contains it all the same."""
        boundary = _make_boundary(self._secret + identifier)
        if message.proven:
            return boundary
        while boundary in message.html or boundary in message.text:
            boundary = _make_boundary(self._secret + boundary)
        return boundary


def _write_unsigned(fields: Sequence[tuple[str, str]]) -> bytes:
    names = _known_names(tuple([name for name, _ in fields]))
    return b"".join(_lines(names.wire, [write_structured(name, value) for name, value in fields]))


def _relax(value: bytes) -> bytes:
    """A value in relaxed form; most are already."""
    return unfold(value) if b"\n" in value or b"  " in value else value


def _lines(names: tuple[bytes, ...], values: list[bytes]) -> list[bytes]:
    return [b"%b%b\r\n" % field for field in zip(names, values, strict=True)]


def _make_boundary(seed: bytes) -> bytes:
    """Quoted-printable cannot contain it: `=_` is no escape."""
    return b"=_%b" % binascii.b2a_hex(hashlib.sha256(seed).digest()[:12])


def _write_body(message: EmailMessage, boundary: bytes) -> bytes:
    # The CRLF before a boundary belongs to the boundary (RFC 2046 section 5.1.1), so the parts stay exact.
    return b"".join(
        (
            *(b"--", boundary, b"\r\n", _TEXT_PART, message.text),
            *(b"\r\n--", boundary, b"\r\n", _HTML_PART, message.html),
            *(b"\r\n--", boundary, b"--\r\n"),
        )
    )


def _check_part(name: str, part: bytes) -> None:
    """MessageError unless the part is 7-bit, in lines of at most 998 octets that end in CRLF."""
    if not part.isascii() or b"\0" in part:
        raise MessageError(
            f"The {name} part is not in its transfer encoding: it has octets that are not 7-bit."
        )
    lines = part.split(b"\r\n")
    if not len(lines) - 1 == part.count(b"\n") == part.count(b"\r"):
        # A lone CR or LF is how one message is smuggled into another.
        raise MessageError(f"The {name} part has a line end that is not CRLF.")
    if max(map(len, lines)) > MAX_LINE_OCTETS:
        raise MessageError(f"The {name} part has a line of more than {MAX_LINE_OCTETS} octets.")


@lru_cache(maxsize=64)
def _known_names(names: tuple[str, ...]) -> _Names:
    """The names of the caller's headers; MessageError for one twice, or not the caller's to set."""
    seen = set(_OWN_FIELDS)
    for name in names:
        if name.lower() in seen:
            raise MessageError(f"The header {name} would stand twice, or is not the caller's to set.")
        seen.add(name.lower())
    wire = [write_field_name(name) for name in names]
    return _Names(
        wire=tuple(b"%b: " % name for name in wire),
        relaxed=tuple(b"%b:" % name.lower() for name in wire),
        bare=tuple(name.lower() for name in wire),
    )


def _write_message_id(message_id: str) -> bytes:
    return f"<{write_address(message_id.removeprefix('<').removesuffix('>'))}>".encode()


def _to_second(date: datetime) -> int:
    """Seconds since 1970, what comes after them cut off."""
    if date.tzinfo is None:
        raise NaiveDatetimeError(date)
    return math.floor(date.timestamp())


@lru_cache(maxsize=16)
def _write_date(moment: int) -> bytes:
    return format_datetime(datetime.fromtimestamp(moment, UTC)).encode()
