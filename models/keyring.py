"""Everything derived from the installation's one secret: keys for tokens, encryption at rest."""

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

from models.errors import SettingsError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

MINIMUM_SECRET_LENGTH = 32


class Keyring:
    """Keys for each purpose, derived from one secret by HMAC-SHA-256: none can stand in for another."""

    def __init__(self, secret: str) -> None:
        """`secret`: at least 32 random characters; losing it makes sent links and stored keys useless."""
        if len(secret) < MINIMUM_SECRET_LENGTH:
            raise SettingsError(
                f"The secret key has {len(secret)} characters, {MINIMUM_SECRET_LENGTH} is the least.",
                "Set TOCSIN_SECRET_KEY to a long random text.",
            )
        self._secret = secret.encode()

    def key(self, purpose: str) -> bytes:
        """Thirty-two bytes that serve `purpose` alone."""
        return hmac.digest(self._secret, b"tocsin/" + purpose.encode(), hashlib.sha256)

    def encrypt(self, plain: str) -> str:
        """`plain`, unreadable without the secret and protected against change."""
        return self._box().encrypt(plain.encode()).decode()

    def decrypt(self, sealed: str) -> str:
        """What `encrypt` was given; SettingsError when the secret is not the one that sealed it."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - six megabytes

        try:
            return self._box().decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise SettingsError(
                "A stored key was sealed with another secret.",
                "Put back the TOCSIN_SECRET_KEY it was made with.",
            ) from error

    def _box(self) -> "Fernet":
        from cryptography.fernet import Fernet  # noqa: PLC0415 - who only makes tokens does without

        return Fernet(base64.urlsafe_b64encode(self.key("encryption at rest")))
