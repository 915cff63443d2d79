"""Whether a sender identity has published in the DNS what `deliverability.dns_records` asks for.

Nothing here goes out by itself: the resolver comes in, so that a test or a rehearsal brings its own.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from deliverability.dns_records import DnsRecord, domain_of, records_to_publish
from deliverability.resolver import CannotAskError, DnsResolver, Resolver
from models.identity import DkimKey, Identity

__all__ = [
    "CannotAskError",
    "DnsRecord",
    "DnsResolver",
    "Finding",
    "Level",
    "Resolver",
    "check_identity",
    "records_to_publish",
]

_TAG = re.compile(r"\s*([a-zA-Z][a-zA-Z0-9_]*)\s*=\s*([^;]*)")


class Level(StrEnum):
    """FINE: nothing to do. ADVICE: better otherwise. PROBLEM: providers will refuse or filter."""

    FINE = "fine"
    ADVICE = "advice"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was seen, and what to do about it ("" when nothing)."""

    level: Level
    what: str
    advice: str = ""


async def check_identity(
    identity: Identity, keys: Sequence[DkimKey], resolver: Resolver, *, inbound_host: str = ""
) -> list[Finding]:
    """What the DNS says of an e-mail identity, in the order of `records_to_publish`.

    Without an answer from any name server: one finding that says so.
    """
    if identity.from_email is None:
        return [Finding(Level.FINE, "This identity sends text messages only: nothing to publish.")]
    from_domain = domain_of(identity.from_email)
    domain = identity.dkim_domain or from_domain
    return_path = identity.return_path_domain or domain
    checks = [
        *(_check_key(key, domain, resolver) for key in keys),
        _check_spf(return_path, resolver),
        _check_return_path(return_path, inbound_host, resolver),
        _check_dmarc(from_domain, resolver),
        _check_from_domain(from_domain, resolver),
    ]
    findings: list[Finding] = []
    for result in await asyncio.gather(*checks, return_exceptions=True):
        if isinstance(result, CannotAskError):
            return [
                Finding(
                    Level.PROBLEM,
                    "The DNS could not be asked: no name server answered.",
                    "Check this machine's network and name servers, then look again.",
                )
            ]
        if isinstance(result, BaseException):
            raise result
        findings.append(result)
    if not keys:
        findings.insert(0, Finding(Level.PROBLEM, "The identity has no DKIM key.", "Make one."))
    return [*findings, *_alignment(from_domain, domain, return_path)]


async def _check_key(key: DkimKey, domain: str, resolver: Resolver) -> Finding:
    name = f"{key.selector}._domainkey.{domain}"
    for text in await resolver.records(name, "TXT"):
        published = "".join(_tags(text).get("p", "").split())
        if published == "".join(key.public_base64.split()):
            return Finding(Level.FINE, f"{name} holds our key.")
        if published:
            return Finding(
                Level.PROBLEM, f"{name} holds another key than ours.", "Publish the record shown here."
            )
    return Finding(Level.PROBLEM, f"{name} holds no key.", "Publish the record shown here.")


async def _check_spf(name: str, resolver: Resolver) -> Finding:
    found = [
        text
        for text in await resolver.records(name, "TXT")
        if re.match(r"v=spf1(?:\s|$)", text, re.IGNORECASE)
    ]
    if not found:
        return Finding(
            Level.PROBLEM, f"{name} has no SPF record.", "Publish one that names your mail server."
        )
    if len(found) > 1:
        return Finding(
            Level.PROBLEM,
            f"{name} has {len(found)} SPF records, which counts as a broken one.",
            "Merge them into one.",
        )
    if re.search(r"\+?all\s*$", found[0], re.IGNORECASE) and not re.search(r"[-~?]all\s*$", found[0]):
        return Finding(
            Level.PROBLEM, f"The SPF record of {name} lets everybody send.", "End it with -all or ~all."
        )
    return Finding(Level.FINE, f"{name} has one SPF record.")


async def _check_return_path(name: str, inbound_host: str, resolver: Resolver) -> Finding:
    hosts = [value.partition(" ")[2] for value in await resolver.records(name, "MX")]
    if not [host for host in hosts if host]:
        return Finding(
            Level.PROBLEM,
            f"The return path {name} has no MX record: bounces are lost.",
            "Point it to your mail listener.",
        )
    if inbound_host and inbound_host.rstrip(".").lower() not in hosts:
        return Finding(
            Level.ADVICE,
            f"The MX record of {name} points to {', '.join(hosts)}, not to {inbound_host}.",
            "See that bounces are forwarded to the mail listener.",
        )
    return Finding(Level.FINE, f"The return path {name} receives mail.")


async def _check_dmarc(domain: str, resolver: Resolver) -> Finding:
    """A domain without a record of its own is covered by a parent's (RFC 7489 section 6.6.3)."""
    labels = domain.split(".")
    for start in range(max(1, len(labels) - 1)):
        name = f"_dmarc.{'.'.join(labels[start:])}"
        found = [text for text in await resolver.records(name, "TXT") if text.lower().startswith("v=dmarc1")]
        if len(found) > 1:
            return Finding(Level.PROBLEM, f"{name} has more than one DMARC record.", "Keep one.")
        if found:
            policy = _tags(found[0]).get("p", "").strip() or "none"
            return Finding(Level.FINE, f"{name} has a DMARC record, policy {policy}.")
    return Finding(
        Level.PROBLEM, f"{domain} has no DMARC record.", "Publish the record shown here: p=none is enough."
    )


async def _check_from_domain(domain: str, resolver: Resolver) -> Finding:
    hosts = [value.partition(" ")[2] for value in await resolver.records(domain, "MX")]
    if [host for host in hosts if host]:
        return Finding(Level.FINE, f"{domain} receives mail.")
    return Finding(
        Level.PROBLEM,
        f"{domain} does not receive mail (no MX record).",
        "Some providers refuse senders that cannot be answered: write from a domain that receives mail.",
    )


def _alignment(from_domain: str, dkim_domain: str, return_path: str) -> list[Finding]:
    """Whether signature and return path speak for the domain people see (relaxed, RFC 7489 section 3.1)."""
    findings = []
    if not _related(from_domain, dkim_domain):
        findings.append(
            Finding(
                Level.PROBLEM,
                f"Mail from {from_domain} is signed by {dkim_domain}, which does not speak for it.",
                f"Sign with {from_domain} or a parent of it.",
            )
        )
    if not _related(from_domain, return_path):
        findings.append(
            Finding(
                Level.ADVICE,
                f"The return path {return_path} does not belong to {from_domain}.",
                f"SPF alone will not pass DMARC: take a name below {from_domain}.",
            )
        )
    return findings


def _related(one: str, other: str) -> bool:
    """Whether both stand under one domain of at least two labels; without the public suffix list."""
    first, second = one.lower().split("."), other.lower().split(".")
    shared = 0
    while shared < min(len(first), len(second)) and first[-1 - shared] == second[-1 - shared]:
        shared += 1
    return shared >= 2


def _tags(text: str) -> dict[str, str]:
    """`v=DKIM1; p=…` as a dictionary (RFC 6376 section 3.2); broken parts are left out."""
    return {found[1].lower(): found[2].strip() for part in text.split(";") if (found := _TAG.match(part))}
