"""Builds and signs e-mails: a multipart/alternative of the two parts that templates rendered.

`email.message.EmailMessage` would encode 45 kB again for each recipient; here the parts come in their
transfer encoding, and what a sender's messages have in common is written once.
"""

import binascii
import hashlib
import math
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from models.errors import NaiveDatetimeError
from models.identity import EmailSender
from models.values import EmailEnvelope, EmailMessage
from sender.dkim import Signer, is_canonical, unfold
from sender.headers import (
    MAX_LINE_OCTETS,
    write_address,
    write_field_name,
    write_mailbox,
    write_structured,
    write_text,
)
from sender.transport import MessageError

_TEXT_PART = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
_HTML_PART = b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
_OWN_FIELDS = frozenset(
    {
        *("from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "mime-version"),
        *("content-type", "content-transfer-encoding", "dkim-signature", "return-path", "received"),
    }
)
"""What `headers` may not hold: the builder writes it, or nobody but a mail server may."""


_DATE = (b"Date", b"date")
_TO = (b"To", b"to")
_SUBJECT = (b"Subject", b"subject")
_MESSAGE_ID = (b"Message-ID", b"message-id")
_MIME_VERSION = (b"MIME-Version", b"mime-version")
_CONTENT_TYPE = (b"Content-Type", b"content-type")

_Name = tuple[bytes, bytes]
"""A header's name as it is written, and in lower case."""


class EmailBuilder:
    """Writes the e-mails of one sender; may be called from several threads at once."""

    def __init__(self, sender: EmailSender) -> None:
        """MessageError or SigningKeyError when the sender itself cannot be written or sign."""
        self._signer = Signer(sender.signing_keys)
        opening = [((b"From", b"from"), write_mailbox(sender.name, sender.from_email, offset=len("From: ")))]
        if sender.reply_to is not None:
            opening.append(((b"Reply-To", b"reply-to"), write_address(sender.reply_to).encode()))
        self._opening = opening
        # Drawn anew each time, so that nobody can put the boundary of a mail to come into a value.
        self._secret = secrets.token_bytes(16)

    def build(
        self,
        message: EmailMessage,
        *,
        recipient: str,
        return_path: str,
        message_id: str,
        date: datetime,
        headers: Sequence[tuple[str, str]] = (),
    ) -> EmailEnvelope:
        """One message, signed, to one recipient.

        `message_id` with or without its angle brackets; `date` aware, also the time of the signatures;
        `return_path` "" for none. `headers` are further fields, printable ASCII, each name once and none
        of those the builder writes; they are signed too. MessageError when anything would not survive
        the way: a line break in a value, an address that needs SMTPUTF8, a line of over 998 octets.
        A message that is not proven is looked through; the envelope of one that is, is proven too.
        """
        if not message.proven:
            _check_part("text", message.text)
            _check_part("HTML", message.html)
        to = write_address(recipient)
        sent_from = write_address(return_path) if return_path else ""
        moment = _to_second(date)
        identifier = _write_message_id(message_id)
        boundary = self._boundary_for(message, identifier)
        given = _known_names(tuple([name for name, _ in headers]))
        fields = [
            *self._opening,
            (_TO, to.encode()),
            (_SUBJECT, write_text(message.subject, offset=len("Subject: "))),
            (_DATE, _write_date(moment)),
            (_MESSAGE_ID, identifier),
            (_MIME_VERSION, b"1.0"),
            (_CONTENT_TYPE, b'multipart/alternative;\r\n boundary="%b"' % boundary),
            *[(name, write_structured(*header)) for name, header in zip(given, headers, strict=True)],
        ]
        body = _write_body(message, boundary)
        signatures = self._sign(fields, body, moment, is_canonical=message.proven or is_canonical(body))
        head = b"".join([b"%b: %b\r\n" % (name[0], value) for name, value in fields])
        envelope = EmailEnvelope(sent_from, to, b"".join((signatures, head, b"\r\n", body)))
        return envelope.vouched() if message.proven else envelope

    def _sign(
        self, fields: list[tuple[_Name, bytes]], body: bytes, moment: int, *, is_canonical: bool
    ) -> bytes:
        lines = [
            b"%b:%b\r\n" % (name[1], unfold(value) if b"\n" in value else value) for name, value in fields
        ]
        names = tuple([name[1] for name, _ in fields])
        return self._signer.sign_written(names, b"".join(lines), body, at=moment, is_canonical=is_canonical)

    def _boundary_for(self, message: EmailMessage, identifier: bytes) -> bytes:
        """A boundary that nobody can have foreseen; another one if the message contains it all the same."""
        boundary = _make_boundary(self._secret + identifier)
        if message.proven:
            return boundary
        while boundary in message.html or boundary in message.text:
            boundary = _make_boundary(self._secret + boundary)
        return boundary


def _make_boundary(seed: bytes) -> bytes:
    """Quoted-printable cannot contain it: `=_` is no escape."""
    return b"=_%b" % binascii.b2a_hex(hashlib.sha256(seed).digest()[:12])


def _write_body(message: EmailMessage, boundary: bytes) -> bytes:
    # The CRLF before a boundary belongs to the boundary (RFC 2046 section 5.1.1), so the parts stay exact.
    return b"--%b\r\n%b%b\r\n--%b\r\n%b%b\r\n--%b--\r\n" % (
        *(boundary, _TEXT_PART, message.text),
        *(boundary, _HTML_PART, message.html),
        boundary,
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
def _known_names(names: tuple[str, ...]) -> tuple[_Name, ...]:
    """The names of the caller's headers, written; MessageError for one twice, or not the caller's to set."""
    seen = set(_OWN_FIELDS)
    written: list[_Name] = []
    for name in names:
        folded = name.lower()
        if folded in seen:
            raise MessageError(f"The header {name} would stand twice, or is not the caller's to set.")
        seen.add(folded)
        wire = write_field_name(name)
        written.append((wire, wire.lower()))
    return tuple(written)


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
