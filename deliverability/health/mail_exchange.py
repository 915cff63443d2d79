"""Whether mail reaches the return path and the From domain, and whether these are domains at all.

A sender who cannot be answered is refused (La Poste's 405, Microsoft's policies); a domain that says it takes
no mail (RFC 7505) may not send any either; Yahoo asks for the SOA of both.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from deliverability.dns_records import DnsRecord
from deliverability.health.findings import FindingLevel, HealthCode, HealthFinding
from deliverability.health.inquiry import Inquiry
from deliverability.resolver import CannotAskError
from models.providers import is_anybody_s

WHY_RETURN_PATH = "Bounces come back to the return path; without this record they are lost."
WHY_FROM = "People answer, and providers refuse a sender whose domain receives no mail."
BLANK_LISTENER = "HOST-OF-TOCSIN"
BLANK_MAILBOXES = "MAIL-SERVER-OF-YOUR-MAILBOXES"
MOST_HOSTS = 10


@dataclass(frozen=True, slots=True)
class Exchange:
    """Who takes a domain's mail: `hosts` in order of preference; `is_null`: it says nobody.

    `values`: the records as a form has them. `reached`: those hosts that have an address. `bare`: without
    hosts, the domain's own addresses. `exists`: the name is in the DNS. `zone`: in whose zone.
    """

    domain: str
    values: tuple[str, ...]
    hosts: tuple[str, ...]
    is_null: bool
    reached: frozenset[str]
    bare: bool
    exists: bool
    zone: str


async def find_exchange(domain: str, inquiry: Inquiry) -> Exchange:
    """Look up who takes a domain's mail. CannotAskError when that could not be asked."""
    answer, zone = await asyncio.gather(inquiry.ask(domain, "MX"), inquiry.zone_of(domain))
    pairs = sorted((_number(value), value.partition(" ")[2]) for value in answer.values)
    hosts = tuple(host for _, host in pairs if host)
    found = await asyncio.gather(*(inquiry.addresses(host) for host in hosts[:MOST_HOSTS]))
    own = () if hosts or answer.values else await inquiry.addresses(domain)
    return Exchange(
        domain,
        tuple(value if value.partition(" ")[2] else f"{value.strip()} ." for value in answer.values),
        hosts,
        is_null=bool(answer.values) and not hosts,
        reached=frozenset(host for host, addresses in zip(hosts, found, strict=False) if addresses),
        bare=bool(own),
        exists=answer.exists,
        zone=zone,
    )


async def check_return_path(domain: str, inbound_host: str, inquiry: Inquiry) -> list[HealthFinding]:
    """Whether bounces come back. `inbound_host`: where they should, "" when that is not known."""
    try:
        exchange = await find_exchange(domain, inquiry)
    except CannotAskError as error:
        return [_unknown(HealthCode.RETURN_PATH_UNKNOWN, domain, error)]
    wanted = inbound_host.rstrip(".").lower()
    record = DnsRecord(domain, "MX", f"10 {wanted or BLANK_LISTENER}", WHY_RETURN_PATH, exchange.zone)
    values = {"name": domain, "hosts": ", ".join(exchange.hosts), "wanted": wanted}
    found = _no_soa(HealthCode.RETURN_PATH_NO_SOA, exchange)
    if exchange.is_null:
        code = HealthCode.RETURN_PATH_NULL_MX
    elif not exchange.hosts:
        code = HealthCode.RETURN_PATH_NO_MX
    elif not exchange.reached:
        code = HealthCode.RETURN_PATH_HOST_NOWHERE
    elif wanted and wanted not in exchange.hosts:
        elsewhere = HealthCode.RETURN_PATH_ELSEWHERE
        return [*found, HealthFinding(elsewhere, FindingLevel.WARNING, values, record, exchange.values)]
    else:
        return found or [HealthFinding(HealthCode.RETURN_PATH_FINE, FindingLevel.FINE, values)]
    return [*found, HealthFinding(code, FindingLevel.PROBLEM, values, record, exchange.values)]


async def check_from_domain(domain: str, inquiry: Inquiry) -> list[HealthFinding]:
    """Whether the domain people see is ours, exists, and can be answered."""
    if is_anybody_s(domain):
        return [HealthFinding(HealthCode.FROM_DOMAIN_FREE_MAIL, FindingLevel.PROBLEM, {"name": domain})]
    try:
        exchange = await find_exchange(domain, inquiry)
    except CannotAskError as error:
        return [_unknown(HealthCode.FROM_DOMAIN_UNKNOWN, domain, error)]
    record = DnsRecord(domain, "MX", f"10 {BLANK_MAILBOXES}", WHY_FROM, exchange.zone)
    values = {"name": domain, "hosts": ", ".join(exchange.hosts)}
    found = _no_soa(HealthCode.FROM_DOMAIN_NO_SOA, exchange)
    if exchange.is_null:
        code, level = HealthCode.FROM_DOMAIN_NULL_MX, FindingLevel.PROBLEM
    elif exchange.hosts and not exchange.reached:
        code, level = HealthCode.FROM_DOMAIN_HOST_NOWHERE, FindingLevel.PROBLEM
    elif exchange.hosts:
        return found or [HealthFinding(HealthCode.FROM_DOMAIN_FINE, FindingLevel.FINE, values)]
    elif exchange.bare:
        # Mail goes to the host itself (RFC 5321 section 5.1), if anything listens there.
        code, level = HealthCode.FROM_DOMAIN_NO_MX, FindingLevel.WARNING
    else:
        code, level = HealthCode.FROM_DOMAIN_NOWHERE, FindingLevel.PROBLEM
    return [*found, HealthFinding(code, level, values, record, exchange.values)]


def _no_soa(code: HealthCode, exchange: Exchange) -> list[HealthFinding]:
    if exchange.zone:
        return []
    return [HealthFinding(code, FindingLevel.WARNING, {"name": exchange.domain})]


def _unknown(code: HealthCode, domain: str, error: CannotAskError) -> HealthFinding:
    return HealthFinding(code, FindingLevel.UNKNOWN, {"name": domain, "why": error.problem})


def _number(value: str) -> int:
    number = value.partition(" ")[0]
    return int(number) if number.isdigit() else 0


def hosts_of(values: Sequence[str]) -> tuple[str, ...]:
    """The host names of MX values, those of a null MX left out."""
    return tuple(host for host in (value.partition(" ")[2] for value in values) if host)
