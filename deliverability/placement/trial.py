"""One test message looked for in one seed mailbox: where it lies, and what the server says of its sender.

Nothing is recorded: a test belongs to no campaign's figures.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from deliverability.placement.folders import Place
from deliverability.placement.line import Line, is_of_imap
from deliverability.placement.oauth import AccessTokens
from deliverability.placement.problems import SeedError, advise, explain
from deliverability.placement.traces import details_of
from models.clock import Clock
from models.errors import SettingsError
from models.keyring import Keyring
from models.seed import SeedAuth, SeedMailbox
from store.seeds import SentMail

TIMEOUT_SECONDS = 20.0
WHOLE_LOOK_SECONDS = 60.0
NO_DELIVERY = 0


@dataclass(frozen=True, slots=True)
class TrialSeen:
    """A test message in a seed mailbox; `details` as a placement's: spf, dkim, dmarc, latency_seconds."""

    place: Place
    details: Mapping[str, str]


async def find_trial(
    seed: SeedMailbox,
    keyring: Keyring,
    clock: Clock,
    *,
    token: str,
    sent_at: datetime,
    ssl_context: ssl.SSLContext | None = None,
) -> TrialSeen | None:
    """The message that carries `token`, None while it is not there; SeedError for an unreadable mailbox."""
    mail = SentMail(NO_DELIVERY, seed.id, sent_at)
    line = Line(seed, TIMEOUT_SECONDS, ssl_context)
    try:
        if seed.auth is SeedAuth.PASSWORD:
            secret = keyring.decrypt(seed.sealed_password)
        else:
            secret = await AccessTokens(keyring, clock, timeout_seconds=TIMEOUT_SECONDS).token_for(seed)
        async with asyncio.timeout(WHOLE_LOOK_SECONDS):
            found = await asyncio.to_thread(line.look, secret, {token: NO_DELIVERY}, sent_at)
    except TimeoutError as error:
        line.cut()
        raise SeedError(explain(error), advise(error)) from error
    except Exception as error:
        if isinstance(error, SeedError):
            raise
        if not (isinstance(error, (OSError, SettingsError, ValueError)) or is_of_imap(error)):
            raise
        raise SeedError(explain(error), advise(error)) from error
    if not found:
        return None
    return TrialSeen(found[0].folder.place, details_of(found[0].headers, mail, seed, clock.now()))
