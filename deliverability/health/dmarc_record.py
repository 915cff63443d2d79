"""DMARC records read (RFC 9989 sections 4.7 and 4.8), older forms (RFC 7489) included. Pure.

`pct`, `rf` and `ri` are gone since RFC 9989: they are told, and nothing is made of them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from deliverability.health.tags import TagList, read_tags, write_tags

OLD_TAGS = ("pct", "rf", "ri")
LONGEST = 4096
_IS_DMARC = re.compile(r"\s*v\s*=\s*DMARC1\s*(?:;|\Z)")
_LOOKS_LIKE_DMARC = re.compile(r"v\s*=\s*dmarc|\bp\s*=\s*(?:none|quarantine|reject)\b", re.IGNORECASE)
_MAILTO = re.compile(
    r"mailto:(?P<address>[^@\s]+@(?P<domain>[^@\s!?]+))(?:\?[^!\s]*)?(?:!\d+[kmgtKMGT]?)?\Z", re.IGNORECASE
)


class Policy(StrEnum):
    """What a domain asks receivers to do with what fails."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """One record, defaults filled in (section 4.8: what cannot be read counts as absent).

    `policy` is None where neither `p` nor a report address says anything: then it is no policy at all.
    `psd`: "y" a registry's, "n" an organisation's top, "u" not said. `faults`: parts that cannot be read.
    """

    text: str
    policy: Policy | None
    subdomains: Policy | None
    missing_names: Policy | None
    strict_dkim: bool = False
    strict_spf: bool = False
    psd: str = "u"
    testing: bool = False
    reports: tuple[str, ...] = ()
    old_tags: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def is_dmarc(text: str) -> bool:
    """Whether a TXT record is a DMARC record: it begins with its version."""
    return _IS_DMARC.match(text) is not None


def looks_like_dmarc(text: str) -> bool:
    """Whether somebody meant a TXT record to be one."""
    return not is_dmarc(text) and _LOOKS_LIKE_DMARC.search(text) is not None


def read_dmarc(text: str) -> DmarcRecord:
    """Read a record for which `is_dmarc` is true. Never raises."""
    tags = read_tags(text[:LONGEST])
    faults = [fault.part for fault in tags.faults]
    policies = {name: _policy(tags, name, faults) for name in ("p", "sp", "np")}
    reports, bad = _addresses(tags.get("rua"))
    faults += bad
    _, bad = _addresses(tags.get("ruf"))
    faults += bad
    policy = policies["p"] or (Policy.NONE if reports else None)
    if policies["p"] is None and "p" not in tags.values:
        faults.append("p=")
    subdomains = policies["sp"] or policy
    return DmarcRecord(
        text,
        policy,
        subdomains,
        policies["np"] or subdomains,
        strict_dkim=_choice(tags, "adkim", "rs", faults) == "s",
        strict_spf=_choice(tags, "aspf", "rs", faults) == "s",
        psd=_choice(tags, "psd", "uyn", faults),
        testing=_choice(tags, "t", "ny", faults) == "y",
        reports=reports,
        old_tags=tuple(name for name in OLD_TAGS if name in tags.values),
        faults=tuple(dict.fromkeys(faults)),
    )


def mended(texts: tuple[str, ...], *, report_address: str) -> str:
    """One record in place of `texts`: the strictest policy, every readable report address, no faults."""
    read = [read_dmarc(text) for text in texts]
    policies = [record.policy for record in read if record.policy]
    policy = max(policies, key=list(Policy).index, default=Policy.NONE)
    kept: dict[str, str] = {"v": "DMARC1", "p": policy.value}
    first = read[0] if read else None
    if first and first.subdomains and first.subdomains is not first.policy:
        kept["sp"] = first.subdomains.value
    if first and first.missing_names and first.missing_names is not first.subdomains:
        kept["np"] = first.missing_names.value
    for name, wanted in (("adkim", "strict_dkim"), ("aspf", "strict_spf")):
        if first and getattr(first, wanted):
            kept[name] = "s"
    if first and first.psd == "n":
        kept["psd"] = "n"
    if first and first.testing:
        kept["t"] = "y"
    addresses = [each for record in read for each in record.reports] or [report_address]
    kept["rua"] = ",".join(f"mailto:{each}" for each in dict.fromkeys(addresses))
    return write_tags(kept)


def with_tags(text: str, **tags: str) -> str:
    """The record with some tags set, and those set to "" left out."""
    values: Mapping[str, str] = {**read_tags(text[:LONGEST]).values, **tags}
    return write_tags({name: value for name, value in values.items() if value})


def _policy(tags: TagList, name: str, faults: list[str]) -> Policy | None:
    value = tags.get(name)
    if name not in tags.values:
        return None
    try:
        return Policy(value.lower())
    except ValueError:
        faults.append(f"{name}={value[:40]}")
        return None


def _choice(tags: TagList, name: str, letters: str, faults: list[str]) -> str:
    """One of `letters`, the first of them when the tag is not there or says something else."""
    value = tags.get(name, letters[0]).lower()
    if len(value) == 1 and value in letters:
        return value
    faults.append(f"{name}={value[:40]}")
    return letters[0]


def _addresses(value: str) -> tuple[tuple[str, ...], list[str]]:
    """The mail addresses of a list of URIs, and the entries that are no URI."""
    found: list[str] = []
    bad: list[str] = []
    for entry in filter(None, (part.strip() for part in value.split(","))):
        if mail := _MAILTO.match(entry):
            found.append(mail["address"])
        elif not re.match(r"https?://", entry, re.IGNORECASE):
            bad.append(entry[:80])
    return tuple(dict.fromkeys(found)), bad
