"""IMAP FETCH (RFC 3501 section 6.4.5 and 7.4.2): what of a message is wanted, and how it is written."""

import re

from sandbox.imap_syntax import ImapSyntaxError, Word, quote
from sandbox.inspection import split_message
from sandbox.mailboxes import StoredMail

_MACROS = {
    "ALL": ["FLAGS", "INTERNALDATE", "RFC822.SIZE"],
    "FAST": ["FLAGS", "INTERNALDATE", "RFC822.SIZE"],
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SECTION = re.compile(
    r"BODY(?:\.PEEK)?\[(?P<section>[^\]]*)\](?:<(?P<start>\d+)\.(?P<size>\d+)>)?$", re.IGNORECASE
)
_FIELDS = re.compile(r"HEADER\.FIELDS(?P<other>\.NOT)? \((?P<names>[^)]*)\)$", re.IGNORECASE)
_FOLDED_LINE = re.compile(rb"[^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\n")


def fetch_lines(number: int, mail: StoredMail, wanted: Word, *, by_uid: bool) -> bytes:
    """The untagged FETCH response for one message, literals and last line end included.

    Raises:
        ImapSyntaxError: an item this server does not know.
    """
    words = wanted if isinstance(wanted, list) else [wanted]
    items: list[str] = []
    for word in words:
        if isinstance(word, list):
            raise ImapSyntaxError("FETCH items do not nest")
        items += _MACROS.get(word.upper(), [word])
    if by_uid and "UID" not in {item.upper() for item in items}:
        items.insert(0, "UID")
    return f"* {number} FETCH (".encode() + b" ".join(_write_item(item, mail) for item in items) + b")\r\n"


def _write_item(item: str, mail: StoredMail) -> bytes:
    match item.upper():
        case "UID":
            return f"UID {mail.uid}".encode()
        case "FLAGS":
            return f"FLAGS ({' '.join(sorted(mail.flags))})".encode()
        case "RFC822.SIZE":
            return f"RFC822.SIZE {len(mail.content)}".encode()
        case "INTERNALDATE":
            moment = mail.received_at
            # Not %b, which follows the locale.
            day = f"{moment.day:2d}-{_MONTHS[moment.month - 1]}-{moment.year}"
            return f'INTERNALDATE "{day} {moment:%H:%M:%S} +0000"'.encode()
        case "X-GM-LABELS":
            return f"X-GM-LABELS ({' '.join(quote(label) for label in sorted(mail.labels))})".encode()
        case "RFC822" | "RFC822.HEADER" | "RFC822.TEXT" as whole:
            parts = {"RFC822": mail.content, "RFC822.HEADER": _header_block(mail.content)}
            part = parts.get(whole)
            return f"{whole} ".encode() + _literal(split_message(mail.content)[1] if part is None else part)
        case _:
            return _write_section(item, mail.content)


def _write_section(item: str, content: bytes) -> bytes:
    """BODY[…] and BODY.PEEK[…], whole or a stretch of it."""
    asked = _SECTION.match(item)
    if asked is None:
        raise ImapSyntaxError(f"Unknown FETCH item {item}")
    section = asked["section"]
    part = _read_section(section, content)
    label = f"BODY[{section}]"
    if asked["start"] is not None:
        start = int(asked["start"])
        part = part[start : start + int(asked["size"])]
        label += f"<{start}>"
    return label.encode() + b" " + _literal(part)


def _read_section(section: str, content: bytes) -> bytes:
    match section.upper():
        case "":
            return content
        case "HEADER":
            return _header_block(content)
        case "TEXT":
            return split_message(content)[1]
        case _:
            return _read_fields(section, content)


def _read_fields(section: str, content: bytes) -> bytes:
    """HEADER.FIELDS and HEADER.FIELDS.NOT."""
    fields = _FIELDS.match(section)
    if fields is None:
        raise ImapSyntaxError(f"Unknown section {section}")
    names = {name.strip('"').lower() for name in fields["names"].split()}
    without = bool(fields["other"])
    kept = [
        line
        for line in _FOLDED_LINE.findall(_header_block(content))
        if line.strip() and (_name_of(line) in names) is not without
    ]
    return b"".join(kept) + b"\r\n"


def _name_of(line: bytes) -> str:
    return line.partition(b":")[0].decode("ascii", "replace").lower()


def _header_block(content: bytes) -> bytes:
    return split_message(content)[0] + b"\r\n\r\n"


def _literal(part: bytes) -> bytes:
    return f"{{{len(part)}}}\r\n".encode() + part
