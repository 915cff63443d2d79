"""Our own server, where it hands mail to providers itself: its name, its addresses, and that both agree.

Gmail, Orange and La Poste refuse an address whose reverse name is missing or does not lead back to it
(FCrDNS), and a greeting that is no name in the DNS (RFC 5321 section 4.1.4).
"""

import asyncio
import ipaddress

from deliverability.dns_records import DnsRecord
from deliverability.health.findings import FindingLevel, HealthCode, HealthFinding
from deliverability.health.inquiry import Inquiry, is_host_name
from deliverability.health.setup import SendingSetup
from deliverability.resolver import CannotAskError

WHY_PTR = "The address's reverse name, which whoever rents out the server sets: it has to lead back here."
WHY_FORWARD = "The server's name has to lead to its address, as the address leads to the name."
BLANK_NAME = "NAME-OF-YOUR-MAIL-SERVER"
MOST_REVERSE_NAMES = 10


async def check_host(setup: SendingSetup, inquiry: Inquiry) -> list[HealthFinding]:
    """Look at every sending address and at the greeting; nothing where a provider's relay sends."""
    if not setup.sends_directly:
        return []
    looks = await asyncio.gather(
        *(_check_address(ip, setup, inquiry) for ip in setup.sending_ips), _check_hello(setup, inquiry)
    )
    found = [finding for finding in looks if finding is not None]
    if found:
        return found
    values = {"name": setup.hello_name, "ips": ", ".join(setup.sending_ips)}
    return [HealthFinding(HealthCode.HOST_FINE, FindingLevel.FINE, values)]


async def _check_address(ip: str, setup: SendingSetup, inquiry: Inquiry) -> HealthFinding | None:
    address = ipaddress.ip_address(ip)
    name = address.reverse_pointer
    try:
        names = (await inquiry.ask(name, "PTR")).values
        found = await asyncio.gather(*(inquiry.addresses(each) for each in names[:MOST_REVERSE_NAMES]))
    except CannotAskError as error:
        return HealthFinding(
            HealthCode.HOST_UNKNOWN, FindingLevel.UNKNOWN, {"name": name, "ip": ip, "why": error.problem}
        )
    if any(str(address) in map(_plain, addresses) for addresses in found):
        return None
    known = is_host_name(setup.hello_name)
    values = {"name": name, "ip": ip, "names": ", ".join(names)}
    if names:
        kind = "AAAA" if address.version == 6 else "A"
        record = DnsRecord(names[0], kind, ip, WHY_FORWARD, await _zone(names[0], inquiry))
        if known and setup.hello_name not in names:
            record = DnsRecord(name, "PTR", setup.hello_name, WHY_PTR)
        return HealthFinding(HealthCode.HOST_PTR_ASTRAY, FindingLevel.PROBLEM, values, record)
    record = DnsRecord(name, "PTR", setup.hello_name if known else BLANK_NAME, WHY_PTR)
    return HealthFinding(HealthCode.HOST_NO_PTR, FindingLevel.PROBLEM, values, record)


async def _check_hello(setup: SendingSetup, inquiry: Inquiry) -> HealthFinding | None:
    name = setup.hello_name.rstrip(".").lower()
    first = ipaddress.ip_address(setup.sending_ips[0])
    if not is_host_name(name):
        return HealthFinding(HealthCode.HOST_HELLO_NO_NAME, FindingLevel.PROBLEM, {"name": name})
    try:
        addresses = await inquiry.addresses(name)
    except CannotAskError as error:
        values = {"name": name, "ip": "", "why": error.problem}
        return HealthFinding(HealthCode.HOST_UNKNOWN, FindingLevel.UNKNOWN, values)
    if {_plain(ip) for ip in setup.sending_ips} & set(map(_plain, addresses)):
        return None
    record = DnsRecord(
        name, "AAAA" if first.version == 6 else "A", str(first), WHY_FORWARD, await _zone(name, inquiry)
    )
    values = {"name": name, "ips": ", ".join(setup.sending_ips), "addresses": ", ".join(addresses)}
    if addresses:
        # It may be the name of a whole farm: the address has to be among them, and the others stay.
        return HealthFinding(HealthCode.HOST_HELLO_ASTRAY, FindingLevel.WARNING, values, record)
    return HealthFinding(HealthCode.HOST_HELLO_NOWHERE, FindingLevel.PROBLEM, values, record)


async def _zone(name: str, inquiry: Inquiry) -> str:
    try:
        return await inquiry.zone_of(name)
    except CannotAskError:
        return ""


def _plain(ip: str) -> str:
    """An address in its shortest form, so that two spellings of it are the same."""
    return str(ipaddress.ip_address(ip))
