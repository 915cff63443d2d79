"""Signed tokens that lead from a link, a return path or a header back to one delivery.

A token is the delivery's number and a truncated HMAC-SHA-256 of it under a key of its own purpose,
so that a bounce token cannot unsubscribe and an unsubscribe token cannot forge a bounce. Written in
base32 without case, because some mail systems change the case of a local part (RFC 5321 section
2.4 forbids it; they do it all the same).
"""

import base64
import hashlib
import hmac
from enum import StrEnum

from models.keyring import Keyring

MAC_BYTES = 9
ID_BYTES = 6
TOKEN_LENGTH = 24


class TokenPurpose(StrEnum):
    """What a token may do: BOUNCE in return paths, VISIT in links and pixels, LEAVE to unsubscribe."""

    BOUNCE = "bounce"
    VISIT = "visit"
    LEAVE = "leave"
    MESSAGE = "message"


class Tokens:
    """Makes and reads the tokens of one installation."""

    def __init__(self, keyring: Keyring) -> None:
        """The keys are derived once, here."""
        self._keys = {purpose: keyring.key(f"token/{purpose}") for purpose in TokenPurpose}

    def make(self, purpose: TokenPurpose, delivery_id: int) -> str:
        """Twenty-four characters of a-z and 2-7."""
        number = delivery_id.to_bytes(ID_BYTES, "big")
        return base64.b32encode(number + self._mac(purpose, number)).decode().lower()

    def read(self, purpose: TokenPurpose, token: str) -> int | None:
        """The delivery's number, or None for anything that this installation did not sign for `purpose`."""
        if len(token) != TOKEN_LENGTH:
            return None
        try:
            raw = base64.b32decode(token.upper())
        except ValueError:
            return None
        number, mac = raw[:ID_BYTES], raw[ID_BYTES:]
        if not hmac.compare_digest(mac, self._mac(purpose, number)):
            return None
        return int.from_bytes(number, "big")

    def _mac(self, purpose: TokenPurpose, number: bytes) -> bytes:
        return hmac.digest(self._keys[purpose], number, hashlib.sha256)[:MAC_BYTES]
