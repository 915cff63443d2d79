"""The rounds: which seed mailboxes are looked into now, and what is recorded of what was seen.

Only changes are recorded: a mail seen where it was seen before is no news, one that was moved is, and the
latest counts. A mailbox that cannot be read is noted on its row, and its mails are not called missing.
"""

import asyncio
import logging
import ssl
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from deliverability.feedback import apply
from deliverability.placement.folders import INBOX, Place
from deliverability.placement.line import Sighting
from deliverability.placement.oauth import AccessTokens
from deliverability.placement.problems import SeedError, advise, explain
from deliverability.placement.reader import TIMEOUT_SECONDS, WHOLE_LOOK_SECONDS, Reader, is_theirs
from deliverability.placement.schedule import LOOK_BACK, MISSING_AFTER, is_due
from deliverability.placement.traces import details_of
from models.clock import Clock, SystemClock
from models.keyring import Keyring
from models.seed import SeedMailbox
from models.states import Channel, EventKind
from models.tokens import TokenPurpose, Tokens
from models.values import Signal
from store import Database, seeds
from store.seeds import SentMail

log = logging.getLogger(__name__)

MAILBOXES_AT_ONCE: Final = 4
KIND_OF: Final = {
    Place.INBOX: EventKind.PLACED_INBOX,
    Place.TAB: EventKind.PLACED_TAB,
    Place.SPAM: EventKind.PLACED_SPAM,
}
WORD_OF: Final = {
    **{kind: place.value for place, kind in KIND_OF.items()},
    EventKind.PLACED_MISSING: "missing",
}


@dataclass(frozen=True, slots=True)
class PlacementRun:
    """What one look at the seeds found; `problems` maps a seed's address to what stood in the way."""

    checked: int
    inbox: int
    spam: int
    missing: int
    problems: dict[str, str]
    tab: int = 0


@dataclass(slots=True)
class _Look:
    """What was found in one mailbox, or what stood in the way."""

    seed: SeedMailbox
    signals: list[Signal] = field(default_factory=list)
    problem: str = ""
    renewed: str = ""


async def poll_seeds(
    database: Database,
    keyring: Keyring,
    clock: Clock,
    *,
    only_due: bool = True,
    missing_after: timedelta = MISSING_AFTER,
    timeout_seconds: float = TIMEOUT_SECONDS,
    whole_seconds: float = WHOLE_LOOK_SECONDS,
    ssl_context: ssl.SSLContext | None = None,
    tokens: AccessTokens | None = None,
) -> PlacementRun:
    """Look into the seed mailboxes whose time has come (`schedule`), and record what is new there.

    A mail not found `missing_after` it left is recorded as missing, if the mailbox could be read; found
    later all the same, that is recorded too, and counts. `only_due` False: every mailbox that something
    left for in the last days. `timeout_seconds` is for each answer of a server, `whole_seconds` for each
    mailbox; `tokens` outlives the call, so that access tokens do.
    """
    now = clock.now()
    async with database.read() as session:
        sent = await seeds.sent_mails(session, now - LOOK_BACK)
        active = await seeds.list_active_seeds(session) if sent else []
    mails: dict[int, list[SentMail]] = defaultdict(list)
    for mail in sent:
        mails[mail.seed_id].append(mail)
    wanted = [
        seed
        for seed in active
        if mails[seed.id] and (not only_due or is_due(seed, mails[seed.id], now, missing_after=missing_after))
    ]
    reader = Reader(
        keyring, tokens or AccessTokens(keyring, clock), timeout_seconds, whole_seconds, ssl_context
    )
    turn = asyncio.Semaphore(MAILBOXES_AT_ONCE)

    async def look(seed: SeedMailbox) -> _Look:
        async with turn:
            return await _look_for(seed, mails[seed.id], reader, missing_after, now)

    looks = await asyncio.gather(*(look(seed) for seed in wanted))
    return await _record(database, looks, now)


async def _look_for(
    seed: SeedMailbox, mails: Sequence[SentMail], reader: Reader, missing_after: timedelta, now: datetime
) -> _Look:
    signing = Tokens(reader.keyring)
    names = {signing.make(TokenPurpose.MESSAGE, mail.delivery_id): mail.delivery_id for mail in mails}
    since = min(mail.sent_at for mail in mails)
    before = seed.sealed_password
    look = _Look(seed)
    try:
        sightings = await reader.do(seed, lambda line, secret: line.look(secret, names, since))
        look.signals = _signals(seed, mails, sightings, missing_after, now)
    except Exception as error:
        if not is_theirs(error):
            raise
        log.warning("seed mailbox not readable", extra={"seed_id": seed.id})
        look.problem = explain(error)
    look.renewed = seed.sealed_password if seed.sealed_password != before else ""
    return look


async def look_in(
    seed: SeedMailbox,
    keyring: Keyring,
    *,
    clock: Clock | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    ssl_context: ssl.SSLContext | None = None,
) -> list[str]:
    """Sign in to a seed mailbox and name the folders that would be looked into, the inbox first.

    `seed.sealed_password` is changed where the provider gave a new refresh token: the caller keeps it.
    SeedError in plain words when the mailbox cannot be read.
    """
    tokens = AccessTokens(keyring, clock or SystemClock(), timeout_seconds=timeout_seconds)
    reader = Reader(keyring, tokens, timeout_seconds, WHOLE_LOOK_SECONDS, ssl_context)
    try:
        folders = await reader.do(seed, lambda line, secret: line.name_folders(secret))
    except Exception as error:
        if not is_theirs(error):
            raise
        raise SeedError(explain(error), advise(error)) from error
    return [INBOX, *(folder.name for folder in folders if folder.place is not Place.INBOX)]


async def _record(database: Database, looks: Sequence[_Look], now: datetime) -> PlacementRun:
    found: dict[EventKind, int] = defaultdict(int)
    if looks:
        async with database.write() as session:
            for look in looks:
                await seeds.note_check(session, look.seed.id, at=now, problem=look.problem)
                if look.renewed:
                    await seeds.renew_secret(session, look.seed.id, look.renewed)
                for signal in look.signals:
                    await apply(session, signal, now)
                    found[signal.kind] += 1
    return PlacementRun(
        checked=sum(not look.problem for look in looks),
        inbox=found[EventKind.PLACED_INBOX],
        spam=found[EventKind.PLACED_SPAM],
        missing=found[EventKind.PLACED_MISSING],
        problems={look.seed.address: look.problem for look in looks if look.problem},
        tab=found[EventKind.PLACED_TAB],
    )


def _signals(
    seed: SeedMailbox,
    mails: Sequence[SentMail],
    sightings: Sequence[Sighting],
    missing_after: timedelta,
    now: datetime,
) -> list[Signal]:
    """One signal for each mail that is seen elsewhere than before, or is overdue."""
    # The folders that count more come later.
    seen = {sighting.delivery_id: sighting for sighting in sightings}
    signals: list[Signal] = []
    for mail in mails:
        sighting = seen.get(mail.delivery_id)
        if sighting is None:
            if mail.seen is None and now - mail.sent_at >= missing_after:
                signals.append(_signal(EventKind.PLACED_MISSING, mail, {}, now))
            continue
        kind = KIND_OF[sighting.folder.place]
        if (kind, sighting.tab) != (mail.seen, mail.tab):
            details = {"folder": sighting.folder.name} | ({"tab": sighting.tab} if sighting.tab else {})
            if mail.seen is not None:
                details["moved_from"] = WORD_OF[mail.seen]
            details |= details_of(sighting.headers, mail, seed, now)
            signals.append(_signal(kind, mail, details, now))
    return signals


def _signal(kind: EventKind, mail: SentMail, details: Mapping[str, str], now: datetime) -> Signal:
    return Signal(
        kind=kind,
        channel=Channel.EMAIL,
        source="seed",
        # Two who look at the same time see the same: it is recorded once.
        source_id=f"{mail.delivery_id}:{mail.looks + 1}",
        at=now,
        delivery_id=mail.delivery_id,
        details=dict(details),
    )
