"""How this installation looks at its sender identities, out of its settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from deliverability.health import SendingSetup
from deliverability.health.fetching import TextFetcher
from models.health import ProofKind
from models.tokens import Tokens
from scheduler.lookout import Lookout
from scheduler.ownership_letter import PostRoom
from service.desk import Desk
from service.hosts import is_local
from service.pacing import resolver_of
from service.settings import Settings
from service.transports import make_transports


def setup_of(settings: Settings) -> SendingSetup:
    """What a look has to know of the way mail takes; what nobody set is not known, and not judged."""
    own = "" if is_local(settings.hello_name) else settings.hello_name
    links = urlsplit(settings.public_url).hostname or ""
    listens = settings.inbound_port is not None or settings.inbound_lmtp is not None
    ips = tuple(part.strip() for part in settings.sending_ips.split(",") if part.strip())
    return SendingSetup(
        sending_ips=ips,
        relay_spf=settings.relay_spf,
        hello_name=own,
        inbound_host=own if listens else "",
        link_host="" if is_local(links) else links,
    )


def lookout_of(settings: Settings) -> Lookout:
    """The look at identities. Where no name servers are asked, no record can be asked for either."""
    resolver = resolver_of(settings.dns_servers)
    required = settings.required_proofs
    return Lookout(
        resolver=resolver,
        setup=setup_of(settings),
        required=required if resolver is not None else required - {ProofKind.DNS},
        suspends=settings.identity_suspend and resolver is not None,
        fetch=TextFetcher(),
        blocklists=settings.blocklist_zones,
    )


@asynccontextmanager
async def opened_post_room(desk: Desk) -> AsyncIterator[PostRoom]:
    """What the letters to senders' own addresses need, on the configured relay."""
    settings = desk.settings
    transports = make_transports(settings)
    try:
        yield PostRoom(
            desk.database,
            desk.clock,
            transports,
            desk.keyring,
            Tokens(desk.keyring),
            settings.public_url,
            settings.language,
        )
    finally:
        for transport in transports.values():
            await transport.close()
