"""Mailjet: events in arrays or alone, proven by a name and password in the web address; it signs nothing."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from deliverability.signals.hooks.base import (
    HookRequest,
    Provider,
    Told,
    held_back,
    inside,
    judged,
    moment_of,
    no_such_address,
    not_sent,
    of_class,
    parse,
    pieces,
    reply_of,
    said,
    signal_of,
)
from models.states import BounceClass, EventKind, Fault
from models.tokens import METADATA_KEY, Tokens
from models.values import Signal, Verdict

KEY = "mailjet"
KINDS: Mapping[str, EventKind] = MappingProxyType(
    {
        "sent": EventKind.DELIVERED,
        "open": EventKind.OPENED,
        "click": EventKind.CLICKED,
        "bounce": EventKind.BOUNCED,
        "blocked": EventKind.BOUNCED,
        "spam": EventKind.COMPLAINED,
        "unsub": EventKind.UNSUBSCRIBED,
    }
)
_GONE = frozenset({"user unknown", "mailbox inactive", "invalid domain", "no mail host"})
_CLASSES: Mapping[str, tuple[BounceClass, Fault]] = MappingProxyType(
    {
        "quota exceeded": (BounceClass.MAILBOX_FULL, Fault.RECIPIENT),
        "greylisted": (BounceClass.GREYLIST, Fault.PROVIDER),
        "throttled": (BounceClass.RATE, Fault.PROVIDER),
        "blocked": (BounceClass.BLOCK, Fault.IDENTITY),
        "sender blocked": (BounceClass.BLOCK, Fault.IDENTITY),
        "content blocked": (BounceClass.SPAM, Fault.CONTENT),
        "bad or empty template": (BounceClass.SIZE_FORMAT, Fault.CONTENT),
    }
)


def read(request: HookRequest, tokens: Tokens, now: datetime) -> list[Signal]:
    """Each event of the call."""
    return [signal_of(KEY, _told(event, raw, now), tokens) for event, raw in pieces(request.body)]


def _told(event: Mapping[str, object], raw: bytes, now: datetime) -> Told:
    word, problem = said(event, "event"), said(event, "error")
    kind = KINDS.get(word, EventKind.UNKNOWN)
    answer = said(event, "comment") or said(event, "smtp_reply")
    reply = reply_of(answer) if kind is EventKind.BOUNCED else None
    verdict: Verdict | None = None
    if word == "blocked":
        held = problem == "preblocked"
        verdict = held_back("mailjet preblocked") if held else not_sent(f"mailjet {problem or word}"[:100])
    elif word == "bounce":
        verdict = judged(reply, _stated(event, problem))
    payload = said(event, "Payload")
    return Told(
        kind,
        word,
        raw,
        moment_of(event.get("time"), now),
        recipient=said(event, "email"),
        message_id=said(event, "Message_GUID") or said(event, "MessageID"),
        marks=(said(event, "CustomID"), said(inside({"p": parse(payload)}, "p"), METADATA_KEY), payload),
        reply=reply,
        verdict=verdict,
        details={"reason": problem, "related_to": said(event, "error_related_to")},
    )


def _stated(event: Mapping[str, object], problem: str) -> Verdict:
    hard = event.get("hard_bounce") is True
    if problem in _GONE and hard:
        return no_such_address(f"mailjet {problem}")
    bounce_class, fault = _CLASSES.get(problem, (BounceClass.UNKNOWN, Fault.UNKNOWN))
    return of_class(bounce_class, fault, f"mailjet {problem or 'bounce'}"[:100], hard=hard)


PROVIDER = Provider(KEY, "Mailjet", read)
