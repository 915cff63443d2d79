"""DMARC of the From domain: one readable record, reports that arrive, a policy."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from deliverability.dns_records import DnsRecord
from deliverability.health.dmarc_record import DmarcRecord, Policy, is_dmarc, mended, with_tags
from deliverability.health.dmarc_walk import Step, Walk, policy_for, walk_up
from deliverability.health.findings import FindingLevel, HealthCode, HealthFinding
from deliverability.health.grammar import registered_domain
from deliverability.health.inquiry import Inquiry
from deliverability.resolver import CannotAskError

WHY = "Gmail, Yahoo and Microsoft want a DMARC record of anybody who writes to many (RFC 9989)."
WHY_AUTHORISED = "Says that reports about the other domain may be sent here (RFC 9990 section 4)."
MOST_DESTINATIONS = 5


@dataclass(frozen=True, slots=True)
class DmarcLook:
    """The findings; `walk` is None when the DNS could not be asked, `policy` None without a record."""

    findings: tuple[HealthFinding, ...]
    walk: Walk | None
    policy: Policy | None = None


async def check_dmarc(
    domain: str, report_address: str, inquiry: Inquiry, *, zone: str = "", exists: bool = True
) -> DmarcLook:
    """Look at what governs `domain`; `report_address` is proposed where nobody gets reports."""
    address = report_address or f"dmarc@{domain}"
    try:
        walk = await walk_up(domain, inquiry)
    except CannotAskError as error:
        values = {"name": f"_dmarc.{domain}", "why": error.problem}
        finding = HealthFinding(HealthCode.DMARC_UNKNOWN, FindingLevel.UNKNOWN, values)
        return DmarcLook((finding,), None)
    broken = list(_broken(walk, address, zone))
    step = walk.policy
    if step is None or step.record is None:
        return DmarcLook(tuple(broken or [_missing(domain, address, zone)]), walk)
    findings = [*broken, *_faults(step, step.record, address, zone)]
    try:
        findings += await _destinations(step, step.record, inquiry)
    except CannotAskError as error:
        values = {"name": f"_dmarc.{step.domain}", "why": error.problem}
        findings.append(HealthFinding(HealthCode.DMARC_UNKNOWN, FindingLevel.UNKNOWN, values))
    policy = policy_for(walk, exists=exists)
    if not [each for each in findings if each.level is not FindingLevel.ADVICE]:
        told = {"name": f"_dmarc.{step.domain}", "policy": policy.value if policy else "", "domain": domain}
        findings.insert(0, HealthFinding(HealthCode.DMARC_FINE, FindingLevel.FINE, told))
    return DmarcLook(tuple(findings), walk, policy)


def _missing(domain: str, address: str, zone: str) -> HealthFinding:
    value = f"v=DMARC1; p=none; rua=mailto:{address}"
    record = DnsRecord(f"_dmarc.{domain}", "TXT", value, WHY, zone)
    values = {"name": record.name, "domain": domain}
    return HealthFinding(HealthCode.DMARC_MISSING, FindingLevel.PROBLEM, values, record)


def _broken(walk: Walk, address: str, zone: str) -> Iterator[HealthFinding]:
    """Names of the walk whose records do not count, up to the one that does."""
    for step in walk.steps:
        name = f"_dmarc.{step.domain}"
        if len(step.texts) > 1:
            record = DnsRecord(name, "TXT", mended(step.texts, report_address=address), WHY, zone)
            values = {"name": name, "count": str(len(step.texts))}
            yield HealthFinding(HealthCode.DMARC_SEVERAL, FindingLevel.PROBLEM, values, record, step.texts)
        elif not step.texts and step.others:
            record = DnsRecord(name, "TXT", mended(step.others[:1], report_address=address), WHY, zone)
            values = {"name": name, "fault": step.others[0][:80]}
            yield HealthFinding(HealthCode.DMARC_SYNTAX, FindingLevel.PROBLEM, values, record, step.others)
        if step is walk.policy:
            return


def _faults(step: Step, record: DmarcRecord, address: str, zone: str) -> Iterator[HealthFinding]:
    """What is wrong with the record that counts, and what could be better."""
    name = f"_dmarc.{step.domain}"

    def found(code: HealthCode, level: FindingLevel, value: str, **values: str) -> HealthFinding:
        better = DnsRecord(name, "TXT", value, WHY, zone)
        return HealthFinding(code, level, {"name": name, **values}, better, step.texts)

    whole = mended(step.texts, report_address=address)
    if record.faults:
        level = FindingLevel.PROBLEM if record.policy is None else FindingLevel.WARNING
        yield found(HealthCode.DMARC_SYNTAX, level, whole, fault=", ".join(record.faults[:5]))
    if not record.reports:
        yield found(HealthCode.DMARC_NO_REPORTS, FindingLevel.WARNING, whole)
    if record.old_tags:
        yield found(HealthCode.DMARC_OLD_TAGS, FindingLevel.ADVICE, whole, tags=", ".join(record.old_tags))
    if record.testing:
        yield found(HealthCode.DMARC_TESTING, FindingLevel.ADVICE, with_tags(whole, t=""))
    if record.policy is Policy.NONE:
        yield found(HealthCode.DMARC_POLICY_NONE, FindingLevel.ADVICE, with_tags(whole, p="quarantine"))


async def _destinations(step: Step, record: DmarcRecord, inquiry: Inquiry) -> list[HealthFinding]:
    """Report addresses elsewhere, whose domain has to agree (RFC 9990 section 4)."""
    domains = {address.rpartition("@")[2].lower() for address in record.reports}
    looks = await asyncio.gather(
        *(_destination(step.domain, domain, inquiry) for domain in sorted(domains)[:MOST_DESTINATIONS])
    )
    return [finding for finding in looks if finding is not None]


async def _destination(domain: str, destination: str, inquiry: Inquiry) -> HealthFinding | None:
    if registered_domain(destination) == registered_domain(domain):
        # Who goes by the older standard sends them; the newer one may see two organisations here.
        return None
    here, there = await asyncio.gather(walk_up(domain, inquiry), walk_up(destination, inquiry))
    if here.organisation == there.organisation:
        return None
    name = f"{domain}._report._dmarc.{destination}"
    if any(is_dmarc(text) for text in await inquiry.texts(name)):
        return None
    zone = await inquiry.zone_of(destination)
    record = DnsRecord(name, "TXT", "v=DMARC1", WHY_AUTHORISED, zone)
    values = {"name": name, "destination": destination, "domain": domain}
    return HealthFinding(HealthCode.DMARC_REPORTS_UNAUTHORISED, FindingLevel.WARNING, values, record)
