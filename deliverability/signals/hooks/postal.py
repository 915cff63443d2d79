"""Postal: one event a call, signed with the server's DKIM key: RSA over the body, SHA-256 or SHA-1."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from deliverability.signals.hooks.base import (
    ForgedError,
    HookRequest,
    Provider,
    Told,
    check_age,
    held_back,
    inside,
    judged,
    moment_of,
    of_class,
    parse,
    reply_of,
    said,
    signal_of,
)
from models.states import BounceClass, EventKind, Fault
from models.tokens import Tokens
from models.values import Reply, Signal, Verdict

KEY = "postal"
TOLERANCE = timedelta(days=1)
KINDS: Mapping[str, EventKind] = MappingProxyType(
    {
        "MessageSent": EventKind.DELIVERED,
        "MessageDelayed": EventKind.DEFERRED,
        "MessageDeliveryFailed": EventKind.BOUNCED,
        "MessageBounced": EventKind.BOUNCED,
        "MessageHeld": EventKind.UNKNOWN,
        "MessageLoaded": EventKind.OPENED,
        "MessageLinkClicked": EventKind.CLICKED,
    }
)


def check(request: HookRequest, keys: Sequence[str], now: datetime) -> None:
    """`keys`: public keys, base64 of the DER form, as in the DKIM record. The stronger signature decides."""
    strong, weak = request.headers.get("x-postal-signature-256"), request.headers.get("x-postal-signature")
    hashed = hashes.SHA256() if strong else hashes.SHA1()  # noqa: S303 - what Postal signs with
    try:
        signature = base64.b64decode((strong or weak or "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    if not signature or not any(_signed(key, request.body, signature, hashed) for key in keys):
        raise ForgedError("Wrong signature.")
    check_age(said(parse(request.body), "timestamp"), now, TOLERANCE)


def _signed(key: str, content: bytes, signature: bytes, hashed: hashes.HashAlgorithm) -> bool:
    try:
        public = load_der_public_key(base64.b64decode(key))
        if not isinstance(public, rsa.RSAPublicKey):
            return False
        public.verify(signature, content, padding.PKCS1v15(), hashed)
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def read(request: HookRequest, tokens: Tokens, now: datetime) -> list[Signal]:
    """The one event of the call, unless it is about no message (a domain, a sending limit)."""
    event = inside({"call": parse(request.body)}, "call")
    payload = inside(event, "payload")
    if not inside(payload, "message") and not inside(payload, "original_message"):
        return []
    if said(payload, "message", "direction") == "incoming":
        return []
    return [signal_of(KEY, _told(event, payload, request.body, now), tokens)]


def _told(event: Mapping[str, object], payload: Mapping[str, object], raw: bytes, now: datetime) -> Told:
    word = said(event, "event")
    message, kind = inside(payload, "message"), KINDS.get(word, EventKind.UNKNOWN)
    if inside(payload, "bounce"):
        # Whatever it is called: a bounce came back for the original message.
        message, kind = inside(payload, "original_message"), EventKind.BOUNCED
    answer = said(payload, "output")
    reply: Reply | None = None
    verdict: Verdict | None = None
    if kind in {EventKind.BOUNCED, EventKind.DEFERRED}:
        reply = reply_of(answer or said(payload, "details"))
    if kind is EventKind.BOUNCED:
        stated = of_class(BounceClass.UNKNOWN, Fault.UNKNOWN, f"postal {word}"[:100], hard=True)
        held = said(payload, "status") == "HardFail" and "suppression list" in said(payload, "details")
        verdict = held_back("postal suppression list") if held else judged(reply, stated)
    return Told(
        kind,
        word,
        raw,
        moment_of(event.get("timestamp"), now),
        event_id=said(event, "uuid"),
        recipient=said(message, "to"),
        message_id=said(message, "message_id"),
        marks=(said(message, "message_id"), said(message, "tag")),
        reply=reply,
        verdict=verdict,
        details={"reason": said(payload, "details")},
    )


def key_problem(key: str) -> str:
    """A public key in base64."""
    try:
        fits = isinstance(load_der_public_key(base64.b64decode(key)), rsa.RSAPublicKey)
    except (ValueError, UnsupportedAlgorithm):
        fits = False
    return "" if fits else "is no public key; write what stands after p= in Postal's DKIM record"


PROVIDER = Provider(KEY, "Postal", read, check, key_problem=key_problem)
