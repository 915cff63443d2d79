"""BIMI: a logo beside the sender's name, for those who enforce DMARC. Advice only.

Gmail and Apple show it with a certificate for the mark (`a=`: VMC or CMC), Yahoo and La Poste without.
"""

from deliverability.dns_records import DnsRecord
from deliverability.health.dmarc_record import Policy
from deliverability.health.findings import FindingLevel, HealthCode, HealthFinding
from deliverability.health.inquiry import Inquiry
from deliverability.health.tags import TagList, read_tags
from deliverability.resolver import CannotAskError

WHY = "Shows your logo beside your name in mailboxes that take part (BIMI)."
LOGO = "https://ADDRESS-OF-YOUR-LOGO.svg"


async def check_bimi(
    domain: str, organisation: str, policy: Policy | None, inquiry: Inquiry, *, zone: str = ""
) -> HealthFinding:
    """Look at the default selector, of the domain or else of its organisation. `policy`: its DMARC's."""
    name = f"default._bimi.{domain}"
    values = {"name": name, "domain": domain, "policy": policy.value if policy else ""}
    record = DnsRecord(name, "TXT", f"v=BIMI1; l={LOGO}", WHY, zone)
    try:
        texts = await _texts(name, inquiry) or await _texts(f"default._bimi.{organisation}", inquiry)
    except CannotAskError as error:
        values["why"] = error.problem
        return HealthFinding(HealthCode.BIMI_UNKNOWN, FindingLevel.UNKNOWN, values)
    if not texts:
        return HealthFinding(HealthCode.BIMI_MISSING, FindingLevel.ADVICE, values, record)
    tags = read_tags(texts[0])
    fault = f"{len(texts)} records" if len(texts) > 1 else _fault(tags)
    if fault:
        told = {**values, "fault": fault}
        return HealthFinding(HealthCode.BIMI_SYNTAX, FindingLevel.ADVICE, told, record, tuple(texts))
    if tags.get("l") and policy not in {Policy.QUARANTINE, Policy.REJECT}:
        return HealthFinding(HealthCode.BIMI_POLICY, FindingLevel.ADVICE, values)
    if tags.get("l") and not tags.get("a"):
        return HealthFinding(HealthCode.BIMI_NO_CERTIFICATE, FindingLevel.ADVICE, values)
    return HealthFinding(HealthCode.BIMI_FINE, FindingLevel.FINE, values)


async def _texts(name: str, inquiry: Inquiry) -> list[str]:
    return [text for text in await inquiry.texts(name) if text.lower().startswith("v=bimi1")]


def _fault(tags: TagList) -> str:
    """The part that cannot be used, "" for none. An empty `l=` says on purpose that there is no logo."""
    if tags.faults:
        return tags.faults[0].part
    logo, certificate = tags.get("l"), tags.get("a")
    if "l" not in tags.values or (
        logo and not (logo.startswith("https://") and logo.endswith((".svg", ".svgz")))
    ):
        return f"l={logo[:80]}"
    if certificate and not certificate.startswith("https://"):
        return f"a={certificate[:80]}"
    return ""
