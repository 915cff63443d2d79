"""Builds and signs e-mails: a multipart/alternative of the two parts that templates rendered.

`email.message.EmailMessage` would encode 45 kB again for each recipient; here the parts come in their
transfer encoding, and what a sender's messages have in common is written once.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from models.errors import NaiveDatetimeError
from models.identity import EmailSender
from models.values import EmailEnvelope, EmailMessage
from sender.dkim import Field, Signer
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


class EmailBuilder:
    """Writes the e-mails of one sender; may be called from several threads at once."""

    def __init__(self, sender: EmailSender) -> None:
        """MessageError or SigningKeyError when the sender itself cannot be written or sign."""
        self._signer = Signer(sender.signing_keys)
        self._opening: list[Field] = [
            (b"From", write_mailbox(sender.name, sender.from_email, offset=len("From: ")))
        ]
        if sender.reply_to is not None:
            self._opening.append((b"Reply-To", write_address(sender.reply_to).encode()))
        self._boundary = _make_boundary(sender.key)

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
        """
        _check_part("text", message.text)
        _check_part("HTML", message.html)
        to = write_address(recipient)
        boundary = self._boundary_for(message)
        fields = [
            *self._opening,
            (b"To", to.encode()),
            (b"Subject", write_text(message.subject, offset=len("Subject: "))),
            (b"Date", _write_date(_to_utc_second(date))),
            (b"Message-ID", _write_message_id(message_id)),
            (b"MIME-Version", b"1.0"),
            (b"Content-Type", b'multipart/alternative;\r\n boundary="%b"' % boundary),
            *_write_given(headers),
        ]
        body = _write_body(message, boundary)
        head = b"".join([b"%b: %b\r\n" % field for field in fields])
        data = b"%b%b\r\n%b" % (self._signer.sign(fields, body, date), head, body)
        return EmailEnvelope(write_address(return_path) if return_path else "", to, data)

    def _boundary_for(self, message: EmailMessage) -> bytes:
        """The sender's boundary; another one for a message that happens, or was made, to contain it."""
        boundary = self._boundary
        attempt = 0
        while boundary in message.html or boundary in message.text:
            attempt += 1
            boundary = _make_boundary(f"{attempt} {boundary.decode()}")
        return boundary


def _make_boundary(seed: str) -> bytes:
    """Quoted-printable cannot contain it (`=_` is no escape), so it need hardly ever be replaced."""
    return b"=_%b" % hashlib.sha256(seed.encode()).hexdigest()[:24].encode()


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


def _write_given(headers: Sequence[tuple[str, str]]) -> list[Field]:
    seen = set(_OWN_FIELDS)
    fields: list[Field] = []
    for name, value in headers:
        folded = name.lower()
        if folded in seen:
            raise MessageError(f"The header {name} would stand twice, or is not the caller's to set.")
        seen.add(folded)
        fields.append((write_field_name(name), write_structured(name, value)))
    return fields


def _write_message_id(message_id: str) -> bytes:
    return f"<{write_address(message_id.removeprefix('<').removesuffix('>'))}>".encode()


def _to_utc_second(date: datetime) -> datetime:
    if date.tzinfo is None:
        raise NaiveDatetimeError(date)
    return date.astimezone(UTC).replace(microsecond=0)


@lru_cache(maxsize=16)
def _write_date(date: datetime) -> bytes:
    return format_datetime(date).encode()
