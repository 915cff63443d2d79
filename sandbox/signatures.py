"""DKIM as a receiver checks it (RFC 6376, RFC 8463): by dkimpy, from the bytes as they came.

Nothing of the sending side is used, so that a signature that verifies here verifies elsewhere too. Keys
come from a table instead of the DNS: nothing leaves the machine.
"""

import base64
import binascii
from collections.abc import Callable, Mapping

import dkim
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from dkim.util import parse_tag_value

DkimKeys = Mapping[tuple[str, str], str]
"""The TXT record by (selector, domain)."""
LookUp = Callable[..., bytes | None]
Tags = dict[bytes, bytes]


class _Ed25519Key:
    """What dkimpy expects of PyNaCl's key, done by `cryptography`."""

    def __init__(self, public: bytes) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(public)

    def verify(self, digest: bytes, signature: bytes) -> None:
        self._key.verify(signature, digest)


class _Verifier(dkim.DKIM):
    """dkimpy, which leaves Ed25519 to a library that Tocsin does not install otherwise."""

    def verify_sig(
        self,
        sig: Tags,
        include_headers: list[bytes],
        sig_header: tuple[bytes, bytes],
        dnsfunc: LookUp,
    ) -> bool:
        """Whether one signature holds; dkimpy's own way but for the kind of key."""
        if sig[b"a"] != b"ed25519-sha256":
            return bool(super().verify_sig(sig, include_headers, sig_header, dnsfunc))  # type: ignore[no-untyped-call]
        record = dnsfunc(sig[b"s"] + b"._domainkey." + sig[b"d"] + b".")
        tags = parse_tag_value(record or b"")  # type: ignore[no-untyped-call]
        if tags.get(b"k") != b"ed25519":
            return False
        self.pk = _Ed25519Key(base64.b64decode(tags[b"p"]))
        self.keysize, self.ktag, self.seqtlsrpt = 256, b"ed25519", False
        holds = self.verify_sig_process(sig, include_headers, sig_header, dnsfunc)  # type: ignore[no-untyped-call]
        return bool(holds)


def check_signature(content: bytes, index: int, keys: DkimKeys) -> bool:
    """Whether DKIM signature `index` (0 is the topmost) holds with the published `keys`.

    False for every fault: a broken signature, another body, a key that nobody published. Takes
    milliseconds of pure Python: call it in a thread, for a sample.
    """

    def look_up(name: bytes, timeout: int = 5) -> bytes | None:  # noqa: ARG001 - dkimpy passes it
        selector, _, domain = name.decode().rstrip(".").partition("._domainkey.")
        record = keys.get((selector, domain))
        return None if record is None else record.encode()

    try:
        verifier = _Verifier(content)  # type: ignore[no-untyped-call]
        return bool(verifier.verify(idx=index, dnsfunc=look_up))  # type: ignore[no-untyped-call]
    except (dkim.DKIMException, InvalidSignature, binascii.Error, ValueError, KeyError):
        return False
