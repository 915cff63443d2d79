"""The secret of an API key: recognisable in a log or a repository, and told from a slip of the pen at once.

`tcn_live_` or `tcn_test_`, 32 characters of chance, six of a checksum (CRC-32, base 62). Scanners of leaked
secrets find it by its beginning; the checksum spares the database whatever was mistyped.
"""

import hashlib
import secrets
import zlib
from typing import Final

from models.api import KeyMode

PREFIX: Final = {KeyMode.LIVE: "tcn_live_", KeyMode.TEST: "tcn_test_"}
_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHANCE, _CHECK = 32, 6
HINT: Final = 4
"""How many of its last characters are shown to tell keys apart."""


def draw_secret(mode: KeyMode) -> str:
    """A new secret: 190 bits of chance."""
    begin = PREFIX[mode] + "".join(secrets.choice(_LETTERS) for _ in range(_CHANCE))
    return begin + _checksum(begin)


def is_well_formed(secret: str) -> bool:
    """Whether it could be a key of some installation."""
    begin, check = secret[:-_CHECK], secret[-_CHECK:]
    known = any(secret.startswith(prefix) for prefix in PREFIX.values())
    return known and secret.isascii() and secrets.compare_digest(_checksum(begin), check)


def secret_hash(secret: str) -> str:
    """What is kept of it: SHA-256 is enough where there is so much chance."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _checksum(begin: str) -> str:
    number, letters = zlib.crc32(begin.encode()), ""
    for _ in range(_CHECK):
        number, place = divmod(number, len(_LETTERS))
        letters = _LETTERS[place] + letters
    return letters
