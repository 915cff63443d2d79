"""DKIM signatures (RFC 6376, RSA as of RFC 8301, Ed25519 as of RFC 8463), keys and their DNS records.

dkimpy signs correctly in 7.7 ms: its RSA is pure Python and it reads the key anew each time. Here the
key is read once, `cryptography` signs (it lets other threads run meanwhile), and a body that is already
in canonical form is hashed in one pass. dkimpy stays the reference: `verify` asks it and nobody else.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from models.signing import DkimAlgorithm, SigningKey
from sender.errors import SigningKeyError

RSA_BITS = 2048
"""RFC 8301 section 3.2: what signers should use at least; here they must."""
MIN_VERIFIED_BITS = 1024
TXT_STRING_OCTETS = 255
"""RFC 1035 section 3.3.14: the longest single string of a TXT record; longer values are several strings."""

OVERSIGNED = (b"from", b"to", b"subject", b"date", b"reply-to", b"message-id", b"content-type")
"""Named once more than they occur, so that nobody can add a second one and keep the signature valid
(RFC 6376 section 8.15). Reply-To even when there is none."""

KEYS_KEPT = 256
"""Keys that stay read: to read one, its primes are tested, which takes as long as a hundred signatures."""

_BASE64_LINE = 70
_WORDS_A_LINE = 60
_TRAILING_BLANKS = re.compile(rb"[ \t]+(?=\r\n|\Z)")
_BLANKS = re.compile(rb"[ \t]+")

Field = tuple[bytes, bytes]
"""A header's name and its value as it stands on the wire, perhaps folded, without the final CRLF."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A fresh key: PKCS#8 PEM to keep secret, and what goes into the record's `p=`."""

    private_pem: str
    public_base64: str


@dataclass(frozen=True, slots=True)
class TxtRecord:
    """A TXT record to publish; `strings` is the value in the pieces a zone file needs."""

    name: str
    value: str

    @property
    def strings(self) -> tuple[str, ...]:
        """The value in strings of at most 255 octets, in order; a receiver joins them without blanks."""
        return split_txt(self.value)


@dataclass(frozen=True, slots=True)
class Verification:
    """What the reference verifier says of one signature; `reason` is empty when it is valid."""

    domain: str
    selector: str
    valid: bool
    reason: str


class Signer:
    """Signs with every key it was given; may be called from several threads at once."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        """SigningKeyError for a key that cannot be read or is too weak (RFC 8301 section 3.2)."""
        self._keys = [_LoadedKey(key) for key in keys]

    @property
    def signs(self) -> bool:
        """Whether there is any key."""
        return bool(self._keys)

    def sign(self, fields: Sequence[Field], body: bytes, at: datetime) -> bytes:
        """The DKIM-Signature headers to put before `fields`, one a key, each ending in CRLF.

        Every field is signed; no name may occur twice. `body` has CRLF line ends. No `l=`: it would let
        anybody add text to a signed message.
        """
        names, canonical = _canonicalise_fields(fields)
        return self.sign_written(
            names, canonical, body, at=int(at.timestamp()), is_canonical=is_canonical(body)
        )

    def sign_written(
        self,
        names: tuple[bytes, ...],
        canonical: bytes,
        body: bytes,
        *,
        at: int,
        is_canonical: bool,
        oversigned: tuple[bytes, ...] = OVERSIGNED,
    ) -> bytes:
        """The same for fields already in relaxed form (RFC 6376 section 3.4.2), a line each.

        `names` are theirs, lower case; `at` is in seconds since 1970. `is_canonical`: so is the body. Whoever
        leaves a field unsigned must not have it `oversigned` either.
        """
        if not self._keys:
            return b""
        digest = hashlib.sha256(body if is_canonical else canonicalise_body(body)).digest()
        body_hash = binascii.b2a_base64(digest, newline=False)
        listed, unfolded = _list_names(names, oversigned)
        moment = b"%d" % at
        return b"".join([key.sign(canonical, listed, unfolded, body_hash, moment) for key in self._keys])


class _LoadedKey:
    """One key, read once."""

    def __init__(self, key: SigningKey) -> None:
        self._opening = (
            f"v=1; a={key.algorithm}; c=relaxed/relaxed; d={key.domain};\r\n s={key.selector}; t=".encode()
        )
        self._unfolded = unfold(self._opening)
        self._make = _signing_function(key)

    def sign(
        self, canonical: bytes, listed: bytes, unfolded: bytes, body_hash: bytes, moment: bytes
    ) -> bytes:
        # RFC 6376 section 3.7: this header comes last, with an empty b= and no CRLF.
        signature = self._make(
            b"%bdkim-signature:%b%b; h=%b; bh=%b; b="
            % (canonical, self._unfolded, moment, unfolded, body_hash)
        )
        text = binascii.b2a_base64(signature, newline=False)
        lines = [text[start : start + _BASE64_LINE] for start in range(0, len(text), _BASE64_LINE)]
        return b"DKIM-Signature: %b%b;\r\n h=%b;\r\n bh=%b;\r\n b=%b\r\n" % (
            *(self._opening, moment, listed, body_hash),
            b"\r\n ".join(lines),
        )


def make_key(algorithm: DkimAlgorithm) -> NewKey:
    """A new key; an RSA key takes a noticeable moment to find, so call this in a thread."""
    private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    if algorithm is DkimAlgorithm.RSA:
        private = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
        public = private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    else:
        private = ed25519.Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return NewKey(pem.decode(), base64.b64encode(public).decode())


def dns_record(*, selector: str, domain: str, algorithm: DkimAlgorithm, public_base64: str) -> TxtRecord:
    """The record that lets receivers verify (RFC 6376 section 3.6.1, RFC 8463 section 4)."""
    kind = "rsa" if algorithm is DkimAlgorithm.RSA else "ed25519"
    return TxtRecord(f"{selector}._domainkey.{domain}", f"v=DKIM1; k={kind}; p={public_base64}")


def split_txt(value: str) -> tuple[str, ...]:
    """An ASCII value in pieces of at most 255 octets; one empty piece for an empty value."""
    pieces = range(0, len(value), TXT_STRING_OCTETS)
    return tuple(value[start : start + TXT_STRING_OCTETS] for start in pieces) or ("",)


def verify(data: bytes, dns: Callable[[str], str | None]) -> list[Verification]:
    """What dkimpy thinks of each signature, from the top; none for an unsigned message.

    `dns` gives the text of a TXT record by its name without the final dot, or None. Slow and blocking.
    """
    found: list[Verification] = []
    while (verification := _verify_one(data, len(found), dns)) is not None:
        found.append(verification)
    return found


def _verify_one(data: bytes, index: int, dns: Callable[[str], str | None]) -> Verification | None:
    """The signature at `index` from the top, or None when there is none."""
    import dkim  # noqa: PLC0415 - four megabytes that only verifying needs

    def look_up(name: bytes, timeout: float = 0) -> str | None:  # noqa: ARG001 - dkimpy's calling convention
        return dns(name.decode().removesuffix("."))

    verifier: Any = dkim.DKIM(data, minkey=MIN_VERIFIED_BITS)  # type: ignore[no-untyped-call]
    reason = "The signature or its key record does not fit."
    try:
        if not verifier.verify_headerprep(index):
            return None
        valid = bool(verifier.verify(index, look_up))
    except (dkim.DKIMException, ValueError) as error:
        valid, reason = False, str(error)
    domain, selector = (
        value.decode("ascii", "replace") if isinstance(value, bytes) else ""
        for value in (verifier.domain, verifier.selector)
    )
    return Verification(domain, selector, valid, "" if valid else reason)


def is_canonical(body: bytes) -> bool:
    """Whether relaxed canonicalisation (RFC 6376 section 3.4.4) would leave the body as it is."""
    return (
        body.endswith(b"\r\n")
        and not body.endswith(b"\r\n\r\n")
        and body != b"\r\n"
        and b"  " not in body
        and b"\t" not in body
        and b" \r\n" not in body
    )


def canonicalise_body(body: bytes) -> bytes:
    """The body in relaxed form (RFC 6376 section 3.4.4); an empty one stays empty."""
    reduced = _BLANKS.sub(b" ", _TRAILING_BLANKS.sub(b"", body))
    end = len(reduced)
    while reduced.endswith(b"\r\n", 0, end):
        end -= 2
    return reduced[:end] + b"\r\n" if end else b""


def _canonicalise_fields(fields: Sequence[Field]) -> tuple[tuple[bytes, ...], bytes]:
    """The names, lower case, in order, and all fields in relaxed form (RFC 6376 section 3.4.2)."""
    names = tuple(name.lower() for name, _ in fields)
    lines = [b"%b:%b\r\n" % (name, unfold(value)) for name, (_, value) in zip(names, fields, strict=True)]
    return names, b"".join(lines)


def unfold(value: bytes) -> bytes:
    """A header's value in relaxed form (RFC 6376 section 3.4.2)."""
    return b" ".join(value.split())


@lru_cache(maxsize=64)
def _list_names(names: tuple[bytes, ...], oversigned: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """The value of `h=`, folded and not; a name that is not there counts as empty (RFC 6376 5.4.2)."""
    if len(set(names)) != len(names):
        raise ValueError("A header that occurs twice cannot be signed once.")
    lines: list[bytes] = [b""]
    for name in (*names, *oversigned):
        if lines[-1] and len(lines[-1]) + len(name) > _WORDS_A_LINE:
            lines.append(b"")
        lines[-1] += name + b":"
    folded = b"\r\n ".join(lines).removesuffix(b":")
    return folded, unfold(folded)


@lru_cache(maxsize=KEYS_KEPT)
def _signing_function(key: SigningKey) -> Callable[[bytes], bytes]:
    try:
        private = serialization.load_pem_private_key(key.private_pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise SigningKeyError(
            f"The DKIM key {key.selector} of {key.domain} cannot be read.",
            "Make a new one and publish its record.",
        ) from error
    match key.algorithm, private:
        case DkimAlgorithm.RSA, rsa.RSAPrivateKey() if private.key_size >= RSA_BITS:
            scheme, digest = padding.PKCS1v15(), hashes.SHA256()
            return lambda data: private.sign(data, scheme, digest)
        case DkimAlgorithm.ED25519, ed25519.Ed25519PrivateKey():
            # RFC 8463 section 3: what is signed is the SHA-256 of the data.
            return lambda data: private.sign(hashlib.sha256(data).digest())
        case _:
            raise SigningKeyError(
                f"The DKIM key {key.selector} of {key.domain} is no {key.algorithm} key, or too short a one.",
                "Make a new one and publish its record.",
            )
