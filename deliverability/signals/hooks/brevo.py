"""Brevo: one event a call, proven by a name and password in the web address; it signs nothing."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from deliverability.signals.hooks.base import (
    HookRequest,
    Provider,
    Told,
    held_back,
    judged,
    moment_of,
    no_such_address,
    not_sent,
    of_class,
    pieces,
    reply_of,
    said,
    signal_of,
)
from models.states import BounceClass, EventKind, Fault
from models.tokens import Tokens
from models.values import Signal, Verdict

KEY = "brevo"
KINDS: Mapping[str, EventKind] = MappingProxyType(
    {
        "request": EventKind.RELAYED,
        "sent": EventKind.RELAYED,
        "delivered": EventKind.DELIVERED,
        "deferred": EventKind.DEFERRED,
        "soft_bounce": EventKind.BOUNCED,
        "hard_bounce": EventKind.BOUNCED,
        "invalid_email": EventKind.BOUNCED,
        "invalid": EventKind.BOUNCED,
        "blocked": EventKind.BOUNCED,
        "error": EventKind.BOUNCED,
        "spam": EventKind.COMPLAINED,
        "complaint": EventKind.COMPLAINED,
        "opened": EventKind.OPENED,
        "unique_opened": EventKind.OPENED,
        "proxy_open": EventKind.OPENED,
        "unique_proxy_open": EventKind.OPENED,
        "click": EventKind.CLICKED,
        "unsubscribe": EventKind.UNSUBSCRIBED,
        "unsubscribed": EventKind.UNSUBSCRIBED,
    }
)
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "hardBounce": "hard_bounce",
        "softBounce": "soft_bounce",
        "uniqueOpened": "unique_opened",
        "invalidEmail": "invalid_email",
    }
)
"""The words in which a webhook is set up are sometimes those it sends."""


def read(request: HookRequest, tokens: Tokens, now: datetime) -> list[Signal]:
    """The event of the call, or each of them where several come together."""
    return [signal_of(KEY, _told(event, raw, now), tokens) for event, raw in pieces(request.body)]


def _told(event: Mapping[str, object], raw: bytes, now: datetime) -> Told:
    word = said(event, "event")
    word = _WORDS.get(word, word)
    kind, answer = KINDS.get(word, EventKind.UNKNOWN), said(event, "reason")
    heard = kind in {EventKind.BOUNCED, EventKind.DEFERRED}
    reply = reply_of(answer) if heard else None
    verdict: Verdict | None = None
    match word:
        case "blocked":
            verdict = held_back("brevo blocked")
        case "error":
            verdict = not_sent("brevo error")
        case "invalid_email" | "invalid":
            verdict = judged(reply, no_such_address("brevo invalid_email"))
        case "hard_bounce" | "soft_bounce":
            hard = word == "hard_bounce"
            stated = of_class(BounceClass.UNKNOWN, Fault.UNKNOWN, f"brevo {word}", hard=hard)
            verdict = judged(reply, stated)
        case _:
            pass
    details = {"reason": answer} if heard else {}
    if "proxy" in word:
        details["machine"] = "proxy"
    when = event.get("ts_epoch") or event.get("ts_event") or event.get("ts")
    message_id = said(event, "message-id")
    return Told(
        kind,
        word,
        raw,
        moment_of(when, now),
        recipient=said(event, "email"),
        message_id=message_id,
        marks=(said(event, "X-Mailin-custom"), message_id),
        reply=reply,
        verdict=verdict,
        details=details,
    )


PROVIDER = Provider(KEY, "Brevo", read)
