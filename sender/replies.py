"""What servers say, as values: SMTP reply lines become a `Reply`, and a `Reply` becomes an outcome.

Pure, and lenient where real servers are: bare LF, Latin-1, enhanced codes in brackets. Only the reply
code decides between now, later and never (RFC 5321 section 4.2.1); the enhanced code (RFC 3463) and the
text are evidence for whoever classifies the refusal.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from models.errors import SenderError
from models.values import Accepted, Deferred, Outcome, Refused, Reply, Uncertain

MAX_REPLY_OCTETS = 100_000
"""Of one reply, all its lines together: a server that never ends its reply must not fill the memory."""

NumberIn = Callable[[Reply], str | None]
"""Finds the other side's own number for a message in its reply; None when it tells none."""
SERVICE_CLOSING = 421
START_INPUT = 354
SIGN_IN_CODES = frozenset({530, 534, 535, 538})
"""RFC 4954 section 6: the session lacks its sign-in or its encryption; that is not the message's fault."""

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ \t-])(.*))?\r*\Z", re.DOTALL)
# How nearly every last line begins; the rest is for the expression.
_CODES = {b"%d " % code: code for code in range(200, 600)}
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.]*[0-9])[ \t:-]*")
_ENHANCED_BRACKETED = re.compile(r"(?:#|[(\[]#?)([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.]*[0-9])")
# One line that needs no cleaning and hides no second enhanced code, as nearly all final replies are.
_SIMPLE = re.compile(
    rb"[2-5][0-9]{2} (?:([245]\.[0-9]{1,3}\.[0-9]{1,3}) )?([A-Za-z](?:[!\"$-'*-Z^-~ ]*[!\"$-'*-Z^-~])?)\r?\Z"
)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class BadReplyError(SenderError, ValueError):
    """What the server sent is no SMTP reply, or one without an end."""


class RawReply(NamedTuple):
    """A reply as it came: its last line's code, and its lines without their ends; reading it can wait."""

    code: int
    lines: list[bytes]

    @property
    def is_positive(self) -> bool:
        """Whether the server did what it was asked (2xx)."""
        return 200 <= self.code < 300

    def read(self) -> Reply:
        """The same as evidence."""
        if len(self.lines) == 1 and (simple := _SIMPLE.match(self.lines[0])):
            enhanced, text = simple.groups()
            return Reply(self.code, None if enhanced is None else enhanced.decode(), text.decode())
        return read_reply(self.lines)


class ReplyReader:
    """Cuts what a server sends into replies, in whatever pieces it arrives (RFC 5321 section 4.2)."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._lines: list[bytes] = []
        self._octets = 0

    def feed(self, data: bytes) -> Iterator[RawReply]:
        """The replies that `data` completes, in order.

        BadReplyError at the first line that is none, after the replies before it; and as soon as one
        reply takes more than MAX_REPLY_OCTETS.
        """
        if b"\n" not in data:
            self._rest += data
        else:
            *lines, rest = (bytes(self._rest) + data if self._rest else data).split(b"\n")
            self._rest = bytearray(rest)
            for line in lines:
                self._octets += len(line)
                self._lines.append(line)
                if self._octets > MAX_REPLY_OCTETS:
                    break
                code = _CODES.get(line[:4])
                if code is not None or is_last_line(line):
                    reply = RawReply(int(line[:3]) if code is None else code, self._lines)
                    self._lines, self._octets = [], 0
                    yield reply
        if self._octets + len(self._rest) > MAX_REPLY_OCTETS:
            raise BadReplyError("The server's reply does not end.")


def is_last_line(line: bytes) -> bool:
    """Whether a reply ends with `line`; BadReplyError when `line` is no reply line at all."""
    match = _LINE.match(line)
    if match is None:
        raise BadReplyError(f"The server does not speak SMTP: {_clean(_decode(line[:80]))!r}.")
    return match[2] != b"-"


def read_reply(lines: list[bytes]) -> Reply:
    """One reply from its lines, line ends already cut off.

    The last line's code counts, should they differ. The texts are joined by a blank; an enhanced code
    that begins them goes into `enhanced` alone, although many servers repeat it on each line.
    """
    text = [_clean(_decode(line[4:])) for line in lines]
    return reply_from_text(int(lines[-1][:3]), "\n".join(text))


def reply_from_text(code: int | None, text: str) -> Reply:
    """A reply from its code and its text, one or several lines joined by LF."""
    enhanced: str | None = None
    parts: list[str] = []
    for line in text.split("\n"):
        match = _ENHANCED.match(line)
        if match is not None and enhanced in (None, match[1]):
            enhanced = match[1]
            parts.append(line[match.end() :])
        else:
            parts.append(line)
    joined = _clean(" ".join(part for part in parts if part))
    if enhanced is None and (inside := _ENHANCED_BRACKETED.search(joined)):
        enhanced = inside[1]
    return Reply(code, enhanced, joined[:MAX_REPLY_OCTETS])


def is_positive(reply: Reply) -> bool:
    """Whether the server did what it was asked (2xx)."""
    return reply.code is not None and 200 <= reply.code < 300


def is_refusing(reply: Reply) -> bool:
    """Whether the server said no, for now (4xx) or for good (5xx)."""
    return reply.code is not None and reply.code >= 400


def read_refusal(reply: Reply) -> Deferred | Refused:
    """What a reply other than the hoped-for one means to MAIL, RCPT or DATA: 5xx is never, the rest later.

    A code that makes no sense there (250 to DATA, say) is later: nothing was taken.
    """
    if reply.code is not None and reply.code >= 500 and reply.code not in SIGN_IN_CODES:
        return Refused(reply)
    return Deferred(reply)


def read_final(reply: Reply, number_in: NumberIn | None = None) -> Outcome:
    """What the reply to a whole message means; one that makes no sense there leaves it uncertain.

    `number_in` is asked of a message that was taken.
    """
    if is_positive(reply):
        return Accepted(reply, None if number_in is None else number_in(reply))
    if is_refusing(reply):
        return read_refusal(reply)
    return Uncertain(reply)


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _clean(text: str) -> str:
    """Text that a database and a page can take: controls, NUL above all, become blanks."""
    return _CONTROLS.sub(" ", text).strip()
