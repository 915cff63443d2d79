"""One test message looked for in one seed mailbox: where it lies, and what the server says of its sender.

Nothing is recorded: a test belongs to no campaign's figures.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from deliverability.placement.folders import Place
from deliverability.placement.oauth import AccessTokens
from deliverability.placement.problems import SeedError, advise, explain
from deliverability.placement.reader import TIMEOUT_SECONDS, Reader, is_theirs
from deliverability.placement.traces import details_of
from models.clock import Clock
from models.keyring import Keyring
from models.seed import SeedMailbox
from store.seeds import SentMail

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
    tokens: AccessTokens | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> TrialSeen | None:
    """The message that carries `token`, None while it is not there; SeedError for an unreadable mailbox.

    `tokens` outlives the call, so that access tokens do. `seed.sealed_password` is changed where the
    provider gave a new refresh token: the caller keeps it, whatever else comes of the look.
    """
    known = tokens or AccessTokens(keyring, clock, timeout_seconds=TIMEOUT_SECONDS)
    reader = Reader(keyring, known, TIMEOUT_SECONDS, WHOLE_LOOK_SECONDS, ssl_context)
    names = {token: NO_DELIVERY}
    try:
        found = await reader.do(seed, lambda line, secret: line.look(secret, names, sent_at))
    except Exception as error:
        if isinstance(error, SeedError) or not is_theirs(error):
            raise
        raise SeedError(explain(error), advise(error)) from error
    if not found:
        return None
    # The folders that count more come later.
    last = found[-1]
    mail = SentMail(NO_DELIVERY, seed.id, sent_at)
    return TrialSeen(last.folder.place, details_of(last.headers, mail, seed, clock.now()))
