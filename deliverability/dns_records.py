"""What a sender identity has to publish in the DNS: the lines to hand to whoever runs the domain."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from models.identity import DkimKey, Identity
from models.signing import DkimAlgorithm

TXT_STRING_OCTETS = 255
_KEY_TYPE = MappingProxyType({DkimAlgorithm.RSA: "rsa", DkimAlgorithm.ED25519: "ed25519"})


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """One record to publish; `name` is the full name without a final dot.

    `zone`: the domain in whose zone it goes, "" where nobody looked.
    """

    name: str
    type: str
    value: str
    why: str
    zone: str = ""

    @property
    def host(self) -> str:
        """The name as most forms of DNS hosts want it: without the zone, "@" for the zone itself."""
        if not self.zone:
            return self.name
        return "@" if self.name == self.zone else self.name.removesuffix(f".{self.zone}")

    @property
    def strings(self) -> tuple[str, ...]:
        """A TXT value in pieces of at most 255 octets (RFC 1035 section 3.3.14), joined without blanks."""
        if self.type != "TXT":
            return (self.value,)
        octets = self.value.encode()
        pieces = range(0, len(octets), TXT_STRING_OCTETS)
        return tuple(octets[at : at + TXT_STRING_OCTETS].decode("utf-8", "replace") for at in pieces) or ("",)


def records_to_publish(
    identity: Identity,
    keys: Sequence[DkimKey],
    *,
    inbound_host: str = "",
    relay_spf: str = "",
    report_address: str = "",
) -> list[DnsRecord]:
    """The records an e-mail identity needs; none for one that only sends text messages.

    `inbound_host` runs the mail listener; `relay_spf` is the mail server's part of an SPF record, such as
    `include:spf.relay.example` or `ip4:192.0.2.1`; `report_address` receives DMARC reports; without it, what
    comes back to the return path does.
    """
    if identity.from_email is None:
        return []
    domain = identity.dkim_domain or domain_of(identity.from_email)
    return_path = identity.return_path_domain or domain
    host = inbound_host or "HOST-OF-TOCSIN"
    reports = report_address or report_address_of(identity)
    return [
        *(key_record(key, domain) for key in keys),
        DnsRecord(
            return_path,
            "TXT",
            f"v=spf1 {relay_spf or 'include:SPF-OF-YOUR-MAIL-SERVER'} -all",
            "Names the servers that may send with this return path (RFC 7208). One SPF record a name.",
        ),
        DnsRecord(
            return_path,
            "MX",
            f"10 {host}",
            "Bounces come back to the return path; without this record they are lost.",
        ),
        DnsRecord(
            f"_dmarc.{domain_of(identity.from_email)}",
            "TXT",
            f"v=DMARC1; p=none; rua=mailto:{reports}",
            "Gmail, Yahoo and Microsoft want a DMARC record of anybody who writes to many (RFC 9989).",
        ),
    ]


def key_record(key: DkimKey, domain: str, zone: str = "") -> DnsRecord:
    """The record that lets receivers check what a key signs."""
    return DnsRecord(
        f"{key.selector}._domainkey.{domain}",
        "TXT",
        f"v=DKIM1; k={_KEY_TYPE[key.algorithm]}; p={key.public_base64}",
        "Receivers check our signature with this key (RFC 6376).",
        zone,
    )


def report_address_of(identity: Identity) -> str:
    """Where receivers' reports reach us: below the return path, whose mail is taken in here."""
    return f"dmarc@{identity.return_path_domain or domain_of(identity.from_email or '')}".lower()


def domain_of(address: str) -> str:
    """What stands behind the @, in lower case."""
    return address.rpartition("@")[2].lower()
