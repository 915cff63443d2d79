"""What a sender's workshop is told of an identity; apart from its table, which it can do without."""

from dataclasses import dataclass
from enum import StrEnum


class DkimAlgorithm(StrEnum):
    """RFC 8301 and RFC 8463."""

    RSA = "rsa-sha256"
    ED25519 = "ed25519-sha256"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A DKIM key in the clear, for the signer: `private_pem` is PKCS#8."""

    domain: str
    selector: str
    algorithm: DkimAlgorithm
    private_pem: str


@dataclass(frozen=True, slots=True)
class EmailSender:
    """What the sender's workshop needs to know of an identity to build and sign an e-mail."""

    key: str
    name: str
    from_email: str
    reply_to: str | None
    return_path_domain: str
    signing_keys: tuple[SigningKey, ...]
