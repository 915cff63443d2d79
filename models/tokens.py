"""Signed tokens that lead from a link, a return path or a header back to one delivery.

A token is the delivery's number and a truncated HMAC-SHA-256 of it under a key of its own purpose,
so that a bounce token cannot unsubscribe and an unsubscribe token cannot forge a bounce. Written in
base32 without case, because some mail systems change the case of a local part (RFC 5321 section
2.4 forbids it; they do it all the same).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from models.keyring import Keyring

MAC_BYTES = 9
ID_BYTES = 6
TOKEN_LENGTH = 24
METADATA_KEY = "tocsin"
"""Name under which a message's token stands in what a provider remembers of it."""


class TokenPurpose(StrEnum):
    """What a token may do: BOUNCE in return paths, VISIT in links and pixels, LEAVE to unsubscribe.

    MAILBOX shows that a letter to a sender's own address was read; its number is drawn, no delivery's.
    NOTICE leads to what is told of a political advertisement; its number is the campaign's. API names what
    programs ask about; its number tells the kind, too (`models.public_ids`).
    """

    BOUNCE = "bounce"
    VISIT = "visit"
    LEAVE = "leave"
    MESSAGE = "message"
    MAILBOX = "mailbox"
    NOTICE = "notice"
    API = "api"


class DeliveryTokens(NamedTuple):
    """All tokens of one delivery."""

    bounce: str
    visit: str
    leave: str
    message: str


class Tokens:
    """Makes and reads the tokens of one installation; from any number of threads at once."""

    def __init__(self, keys: Keyring | Mapping[TokenPurpose, bytes]) -> None:
        """`keys`: derived once, here; or as `keys` was, for who need not know what they come from."""
        if isinstance(keys, Keyring):
            keys = {purpose: keys.key(f"token/{purpose}") for purpose in TokenPurpose}
        self.keys: Mapping[TokenPurpose, bytes] = MappingProxyType(dict(keys))
        self._macs = {purpose: _Mac(key) for purpose, key in self.keys.items()}
        self._in_order = [self._macs[TokenPurpose(name)] for name in DeliveryTokens._fields]

    def make(self, purpose: TokenPurpose, delivery_id: int) -> str:
        """Twenty-four characters of a-z and 2-7."""
        number = delivery_id.to_bytes(ID_BYTES, "big")
        return _write(number[:5]) + _write_rest(number[5:] + self._macs[purpose].of(number))

    def make_all(self, delivery_id: int) -> DeliveryTokens:
        """The tokens of every purpose, as `make` makes them."""
        number = delivery_id.to_bytes(ID_BYTES, "big")
        begin, end = _write(number[:5]), number[5:]
        bounce, visit, leave, message = self._in_order
        return DeliveryTokens(
            begin + _write_rest(end + bounce.of(number)),
            begin + _write_rest(end + visit.of(number)),
            begin + _write_rest(end + leave.of(number)),
            begin + _write_rest(end + message.of(number)),
        )

    def read(self, purpose: TokenPurpose, token: str) -> int | None:
        """The delivery's number, or None for anything that this installation did not sign for `purpose`."""
        if len(token) != TOKEN_LENGTH:
            return None
        try:
            raw = base64.b32decode(token.upper())
        except ValueError:
            return None
        number, mac = raw[:ID_BYTES], raw[ID_BYTES:]
        if not hmac.compare_digest(mac, self._macs[purpose].of(number)):
            return None
        return int.from_bytes(number, "big")


class _Mac:
    """HMAC-SHA-256 (RFC 2104) with the key's two blocks hashed beforehand: a third of the time."""

    def __init__(self, key: bytes) -> None:
        padded = key.ljust(hashlib.sha256().block_size, b"\0")
        self._inner = hashlib.sha256(bytes(octet ^ 0x36 for octet in padded))
        self._outer = hashlib.sha256(bytes(octet ^ 0x5C for octet in padded))

    def of(self, number: bytes) -> bytes:
        """The first MAC_BYTES of the code."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(number)
        outer.update(inner.digest())
        return outer.digest()[:MAC_BYTES]


_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = tuple(one + other for one in _LETTERS for other in _LETTERS)


def _write(raw: bytes) -> str:
    """Five octets in base32 (RFC 4648 section 6), lower case; `base64.b32encode` takes twice as long."""
    bits = int.from_bytes(raw, "big")
    return _PAIRS[bits >> 30] + _PAIRS[bits >> 20 & 1023] + _PAIRS[bits >> 10 & 1023] + _PAIRS[bits & 1023]


def _write_rest(raw: bytes) -> str:
    """Ten octets; the same again, but for the time of two calls."""
    pairs = _PAIRS
    one, two = int.from_bytes(raw[:5], "big"), int.from_bytes(raw[5:], "big")
    return (
        f"{pairs[one >> 30]}{pairs[one >> 20 & 1023]}{pairs[one >> 10 & 1023]}{pairs[one & 1023]}"
        f"{pairs[two >> 30]}{pairs[two >> 20 & 1023]}{pairs[two >> 10 & 1023]}{pairs[two & 1023]}"
    )
