"""DKIM keys in the DNS (RFC 6376 section 3.6.1, RFC 8301, RFC 8463): ours, whole, and strong enough."""

import base64
import binascii
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from deliverability.dns_records import DnsRecord, key_record
from deliverability.health.findings import FindingLevel, HealthCode, HealthFinding
from deliverability.health.inquiry import Inquiry
from deliverability.health.tags import TagList, read_tags
from deliverability.resolver import CannotAskError
from models.identity import DkimKey
from models.signing import DkimAlgorithm

FEWEST_BITS = 1024
"""RFC 8301 section 3.2: shorter keys count as no key."""
GOOD_BITS = 2048
LONGEST = 8192
"""Characters of a record that are read; the longest key in use takes a tenth of it."""
_KIND = {DkimAlgorithm.RSA: "rsa", DkimAlgorithm.ED25519: "ed25519"}

PublicKey = rsa.RSAPublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class DkimLook:
    """The findings of one key; `verifies`: whether receivers can check what it signs, None: not known."""

    findings: tuple[HealthFinding, ...]
    verifies: bool | None


async def check_key(key: DkimKey, domain: str, inquiry: Inquiry, *, zone: str = "") -> DkimLook:
    """Look at the record of one selector."""
    record = key_record(key, domain, zone)
    values = {"name": record.name, "selector": key.selector}
    try:
        texts = await inquiry.texts(record.name)
        if not texts:
            alias = (await inquiry.ask(record.name, "CNAME")).values
            missing = HealthFinding(
                HealthCode.DKIM_MISSING,
                FindingLevel.PROBLEM,
                {**values, "alias": alias[0] if alias else ""},
                record,
                alias,
            )
            return DkimLook((missing,), verifies=False)
    except CannotAskError as error:
        finding = HealthFinding(
            HealthCode.DKIM_UNKNOWN, FindingLevel.UNKNOWN, {**values, "why": error.problem}
        )
        return DkimLook((finding,), verifies=None)
    if len(texts) > 1:
        several = {**values, "count": str(len(texts))}
        finding = HealthFinding(HealthCode.DKIM_SEVERAL, FindingLevel.PROBLEM, several, record, texts)
        return DkimLook((finding,), verifies=False)
    found = _judge(key, texts[0])
    findings = tuple(_finding(one, values, record, texts) for one in found)
    return DkimLook(findings, verifies=all(each.level is not FindingLevel.PROBLEM for each in findings))


Judged = tuple[HealthCode, FindingLevel, dict[str, str]]


def _finding(
    judged: Judged, values: dict[str, str], record: DnsRecord, texts: tuple[str, ...]
) -> HealthFinding:
    code, level, more = judged
    if code is HealthCode.DKIM_FINE or code in {HealthCode.DKIM_WEAK, HealthCode.DKIM_SHORT}:
        # A short key is mended by another key, not by another record.
        return HealthFinding(code, level, {**values, **more})
    return HealthFinding(code, level, {**values, **more}, record, texts)


def _judge(key: DkimKey, text: str) -> list[Judged]:
    """What is to be said of a record, once it is alone under its name."""
    tags = read_tags(text[:LONGEST])
    if fault := _fault(tags, key):
        return [(HealthCode.DKIM_SYNTAX, FindingLevel.PROBLEM, {"fault": fault})]
    published = "".join(tags.get("p").split())
    if not published:
        return [(HealthCode.DKIM_REVOKED, FindingLevel.PROBLEM, {})]
    if not _is_same(published, key):
        return [(HealthCode.DKIM_OTHER_KEY, FindingLevel.PROBLEM, {})]
    return [*_restrictions(tags), *_strength(key)] or [(HealthCode.DKIM_FINE, FindingLevel.FINE, {})]


def _fault(tags: TagList, key: DkimKey) -> str:
    """The part that makes the record unreadable (section 3.6.1), "" for none."""
    if tags.faults:
        return tags.faults[0].part
    if "v" in tags.values and (next(iter(tags.values)) != "v" or tags.get("v") != "DKIM1"):
        return f"v={tags.get('v')}"
    if "p" not in tags.values:
        return "p="
    if tags.get("k", "rsa").lower() != _KIND[key.algorithm]:
        return f"k={tags.get('k', 'rsa')}"
    published = "".join(tags.get("p").split())
    if published and _octets(published) is None:
        return f"p={published[:20]}…"
    return ""


def _restrictions(tags: TagList) -> list[Judged]:
    """Whether the record allows what we do with the key."""
    found: list[Judged] = []
    services = {each.strip().lower() for each in tags.get("s", "*").split(":")}
    hashes = {each.strip().lower() for each in tags.get("h", "sha256").split(":")}
    if not services & {"*", "email"} or "sha256" not in hashes:
        tag = "s" if not services & {"*", "email"} else "h"
        refused = {"tag": f"{tag}={tags.get(tag)}"}
        found.append((HealthCode.DKIM_NOT_FOR_MAIL, FindingLevel.PROBLEM, refused))
    if "y" in {each.strip().lower() for each in tags.get("t").split(":")}:
        found.append((HealthCode.DKIM_TESTING, FindingLevel.WARNING, {}))
    return found


def _strength(key: DkimKey) -> list[Judged]:
    octets = _octets(key.public_base64)
    public = _load(octets, key.algorithm) if octets is not None else None
    if not isinstance(public, rsa.RSAPublicKey) or public.key_size >= GOOD_BITS:
        return []
    bits = {"bits": str(public.key_size), "good": str(GOOD_BITS)}
    if public.key_size < FEWEST_BITS:
        return [(HealthCode.DKIM_WEAK, FindingLevel.PROBLEM, bits)]
    return [(HealthCode.DKIM_SHORT, FindingLevel.ADVICE, bits)]


def _is_same(published: str, key: DkimKey) -> bool:
    """Whether two base64 texts hold one key: RSA keys may come with or without their wrapping."""
    ours = "".join(key.public_base64.split())
    if published == ours:
        return True
    first, second = _octets(published), _octets(ours)
    if first is None or second is None:
        return False
    one, other = _load(first, key.algorithm), _load(second, key.algorithm)
    return one is not None and one == other


def _octets(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _load(octets: bytes, algorithm: DkimAlgorithm) -> PublicKey | None:
    """A key, None where the octets are none. RFC 8463: Ed25519 keys are 32 bare octets."""
    try:
        if algorithm is DkimAlgorithm.ED25519 and len(octets) == 32:
            return ed25519.Ed25519PublicKey.from_public_bytes(octets)
        found = serialization.load_der_public_key(octets)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return found if isinstance(found, rsa.RSAPublicKey | ed25519.Ed25519PublicKey) else None
