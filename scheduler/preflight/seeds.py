"""A test through the real path: the message goes to the seeds, and their servers say whether it passed.

It is what people would get, from the campaign's first identity, signed, by the real transport. It belongs to
no delivery, and so to no figure: its tokens carry a number that no delivery ever has.
"""

import asyncio
import secrets
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from deliverability.placement import AccessTokens
from deliverability.placement.folders import Place
from deliverability.placement.problems import SeedError
from deliverability.placement.trial import TrialSeen, find_trial
from models.errors import ConflictError
from models.identity import DkimKey, Identity
from models.preflight import LintLevel, Preflight
from models.providers import provider_name
from models.seed import SeedMailbox
from models.states import Channel
from models.tokens import ID_BYTES, TokenPurpose, Tokens
from models.values import Accepted, EmailEnvelope, Refused
from scheduler.content import wording_of
from scheduler.dispatch import NO_TRANSPORT
from scheduler.letters import Addresses, Letter, Work
from scheduler.post import open_desk
from scheduler.preflight.examination import Means, examine, fingerprint
from scheduler.preflight.findings import LintFinding, to_rows
from scheduler.preflight.reading import Draft, read_campaign
from scheduler.senders import can_send
from sender import Transport
from store import Database, preflights, seeds

METHODS = ("spf", "dkim", "dmarc")
BEYOND = 1 << (8 * ID_BYTES - 1)
"""From here on no delivery is numbered."""
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long a test is waited for, and how often it is looked for.

    `on_progress` hears how many of how many were found. `ssl_context`: whom to trust over IMAP.
    """

    patience: timedelta = timedelta(minutes=3)
    every: timedelta = timedelta(seconds=5)
    on_progress: OnProgress | None = None
    ssl_context: ssl.SSLContext | None = None


USUAL = Waiting()


@dataclass(frozen=True, slots=True)
class _Sent:
    """A test on its way to one seed, and the token it is known by."""

    seed: SeedMailbox
    token: str


async def try_seeds(
    database: Database,
    campaign_id: int,
    means: Means,
    *,
    transports: Mapping[Channel, Transport],
    waiting: Waiting = USUAL,
) -> list[LintFinding]:
    """Send the campaign's message to every active seed and read it there; kept with the campaign.

    ConflictError when there is no way out, or none of the identities can send; TemplateError.
    """
    draft = await read_campaign(database, campaign_id, means.clock.now())
    transport = transports.get(Channel.EMAIL)
    if draft.channel is not Channel.EMAIL:
        raise ConflictError("Only e-mail is tested by seeds.")
    if transport is None:
        raise ConflictError(NO_TRANSPORT[Channel.EMAIL])
    async with database.read() as session:
        mailboxes = await seeds.list_active_seeds(session)
    sent_at = means.clock.now()
    found = [LintFinding(LintLevel.WARN, "seeds.none")]
    if mailboxes:
        sent, found = await _send(draft, mailboxes, transport, means)
        found += await _await(database, sent, means, waiting)
    kept = Preflight(
        campaign_id=campaign_id,
        examined_at=means.clock.now(),
        fingerprint=fingerprint(draft),
        findings=to_rows(await examine(database, campaign_id, means)),
        seeds=to_rows(found),
        seeds_at=sent_at,
    )
    async with database.write() as session:
        await preflights.save_preflight(session, kept, with_seeds=True)
    return found


async def _send(
    draft: Draft, mailboxes: Sequence[SeedMailbox], transport: Transport, means: Means
) -> tuple[list[_Sent], list[LintFinding]]:
    """What is on its way, and what was not accepted."""
    numbers = {BEYOND + secrets.randbits(40): seed for seed in mailboxes}
    envelopes = await asyncio.to_thread(_write, draft, numbers, means)
    tokens = Tokens(means.keyring)
    sent: list[_Sent] = []
    found: list[LintFinding] = []
    for number, seed in numbers.items():
        outcome = await transport.send(envelopes[number], provider=seed.provider)
        if isinstance(outcome, Accepted):
            sent.append(_Sent(seed, tokens.make(TokenPurpose.MESSAGE, number)))
        else:
            answer = f"{outcome.reply.code or ''} {outcome.reply.text}".strip()
            # "Later", as who greylists says to every stranger, stands in nobody's way.
            level = LintLevel.BLOCK if isinstance(outcome, Refused) else LintLevel.WARN
            found.append(_finding(level, "seeds.refused", seed, answer=answer[:200]))
    return sent, found


async def _await(
    database: Database, sent: Sequence[_Sent], means: Means, waiting: Waiting
) -> list[LintFinding]:
    """What each mailbox says, once the message is there, or time is up."""
    tokens = AccessTokens(means.keyring, means.clock)

    async def look(one: _Sent) -> list[LintFinding]:
        before = one.seed.sealed_password
        try:
            return await _look(one, means, sent_at, tokens, waiting)
        finally:
            if one.seed.sealed_password != before:
                async with database.write() as session:
                    await seeds.renew_secret(session, one.seed.id, one.seed.sealed_password)

    loop = asyncio.get_running_loop()
    sent_at, until = means.clock.now(), loop.time() + waiting.patience.total_seconds()
    found: list[LintFinding] = []
    left = list(sent)
    while left:
        last_look = loop.time() >= until
        looks = await asyncio.gather(*map(look, left))
        found += [one for look in looks for one in look if not _is_waiting(look) or last_look]
        left = [one for one, look in zip(left, looks, strict=True) if _is_waiting(look)]
        if waiting.on_progress is not None:
            waiting.on_progress(len(sent) - len(left), len(sent))
        if last_look:
            break
        if left:
            await asyncio.sleep(waiting.every.total_seconds())
    return found


def _is_waiting(look: Sequence[LintFinding]) -> bool:
    """Whether the message was not there yet, or the mailbox could not be read this time."""
    return any(one.code in {"seeds.unseen", "seeds.unread"} for one in look)


async def _look(
    sent: _Sent, means: Means, sent_at: datetime, tokens: AccessTokens, waiting: Waiting
) -> list[LintFinding]:
    try:
        trial = await find_trial(
            sent.seed,
            means.keyring,
            means.clock,
            token=sent.token,
            sent_at=sent_at,
            tokens=tokens,
            ssl_context=waiting.ssl_context,
        )
    except SeedError as error:
        return [_finding(LintLevel.WARN, "seeds.unread", sent.seed, problem=error.problem)]
    return [_finding(LintLevel.WARN, "seeds.unseen", sent.seed)] if trial is None else judge(sent.seed, trial)


def judge(seed: SeedMailbox, trial: TrialSeen) -> list[LintFinding]:
    """What the seed's own server says of SPF, DKIM and DMARC, and where it put the message."""
    found: list[LintFinding] = []
    for method in METHODS:
        result = trial.details.get(method, "")
        if not result or result == "temperror":
            found.append(_finding(LintLevel.WARN, "seeds.unsaid", seed, method=method.upper()))
        elif result != "pass":
            found.append(
                _finding(LintLevel.BLOCK, "seeds.failed", seed, method=method.upper(), result=result)
            )
    if trial.place is Place.SPAM:
        found.append(_finding(LintLevel.WARN, "seeds.spam", seed))
    return found or [_finding(LintLevel.FINE, "seeds.passed", seed)]


def _finding(level: LintLevel, code: str, seed: SeedMailbox, **values: str) -> LintFinding:
    return LintFinding(level, code, {"provider": provider_name(seed.provider), **values})


def _first_able(draft: Draft) -> tuple[Identity, list[DkimKey]]:
    for identity, keys in draft.senders:
        if can_send(identity, Channel.EMAIL):
            return identity, keys
    raise ConflictError(
        "None of the campaign's identities can send at present.",
        "They lack an address, or are suspended or retired.",
    )


def _write(draft: Draft, numbers: Mapping[int, SeedMailbox], means: Means) -> dict[int, EmailEnvelope]:
    """The envelopes by number: written as those of seeds in a campaign are, a dash for what nobody has."""
    identity, keys = _first_able(draft)
    compiled = wording_of(
        draft.version, Channel.EMAIL, language=means.language, name=draft.name, label=draft.label
    ).compile()
    addresses = Addresses(Tokens(means.keyring), means.public_url.rstrip("/"), means.relay)
    desk = open_desk(identity, keys, means.keyring, Channel.EMAIL)
    work = Work(desk.pen, {draft.campaign_id: (draft.name, compiled)}, addresses, means.clock.now())
    written = work.write_all(
        [
            Letter(number, draft.campaign_id, Channel.EMAIL, seed.address, None, None)
            for number, seed in numbers.items()
        ]
    )
    for reason in written.unwritten.values():
        raise ConflictError(reason)
    return {
        number: envelope
        for number, envelope in written.envelopes.items()
        if isinstance(envelope, EmailEnvelope)
    }
