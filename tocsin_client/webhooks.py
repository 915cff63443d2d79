"""Webhooks are believed when their signature says so (Standard Webhooks, symmetric signatures)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, Final

from tocsin_client.errors import NotGenuineError

TOLERANCE_S: Final = 300.0
"""How far its moment may lie from ours: whoever listened in cannot send it again later."""
_PREFIX, _VERSION = "whsec_", "v1"


def verify_webhook(
    secret: str, headers: Mapping[str, str], body: bytes | str, *, now: float | None = None
) -> dict[str, Any]:
    """What a genuine webhook says; NotGenuineError for any other.

    `secret`: as the page of webhooks showed it, `whsec_…`. `headers`: those of the request, in whatever case.
    `body`: the very octets that came; JSON that was read and written again is signed by nobody. `now`:
    seconds since 1970, this machine's own unless given.
    """
    named = {name.lower(): value for name, value in headers.items()}
    identifier, moment = named.get("webhook-id", ""), named.get("webhook-timestamp", "")
    if not identifier or not (moment.isascii() and moment.isdigit()):
        raise NotGenuineError("The headers webhook-id and webhook-timestamp are missing.")
    raw = body.encode() if isinstance(body, str) else body
    signed = f"{identifier}.{moment}.".encode() + raw
    expected = hmac.digest(_key_of(secret), signed, hashlib.sha256)
    # While a secret is changed there are two signatures, one by each.
    given = [_octets(one) for one in named.get("webhook-signature", "").split()]
    if not any([hmac.compare_digest(expected, one) for one in given]):  # noqa: C419 - each is compared
        raise NotGenuineError("No signature is of this secret.")
    if abs((time.time() if now is None else now) - int(moment)) > TOLERANCE_S:
        raise NotGenuineError("It is more than five minutes from now: an old one, or a clock is wrong.")
    try:
        told: dict[str, Any] = json.loads(raw)
    except ValueError as error:
        raise NotGenuineError("It is signed, but no JSON.") from error
    return told


def _key_of(secret: str) -> bytes:
    text = secret.removeprefix(_PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError as error:
        raise ValueError("This is no secret of a webhook: whsec_ and base64.") from error
    if not key:
        raise ValueError("The secret is empty.")
    return key


def _octets(signature: str) -> bytes:
    version, _, text = signature.partition(",")
    if version != _VERSION:
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
