"""What a look at an identity found: codes and values, so that each reader is told in their own language.

The words are in `web.health_words`. A finding is kept as JSON (`models.health.HealthCheck.findings`), so a
code is never given another meaning.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from deliverability.dns_records import DnsRecord
from models.health import HealthLevel

LONGEST_KEPT, MOST_KEPT = 2_000, 10
"""Characters of a published value that are kept, and values: enough to know it by."""
NOTHING: Mapping[str, str] = MappingProxyType({})


class FindingLevel(StrEnum):
    """How grave one finding is, from none to most.

    ADVICE: good to have, and no provider asks for it: it does not make an identity less than fine. UNKNOWN:
    could not be asked; never a word on what is or is not there. WARNING: some providers distrust it.
    PROBLEM: providers refuse or filter.
    """

    FINE = "fine"
    ADVICE = "advice"
    UNKNOWN = "unknown"
    WARNING = "warning"
    PROBLEM = "problem"


class Part(StrEnum):
    """What was looked at, in the order of the page; a code begins with it."""

    GENERAL = "general"
    DKIM = "dkim"
    SPF = "spf"
    DMARC = "dmarc"
    ALIGNMENT = "alignment"
    RETURN_PATH = "return_path"
    FROM_DOMAIN = "from_domain"
    HOST = "host"
    BLOCKLIST = "blocklist"
    MTA_STS = "mta_sts"
    TLS_RPT = "tls_rpt"
    BIMI = "bimi"


OPTIONAL = frozenset({Part.MTA_STS, Part.TLS_RPT, Part.BIMI, Part.BLOCKLIST})
"""What no provider asks of a sender: not to know of it leaves the identity's own level alone."""


class HealthCode(StrEnum):
    """Everything that can be found. `<part>_unknown`: could not be asked; `why` says more."""

    # Nothing to look at; no name server answered anything; the look was cut short by its limits.
    GENERAL_SMS_ONLY = "general_sms_only"
    GENERAL_DNS_SILENT = "general_dns_silent"
    GENERAL_CUT_SHORT = "general_cut_short"

    DKIM_FINE = "dkim_fine"
    DKIM_NO_KEY = "dkim_no_key"
    DKIM_NO_RSA = "dkim_no_rsa"
    DKIM_MISSING = "dkim_missing"
    DKIM_REVOKED = "dkim_revoked"
    DKIM_OTHER_KEY = "dkim_other_key"
    DKIM_SYNTAX = "dkim_syntax"
    DKIM_SEVERAL = "dkim_several"
    DKIM_WEAK = "dkim_weak"
    DKIM_SHORT = "dkim_short"
    DKIM_TESTING = "dkim_testing"
    DKIM_NOT_FOR_MAIL = "dkim_not_for_mail"
    DKIM_UNKNOWN = "dkim_unknown"

    SPF_FINE = "spf_fine"
    SPF_MISSING = "spf_missing"
    SPF_SEVERAL = "spf_several"
    SPF_SYNTAX = "spf_syntax"
    SPF_TOO_MANY_LOOKUPS = "spf_too_many_lookups"
    SPF_TOO_MANY_VOIDS = "spf_too_many_voids"
    SPF_LOOP = "spf_loop"
    SPF_INCLUDE_BROKEN = "spf_include_broken"
    SPF_ALLOWS_ALL = "spf_allows_all"
    SPF_OPEN_END = "spf_open_end"
    SPF_PTR = "spf_ptr"
    SPF_TOO_LONG = "spf_too_long"
    SPF_LEAVES_US_OUT = "spf_leaves_us_out"
    SPF_UNKNOWN = "spf_unknown"

    DMARC_FINE = "dmarc_fine"
    DMARC_MISSING = "dmarc_missing"
    DMARC_SEVERAL = "dmarc_several"
    DMARC_SYNTAX = "dmarc_syntax"
    DMARC_POLICY_NONE = "dmarc_policy_none"
    DMARC_TESTING = "dmarc_testing"
    DMARC_OLD_TAGS = "dmarc_old_tags"
    DMARC_NO_REPORTS = "dmarc_no_reports"
    DMARC_REPORTS_UNAUTHORISED = "dmarc_reports_unauthorised"
    DMARC_UNKNOWN = "dmarc_unknown"

    # Would DMARC pass for a message of this From, return path and d=?
    ALIGNMENT_FINE = "alignment_fine"
    ALIGNMENT_DKIM_ONLY = "alignment_dkim_only"
    ALIGNMENT_SPF_ONLY = "alignment_spf_only"
    ALIGNMENT_FAILS = "alignment_fails"
    ALIGNMENT_DEPENDS = "alignment_depends"
    ALIGNMENT_UNKNOWN = "alignment_unknown"

    RETURN_PATH_FINE = "return_path_fine"
    RETURN_PATH_NO_MX = "return_path_no_mx"
    RETURN_PATH_NULL_MX = "return_path_null_mx"
    RETURN_PATH_ELSEWHERE = "return_path_elsewhere"
    RETURN_PATH_HOST_NOWHERE = "return_path_host_nowhere"
    RETURN_PATH_NO_SOA = "return_path_no_soa"
    RETURN_PATH_UNKNOWN = "return_path_unknown"

    FROM_DOMAIN_FINE = "from_domain_fine"
    FROM_DOMAIN_NO_MX = "from_domain_no_mx"
    FROM_DOMAIN_NULL_MX = "from_domain_null_mx"
    FROM_DOMAIN_HOST_NOWHERE = "from_domain_host_nowhere"
    FROM_DOMAIN_NOWHERE = "from_domain_nowhere"
    FROM_DOMAIN_FREE_MAIL = "from_domain_free_mail"
    FROM_DOMAIN_NO_SOA = "from_domain_no_soa"
    FROM_DOMAIN_UNKNOWN = "from_domain_unknown"

    # Our own host, where we send directly.
    HOST_FINE = "host_fine"
    HOST_NO_PTR = "host_no_ptr"
    HOST_PTR_ASTRAY = "host_ptr_astray"
    HOST_HELLO_NO_NAME = "host_hello_no_name"
    HOST_HELLO_NOWHERE = "host_hello_nowhere"
    HOST_HELLO_ASTRAY = "host_hello_astray"
    HOST_UNKNOWN = "host_unknown"

    BLOCKLIST_CLEAR = "blocklist_clear"
    BLOCKLIST_LISTED = "blocklist_listed"
    BLOCKLIST_UNKNOWN = "blocklist_unknown"

    MTA_STS_FINE = "mta_sts_fine"
    MTA_STS_MISSING = "mta_sts_missing"
    MTA_STS_SYNTAX = "mta_sts_syntax"
    MTA_STS_POLICY_UNREACHABLE = "mta_sts_policy_unreachable"
    MTA_STS_POLICY_SYNTAX = "mta_sts_policy_syntax"
    MTA_STS_POLICY_LEAVES_OUT = "mta_sts_policy_leaves_out"
    MTA_STS_UNKNOWN = "mta_sts_unknown"

    TLS_RPT_FINE = "tls_rpt_fine"
    TLS_RPT_MISSING = "tls_rpt_missing"
    TLS_RPT_SYNTAX = "tls_rpt_syntax"
    TLS_RPT_UNKNOWN = "tls_rpt_unknown"

    BIMI_FINE = "bimi_fine"
    BIMI_MISSING = "bimi_missing"
    BIMI_SYNTAX = "bimi_syntax"
    BIMI_POLICY = "bimi_policy"
    BIMI_NO_CERTIFICATE = "bimi_no_certificate"
    BIMI_UNKNOWN = "bimi_unknown"

    @property
    def part(self) -> Part:
        """What it is about."""
        return next(part for part in Part if self.value.startswith(part.value + "_"))


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """One thing that was looked at: what was seen, and the record that mends it.

    `values`: what the words of the code are filled with; `name` is the DNS name looked at. `record`: what to
    publish; capitals in its value are for a person to fill in. `replaces`: the values under that name and
    type that have to go when `record` comes; without a record they only have to go.
    """

    code: HealthCode
    level: FindingLevel
    values: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    record: DnsRecord | None = None
    replaces: tuple[str, ...] = ()

    @property
    def part(self) -> Part:
        """What it is about."""
        return self.code.part


def level_of(findings: Iterable[HealthFinding]) -> HealthLevel:
    """The identity's level: that of its gravest finding.

    A question without an answer counts only where nothing worse is known, and not in an optional part.
    """
    levels = {
        each.level for each in findings if each.level is not FindingLevel.UNKNOWN or each.part not in OPTIONAL
    }
    if FindingLevel.PROBLEM in levels:
        return HealthLevel.PROBLEM
    if FindingLevel.WARNING in levels:
        return HealthLevel.WARNING
    if not levels or FindingLevel.UNKNOWN in levels:
        return HealthLevel.UNKNOWN
    return HealthLevel.FINE


def finding_to_json(finding: HealthFinding) -> dict[str, Any]:
    """As it is kept."""
    record = finding.record
    return {
        "code": finding.code.value,
        "level": finding.level.value,
        "values": dict(finding.values),
        "record": record
        and {
            "name": record.name,
            "type": record.type,
            "value": record.value,
            "why": record.why,
            "zone": record.zone,
        },
        "replaces": [text[:LONGEST_KEPT] for text in finding.replaces[:MOST_KEPT]],
    }


def finding_from_json(kept: Mapping[str, Any]) -> HealthFinding | None:
    """What `finding_to_json` wrote; None for a code of another version of this program."""
    try:
        code, level = HealthCode(kept["code"]), FindingLevel(kept["level"])
    except (KeyError, ValueError):
        return None
    record = kept.get("record")
    return HealthFinding(
        code,
        level,
        {str(name): str(value) for name, value in (kept.get("values") or {}).items()},
        DnsRecord(**record) if record else None,
        tuple(kept.get("replaces") or ()),
    )
