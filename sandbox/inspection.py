"""What can be seen in a message by looking at its bytes: its headers, and what is wrong with it.

Looked at as bytes and not through a mail library: the library repairs in silence what this is here to
find, and reading the body of every message would make the receiving side slower than the sender.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.utils import parseaddr

REQUIRED_HEADERS = ("date", "from", "message-id", "list-unsubscribe")
SINGLE_HEADERS = ("date", "from", "to", "subject", "message-id", "reply-to", "mime-version", "content-type")
MAX_LINE_OCTETS = 998
_FOLD = re.compile(rb"\r?\n[ \t]+")


@dataclass(frozen=True, slots=True)
class Headers:
    """The unfolded header block: values by lower-case name, in order of appearance."""

    values: Mapping[str, tuple[str, ...]]

    def first(self, name: str) -> str:
        """The first value under `name` (lower case), "" when there is none."""
        return self.values.get(name, ("",))[0]

    @property
    def sender(self) -> str:
        """The address in From, lower case."""
        return parseaddr(self.first("from"))[1].lower()

    @property
    def message_id(self) -> str:
        """Message-ID with its angle brackets."""
        return self.first("message-id")

    @property
    def subject(self) -> str:
        """The subject as a person reads it (RFC 2047 words decoded)."""
        return str(make_header(decode_header(self.first("subject"))))

    @property
    def one_click_url(self) -> str | None:
        """Where RFC 8058 says to POST, None unless the message offers it."""
        if self.first("list-unsubscribe-post").replace(" ", "").lower() != "list-unsubscribe=one-click":
            return None
        return self.unsubscribe_url

    @property
    def unsubscribe_url(self) -> str | None:
        """The web address in List-Unsubscribe, None when there is none."""
        found = re.search(r"<(https?://[^>]+)>", self.first("list-unsubscribe"))
        return found[1] if found else None


def split_message(content: bytes) -> tuple[bytes, bytes]:
    """Header block without its last line end, and body."""
    head, _, body = content.partition(b"\r\n\r\n")
    return head, body


def read_headers(content: bytes) -> Headers:
    """The headers of a message; lines that are no header are left out."""
    values: dict[str, tuple[str, ...]] = {}
    for line in _FOLD.sub(b" ", split_message(content)[0]).splitlines():
        name, colon, value = line.partition(b":")
        if colon:
            key = name.strip().lower().decode("ascii", "replace")
            values[key] = (*values.get(key, ()), value.strip().decode("utf-8", "replace"))
    return Headers(values)


def faults_of(content: bytes, headers: Headers, *, eight_bit: bool) -> tuple[str, ...]:
    """What is wrong with the form of a message (RFC 5321 section 2.3.8, RFC 5322 section 2.1.1 and 3.6).

    `eight_bit` says whether the client declared BODY=8BITMIME (RFC 6152). Empty for a sound message.
    """
    faults = [f"no {name} header" for name in REQUIRED_HEADERS if name not in headers.values]
    faults += [f"{name} header repeated" for name in SINGLE_HEADERS if len(headers.values.get(name, ())) > 1]
    if content.count(b"\n") != content.count(b"\r\n"):
        faults.append("bare LF")
    if content.count(b"\r") != content.count(b"\r\n"):
        faults.append("bare CR")
    if max(map(len, content.split(b"\r\n"))) > MAX_LINE_OCTETS:
        faults.append(f"line longer than {MAX_LINE_OCTETS} octets")
    if not content.isascii() and not eight_bit:
        faults.append("8-bit bytes without BODY=8BITMIME")
    if "from" in headers.values and "@" not in headers.sender:
        faults.append("no address in From")
    if b"\0" in content:
        faults.append("NUL byte")
    return tuple(faults)


def count_signatures(headers: Headers) -> int:
    """How many DKIM signatures a message carries."""
    return len(headers.values.get("dkim-signature", ()))
