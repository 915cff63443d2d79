"""SPF of the return path (RFC 7208): one record, readable, within its limits, and with us in it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from deliverability.dns_records import DnsRecord
from deliverability.health.findings import FindingLevel, HealthCode, HealthFinding
from deliverability.health.inquiry import Inquiry
from deliverability.health.setup import SendingSetup
from deliverability.health.spf_host import SpfResult, check_host
from deliverability.health.spf_mend import fresh_record, mend, our_terms
from deliverability.health.spf_record import LONGEST_TOLD, Qualifier
from deliverability.health.spf_survey import (
    GIVEN_UP_AT,
    MOST_LOOKUPS,
    MOST_VOIDS,
    Fault,
    Survey,
    survey_spf,
)
from deliverability.resolver import CannotAskError

LONGEST = 450
"""Octets of a TXT answer that still fit a datagram beside everything else (RFC 7208 section 3.4)."""
WHY = "Names the servers that may send with this return path (RFC 7208). One SPF record a name."


class Standing(StrEnum):
    """What a receiver would find for a message of ours; LIKELY: nothing is wrong that can be seen."""

    PASS = "pass"  # noqa: S105 - the word of the RFC, no password
    LIKELY = "likely"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SpfLook:
    """The findings, and what they come to."""

    findings: tuple[HealthFinding, ...]
    standing: Standing


async def check_spf(
    domain: str, setup: SendingSetup, inquiry: Inquiry, *, zone: str = "", is_ours_alone: bool = True
) -> SpfLook:
    """Look at the record of a return path. `is_ours_alone`: nobody else sends with it."""
    try:
        survey = await survey_spf(domain, inquiry)
        faults = list(_faults(survey))
        found = [*faults, *await _us(survey, setup, inquiry, is_broken=bool(faults))]
    except CannotAskError as error:
        finding = HealthFinding(
            HealthCode.SPF_UNKNOWN, FindingLevel.UNKNOWN, {"name": domain, "why": error.problem}
        )
        return SpfLook((finding,), Standing.UNKNOWN)
    if not found:
        return SpfLook(
            (_fine(survey),), Standing.PASS if setup.sending_ips or setup.relay_spf else Standing.LIKELY
        )
    if survey.fault is Fault.MISSING:
        value = fresh_record(setup)
    else:
        value = await mend(survey.texts, domain, setup, inquiry, is_ours_alone=is_ours_alone)
    record = DnsRecord(domain, "TXT", value, WHY, zone)
    findings = tuple(
        HealthFinding(code, level, {"name": domain, **values}, record, survey.texts)
        for code, level, values in found
    )
    return SpfLook(findings, _standing(findings, setup))


Found = tuple[HealthCode, FindingLevel, dict[str, str]]


def _standing(findings: tuple[HealthFinding, ...], setup: SendingSetup) -> Standing:
    levels = {finding.level for finding in findings if finding.code is not HealthCode.SPF_ALLOWS_ALL}
    if FindingLevel.PROBLEM in levels:
        return Standing.BROKEN
    if FindingLevel.UNKNOWN in levels:
        return Standing.UNKNOWN
    return Standing.PASS if setup.sending_ips or setup.relay_spf else Standing.LIKELY


def _fine(survey: Survey) -> HealthFinding:
    values = {"name": survey.domain, "lookups": str(survey.lookups), "record": survey.texts[0]}
    return HealthFinding(HealthCode.SPF_FINE, FindingLevel.FINE, values)


def _faults(survey: Survey) -> Iterator[Found]:
    """What is wrong with the record, whoever sends."""
    match survey.fault:
        case Fault.MISSING:
            yield HealthCode.SPF_MISSING, FindingLevel.PROBLEM, {}
        case Fault.SEVERAL:
            yield HealthCode.SPF_SEVERAL, FindingLevel.PROBLEM, {"count": str(len(survey.texts))}
        case Fault.SYNTAX:
            yield HealthCode.SPF_SYNTAX, FindingLevel.PROBLEM, {"term": survey.bad_term}
        case _:
            yield from _costs(survey)
            yield from _broken_below(survey)
            yield from _habits(survey)


def _costs(survey: Survey) -> Iterator[Found]:
    has_loop = any(each.fault is Fault.LOOP for each in survey.all_below())
    if survey.lookups > MOST_LOOKUPS and not has_loop:
        dear = sorted((part for part in survey.parts if part.lookups), key=lambda part: -part.lookups)
        values = {
            "lookups": f"{survey.lookups}{'+' if survey.lookups > GIVEN_UP_AT else ''}",
            "most": str(MOST_LOOKUPS),
            "terms": ", ".join(f"{str(part.term)[:LONGEST_TOLD]} ({part.lookups})" for part in dear[:8]),
        }
        yield HealthCode.SPF_TOO_MANY_LOOKUPS, FindingLevel.PROBLEM, values
    if len(survey.voids) > MOST_VOIDS:
        values = {
            "voids": str(len(survey.voids)),
            "most": str(MOST_VOIDS),
            "names": ", ".join(name[:LONGEST_TOLD] for name in survey.voids[:8]),
        }
        yield HealthCode.SPF_TOO_MANY_VOIDS, FindingLevel.PROBLEM, values


def _broken_below(survey: Survey) -> Iterator[Found]:
    """Records it brings in and cannot: each makes the whole a permanent error (section 5.2)."""
    for each in survey.all_below():
        if each.fault is Fault.LOOP:
            names = (*each.path[each.path.index(each.domain) :], each.domain)
            yield HealthCode.SPF_LOOP, FindingLevel.PROBLEM, {"names": " → ".join(names)}
        elif each.fault is not None:
            values = {"included": each.domain[:LONGEST_TOLD], "fault": each.fault.value}
            yield HealthCode.SPF_INCLUDE_BROKEN, FindingLevel.PROBLEM, values
        for part in each.parts:
            if part.too_many_exchangers:
                values = {"included": str(part.term)[:LONGEST_TOLD], "fault": "exchangers"}
                yield HealthCode.SPF_INCLUDE_BROKEN, FindingLevel.PROBLEM, values


def _habits(survey: Survey) -> Iterator[Found]:
    record = survey.record
    assert record is not None  # noqa: S101 - a survey without a fault has one
    everybody = [
        each.domain for each in survey.all_below() if each.record and each.record.end is Qualifier.PASS
    ]
    if everybody:
        yield HealthCode.SPF_ALLOWS_ALL, FindingLevel.PROBLEM, {"by": everybody[0]}
    elif record.end is Qualifier.NEUTRAL or (record.end is None and record.redirect is None):
        yield HealthCode.SPF_OPEN_END, FindingLevel.WARNING, {}
    if any(term.name == "ptr" for term in survey.terms):
        yield HealthCode.SPF_PTR, FindingLevel.WARNING, {}
    size = len(survey.texts[0].encode())
    if size > LONGEST:
        yield HealthCode.SPF_TOO_LONG, FindingLevel.ADVICE, {"size": str(size), "most": str(LONGEST)}


async def _us(survey: Survey, setup: SendingSetup, inquiry: Inquiry, *, is_broken: bool) -> list[Found]:
    """Whether our mail passes: each address as a receiver would see it, and what the relay asks for.

    `is_broken`: faults were told already that are an error for every sender.
    """
    if survey.record is None:
        return []
    results = await asyncio.gather(
        *(check_host(ip, survey.domain, inquiry, hello=setup.hello_name) for ip in setup.sending_ips)
    )
    found: list[Found] = []
    for ip, result in zip(setup.sending_ips, results, strict=True):
        if result is SpfResult.TEMPERROR:
            raise CannotAskError(f"Whether {ip} may send could not be asked.")
        # Where the error was told already, it can still be seen whether we are in the record at all.
        passes = _may_name(survey, ip) if result is SpfResult.PERMERROR and is_broken else False
        if result is not SpfResult.PASS and not passes:
            values = {"missing": ip, "result": result.value}
            found.append((HealthCode.SPF_LEAVES_US_OUT, FindingLevel.PROBLEM, values))
    for term in our_terms(SendingSetup(relay_spf=setup.relay_spf)):
        if not _has(survey, str(term).lower()):
            values = {"missing": str(term), "result": ""}
            found.append((HealthCode.SPF_LEAVES_US_OUT, FindingLevel.PROBLEM, values))
    return found


def _may_name(survey: Survey, ip: str) -> bool:
    """Whether a network of the record, or a term that depends on the message, could let `ip` pass."""
    address = ip_address(ip)
    passing = [part for part in survey.parts if part.term.name != "all"]
    return any(not part.is_fixed or any(address in network for network in part.networks) for part in passing)


def _has(survey: Survey, wanted: str) -> bool:
    """Whether a term is in the record or below; a network also inside another one."""
    if any(str(term).lower() == wanted for term in survey.terms):
        return True
    networks = [network for part in survey.parts for network in part.networks]
    asked = [term.network for term in our_terms(SendingSetup(relay_spf=wanted)) if term.network]
    return bool(asked) and any(
        one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]
        for one in asked
        for other in networks
    )
