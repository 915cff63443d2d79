"""Mandrill: a form with an array of events, signed with HMAC-SHA-1 over its address and its fields."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from urllib.parse import urlencode, urlsplit, urlunsplit

from deliverability.signals.hooks.base import (
    FORM,
    URLENCODED,
    ForgedError,
    HookRequest,
    Provider,
    Told,
    check_hmac,
    form_of,
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

KEY = "mandrill"
KINDS: Mapping[str, EventKind] = MappingProxyType(
    {
        "send": EventKind.RELAYED,
        "delivered": EventKind.DELIVERED,
        "deferral": EventKind.DEFERRED,
        "hard_bounce": EventKind.BOUNCED,
        "soft_bounce": EventKind.BOUNCED,
        "reject": EventKind.BOUNCED,
        "open": EventKind.OPENED,
        "click": EventKind.CLICKED,
        "spam": EventKind.COMPLAINED,
        "unsub": EventKind.UNSUBSCRIBED,
    }
)
_GONE = frozenset({"bad_mailbox", "invalid_domain"})
_FULL = frozenset({"mailbox_full"})

_ON_A_LIST = frozenset({"hard-bounce", "soft-bounce", "spam", "unsub", "custom"})
"""Why Mandrill rejects what it does not try to send."""


def check(request: HookRequest, keys: Sequence[str], now: datetime) -> None:  # noqa: ARG001 - no time is signed
    """`keys`: the webhook's keys. Signed is the address as registered: with or without its password."""
    given = request.headers.get("x-mandrill-signature", "")
    if not given:
        raise ForgedError("Not signed.")
    fields = "".join(f"{name}{value}" for name, value in sorted(dict(form_of(request)).items()))
    expected = [
        base64.b64encode(hmac.new(key.encode(), f"{url}{fields}".encode(), hashlib.sha1).digest())
        for key in keys
        for url in _addresses(request)
    ]
    check_hmac(expected, [given.encode("utf-8", "replace")])


def _addresses(request: HookRequest) -> list[str]:
    """The public address, and the same with the name and password the call came with."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return [request.url]
    try:
        pair = base64.b64decode(given, validate=True).decode()
    except ValueError:
        return [request.url]
    parts = urlsplit(request.url)
    return [request.url, urlunsplit(parts._replace(netloc=f"{pair}@{parts.netloc}"))]


def read(request: HookRequest, tokens: Tokens, now: datetime) -> list[Signal]:
    """Each event of the form's array; the registration's probe holds none."""
    events = dict(form_of(request)).get("mandrill_events", "")
    return [signal_of(KEY, _told(event, raw, now), tokens) for event, raw in pieces(events)]


def _told(event: Mapping[str, object], raw: bytes, now: datetime) -> Told:
    word = said(event, "event") or said(event, "type")
    kind, message = KINDS.get(word, EventKind.UNKNOWN), inside(event, "msg")
    answer, described = said(message, "diag"), said(message, "bounce_description")
    reply = reply_of(answer) if kind in {EventKind.BOUNCED, EventKind.DEFERRED} else None
    verdict: Verdict | None = None
    if word == "reject":
        why = said(event, "reject", "reason") or described
        verdict = held_back(f"mandrill {why}") if why in _ON_A_LIST else not_sent("mandrill reject")
    elif kind is EventKind.BOUNCED:
        verdict = judged(reply, _stated(word, described))
    return Told(
        kind,
        word,
        raw,
        moment_of(event.get("ts"), now),
        recipient=said(message, "email") or said(event, "reject", "email"),
        message_id=said(message, "_id") or said(event, "_id"),
        marks=(said(message, "metadata", METADATA_KEY),),
        reply=reply,
        verdict=verdict,
        details={"reason": described or said(event, "reject", "reason")},
    )


def _stated(word: str, described: str) -> Verdict:
    hard = word == "hard_bounce"
    if hard and described in _GONE:
        return no_such_address(f"mandrill {described}")
    if described in _FULL:
        return of_class(BounceClass.MAILBOX_FULL, Fault.RECIPIENT, f"mandrill {described}")
    return of_class(BounceClass.UNKNOWN, Fault.UNKNOWN, f"mandrill {word}", hard=hard)


def recall(raw: bytes) -> HookRequest:
    """One event in the form its calls come in."""
    return HookRequest("", {"content-type": URLENCODED}, urlencode({"mandrill_events": raw}).encode())


PROVIDER = Provider(KEY, "Mandrill", read, check, content_types=FORM, recall=recall)
