"""Reading a mailbox with its secret, in a thread, within a time; what it cannot be read for is told apart.

Rounds and tests before sending read alike: a token the server refuses is renewed, and a line is cut in time.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from deliverability.placement.bounded import in_thread
from deliverability.placement.line import Line, is_of_imap, is_refused_sign_in
from deliverability.placement.oauth import AccessTokens
from deliverability.placement.problems import SeedError
from models.errors import SettingsError
from models.keyring import Keyring
from models.seed import SeedAuth, SeedMailbox

TIMEOUT_SECONDS: Final = 20.0
WHOLE_LOOK_SECONDS: Final = 120.0
"""However slowly a server answers, one mailbox takes no longer."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reader:
    """How mailboxes are read."""

    keyring: Keyring
    tokens: AccessTokens
    timeout_seconds: float
    whole_seconds: float
    ssl_context: ssl.SSLContext | None

    async def do(self, seed: SeedMailbox, work: Callable[[Line, str], T]) -> T:
        """`work` with a line and a secret, in a thread; a token the server refuses is renewed once."""
        if seed.auth is SeedAuth.PASSWORD:
            return await self._in_thread(seed, self.keyring.decrypt(seed.sealed_password), work)
        try:
            return await self._in_thread(seed, await self.tokens.token_for(seed), work)
        except Exception as error:
            if not is_refused_sign_in(error):
                raise
        return await self._in_thread(seed, await self.tokens.token_for(seed, fresh=True), work)

    async def _in_thread(self, seed: SeedMailbox, secret: str, work: Callable[[Line, str], T]) -> T:
        line = Line(seed, self.timeout_seconds, self.ssl_context)
        return await in_thread(partial(work, line, secret), seconds=self.whole_seconds, end=line.cut)


def is_theirs(error: Exception) -> bool:
    """Whether it is the mailbox, its server or its secret that failed, and not we."""
    return isinstance(error, (OSError, SettingsError, SeedError, ValueError)) or is_of_imap(error)
