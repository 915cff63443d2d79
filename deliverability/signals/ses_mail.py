"""Amazon SES notifications that come as mail: SNS sends its JSON to an address that subscribed to a topic.

Nothing is proven by such a mail (the webhook checks a signature); it is read like any other letter.
"""

import json
from dataclasses import dataclass
from typing import Any

from deliverability.signals.mime import clean
from models.values import Reply

MAX_NAMED = 50
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class SesNews:
    """What SES says: `kind` is bounce, complaint, delivery or ""; for each address its status and words."""

    kind: str
    told: tuple[tuple[str, Reply, str], ...]


def read_ses(text: str) -> SesNews | None:
    """The notification in a mail's text, or None. Lines that a mail system broke with `!` are mended."""
    place = text.find("{")
    if place < 0 or ("otificationType" not in text and "eventType" not in text):
        return None
    try:
        table = _decode(text[place:])
        if isinstance(table.get("Message"), str):
            table = _decode(str(table["Message"]))
        return _news(table)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None


def _decode(text: str) -> dict[str, Any]:
    text = text.replace("!\r\n ", "").replace("!\n ", "").replace("\r", "").replace("\n", "")
    table, _ = _DECODER.raw_decode(text.lstrip())
    if not isinstance(table, dict):
        raise TypeError
    return table


def _news(table: dict[str, Any]) -> SesNews | None:
    kind = str(table.get("notificationType") or table.get("eventType") or "").lower()
    if kind not in {"bounce", "complaint", "delivery"}:
        return None
    part = table.get(kind) or {}
    name = {"bounce": "bouncedRecipients", "complaint": "complainedRecipients", "delivery": "recipients"}[
        kind
    ]
    return SesNews(kind, tuple(_recipient(row, part) for row in list(part.get(name) or [])[:MAX_NAMED]))


def _recipient(row: object, part: dict[str, Any]) -> tuple[str, Reply, str]:
    if not isinstance(row, dict):
        return _clean(row)[:254], Reply(None, None, ""), "delivered"
    words = _clean(row.get("diagnosticCode")) or f"SES: {_clean(part.get('bounceSubType'))}"
    status = _clean(row.get("status"))[:20]
    action = _clean(row.get("action")) or ("failed" if part.get("bounceType") == "Permanent" else "delayed")
    return _clean(row.get("emailAddress"))[:254], Reply(None, status or None, words[:2000]), action[:20]


def _clean(value: object) -> str:
    """JSON may spell out what no text may hold: NUL, lone surrogates."""
    return clean(str(value or "")[:4000])
