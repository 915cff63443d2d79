"""An identity that has published everything, on a DNS server of its own, and looks at it."""

import re
from dataclasses import dataclass
from datetime import timedelta

from deliverability.dns_records import DnsRecord, records_to_publish
from deliverability.health import HealthCode, HealthFinding, SendingSetup, check_identity
from deliverability.health.findings import FindingLevel
from deliverability.health.inquiry import Inquiry
from deliverability.health.setup import FetchText, Limits
from deliverability.resolver import DnsResolver
from models.identity import DkimKey, Identity
from models.signing import DkimAlgorithm
from sender.dkim import make_key
from tests.clocks import START
from tests.servers.dns import DnsServer, Fault
from web.health_words import SENTENCES

IP = "192.0.2.25"
REVERSE = "25.2.0.192.in-addr.arpa"
HELLO = "tocsin.parti.example"
FROM_DOMAIN = "rhone.parti.example"
RETURN_PATH = "retour.rhone.parti.example"
DMARC = f"_dmarc.{FROM_DOMAIN}"
SETUP = SendingSetup(
    sending_ips=(IP,), hello_name=HELLO, inbound_host=HELLO, report_address="dmarc@parti.example"
)
RELAYED = SendingSetup(relay_spf="include:spf.relay.example", inbound_host=HELLO)
PATIENCE, LITTLE_PATIENCE = 5.0, 0.6
"""Seconds a question may take: for servers that answer, and for those that never will."""


def a_key(selector: str = "t1", algorithm: DkimAlgorithm = DkimAlgorithm.RSA, public: str = "") -> DkimKey:
    return DkimKey(
        identity_id=1,
        selector=selector,
        algorithm=algorithm,
        sealed_private_pem="",
        public_base64=public or make_key(algorithm).public_base64,
        created_at=START,
    )


RSA_KEY = a_key("t1")
ED_KEY = a_key("t2", DkimAlgorithm.ED25519)
KEYS = [RSA_KEY, ED_KEY]
KEY_NAME = f"t1._domainkey.{FROM_DOMAIN}"


def an_identity(
    *, from_domain: str = FROM_DOMAIN, return_path: str = RETURN_PATH, dkim_domain: str = FROM_DOMAIN
) -> Identity:
    return Identity(
        key="rhone",
        name="Rhône",
        from_email=f"contact@{from_domain}",
        return_path_domain=return_path,
        dkim_domain=dkim_domain,
        created_at=START,
    )


def furnish(server: DnsServer) -> None:
    """Publish everything as it should be."""
    for zone in ("parti.example", "relay.example", "in-addr.arpa"):
        server.publish_zone(zone)
    records = records_to_publish(
        an_identity(),
        KEYS,
        inbound_host=HELLO,
        relay_spf=f"ip4:{IP}",
        report_address="dmarc@parti.example",
    )
    server.publish_records(records)
    server.publish_text(DMARC, "v=DMARC1; p=quarantine; rua=mailto:dmarc@parti.example")
    server.publish_text("_dmarc.parti.example", "v=DMARC1; p=reject; rua=mailto:dmarc@parti.example")
    server.publish(FROM_DOMAIN, "MX", "10 mail.parti.example.")
    server.publish("mail.parti.example", "A", "192.0.2.10")
    server.publish(HELLO, "A", IP)
    server.publish(REVERSE, "PTR", f"{HELLO}.")
    server.publish_text("spf.relay.example", "v=spf1 ip4:198.51.100.0/24 -all")
    server.publish_text(f"_mta-sts.{FROM_DOMAIN}", "v=STSv1; id=1")
    server.publish_text(f"_smtp._tls.{FROM_DOMAIN}", "v=TLSRPTv1; rua=mailto:tls@parti.example")
    server.publish_text(
        f"default._bimi.{FROM_DOMAIN}",
        "v=BIMI1; l=https://parti.example/l.svg; a=https://parti.example/c.pem",
    )


@dataclass(frozen=True)
class House:
    """The identity's zones; `look` asks for everything."""

    server: DnsServer

    @property
    def resolver(self) -> DnsResolver:
        return DnsResolver(["127.0.0.1"], self.server.port, timeout_seconds=patience_with(self.server))

    def inquiry(self, limits: Limits | None = None) -> Inquiry:
        return Inquiry(self.resolver, limits or Limits())

    async def look(
        self,
        identity: Identity | None = None,
        keys: list[DkimKey] | None = None,
        *,
        setup: SendingSetup = SETUP,
        fetch: FetchText | None = None,
        limits: Limits | None = None,
    ) -> list[HealthFinding]:
        findings = await check_identity(
            identity or an_identity(),
            KEYS if keys is None else keys,
            self.resolver,
            setup=setup,
            fetch=fetch,
            limits=limits or Limits(time=timedelta(seconds=15)),
        )
        for finding in findings:
            require_words(finding)
        return findings

    def mend(self, findings: list[HealthFinding]) -> None:
        """Do what the findings say, as somebody would who has the forms of a DNS host before them."""
        for finding in findings:
            if finding.record is not None:
                self.server.publish_records([filled_in(finding.record)])


def require_words(finding: HealthFinding) -> None:
    """Every blank in the sentences of a finding is filled by a value of it."""
    blanks = set(re.findall(r"%\((\w+)\)s", " ".join(SENTENCES[finding.code])))
    assert blanks <= set(finding.values), finding


def filled_in(record: DnsRecord) -> DnsRecord:
    """The words in capitals replaced by what a person knows."""
    known = {"MAIL-SERVER-OF-YOUR-MAILBOXES": "mail.parti.example"}
    value = record.value
    for blank, word in known.items():
        value = value.replace(blank, word)
    return DnsRecord(record.name, record.type, value, record.why, record.zone)


def patience_with(server: DnsServer) -> float:
    """How long to wait for an answer."""
    silent = {Fault.SILENT, Fault.GARBAGE} & set(server.faults.values())
    return LITTLE_PATIENCE if silent else PATIENCE


def codes(findings: list[HealthFinding], *levels: FindingLevel) -> list[HealthCode]:
    """What was found, of some levels or of every level but FINE."""
    wanted = levels or tuple(level for level in FindingLevel if level is not FindingLevel.FINE)
    return [finding.code for finding in findings if finding.level in wanted]


def the(findings: list[HealthFinding], code: HealthCode) -> HealthFinding:
    """The only finding of a code."""
    (found,) = [finding for finding in findings if finding.code is code]
    return found
