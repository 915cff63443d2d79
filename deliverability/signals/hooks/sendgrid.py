"""SendGrid's Event Webhook: arrays of events, signed with ECDSA (P-256, SHA-256) over timestamp and body."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from deliverability.signals.hooks.base import (
    ForgedError,
    HookRequest,
    Provider,
    Told,
    check_age,
    held_back,
    judged,
    moment_of,
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

KEY = "sendgrid"
TOLERANCE = timedelta(hours=25)
"""SendGrid tells the same again for a day when it is not answered."""
_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
_ON_A_LIST = ("bounced address", "spam reporting address", "unsubscribed address", "invalid address")
_WAY = re.compile(r"\.(?:filter|recvd)")
KINDS: Mapping[str, EventKind] = MappingProxyType(
    {
        "processed": EventKind.RELAYED,
        "delivered": EventKind.DELIVERED,
        "deferred": EventKind.DEFERRED,
        "bounce": EventKind.BOUNCED,
        "dropped": EventKind.BOUNCED,
        "open": EventKind.OPENED,
        "click": EventKind.CLICKED,
        "spamreport": EventKind.COMPLAINED,
        "unsubscribe": EventKind.UNSUBSCRIBED,
        "group_unsubscribe": EventKind.UNSUBSCRIBED,
        "group_resubscribe": EventKind.RESUBSCRIBED,
    }
)


def check(request: HookRequest, keys: Sequence[str], now: datetime) -> None:
    """`keys`: public keys as SendGrid shows them, base64 of the DER form."""
    stamp = request.headers.get(_TIMESTAMP, "")
    try:
        signature = base64.b64decode(request.headers.get(_SIGNATURE, ""), validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    if not stamp or not any(_signed(key, stamp.encode() + request.body, signature) for key in keys):
        raise ForgedError("Wrong signature.")
    check_age(stamp, now, TOLERANCE)


def _signed(key: str, content: bytes, signature: bytes) -> bool:
    try:
        public = load_der_public_key(base64.b64decode(key))
        if not isinstance(public, ec.EllipticCurvePublicKey):
            return False
        public.verify(signature, content, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def read(request: HookRequest, tokens: Tokens, now: datetime) -> list[Signal]:
    """Each event of the array."""
    return [signal_of(KEY, _told(event, raw, now), tokens) for event, raw in pieces(request.body)]


def _number(written: str) -> str:
    """What SendGrid answered with when it took the message: the rest says which machines had it since."""
    return _WAY.split(written, maxsplit=1)[0]


def _told(event: Mapping[str, object], raw: bytes, now: datetime) -> Told:
    word = said(event, "event")
    kind = KINDS.get(word, EventKind.UNKNOWN)
    answer = said(event, "reason") or said(event, "response")
    reply = reply_of(answer, enhanced=said(event, "status") if kind is not EventKind.BOUNCED else "")
    details: dict[str, str] = {}
    verdict: Verdict | None = None
    if word == "dropped":
        held = answer.lower().startswith(_ON_A_LIST)
        verdict = held_back(f"sendgrid {answer}"[:100]) if held else not_sent("sendgrid dropped")
        details = {"reason": answer}
    elif word == "bounce":
        reply = reply_of(answer, enhanced=said(event, "status"))
        if said(event, "type") == "blocked":
            verdict = of_class(BounceClass.BLOCK, Fault.IDENTITY, "sendgrid blocked")
        verdict = judged(reply, verdict)
    return Told(
        kind,
        word,
        raw,
        moment_of(event.get("timestamp"), now),
        event_id=said(event, "sg_event_id"),
        recipient=said(event, "email"),
        message_id=_number(said(event, "sg_message_id")),
        marks=(said(event, METADATA_KEY), said(event, "smtp-id")),
        reply=reply if kind in {EventKind.BOUNCED, EventKind.DEFERRED} else None,
        verdict=verdict,
        details=details,
    )


def key_problem(key: str) -> str:
    """A public key in base64."""
    try:
        fits = isinstance(load_der_public_key(base64.b64decode(key)), ec.EllipticCurvePublicKey)
    except (ValueError, UnsupportedAlgorithm):
        fits = False
    return "" if fits else "is no public key; write the verification key that SendGrid shows"


PROVIDER = Provider(KEY, "SendGrid", read, check, key_problem=key_problem)
