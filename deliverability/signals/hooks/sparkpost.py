"""SparkPost: arrays of events, proven by a name and password in the web address; it signs nothing."""

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
    pieces,
    reply_of,
    said,
    signal_of,
)
from models.states import BounceClass, EventKind, Fault
from models.tokens import METADATA_KEY, Tokens
from models.values import Signal, Verdict

KEY = "sparkpost"
KINDS: Mapping[str, EventKind] = MappingProxyType(
    {
        "injection": EventKind.RELAYED,
        "delivery": EventKind.DELIVERED,
        "delay": EventKind.DEFERRED,
        "bounce": EventKind.BOUNCED,
        "out_of_band": EventKind.BOUNCED,
        "policy_rejection": EventKind.BOUNCED,
        "generation_failure": EventKind.BOUNCED,
        "generation_rejection": EventKind.BOUNCED,
        "spam_complaint": EventKind.COMPLAINED,
        # The first of two pixels (initial_open) would count every reader twice.
        "open": EventKind.OPENED,
        "amp_open": EventKind.OPENED,
        "click": EventKind.CLICKED,
        "amp_click": EventKind.CLICKED,
        "list_unsubscribe": EventKind.UNSUBSCRIBED,
        "link_unsubscribe": EventKind.UNSUBSCRIBED,
    }
)
_NOT_SENT = frozenset({"policy_rejection", "generation_failure", "generation_rejection"})
_KIND_OF_CLASS: Mapping[str, EventKind] = MappingProxyType(
    {
        "60": EventKind.AUTORESPONDED,
        "100": EventKind.AUTORESPONDED,
        "80": EventKind.UNKNOWN,
        "90": EventKind.UNSUBSCRIBED,
    }
)
_CLASSES: Mapping[str, tuple[BounceClass, Fault]] = MappingProxyType(
    {
        "20": (BounceClass.TRANSIENT, Fault.UNKNOWN),
        "21": (BounceClass.TRANSIENT, Fault.PROVIDER),
        "22": (BounceClass.MAILBOX_FULL, Fault.RECIPIENT),
        "23": (BounceClass.SIZE_FORMAT, Fault.CONTENT),
        "24": (BounceClass.EXPIRED, Fault.PROVIDER),
        "50": (BounceClass.BLOCK, Fault.IDENTITY),
        "51": (BounceClass.BLOCK, Fault.IDENTITY),
        "52": (BounceClass.SPAM, Fault.CONTENT),
        "53": (BounceClass.SIZE_FORMAT, Fault.CONTENT),
        "54": (BounceClass.AUTH, Fault.IDENTITY),
        "70": (BounceClass.TRANSIENT, Fault.UNKNOWN),
    }
)
"""SparkPost's numbers of bounce classes."""


def read(request: HookRequest, tokens: Tokens, now: datetime) -> list[Signal]:
    """Each event of the array; a call that only tries the address holds an empty one."""
    signals = []
    for wrapped, raw in pieces(request.body):
        kinds = inside(wrapped, "msys")
        event = inside(kinds, next(iter(kinds), ""))
        if event:
            signals.append(signal_of(KEY, _told(event, raw, now), tokens))
    return signals


def _told(event: Mapping[str, object], raw: bytes, now: datetime) -> Told:
    word, number = said(event, "type"), said(event, "bounce_class")
    kind = KINDS.get(word, EventKind.UNKNOWN)
    if kind is EventKind.BOUNCED:
        kind = _KIND_OF_CLASS.get(number, kind)
    answer = said(event, "raw_reason") or said(event, "reason")
    heard = kind in {EventKind.BOUNCED, EventKind.DEFERRED}
    reply = reply_of(answer, said(event, "error_code")) if heard else None
    verdict: Verdict | None = None
    if kind is EventKind.BOUNCED:
        rule = f"sparkpost {number or word}"
        if number == "26" or "suppress" in answer.lower():
            verdict = held_back(rule)
        elif word in _NOT_SENT or number == "25":
            verdict = not_sent(rule)
        else:
            verdict = judged(reply, _stated(number, rule))
    return Told(
        kind,
        word,
        raw,
        moment_of(event.get("timestamp"), now),
        event_id=said(event, "event_id"),
        recipient=said(event, "raw_rcpt_to") or said(event, "rcpt_to"),
        message_id=said(event, "transmission_id"),
        marks=(said(event, "rcpt_meta", METADATA_KEY), said(event, "message_id")),
        reply=reply,
        verdict=verdict,
        details={"bounce_class": number},
    )


def _stated(number: str, rule: str) -> Verdict:
    if number in {"10", "30"}:
        return no_such_address(rule)
    bounce_class, fault = _CLASSES.get(number, (BounceClass.UNKNOWN, Fault.UNKNOWN))
    return of_class(bounce_class, fault, rule)


PROVIDER = Provider(KEY, "SparkPost", read)
