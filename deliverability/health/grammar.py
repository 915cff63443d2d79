"""The one door to checkdmarc: records and policies read by its grammars, without its network.

Its questions to the DNS go out by themselves, block, and keep a cache of their own, so only what takes a text
and gives a verdict is used here (docs/decisions says which parts, and why the others are ours).
"""

from functools import lru_cache

MOST_POLICY_OCTETS = 64 * 1024
"""RFC 8461 section 3.2 lets receivers stop there."""


@lru_cache(maxsize=1024)
def registered_domain(name: str) -> str:
    """The organisation's domain by the list of public suffixes, as RFC 7489 had it."""
    from checkdmarc.utils import get_base_domain  # noqa: PLC0415 - a list of 10,000 suffixes, read when asked for

    return get_base_domain(name) or name


def fault_of_tls_report(text: str) -> str:
    """Why a TLS-RPT record cannot be used (RFC 8460 section 3), "" when it can."""
    from checkdmarc.smtp_tls_reporting import (  # noqa: PLC0415
        SMTPTLSReportingError,
        parse_smtp_tls_reporting_record,
    )

    try:
        parse_smtp_tls_reporting_record(text)
    except SMTPTLSReportingError as error:
        return _told(error)
    return ""


def fault_of_mta_sts(text: str) -> str:
    """Why an MTA-STS record cannot be used (RFC 8461 section 3.1), "" when it can."""
    from checkdmarc.mta_sts import MTASTSError, parse_mta_sts_record  # noqa: PLC0415

    try:
        parse_mta_sts_record(text)
    except MTASTSError as error:
        return _told(error)
    return ""


def read_mta_sts_policy(text: str) -> tuple[str, tuple[str, ...], str]:
    """Mode, patterns of exchangers, and why the policy cannot be used ("" when it can)."""
    from checkdmarc.mta_sts import MTASTSPolicyError, parse_mta_sts_policy  # noqa: PLC0415

    try:
        policy = parse_mta_sts_policy(text[:MOST_POLICY_OCTETS])["policy"]
    except MTASTSPolicyError as error:
        return "", (), _told(error)
    return policy["mode"], tuple(policy["mx"]), ""


def covers(host: str, patterns: tuple[str, ...]) -> bool:
    """Whether an exchanger is in an MTA-STS policy (RFC 8461 section 4.1)."""
    from checkdmarc.mta_sts import mx_in_mta_sts_patterns  # noqa: PLC0415

    return mx_in_mta_sts_patterns(host, list(patterns))


def _told(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
