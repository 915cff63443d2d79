"""Passwords, kept as Argon2id (RFC 9106) and compared in a thread.

With OWASP's parameters of 19 MiB, not the library's of 64: the process that compares may be the one that
sends, and has 120 MB for everything. What was kept with others is compared with those.
"""

import asyncio
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from models.errors import BadInputError
from web.i18n import N_

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 200
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


@cache
def _decoy() -> str:
    """Compared with when there is no such account, so that the answer takes as long."""
    return _hasher.hash("nobody has this password")


TOO_SHORT = N_("A password needs at least 12 characters.")
TOO_LONG = N_("A password has at most 200 characters.")


def hash_password(password: str) -> str:
    """What is kept of a password; BadInputError when it is too short or too long. Takes about 30 ms."""
    if len(password) < SHORTEST_PASSWORD:
        raise BadInputError(TOO_SHORT)
    if len(password) > LONGEST_PASSWORD:
        raise BadInputError(TOO_LONG)
    return _hasher.hash(password)


def matches(password: str, password_hash: str | None) -> bool:
    """Whether the password is the one that was hashed; None (no such account) never is. Takes about 30 ms."""
    try:
        _hasher.verify(password_hash or _decoy(), password[: LONGEST_PASSWORD + 1])
    except (Argon2Error, InvalidHashError):
        return False
    return password_hash is not None


async def make_hash(password: str, turn: asyncio.Semaphore) -> str:
    """`hash_password` in a thread; `turn` bounds the memory, each hash takes 19 MiB."""
    async with turn:
        return await asyncio.to_thread(hash_password, password)


async def check_password(password: str, password_hash: str | None, turn: asyncio.Semaphore) -> bool:
    """`matches` in a thread; `turn` bounds the memory."""
    async with turn:
        return await asyncio.to_thread(matches, password, password_hash)
