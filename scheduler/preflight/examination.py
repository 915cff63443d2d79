"""From a campaign's number to findings: everything is gathered first, then every check looks at it.

The DNS and the spam filter are asked here and nowhere else; who does not answer in time is told as such,
and holds nobody up.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from deliverability.exchangers import AsksTheDns
from deliverability.filters import FilterError, SpamFilter
from deliverability.health import HealthFinding, SendingSetup, check_identity
from deliverability.health.grammar import registered_domain
from deliverability.health.listings import BlocklistDesk, subjects_of
from deliverability.health.setup import Limits
from models.clock import Clock
from models.errors import TocsinError
from models.identity import DkimKey, Identity
from models.keyring import Keyring
from models.states import Channel
from models.template import TemplateVersion
from models.tokens import Tokens
from scheduler.content import Content, wording_of
from scheduler.forecast import ForecastOptions
from scheduler.letters import Addresses
from scheduler.likeness import fingerprint_of
from scheduler.post import open_desk
from scheduler.preflight.checks_of_links import host_of, is_address
from scheduler.preflight.examined import Examined, Mail, Opinion, Sender
from scheduler.preflight.findings import LintFinding, gather
from scheduler.preflight.reading import Draft, read_campaign, read_crowd, read_template
from scheduler.preflight.table import look_at
from scheduler.preflight.writing import Page, Reader, write_mail, write_text
from scheduler.senders import can_send
from sender.relays import ProviderRelay
from store import Database
from templates import CompiledEmail

MOST_IDENTITIES = 25
"""Identities looked at one by one; a campaign of more has their like among these."""
MOST_HOSTS = 20
"""Domains of links that block lists are asked about."""
DNS_LIMITS = Limits(time=timedelta(seconds=10))
EVERY_CHANNEL = frozenset(Channel)


@dataclass(frozen=True, slots=True)
class Means:
    """What is looked with.

    `resolver` None: the DNS is not asked. `blocklists`: zones of the block lists to ask, none for none.
    `spam_filter` None: no filter is set. `channels`: those this
    installation has a way out for. `setup`: how its mail leaves, as `deliverability.health` asks.
    """

    keyring: Keyring
    clock: Clock
    public_url: str
    language: str = "fr"
    relay: ProviderRelay | None = None
    resolver: AsksTheDns | None = None
    setup: SendingSetup = field(default_factory=SendingSetup)
    blocklists: tuple[str, ...] = ()
    spam_filter: SpamFilter | None = None
    outlook: ForecastOptions = field(default_factory=ForecastOptions)
    channels: frozenset[Channel] = EVERY_CHANNEL


async def examine(
    database: Database, campaign_id: int, means: Means, *, starts_at: datetime | None = None
) -> list[LintFinding]:
    """Everything there is to say of a campaign before it is sent, blockers first; nothing is sent.

    `starts_at`: when it would start; without it, as it is scheduled, else now.
    """
    draft = await read_campaign(
        *(database, campaign_id, means.clock.now()),
        place_is_free=means.outlook.rhythm.place_is_free,
        starts_at=starts_at,
    )
    return await _examine(database, draft, means)


async def examine_template(
    database: Database, version: TemplateVersion, identity: Identity, means: Means
) -> list[LintFinding]:
    """The same of a template as an identity would send it: without an audience."""
    return await _examine(database, await read_template(database, version, identity), means)


def fingerprint(draft: Draft) -> str:
    """Another one says that something of what was looked at has changed."""
    return fingerprint_of(draft.parts, [identity for identity, _ in draft.senders])


async def _examine(database: Database, draft: Draft, means: Means) -> list[LintFinding]:
    content: Content | None = None
    broken = ""
    try:
        wording = wording_of(
            draft.version, draft.channel, language=means.language, name=draft.name, label=draft.label
        )
        # Tens of milliseconds of pure arithmetic: not on the loop that others are served from.
        content = Content(draft.name, await asyncio.to_thread(wording.compile), wording=wording)
    except TocsinError as error:
        broken = str(error)
    crowd = (
        None if content is None else await read_crowd(database, draft, content, means.clock, means.outlook)
    )
    senders = draft.senders[:MOST_IDENTITIES]
    looks = await asyncio.gather(*(_health(identity, keys, means) for identity, keys in senders))
    seen = [
        Examined(
            channel=draft.channel,
            sender=_sender_of(identity),
            basis=draft.basis,
            purpose=draft.purpose,
            public_url=means.public_url,
            broken=broken,
            unable="" if can_send(identity, draft.channel) else identity.state.value,
            carried=draft.channel in means.channels,
            health=found,
            crowd=None if crowd is None else crowd.of(identity.id),
            advertising=draft.advertising,
            label=draft.label,
            nature=None if draft.parts is None else draft.parts.nature,
            ahead=None if crowd is None else crowd.votes,
        )
        for (identity, _), found in zip(senders, looks, strict=True)
    ]
    if content is not None:
        seen = await asyncio.to_thread(_write, draft, content, seen, crowd.readers if crowd else {}, means)
    listed = await asyncio.gather(
        *(_listings(database, identity, one, means) for (identity, _), one in zip(senders, seen, strict=True))
    )
    seen = [
        one if one.health is None else replace(one, health=(*one.health, *more))
        for one, more in zip(seen, listed, strict=True)
    ]
    opinions = [await _opinion(one, means) if place == 0 else Opinion() for place, one in enumerate(seen)]
    whole = [replace(one, opinion=opinion) for one, opinion in zip(seen, opinions, strict=True)]
    # What names belong together is read from a list of thousands, at first use.
    return await asyncio.to_thread(lambda: gather(finding for one in whole for finding in look_at(one)))


def _write(
    draft: Draft,
    content: Content,
    seen: Sequence[Examined],
    readers: dict[int, list[Reader]],
    means: Means,
) -> list[Examined]:
    """Each with its message as it would leave."""
    addresses = Addresses(Tokens(means.keyring), means.public_url.rstrip("/"), means.relay)
    written: list[Examined] = []
    for one, (identity, keys) in zip(seen, draft.senders, strict=False):
        page = Page(
            content=content,
            fallbacks=draft.version.fallbacks,
            identity=identity,
            readers=readers.get(identity.id) or [Reader()],
            addresses=addresses,
            now=means.clock.now(),
            campaign_id=draft.campaign_id,
        )
        written.append(one if one.unable else _with_message(one, page, keys, means))
    return written


def _with_message(one: Examined, page: Page, keys: list[DkimKey], means: Means) -> Examined:
    compiled = page.content.compiled
    try:
        if not isinstance(compiled, CompiledEmail):
            return replace(one, text=write_text(page, compiled))
        made = write_mail(page, compiled, open_desk(page.identity, keys, means.keyring, Channel.EMAIL))
    except TocsinError as error:
        return replace(one, broken=str(error))
    return replace(one, mail=made) if isinstance(made, Mail) else replace(one, broken=made)


async def _health(
    identity: Identity, keys: Sequence[DkimKey], means: Means
) -> Sequence[HealthFinding] | None:
    if means.resolver is None or identity.from_email is None:
        return None
    return await check_identity(identity, keys, means.resolver, setup=means.setup, limits=DNS_LIMITS)


async def _listings(
    database: Database, identity: Identity, one: Examined, means: Means
) -> Sequence[HealthFinding]:
    """What block lists say of the sender's domains and addresses, and of the hosts its links lead to."""
    if means.resolver is None or not means.blocklists or one.health is None:
        return ()
    subjects = await asyncio.to_thread(_subjects, identity, one, means)
    desk = BlocklistDesk(database, means.resolver, means.blocklists)
    return await desk.look(subjects, means.clock.now())


def _subjects(identity: Identity, one: Examined, means: Means) -> list[str]:
    hosts = [host_of(link.target) for link in one.mail.links] if one.mail else []
    linked = sorted({registered_domain(host) for host in hosts if "." in host and not is_address(host)})
    return list(dict.fromkeys((*subjects_of(identity, means.setup), *linked[:MOST_HOSTS])))


async def _opinion(one: Examined, means: Means) -> Opinion:
    if means.spam_filter is None or one.mail is None:
        return Opinion()
    try:
        score = await means.spam_filter.score(
            one.mail.raw, sender=one.sender.from_email, recipient=str(one.mail.parsed["To"] or "")
        )
    except FilterError as error:
        return Opinion(problem=str(error))
    return Opinion(score)


def _sender_of(identity: Identity) -> Sender:
    return Sender(
        key=identity.key,
        name=identity.name,
        organisation=identity.organisation or identity.name,
        postal_address=identity.postal_address,
        from_email=identity.from_email or "",
        reply_to=identity.reply_to or "",
        sms_sender=identity.sms_sender or "",
    )
