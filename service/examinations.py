"""The doctor's examinations, one a subject; each gives its findings and waits five seconds at most."""

import asyncio
import re
from datetime import timedelta
from urllib.parse import urlsplit

from models.errors import TocsinError
from models.identity import DkimKey, Identity
from models.seed import SeedMailbox
from models.states import Channel, IdentityState
from models.text import plural
from service.desk import Desk
from service.findings import Finding, Level, blocking, fine, warning
from service.hosts import is_local, name_to_open
from service.listening import is_taken
from service.settings import Settings
from service.smtp_url import RelayTls
from service.terminal import moment

NETWORK_S = 5.0
DNS_S = 4.0
TWILIO_SID = re.compile(r"AC[0-9a-f]{32}")


async def web_pages(settings: Settings, *, with_network: bool) -> list[Finding]:
    """The public address, and the port the pages are served on."""
    subject = "Web pages"
    found = [_public_url(settings, subject)]
    host, port = settings.bind_host, settings.bind_port
    if not port or not await asyncio.to_thread(is_taken, host, port):
        found.append(fine(subject, f"Port {port} on {host} is free: `tocsin serve` serves the pages there."))
    elif await _answers(f"http://{name_to_open(host)}:{port}"):
        found.append(fine(subject, f"Tocsin answers on {host}, port {port}."))
    else:
        advice = "Stop that one, or set TOCSIN_BIND_PORT to a free port."
        found.append(blocking(subject, f"Port {port} on {host} is in use by another program.", advice))
    if with_network and not is_local(urlsplit(settings.public_url).hostname or ""):
        found.append(await _reached(settings.public_url, subject))
    return found


def _public_url(settings: Settings, subject: str) -> Finding:
    url = settings.public_url
    host = urlsplit(url).hostname or ""
    goes_outside = settings.relay is not None and not is_local(settings.relay.host)
    if goes_outside and is_local(host):
        return blocking(
            subject,
            f"The public address is {url}: links in real messages would lead nowhere.",
            "Set TOCSIN_PUBLIC_URL to the address people reach Tocsin at, such as https://news.example.org.",
        )
    if goes_outside and not url.startswith("https://"):
        return warning(
            subject,
            f"The public address {url} is not HTTPS, which one-click unsubscribing needs.",
            "Put a reverse proxy with a certificate in front (docs/operations.md).",
        )
    if settings.relay is not None and is_local(host):
        # The relay of this machine may be a trial, or the mail server that writes to the whole world.
        return warning(
            subject,
            f"The public address is {url}: links in messages open on this machine alone.",
            "Right for a trial; before real messages, set TOCSIN_PUBLIC_URL.",
        )
    return fine(subject, f"The public address is {url}.")


async def _reached(public_url: str, subject: str) -> Finding:
    if await _answers(public_url):
        return fine(subject, f"{public_url} is reached from here.")
    return warning(
        subject,
        f"{public_url} does not answer from here.",
        "Start `tocsin serve`; if it runs, check the reverse proxy and the name.",
    )


async def _answers(address: str) -> bool:
    """Whether a Tocsin answers at an address."""
    import httpx

    try:
        async with httpx.AsyncClient(timeout=NETWORK_S, trust_env=False) as client:
            return (await client.get(f"{address}/healthz")).is_success
    except httpx.HTTPError:
        return False


async def email(settings: Settings, *, with_network: bool) -> list[Finding]:
    """The relay: set, private, reached, signed in to."""
    from service.transports import email_transport

    subject = "E-mail"
    transport = email_transport(settings, timeout=NETWORK_S)
    if transport is None:
        return [blocking(subject, "No mail relay is set, so no e-mail leaves.", "Set TOCSIN_SMTP_URL.")]
    found = [
        warning(
            subject,
            f"The password for {relay.host} travels without encryption.",
            "Use smtp+starttls:// or smtps:// in TOCSIN_SMTP_URL.",
        )
        for relay in filter(None, (settings.relay, *settings.routes.values()))
        if relay.password and relay.tls is RelayTls.NONE and not is_local(relay.host)
    ]
    if not with_network:
        return [*found, fine(subject, "The relay is set; it was not asked.")]
    try:
        async with asyncio.timeout(NETWORK_S):
            return [*found, fine(subject, f"The relay answers: {await transport.check()}.")]
    except TimeoutError:
        advice = "Check TOCSIN_SMTP_URL, and that this machine may reach that port."
        return [*found, blocking(subject, f"The relay did not answer within {NETWORK_S:g} seconds.", advice)]
    except TocsinError as error:
        return [*found, blocking(subject, error.problem, error.advice)]
    finally:
        await transport.close()


async def sms(settings: Settings) -> list[Finding]:
    """The Twilio account: both halves given, and shaped like one."""
    subject = "SMS"
    sid, token = settings.twilio_account_sid, settings.twilio_auth_token
    if not sid and token is None:
        return [fine(subject, "No SMS provider is set: SMS campaigns would wait.")]
    if not sid or token is None:
        missing = "TOCSIN_TWILIO_AUTH_TOKEN" if sid else "TOCSIN_TWILIO_ACCOUNT_SID"
        return [blocking(subject, "Only half of the Twilio account is given.", f"Set {missing}.")]
    if not TWILIO_SID.fullmatch(sid) and settings.twilio_base_url is None:
        advice = "Copy it from Twilio's console: AC and 32 digits or letters from a to f."
        return [warning(subject, "TOCSIN_TWILIO_ACCOUNT_SID does not look like one.", advice)]
    return [fine(subject, "The Twilio account is given.")]


async def receiving(settings: Settings) -> list[Finding]:
    """Where bounces that come back as mail arrive."""
    subject = "Bounces"
    host, port = settings.inbound_host, settings.inbound_port
    others = settings.inbound_lmtp is not None or settings.bounce_imap_url is not None
    by_lmtp = (
        []
        if settings.inbound_lmtp is None
        else [fine(subject, f"A mail server may hand them over by LMTP at {settings.inbound_lmtp}.")]
    )
    if port is None and others:
        return by_lmtp
    if port is None:
        return [
            warning(
                subject,
                "Bounces that come back by mail are not received.",
                "Set TOCSIN_INBOUND_PORT, or have your mail server pipe them to `tocsin inbound`.",
            )
        ]
    if port and await asyncio.to_thread(is_taken, host, port):
        return [
            fine(subject, f"Something receives mail on {host}, port {port}: Tocsin, if it runs."),
            *by_lmtp,
        ]
    return [fine(subject, f"Port {port} on {host} is free: `tocsin serve` receives bounces there."), *by_lmtp]


async def bounce_mailbox(desk: Desk) -> list[Finding]:
    """How far the mailbox in which bounces gather was read, and what stands in the way."""
    from store.mailboxes import mailbox_at

    subject = "Bounce mailbox"
    mailbox = desk.settings.bounce_mailbox
    if mailbox is None:
        return []
    async with desk.database.read() as session:
        known = await mailbox_at(session, mailbox.place)
    if known.checked_at is None:
        return [fine(subject, f"{mailbox.place} was not looked into yet: whoever sends does.")]
    when = moment(known.checked_at, desk.settings.zone)
    if known.problem:
        advice = "It is tried again at each look; check TOCSIN_BOUNCE_IMAP_URL."
        return [warning(subject, f"{mailbox.place}, at {when}: {known.problem}", advice)]
    return [
        fine(
            subject,
            f"{mailbox.place} was last looked into at {when}: {plural(known.recorded, 'mail')} brought news,"
            f" {plural(known.left_alone, 'was', 'were')} left alone.",
        )
    ]


async def senders(desk: Desk, *, with_network: bool) -> list[Finding]:
    """Each identity: keys that open, DNS records that receivers can see."""
    from store.identities import keys_of, list_identities

    subject = "Senders"
    async with desk.database.read() as session:
        identities = [each for each in await list_identities(session) if each.state != IdentityState.RETIRED]
        keys = {identity.id: await keys_of(session, identity.id) for identity in identities}
    if not identities:
        return [blocking(subject, "There is no sender identity yet.", "Make one with `tocsin identity add`.")]
    found = [finding for each in identities for finding in _sealed(desk, each, keys[each.id], subject)]
    found += [finding for each in identities for finding in _standing(each, subject)]
    if with_network:
        mailing = [identity for identity in identities if identity.from_email]
        for results in await asyncio.gather(*(_dns(desk, each, keys[each.id], subject) for each in mailing)):
            found += results
    return found


def _standing(identity: Identity, subject: str) -> list[Finding]:
    """Whether its state lets its messages leave."""
    from scheduler.lifecycle import may_send, tell_state

    if may_send(identity, Channel.EMAIL if identity.from_email else Channel.SMS):
        return []
    advice = f"`tocsin identity show {identity.key}` says what is missing, `verify` looks again."
    return [warning(subject, tell_state(identity), advice)]


def _sealed(desk: Desk, identity: Identity, keys: list[DkimKey], subject: str) -> list[Finding]:
    """Whether the identity can sign what it sends."""
    if not identity.from_email:
        return [fine(subject, f"{identity.key} sends SMS as {identity.sms_sender}.")]
    if not keys:
        return [
            warning(
                subject, f"{identity.key} has no DKIM key: its mail is not signed.", "Make the identity anew."
            )
        ]
    from scheduler.post import open_desk

    try:
        # As a campaign does it: unsealed, read, and fit to sign.
        open_desk(identity, keys, desk.keyring, Channel.EMAIL)
    except TocsinError as error:
        return [blocking(subject, f"{identity.key}: {error.problem}", error.advice)]
    return [fine(subject, f"{identity.key} signs as {identity.dkim_domain} with {len(keys)} keys.")]


async def seed_mailboxes(desk: Desk, *, with_network: bool) -> list[Finding]:
    """Each seed: its password opens, and its mailbox can be signed in to."""
    from store.seeds import list_active_seeds

    subject = "Seeds"
    async with desk.database.read() as session:
        seeds = await list_active_seeds(session)
    if not seeds:
        return [fine(subject, "No seed mailbox is set: inbox or spam will not be known.")]
    return list(await asyncio.gather(*(_seed(desk, each, subject, ask=with_network) for each in seeds)))


async def _seed(desk: Desk, seed: SeedMailbox, subject: str, *, ask: bool) -> Finding:
    from deliverability.placement import look_in
    from store.seeds import renew_secret

    try:
        desk.keyring.decrypt(before := seed.sealed_password)
        if not ask:
            return fine(subject, f"{seed.address}: its password opens; its mailbox was not asked.")
        folders = await look_in(seed, desk.keyring, timeout_seconds=NETWORK_S)
        if seed.sealed_password != before:
            async with desk.database.write() as session:
                await renew_secret(session, seed.id, seed.sealed_password)
    except TocsinError as error:
        return warning(subject, f"{seed.address}: {error.problem}", error.advice)
    if len(folders) == 1:
        return warning(
            subject,
            f"{seed.address}: no junk folder is known there, so mail in spam counts as missing.",
            "Make sure the mailbox has one that the server marks as \\Junk.",
        )
    return fine(subject, f"{seed.address} can be read: {', '.join(folders)}.")


async def _dns(desk: Desk, identity: Identity, keys: list[DkimKey], subject: str) -> list[Finding]:
    """What receivers see of the identity in the DNS; what could not be asked is no fault of it."""
    from deliverability.health import FindingLevel, check_identity
    from deliverability.health.setup import Limits
    from service.health_view import advice, sentence
    from service.identity_watch import setup_of
    from service.pacing import resolver_of

    resolver = resolver_of(desk.settings.dns_servers)
    if resolver is None:
        return [
            fine(subject, f"{identity.key}: its DNS records were not asked for (TOCSIN_DNS_SERVERS=off).")
        ]
    levels = {
        FindingLevel.FINE: Level.FINE,
        FindingLevel.UNKNOWN: Level.WARNING,
        FindingLevel.WARNING: Level.WARNING,
        FindingLevel.PROBLEM: Level.BLOCKING,
    }
    limits = Limits(time=timedelta(seconds=DNS_S))
    found = await check_identity(identity, keys, resolver, setup=setup_of(desk.settings), limits=limits)
    return [
        Finding(levels[each.level], subject, f"{identity.key}: {sentence(each)}", advice(each, identity.key))
        for each in found
        if each.level in levels
    ]
