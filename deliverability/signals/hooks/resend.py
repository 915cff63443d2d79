"""Resend: one event a call, signed as Svix does, HMAC-SHA-256 over number, time and body."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

from deliverability.signals.hooks.base import (
    ForgedError,
    HookRequest,
    Provider,
    Told,
    check_age,
    check_hmac,
    held_back,
    inside,
    items,
    judged,
    moment_of,
    no_such_address,
    not_sent,
    of_class,
    parse,
    reply_of,
    said,
    signal_of,
)
from models.states import BounceClass, EventKind, Fault
from models.tokens import METADATA_KEY, Tokens
from models.values import Reply, Signal, Verdict

KEY = "resend"
TOLERANCE = timedelta(minutes=5)
"""Each try is signed anew."""
INBOUND = "email.received"
KINDS: Mapping[str, EventKind] = MappingProxyType(
    {
        "email.sent": EventKind.RELAYED,
        "email.scheduled": EventKind.RELAYED,
        "email.delivered": EventKind.DELIVERED,
        "email.delivery_delayed": EventKind.DEFERRED,
        "email.bounced": EventKind.BOUNCED,
        "email.failed": EventKind.BOUNCED,
        "email.suppressed": EventKind.BOUNCED,
        "email.complained": EventKind.COMPLAINED,
        "email.opened": EventKind.OPENED,
        "email.clicked": EventKind.CLICKED,
    }
)


def check(request: HookRequest, keys: Sequence[str], now: datetime) -> None:
    """`keys`: signing secrets, `whsec_` and base64."""
    number, stamp = request.headers.get("svix-id", ""), request.headers.get("svix-timestamp", "")
    given = [
        one.partition(",")[2].encode("utf-8", "replace")
        for one in request.headers.get("svix-signature", "").split(" ")[:10]
        if one.startswith("v1,")
    ]
    if not number or not stamp or not given:
        raise ForgedError("Not signed.")
    content = f"{number}.{stamp}.".encode() + request.body
    check_hmac([signed for key in keys if (signed := _sign(key, content))], given)
    check_age(stamp, now, TOLERANCE)


def _sign(key: str, content: bytes) -> bytes:
    try:
        secret = base64.b64decode(key.removeprefix("whsec_"))
    except (binascii.Error, ValueError):
        return b""  # no secret of Resend's: the others still serve
    return base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest())


def read(request: HookRequest, tokens: Tokens, now: datetime) -> list[Signal]:
    """What the event says, a signal for each recipient it names."""
    event = inside({"call": parse(request.body)}, "call")
    word, data = said(event, "type"), inside(event, "data")
    if word == INBOUND or not word.startswith("email."):
        return []  # mail to the account, changes of domains and contacts
    number = request.headers.get("svix-id", "")
    told = _told(word, event, data, request.body, now)
    recipients = [said({"to": one}, "to") for one in items(data.get("to"))] or [said(data, "to")]
    many = len(recipients) > 1
    return [
        # By its place: a name with the address in it would outlive the person's data.
        signal_of(KEY, replace(told, recipient=one, event_id=f"{number}:{place}" if many else number), tokens)
        for place, one in enumerate(recipients)
    ]


def _told(
    word: str, event: Mapping[str, object], data: Mapping[str, object], raw: bytes, now: datetime
) -> Told:
    kind = KINDS.get(word, EventKind.UNKNOWN)
    bounce = inside(data, "bounce")
    reply: Reply | None = None
    verdict: Verdict | None = None
    if word == "email.bounced":
        diagnosis = [said({"code": one}, "code") for one in items(bounce.get("diagnosticCode"))]
        reply = reply_of(" ".join(diagnosis) or said(bounce, "message"))
        verdict = _verdict(said(bounce, "type"), said(bounce, "subType"), reply)
    elif kind is EventKind.BOUNCED:
        rule = word.replace(".", " ", 1)
        verdict = held_back(rule) if word == "email.suppressed" else not_sent(rule)
    headers = [
        said(header, "value")
        for header in items(data.get("headers"))
        if said(header, "name").lower() in {"x-tocsin-delivery", "message-id"}
    ]
    tags = data.get("tags")
    marks = [said(tags, METADATA_KEY)] + [
        said(tag, "value") for tag in items(tags) if said(tag, "name") == METADATA_KEY
    ]
    return Told(
        kind,
        word,
        raw,
        moment_of(event.get("created_at"), now),
        message_id=said(data, "email_id"),
        marks=(*headers, *marks, said(data, "message_id")),
        reply=reply,
        verdict=verdict,
        details={"reason": said(data, "failed", "reason") or said(bounce, "subType")},
    )


def _verdict(kind: str, subtype: str, reply: Reply | None) -> Verdict | None:
    if subtype in {"Suppressed", "OnAccountSuppressionList"}:
        return held_back(f"resend {subtype}")
    if kind == "Permanent" and subtype == "NoEmail":
        return judged(reply, no_such_address("resend NoEmail"))
    hard = kind == "Permanent"
    stated = of_class(BounceClass.UNKNOWN, Fault.UNKNOWN, f"resend {kind} {subtype}"[:100], hard=hard)
    return judged(reply, stated)


def key_problem(key: str) -> str:
    """`whsec_` and base64."""
    try:
        fits = key.startswith("whsec_") and bool(base64.b64decode(key.removeprefix("whsec_"), validate=True))
    except (binascii.Error, ValueError):
        fits = False
    return "" if fits else "is no signing secret; write the one that begins with whsec_"


PROVIDER = Provider(KEY, "Resend", read, check, key_problem=key_problem)
