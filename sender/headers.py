"""Header values on the wire: RFC 5322 lines, RFC 2047 encoded words, addresses in ASCII.

The standard library's `email` package does this too, at 2.9 ms a message, and leaves it to the caller
to keep line breaks out. Here a value is either written so that every parser reads it back, or refused.
"""

import binascii
import re
from collections.abc import Iterator
from functools import lru_cache

from sender.errors import MessageError

LINE_OCTETS = 78
"""RFC 5322 section 2.1.1: what a line should not exceed; 998 it must not."""
MAX_LINE_OCTETS = 998
ENCODED_LINE_OCTETS = 76
"""RFC 2047 section 2: what a line with an encoded word must not exceed; the word itself, 75."""
MAX_TEXT_CHARACTERS = 2000
MAX_LOCAL_PART = 64
"""RFC 5321 section 4.5.3.1.1."""

_FRAME = len("=?utf-8?q?") + len("?=")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*\Z")
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_FIELD_NAME = re.compile(r"[!-9;-~]{1,76}\Z")
_LOCAL = re.compile(
    r"""(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"""
    r"""|"(?:[ !#-\[\]-~]|\\[ -~])*")\Z"""
)
_DOMAIN = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z"
)
_LITERAL = re.compile(r"\[[0-9A-Fa-f:.]+\]\Z|\[IPv6:[0-9A-Fa-f:.]+\]\Z")
# IDNA 2003, which Python's own codec speaks, maps these to other names that may belong to somebody else.
_IDNA_DEVIANTS = frozenset("ßς\u200c\u200d")
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
# Each octet in the Q encoding, in the form that is safe in names too (RFC 2047 section 5).
_Q_OCTETS = tuple(
    b"_" if octet == ord(" ") else b"%c" % octet if octet in _Q_SAFE else b"=%02X" % octet
    for octet in range(256)
)


def write_field_name(name: str) -> bytes:
    """A header's name; MessageError for anything RFC 5322 section 2.2 does not allow."""
    if not _FIELD_NAME.match(name):
        raise MessageError(f"{name!r} cannot be the name of a header.")
    return name.encode()


@lru_cache(maxsize=512)
def write_text(text: str, *, offset: int) -> bytes:
    """An unstructured value, such as a subject, folded; `offset` is what stands before it on its first line.

    Any text without control characters reads back as it was, whatever its length or script.
    """
    _refuse_controls(text)
    if text == "" or _is_plain(text):
        return fold(text, offset=offset)
    return _write_encoded_words(text, offset)


@lru_cache(maxsize=512)
def write_mailbox(name: str, address: str, *, offset: int) -> bytes:
    """An address with a name before it: `Les Amis <amis@news.example>`."""
    _refuse_controls(name)
    route = f"<{write_address(address)}>"
    if not name:
        return route.encode()
    if _is_plain(name):
        phrase = name if _PHRASE.match(name) else '"' + name.replace("\\", r"\\").replace('"', r"\"") + '"'
        return fold(f"{phrase} {route}", offset=offset)
    words = _write_encoded_words(name, offset)
    line = len(words) - (words.rfind(b"\n") + 1) + (0 if b"\n" in words else offset)
    separator = b" " if line + 1 + len(route) <= ENCODED_LINE_OCTETS else b"\r\n "
    return words + separator + route.encode()


def write_structured(name: str, value: str) -> bytes:
    """A structured value given by the caller, such as List-Unsubscribe, folded at its blanks.

    MessageError for anything but printable ASCII: an encoded word has no place in such a field.
    """
    if not _PLAIN.match(value):
        raise MessageError(f"The header {name} may only hold printable ASCII: {value[:80]!r}.")
    return fold(value, offset=len(name) + 2)


def write_address(address: str) -> str:
    """The address in ASCII, its domain in A-labels.

    MessageError for what cannot be written to without SMTPUTF8 (RFC 6531), which few servers speak and
    Tocsin does not use, or cannot stand in a header or an SMTP command.
    """
    local, at, domain = address.rpartition("@")
    if not at or len(local) > MAX_LOCAL_PART or not _LOCAL.match(local):
        if not local.isascii():
            raise MessageError(
                f"The address {address!r} has letters beyond ASCII before its @.",
                "Mail systems that take such addresses are too rare; ask for another address.",
            )
        raise MessageError(f"{address!r} is not an e-mail address.")
    return f"{local}@{write_domain(domain)}"


@lru_cache(maxsize=4096)
def write_domain(domain: str) -> str:
    """The domain in ASCII, its international labels as A-labels (RFC 5890); else MessageError."""
    if domain.isascii():
        written = domain
    elif _IDNA_DEVIANTS.intersection(domain):
        raise MessageError(
            f"The domain {domain!r} reads differently under the two standards for international names.",
            "Give it in its ASCII form, xn--…",
        )
    else:
        try:
            written = domain.encode("idna").decode()
        except UnicodeError as error:
            raise MessageError(f"The domain {domain!r} cannot be written in ASCII.") from error
    if len(written) > 253 or not (_DOMAIN.match(written) or _LITERAL.match(written)):
        raise MessageError(f"{domain!r} is not a domain.")
    return written


def fold(value: str, *, offset: int) -> bytes:
    """Printable ASCII with single blanks, broken before a word wherever a line would exceed 78 octets."""
    if offset + len(value) <= LINE_OCTETS:
        return value.encode("ascii")
    lines: list[str] = []
    line, room = "", LINE_OCTETS - offset
    for word in value.split(" "):
        if line and len(line) + 1 + len(word) > room:
            lines.append(line)
            line, room = word, LINE_OCTETS - 1
        else:
            line = f"{line} {word}" if line else word
        if len(word) > MAX_LINE_OCTETS - max(offset, 1):
            raise MessageError(f"A header has a word of {len(word)} characters, too many for one line.")
    return "\r\n ".join([*lines, line]).encode("ascii")


def _is_plain(text: str) -> bool:
    """Whether the text may stand in a header as it is: ASCII, single blanks, nothing like an encoded word."""
    return (
        _PLAIN.match(text) is not None
        and "=?" not in text
        and (
            len(text) <= ENCODED_LINE_OCTETS - 20
            or max(map(len, text.split(" "))) <= ENCODED_LINE_OCTETS - 20
        )
    )


def _refuse_controls(text: str) -> None:
    if _CONTROL.search(text):
        raise MessageError(f"A header holds a line break or another control character: {text[:80]!r}.")
    if len(text) > MAX_TEXT_CHARACTERS:
        raise MessageError(f"A header holds {len(text)} characters, {MAX_TEXT_CHARACTERS} is the most.")


def _write_encoded_words(text: str, offset: int) -> bytes:
    """RFC 2047: as many encoded words as needed, a line each, none splitting a character.

    The shorter of the two encodings: Q for French, B for Greek.
    """
    try:
        octets = text.encode()
    except UnicodeEncodeError as error:
        raise MessageError(f"A header holds half a character: {text[:80]!r}.") from error
    quoted = b"".join(map(_Q_OCTETS.__getitem__, octets))
    if len(quoted) <= (len(octets) + 2) // 3 * 4:
        return b"\r\n ".join([b"=?utf-8?q?%b?=" % word for word in _cut_quoted(quoted, offset)])
    words = _pack([character.encode() for character in text], offset)
    return b"\r\n ".join(b"=?utf-8?b?%b?=" % binascii.b2a_base64(word, newline=False) for word in words)


def _cut_quoted(quoted: bytes, offset: int) -> Iterator[bytes]:
    """Cut at the end of each line, or before the character that would not fit."""
    limit = ENCODED_LINE_OCTETS - offset - _FRAME
    while len(quoted) > limit:
        end = limit
        escape = quoted.rfind(b"=", end - 2, end)
        if escape >= 0:
            end = escape
        # Octets that continue a character: =80 to =BF.
        while quoted[end : end + 1] == b"=" and quoted[end + 1] in b"89AB":
            end -= 3
        yield quoted[:end]
        quoted, limit = quoted[end:], ENCODED_LINE_OCTETS - 1 - _FRAME
    yield quoted


def _pack(units: list[bytes], offset: int) -> Iterator[bytes]:
    """Join units into words whose base64 fits their lines."""
    word, limit = b"", (ENCODED_LINE_OCTETS - offset - _FRAME) // 4 * 3
    for unit in units:
        if word and len(word) + len(unit) > limit:
            yield word
            word, limit = b"", (ENCODED_LINE_OCTETS - 1 - _FRAME) // 4 * 3
        word += unit
    yield word
