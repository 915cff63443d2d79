"""Bounces written for people: no status part, only a text that quotes what the far server said.

Nearly half of all bounces come like this. What is read here is what any such text holds: an SMTP reply
with its enhanced status. Without one the bounce stays UNKNOWN, with its first lines for a person to read.
"""

import re
from dataclasses import dataclass
from email.message import Message

from deliverability.signals.dsn import NO_STREET, reply_in
from deliverability.signals.mime import clean, header, texts_of
from models.states import EventKind
from models.values import Reply

_REPLY_LINE = re.compile(r"(?<![\w.])([45]\d\d)[ \-#]{1,3}(?:\(?#?)([45]\.\d{1,3}\.\d{1,3})(?![.\d]).*")
_BARE_REPLY_LINE = re.compile(rf"(?:^|[:>\s])([45]\d\d){NO_STREET}[ -](?=[^\d\s])[^\n]{{5,}}", re.IGNORECASE)
# Nothing here is given back once taken (`*+`), and no mark is looked for further than two lines on: a letter
# of nothing but dashes, or of empty lines, is read in one go.
_QUOTED_ORIGINAL = re.compile(
    r"^(?:(?=[ \t\r>]*+-)[ \t\r>-]*+(?:\n[ \t\r>-]*+){0,2}"
    r"(?:original message|this is a copy|message d.origine|below this line|returned message)"
    r"|[ \t\r>-]*+received: from )",
    re.IGNORECASE | re.MULTILINE,
)
_ROBOT = re.compile(r"mailer-daemon|postmaster|mail delivery|mdaemon|no-?reply-bounce", re.IGNORECASE)
_DELAY = re.compile(
    r"\bdelay|\bwarning: message still|will (?:be )?(?:retr|continue)|retard[ée]", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class PlainBounce:
    """A bounce without structure: DEFERRED for a mere warning, UNKNOWN when no reply is quoted."""

    kind: EventKind
    reply: Reply


def read_plain_bounce(mail: Message, *, is_letter: bool) -> PlainBounce | None:
    """What a mail system's letter says, or None when no mail system wrote it.

    `is_letter`: the reader of all dialects (`signals.news`) takes it for one. Else only a mail system by its
    name is believed: three figures in whatever else comes from nowhere (`Return-Path: <>`) are no reply.
    """
    robot = _ROBOT.search(header(mail, "From")) is not None
    if not robot and header(mail, "Return-Path") != "<>":
        return None
    text = "\n".join(texts_of(mail))[:50_000]
    text = _QUOTED_ORIGINAL.split(text, maxsplit=1)[0]
    found = _REPLY_LINE.search(text)
    if found is None and (robot or is_letter):
        found = _BARE_REPLY_LINE.search(text)
    if found is None:
        return PlainBounce(EventKind.UNKNOWN, Reply(None, None, clean(text)[:500]))
    reply = reply_in(found[0].strip(" :>\t\n"))
    delayed = _DELAY.search(header(mail, "Subject")) is not None or (reply.code or 500) < 500
    return PlainBounce(EventKind.DEFERRED if delayed else EventKind.BOUNCED, reply)
