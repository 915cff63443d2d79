"""Delivery status notifications (RFC 3464), read leniently: real mail systems omit and misplace fields.

The fields are looked for in the part made for them, then in parts of neighbouring types, then in plain
text, because a report wrapped once too often is still a report.
"""

import re
from base64 import b64decode
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from itertools import islice
from types import MappingProxyType
from weakref import WeakKeyDictionary

from deliverability.signals.mime import (
    STATUS_PARTS,
    body_text,
    children_of,
    clean,
    content_type,
    fields_of,
    header,
    moment_in,
    parts_of,
)
from models.states import EventKind
from models.values import Reply

KIND_BY_ACTION = MappingProxyType(
    {
        "failed": EventKind.BOUNCED,
        "failure": EventKind.BOUNCED,
        "delayed": EventKind.DEFERRED,
        "delivered": EventKind.DELIVERED,
        "relayed": EventKind.DELIVERED,
        "expanded": EventKind.DELIVERED,
    }
)
"""RFC 3464 section 2.3.3; "failure" is what some systems write."""
MAX_RECIPIENTS = 50
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,60})[ \t]*:[ \t]*(.*)")
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
NO_STREET = (
    r"(?!,?[ \t]{1,3}(?:(?:bis|ter),? )?(?:"
    r"(?:rue|avenue|av\.|bd|boulevard|chemin|all[ée]e|impasse|faubourg|quai|calle)[ \t]"
    r"|(?:place|route|cours|square) (?:d|l[ae] |l['’]|(?-i:[A-ZÉ]))"
    r"|(?-i:(?:[A-Z][\w.'’-]{0,20} ){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane)\b)"
    r"|\w{0,20}(?:stra(?:ss|ß)e|straat)\b))"
)
"""After three figures, in a pattern: what follows makes them the number of a house (`550 avenue Foch`)."""
_CODE = re.compile(rf"(?<![\d.])([2-5]\d\d)(?=[ \-#]|$){NO_STREET}", re.IGNORECASE)
_TYPE = re.compile(r"\s*[\w-]+\s*;")
_TYPED_TWICE = re.compile(r"\s*[245]\d\d[ -]{1,3}(?=(?:smtp|x-[\w-]{1,30})\s*;)", re.IGNORECASE)
_READ: "WeakKeyDictionary[Message, tuple[datetime, list[RecipientStatus]]]" = WeakKeyDictionary()
"""Each mail is asked by several readers, within one moment."""
_ACTION = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    """What the report says of one recipient. Addresses as written, "" when missing.

    `action` is one lower-case word; `will_retry_until` and `attempted_at` are the reporter's account.
    """

    kind: EventKind
    action: str
    recipient: str
    original_recipient: str
    reply: Reply
    remote_mta: str
    attempted_at: datetime
    will_retry_until: str
    category: str = ""
    """What PowerMTA makes of it (`X-PowerMTA-BounceCategory`)."""

    @property
    def address(self) -> str:
        """Whom the sender wrote to comes before where an alias led (RFC 3464 section 2.3.1), else ""."""
        return next((name for name in (self.original_recipient, self.recipient) if "@" in name), "")


def read_delivery_status(mail: Message, now: datetime) -> list[RecipientStatus]:
    """One entry for each recipient block, at most `MAX_RECIPIENTS`; empty when `mail` is no such report."""
    kept = _READ.get(mail)
    if kept is not None and kept[0] == now:
        return kept[1]
    statuses = _read(mail, now)
    _READ[mail] = now, statuses
    return statuses


def _read(mail: Message, now: datetime) -> list[RecipientStatus]:
    # A report may return a report: its own comes first, and what is enclosed counts when there is no other.
    parts = [part for part in parts_of(mail) if content_type(part) in STATUS_PARTS]
    outside = {id(part) for part in parts_of(mail, enclosed=False)} if len(parts) > 1 else set()
    own = [part for part in parts if id(part) in outside] or parts
    blocks = [block for part in own for block in _blocks_in(part)]
    if not any(_speaks_of_recipient(block) for block in blocks):
        blocks = _blocks_in_plain_text(mail)
    sent_at = header(mail, "Date")
    told = islice((block for block in blocks if _speaks_of_recipient(block)), MAX_RECIPIENTS)
    return [_status_from(block, sent_at, now) for block in told]


def reply_in(text: str, status: str = "") -> Reply:
    """What a diagnostic such as `smtp; 550 5.1.1 <x@y> unknown` says: code, enhanced status, text.

    The enhanced status in the text is the far server's own word and wins over `status`, which the
    reporting system may have made up; but for a made-up `x.0.0` in the text.
    """
    said = plain_words(text)
    head = said[:200]
    code = _CODE.search(head)
    stated = _STATUS.search(status)
    spoken = _STATUS.search(head)
    enhanced = spoken if spoken and not spoken[1].endswith(".0.0") else stated or spoken
    return Reply(
        code=int(code[1]) if code else None, enhanced=enhanced[1] if enhanced else None, text=said[:2000]
    )


def plain_words(text: str) -> str:
    """A diagnostic as the far server said it: `smtp; 550 …`, or a code put before that, without either."""
    text = _TYPED_TWICE.sub("", text, count=1)
    return clean(text.partition(";")[2] if _TYPE.match(text) else text)


def _status_from(block: dict[str, str], sent_at: str, now: datetime) -> RecipientStatus:
    words = _ACTION.search(block.get("action", "").lower())
    action = words[0] if words else ""
    reply = reply_in(block.get("diagnostic-code", ""), block.get("status", ""))
    kind = KIND_BY_ACTION.get(action, EventKind.UNKNOWN)
    if not action and (reply.enhanced or "").startswith("5."):
        kind = EventKind.BOUNCED
    return RecipientStatus(
        kind=kind,
        action=action,
        recipient=_address(block.get("final-recipient", "")),
        original_recipient=_address(block.get("original-recipient", "")),
        reply=reply,
        remote_mta=block.get("remote-mta", "").rpartition(";")[2].strip()[:253],
        attempted_at=moment_in(block.get("last-attempt-date", "") or sent_at, now),
        will_retry_until=block.get("will-retry-until", "")[:60],
        category=block.get("x-powermta-bouncecategory", "")[:40],
    )


def _speaks_of_recipient(block: dict[str, str]) -> bool:
    return "action" in block or ("final-recipient" in block and "status" in block)


def _address(field: str) -> str:
    """`rfc822; <who@where>` → `who@where` (RFC 3464 section 2.1.2)."""
    return field.rpartition(";")[2].strip().strip("<>").strip()[:254]


def _blocks_in(part: Message) -> list[dict[str, str]]:
    """The field groups of a status part, whether the parser split it up, took it whole or left it encoded."""
    text = "\n\n".join(_as_text(child) for child in children_of(part)) or body_text(part)
    blocks = _split(text)
    if not any(_speaks_of_recipient(block) for block in blocks):
        blocks = _split(_decoded(text))
    return blocks


def _as_text(part: Message) -> str:
    fields = "\n".join(f"{name}: {clean(value)}" for name, value in fields_of(part))
    return f"{fields}\n\n{body_text(part)}"


def _decoded(text: str) -> str:
    """Base64 is not allowed here (RFC 3464 section 2) and happens."""
    try:
        return b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
    except ValueError:
        return ""


def _blocks_in_plain_text(mail: Message) -> list[dict[str, str]]:
    for part in parts_of(mail):
        text = body_text(part) if content_type(part).startswith(("text/", "multipart/")) else ""
        if "final-recipient:" in text.lower() and "action:" in text.lower():
            return _split(text)
    return []


def _split(text: str) -> list[dict[str, str]]:
    """Groups of fields between blank lines: names in lower case, folded lines joined, first value kept."""
    blocks: list[dict[str, str]] = [{}]
    name = ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if not line.strip():
            blocks.append({})
            name = ""
        elif line[0] in " \t" and name:
            blocks[-1][name] = f"{blocks[-1][name]} {clean(line)}"[:4000]
        elif found := _FIELD.match(line):
            name = found[1].lower()
            if name == "final-recipient" and name in blocks[-1]:
                blocks.append({})  # a blank line was lost between two recipients
            name = name if name not in blocks[-1] else ""
            if name:
                blocks[-1][name] = clean(found[2])
    return [block for block in blocks if block]
