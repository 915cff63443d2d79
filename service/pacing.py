"""What the pace of this installation follows: its own rules for answers, and the name servers it asks."""

import asyncio
import logging
from typing import NoReturn

from deliverability.breaker_rules import OWN_BREAKERS, use_breakers
from deliverability.classify import use_rules
from deliverability.policy import OWN_POLICY, use_policies
from deliverability.resolver import DnsResolver
from deliverability.rulebook import OWN_FILE
from scheduler.brakes import refresh_rules
from scheduler.destinations import use_resolver
from service.settings import Settings

log = logging.getLogger(__name__)

OFF = "off"
DNS_PORT = 53
RULES_EVERY_S = 5.0
"""A change of the rules holds within ten seconds; looking costs one question to the file system."""
LOOK_UP_SECONDS = 3.0
"""For one question about mail exchangers: a launch asks thousands."""


def follow_settings(settings: Settings) -> None:
    """Read answers and find providers as this installation wants it. RulesError for a wrong own rule."""
    follow_rules(settings)
    use_resolver(resolver_of(settings.dns_servers))


def follow_rules(settings: Settings) -> None:
    """Read answers, and judge by them, as this installation wants it. RulesError for a wrong own rule."""
    use_rules(settings.data_dir / OWN_FILE)
    use_policies(settings.data_dir / OWN_POLICY)
    use_breakers(settings.data_dir / OWN_BREAKERS)


async def keep_rules_fresh() -> NoReturn:
    """Read the own rules again whenever they change, for all that this process reads, sending or not."""
    while True:
        await asyncio.sleep(RULES_EVERY_S)
        try:
            await asyncio.to_thread(refresh_rules)
        except Exception:
            log.exception("rules not read")


def resolver_of(servers: str) -> DnsResolver | None:
    """The name servers a setting names; "" those of the machine, None for `off`."""
    if servers.strip().lower() == OFF:
        return None
    hosts, port = read_servers(servers)
    return DnsResolver(hosts, port, timeout_seconds=LOOK_UP_SECONDS)


def read_servers(text: str) -> tuple[list[str], int]:
    """`192.0.2.1, 192.0.2.2:5353` as addresses and the one port that all of them use."""
    hosts, ports = [], set()
    for part in text.split(","):
        if not part.strip():
            continue
        host, found, port = part.strip().rpartition(":")
        if not found or ":" in host:  # without a port, or an IPv6 address
            host, port = part.strip(), str(DNS_PORT)
        hosts.append(host)
        ports.add(int(port))
    return hosts, ports.pop() if ports else DNS_PORT
