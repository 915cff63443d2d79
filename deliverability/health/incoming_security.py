"""MTA-STS (RFC 8461) and TLS reports (RFC 8460): mail to us travels encrypted. All of it is advice."""

from deliverability.dns_records import DnsRecord
from deliverability.health.findings import FindingLevel, HealthCode, HealthFinding
from deliverability.health.grammar import (
    covers,
    fault_of_mta_sts,
    fault_of_tls_report,
    read_mta_sts_policy,
)
from deliverability.health.inquiry import Inquiry
from deliverability.health.mail_exchange import hosts_of
from deliverability.health.setup import CannotFetchError, FetchText
from deliverability.resolver import CannotAskError

WHY_STS = "Tells other servers that a policy waits at https://mta-sts.… (RFC 8461)."
WHY_REPORTS = "Asks other servers to report when mail to you cannot be encrypted (RFC 8460)."


async def check_mta_sts(
    domain: str, fetch: FetchText | None, inquiry: Inquiry, *, zone: str = "", serial: str = "1"
) -> HealthFinding:
    """Look at the record, and with `fetch` at the policy; `serial`: the `id` of a record that is proposed."""
    name = f"_mta-sts.{domain}"
    values = {"name": name, "domain": domain}
    record = DnsRecord(name, "TXT", f"v=STSv1; id={serial}", WHY_STS, zone)
    try:
        texts = [text for text in await inquiry.texts(name) if text.startswith("v=STSv1")]
        if not texts:
            return HealthFinding(HealthCode.MTA_STS_MISSING, FindingLevel.ADVICE, values, record)
        fault = fault_of_mta_sts(texts[0]) if len(texts) == 1 else f"{len(texts)} records"
        if fault:
            told = {**values, "fault": fault}
            return HealthFinding(HealthCode.MTA_STS_SYNTAX, FindingLevel.ADVICE, told, record, tuple(texts))
        if fetch is not None:
            return await _check_policy(domain, fetch, inquiry, values)
    except CannotAskError as error:
        values["why"] = error.problem
        return HealthFinding(HealthCode.MTA_STS_UNKNOWN, FindingLevel.UNKNOWN, values)
    return HealthFinding(HealthCode.MTA_STS_FINE, FindingLevel.FINE, {**values, "mode": ""})


async def _check_policy(
    domain: str, fetch: FetchText, inquiry: Inquiry, values: dict[str, str]
) -> HealthFinding:
    url = f"https://mta-sts.{domain}/.well-known/mta-sts.txt"
    values = {**values, "url": url}
    try:
        text = await fetch(url)
    except CannotFetchError as error:
        values["why"] = error.problem
        return HealthFinding(HealthCode.MTA_STS_POLICY_UNREACHABLE, FindingLevel.ADVICE, values)
    mode, patterns, fault = read_mta_sts_policy(text)
    if fault:
        values["fault"] = fault
        return HealthFinding(HealthCode.MTA_STS_POLICY_SYNTAX, FindingLevel.ADVICE, values)
    hosts = hosts_of((await inquiry.ask(domain, "MX")).values)
    left_out = [host for host in hosts if not covers(host, patterns)]
    if left_out and mode != "none":
        values["hosts"] = ", ".join(left_out)
        # In this mode servers that keep to it do not deliver there at all.
        level = FindingLevel.WARNING if mode == "enforce" else FindingLevel.ADVICE
        return HealthFinding(HealthCode.MTA_STS_POLICY_LEAVES_OUT, level, values)
    return HealthFinding(HealthCode.MTA_STS_FINE, FindingLevel.FINE, {**values, "mode": mode})


async def check_tls_reports(
    domain: str, report_address: str, inquiry: Inquiry, *, zone: str = ""
) -> HealthFinding:
    """Look at the TLS-RPT record."""
    name = f"_smtp._tls.{domain}"
    values = {"name": name, "domain": domain}
    address = report_address or f"tls-reports@{domain}"
    record = DnsRecord(name, "TXT", f"v=TLSRPTv1; rua=mailto:{address}", WHY_REPORTS, zone)
    try:
        texts = [text for text in await inquiry.texts(name) if text.startswith("v=TLSRPTv1")]
    except CannotAskError as error:
        values["why"] = error.problem
        return HealthFinding(HealthCode.TLS_RPT_UNKNOWN, FindingLevel.UNKNOWN, values)
    if not texts:
        return HealthFinding(HealthCode.TLS_RPT_MISSING, FindingLevel.ADVICE, values, record)
    fault = fault_of_tls_report(texts[0]) if len(texts) == 1 else f"{len(texts)} records"
    if fault:
        told = {**values, "fault": fault}
        return HealthFinding(HealthCode.TLS_RPT_SYNTAX, FindingLevel.ADVICE, told, record, tuple(texts))
    return HealthFinding(HealthCode.TLS_RPT_FINE, FindingLevel.FINE, values)
