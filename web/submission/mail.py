"""From a mail as a program wrote it to what is sent: its sender, subject, texts, and what it says to us.

Every message is written anew for its person, with headers, signatures and links of ours, so what cannot be
carried over is refused with a sentence: a mail that arrives without its attachment is worse than one that
comes back. Of the headers only what is named here counts; To and Cc show each person their own address.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from typing import Final

from models.states import Purpose

MOST_PARTS: Final = 20
MOST_WITHIN: Final = 8
"""How many parts may hold others."""
LONGEST_HEADER, LONGEST_METADATA = 2_000, 30_000
"""Octets; the library takes minutes for headers much longer."""
MOST_DETAILS, DETAIL_NAME, DETAIL_LENGTH = 20, 40, 500
REFERENCE_LENGTH: Final = 200
IDEMPOTENCY_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")
OURS: Final = "x-tocsin-"
METADATA: Final = f"{OURS}metadata"
KNOWN: Final = frozenset(
    (METADATA, *(f"{OURS}{name}" for name in ("purpose", "reference", "idempotency-key")))
)
_FOLD = re.compile(r"\r\n|[\r\n]")
_OF_PARTS: Final = re.compile(
    rb"(?:\A|(?<=[\r\n]))content-(?:type|disposition|transfer-encoding):"
    rb"[^\r\n]*(?:(?:\r\n|[\r\n])[ \t][^\r\n]*)*",
    re.IGNORECASE,
)
_ONCE: Final = ("from", "subject", "reply-to", "message-id", *sorted(KNOWN))


class MailRefusedError(Exception):
    """A mail that is not taken on as it is; `answer` is what its sender is told, code and all."""

    def __init__(self, sentence: str, *, code: str = "554 5.6.0") -> None:
        """`sentence` says what to change."""
        # It may quote the mail, and an answer is one line of ASCII.
        words = "".join(letter if letter.isprintable() else " " for letter in sentence)
        self.answer = f"{code} {words.encode('ascii', 'replace').decode()[:400]}"
        super().__init__(self.answer)


@dataclass(frozen=True, slots=True)
class SubmittedMail:
    """What a mail says. `html` or `text` may be missing, not both; `reply_to`: "" where nobody is named."""

    sender: str
    subject: str
    text: str
    html: str
    reply_to: str = ""
    message_id: str = ""
    purpose: Purpose = Purpose.TRANSACTIONAL
    reference: str = ""
    idempotency_key: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


def read_mail(raw: bytes) -> SubmittedMail:
    """The mail of its bytes; MailRefusedError when it cannot be read, or holds what cannot be carried."""
    _require_readable(raw)
    try:
        message = message_from_bytes(raw, policy=default)
        told = _headers(message)
        text, html = _texts(message)
    except RecursionError as error:
        raise MailRefusedError("The mail has too many parts within parts.") from error
    if not told["subject"]:
        raise MailRefusedError("The mail has no subject.")
    return SubmittedMail(
        sender=_address(told["from"], "From"),
        subject=told["subject"],
        text=text,
        html=html,
        reply_to=_address(told["reply-to"], "Reply-To") if told["reply-to"] else "",
        message_id=told["message-id"],
        purpose=_purpose(told[f"{OURS}purpose"]),
        reference=_reference(told[f"{OURS}reference"]),
        idempotency_key=_idempotency_key(told[f"{OURS}idempotency-key"]),
        details=_details(told[METADATA]),
    )


def _require_readable(raw: bytes) -> None:
    """MailRefusedError for headers of parts that take the library minutes; it reads them while it parses."""
    within = 0
    for found in _OF_PARTS.finditer(raw):
        if len(found.group()) > LONGEST_HEADER:
            raise MailRefusedError("A header of a part of the mail is too long.")
        within += b"multipart" in found.group().lower()
    if within > MOST_WITHIN:
        raise MailRefusedError("The mail has too many parts within parts.")


def _headers(message: Message) -> dict[str, str]:
    """The headers that count, decoded; "" where there is none."""
    found: dict[str, str] = dict.fromkeys(_ONCE, "")
    seen: set[str] = set()
    for written, value in message.raw_items():
        name = written.lower()
        if name.startswith(OURS) and name not in KNOWN:
            raise MailRefusedError(f"The header {written} is not known here. Known: {', '.join(KNOWN)}.")
        if name in found:
            if name in seen:
                raise MailRefusedError(f"The header {written} stands there twice.")
            seen.add(name)
            if len(value) > (LONGEST_METADATA if name == METADATA else LONGEST_HEADER):
                raise MailRefusedError(f"The header {written} is too long.")
            found[name] = _decoded(name, str(value))
    return found


def _decoded(name: str, value: str) -> str:
    """A header as people read it; raw letters beyond ASCII are read as UTF-8."""
    try:
        plain = _FOLD.sub("", value).encode("ascii", "surrogateescape").decode("utf-8")
    except UnicodeError:
        try:
            plain = _FOLD.sub("", value)
            plain.encode()
        except UnicodeError:
            raise MailRefusedError(f"The header {name} is neither ASCII nor UTF-8.") from None
    try:
        return str(default.header_factory(name, plain)).strip()
    except Exception as error:  # the library's parser of headers raises whatever comes to it
        raise MailRefusedError(f"The header {name} cannot be read.") from error


def _address(text: str, name: str) -> str:
    """The one address of a header, in small letters; MailRefusedError for none or several."""
    try:
        addresses = default.header_factory("to", text).addresses
    except Exception as error:  # as above
        raise MailRefusedError(f"The header {name} cannot be read.") from error
    if len(addresses) != 1 or not addresses[0].domain:
        raise MailRefusedError(f"The header {name} has to name one address.")
    return str(addresses[0].addr_spec).lower()


def _purpose(word: str) -> Purpose:
    try:
        return Purpose(word.lower() or Purpose.TRANSACTIONAL)
    except ValueError:
        known = " or ".join(purpose.value for purpose in Purpose)
        raise MailRefusedError(f"X-Tocsin-Purpose is {known}.") from None


def _reference(text: str) -> str:
    if len(text) > REFERENCE_LENGTH or not text.isprintable():
        raise MailRefusedError(f"X-Tocsin-Reference has {REFERENCE_LENGTH} characters at most.")
    return text


def _idempotency_key(text: str) -> str:
    if text and not IDEMPOTENCY_KEY.fullmatch(text):
        raise MailRefusedError("X-Tocsin-Idempotency-Key has 1 to 200 characters of ASCII without blanks.")
    return text


def _details(text: str) -> dict[str, str]:
    """The metadata, a JSON object of texts."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        found = None
    if (
        not isinstance(found, dict)
        or len(found) > MOST_DETAILS
        or not all(isinstance(value, str) and len(value) <= DETAIL_LENGTH for value in found.values())
        or any(len(name) > DETAIL_NAME for name in found)
        or "\0" in "".join((*found, *found.values()))
    ):
        raise MailRefusedError(f"X-Tocsin-Metadata is a JSON object of at most {MOST_DETAILS} texts.")
    return found


def _texts(message: Message) -> tuple[str, str]:
    """The plain text and the HTML."""
    found: dict[str, str] = {}
    for count, part in enumerate(_leaves(message)):
        kind = part.get_content_type()
        attached = part.get_content_disposition() == "attachment" or part.get_filename() is not None
        if count >= MOST_PARTS:
            raise MailRefusedError("The mail has too many parts.")
        if attached or kind not in {"text/plain", "text/html"}:
            raise MailRefusedError(
                f"A part of {kind} cannot be carried: no attachments, no pictures within the mail. "
                "Put the file on a page and link to it."
            )
        if kind in found:
            raise MailRefusedError(f"The mail has several parts of {kind}: one can be carried.")
        found[kind] = _written(part)
    text, html = found.get("text/plain", ""), found.get("text/html", "")
    if not text.strip() and not html.strip():
        raise MailRefusedError("The mail says nothing.")
    return text, html


def _leaves(message: Message) -> Iterator[Message]:
    """The parts that hold something, in order; MailRefusedError for what is sealed as a whole."""
    kind = message.get_content_type()
    if kind in {"multipart/signed", "multipart/encrypted", "message/rfc822"}:
        raise MailRefusedError(f"A mail of {kind} cannot be carried: it is written anew for each person.")
    if not message.is_multipart():
        yield message
        return
    for part in message.iter_parts() if isinstance(message, EmailMessage) else ():
        yield from _leaves(part)


def _written(part: Message) -> str:
    """The text of a part; MailRefusedError when its letters are not those it says."""
    payload = part.get_payload(decode=True)
    said = (part.get_content_charset() or "us-ascii").lower()
    charset = {"us-ascii": "utf-8", "ascii": "utf-8", "iso-8859-1": "windows-1252"}.get(said, said)
    if not isinstance(payload, bytes) or any("Base64" in type(one).__name__ for one in part.defects):
        raise MailRefusedError("A part of the mail is damaged: its base64 does not end well.")
    try:
        return payload.decode(charset).replace("\r\n", "\n")
    except (LookupError, UnicodeError):
        raise MailRefusedError(f"A part of the mail is not written in {said}, as it says.") from None
