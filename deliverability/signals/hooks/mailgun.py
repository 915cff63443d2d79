"""Mailgun: one event a call, HMAC-SHA-256 over timestamp and token. The content itself is not signed.

So each token may serve one body only (the nonce of `check`): whoever overhears a call can repeat it and
say nothing else with it.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from deliverability.signals.hooks.base import (
    FORM,
    JSON,
    URLENCODED,
    ForgedError,
    HookRequest,
    Provider,
    Told,
    check_age,
    check_hmac,
    form_of,
    held_back,
    inside,
    judged,
    moment_of,
    not_sent,
    of_class,
    parse,
    reply_of,
    said,
    signal_of,
)
from models.states import BounceClass, EventKind, Fault
from models.tokens import METADATA_KEY, Tokens
from models.values import Signal, Verdict

KEY = "mailgun"
TOLERANCE = timedelta(hours=12)
"""Mailgun tries for eight hours."""
KINDS: Mapping[str, EventKind] = MappingProxyType(
    {
        "accepted": EventKind.RELAYED,
        "delivered": EventKind.DELIVERED,
        "rejected": EventKind.BOUNCED,
        "failed": EventKind.BOUNCED,
        "opened": EventKind.OPENED,
        "clicked": EventKind.CLICKED,
        "complained": EventKind.COMPLAINED,
        "unsubscribed": EventKind.UNSUBSCRIBED,
        # The older form's words.
        "bounced": EventKind.BOUNCED,
        "dropped": EventKind.BOUNCED,
    }
)
_NOT_SENT = frozenset({"rejected", "dropped"})
_SUPPRESSED = frozenset({"suppress-bounce", "suppress-complaint", "suppress-unsubscribe"})

_LISTED = frozenset({"605", "606", "607"})
"""Mailgun's own numbers for addresses that bounced, unsubscribed or complained before."""


def check(request: HookRequest, keys: Sequence[str], now: datetime) -> str | None:
    """`keys`: HTTP webhook signing keys. Gives the token, which may serve this body only."""
    proof = _proof(request)
    stamp, token = proof.get("timestamp", ""), proof.get("token", "")
    if not stamp or not token or len(token) > 128:
        raise ForgedError("Not signed.")
    expected = [hmac.new(key.encode(), f"{stamp}{token}".encode(), hashlib.sha256) for key in keys]
    check_hmac([one.hexdigest().encode() for one in expected], [proof.get("signature", "").encode()])
    check_age(stamp, now, TOLERANCE)
    return token


def _proof(request: HookRequest) -> dict[str, str]:
    names = ("timestamp", "token", "signature")
    if _is_json(request):
        proof = inside(parse(request.body), "signature")
        return {name: said(proof, name) for name in names}
    # What was sent along with the message comes before what Mailgun says: the last one counts.
    return {name: value for name, value in form_of(request) if name in names}


def _is_json(request: HookRequest) -> bool:
    return "json" in request.headers.get("content-type", "").lower()


def read(request: HookRequest, tokens: Tokens, now: datetime) -> list[Signal]:
    """The one event of the call."""
    if _is_json(request):
        call = parse(request.body)
        told = _told(inside(call, "event-data"), request.body, said(call, "signature", "token"), now)
    else:
        told = _told_by_form(form_of(request), request.body, now)
    return [signal_of(KEY, told, tokens)]


def _told(event: Mapping[str, object], raw: bytes, token: str, now: datetime) -> Told:
    word, reason = said(event, "event"), said(event, "reason")
    kind = KINDS.get(word, EventKind.UNKNOWN)
    status = inside(event, "delivery-status")
    text = said(status, "message") or said(status, "description")
    code = said(status, "code")
    reply = reply_of(text, code=code if code[:1] in "245" and len(code) == 3 else "")
    verdict: Verdict | None = None
    if kind is EventKind.BOUNCED:
        if reason in _SUPPRESSED or code in _LISTED:
            verdict = held_back(f"mailgun {reason or code}")
        elif word in _NOT_SENT:
            verdict = not_sent(f"mailgun {reason or word}")
        elif said(event, "severity") == "temporary":
            kind = EventKind.DEFERRED
        else:
            verdict = judged(reply, None)
    message_id = said(event, "message", "headers", "message-id")
    return Told(
        kind,
        word,
        raw,
        moment_of(event.get("timestamp"), now),
        event_id=said(event, "id") or token,
        recipient=said(event, "recipient"),
        message_id=message_id,
        marks=(said(event, "user-variables", METADATA_KEY), message_id),
        reply=reply if kind in {EventKind.BOUNCED, EventKind.DEFERRED} else None,
        verdict=verdict,
        details={"reason": reason},
    )


def _told_by_form(form: list[tuple[str, str]], raw: bytes, now: datetime) -> Told:
    # Metadata of the message stands before Mailgun's own field of the same name, `event` aside,
    # `recipient` and `domain` aside: those come first.
    first, last = dict(reversed(form)), dict(form)
    word = first.get("event", "")
    kind = KINDS.get(word, EventKind.UNKNOWN)
    text = last.get("error") or last.get("notification") or last.get("description", "")
    reply = reply_of(text, code=last.get("code", "") if last.get("code", "")[:1] in ("4", "5") else "")
    verdict: Verdict | None = None
    if word == "dropped":
        code = last.get("code", "")
        verdict = held_back(f"mailgun {code}") if code in _LISTED else not_sent("mailgun dropped")
    elif word == "bounced":
        verdict = judged(reply, of_class(BounceClass.UNKNOWN, Fault.UNKNOWN, "mailgun bounced", hard=True))
    message_id = last.get("Message-Id", last.get("message-id", ""))
    return Told(
        kind,
        word,
        raw,
        moment_of(last.get("timestamp"), now),
        event_id=last.get("token", ""),
        recipient=first.get("recipient", ""),
        message_id=message_id,
        marks=(last.get(METADATA_KEY, ""), message_id),
        reply=reply if kind is EventKind.BOUNCED else None,
        verdict=verdict,
    )


def recall(raw: bytes) -> HookRequest:
    """The call in the form it came in, which its first octets tell."""
    kind = "application/json"
    if raw.startswith(b"--"):
        boundary = raw.partition(b"\n")[0].strip()[2:].decode("ascii", "replace")
        kind = f'multipart/form-data; boundary="{boundary}"'
    elif not raw.lstrip().startswith(b"{"):
        kind = URLENCODED
    return HookRequest("", {"content-type": kind}, raw)


PROVIDER = Provider(KEY, "Mailgun", read, check, content_types=JSON | FORM, recall=recall)
