"""What a sender identity publishes, asked of a real name server on the loopback."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest

from deliverability.dns_checks import DnsResolver, Finding, Level, check_identity, records_to_publish
from models.identity import DkimKey, Identity
from models.signing import DkimAlgorithm
from tests.clocks import START
from tests.servers.names import NameServer

IDENTITY = Identity(
    key="rhone",
    name="Rhône",
    from_email="contact@rhone.parti.example",
    return_path_domain="retour.rhone.parti.example",
    dkim_domain="rhone.parti.example",
    created_at=START,
)
LONG_KEY = "MIIB" + "x" * 380
KEYS = [
    DkimKey(
        identity_id=1,
        selector="t1",
        algorithm=DkimAlgorithm.RSA,
        sealed_private_pem="",
        public_base64=LONG_KEY,
        created_at=START,
    )
]
LISTENER = "tocsin.parti.example"
Zone = Mapping[tuple[str, str], list[str]]


@pytest.fixture
async def name_server() -> AsyncIterator[NameServer]:
    """A name server with everything as it should be."""
    server = NameServer()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: server, local_addr=("127.0.0.1", 0)
    )
    for record in records_to_publish(IDENTITY, KEYS, inbound_host=LISTENER, relay_spf="ip4:192.0.2.1"):
        value = record.value + ("." if record.type == "MX" else "")
        server.zone[record.name, record.type] = [_quoted(value) if record.type == "TXT" else value]
    server.zone["rhone.parti.example", "MX"] = ["10 mail.parti.example."]
    yield server
    transport.close()


def _quoted(text: str) -> str:
    """A text of any length as character-strings of at most 255 bytes."""
    return " ".join(f'"{text[start : start + 255]}"' for start in range(0, len(text), 255))


async def look(server: NameServer, identity: Identity = IDENTITY) -> list[Finding]:
    resolver = DnsResolver(["127.0.0.1"], server.port, timeout_seconds=0.5)
    return await check_identity(identity, KEYS, resolver, inbound_host=LISTENER)


def problems(findings: list[Finding]) -> list[str]:
    return [finding.what for finding in findings if finding.level is not Level.FINE]


async def test_what_we_ask_to_publish_is_what_we_then_find_right(name_server: NameServer) -> None:
    assert problems(await look(name_server)) == []


@pytest.mark.parametrize(
    ("name", "kind", "values", "problem"),
    [
        ("t1._domainkey.rhone.parti.example", "TXT", ['"v=DKIM1; p=OTHER"'], "another key"),
        ("t1._domainkey.rhone.parti.example", "TXT", ['"v=DKIM1; p="'], "holds no key"),
        ("t1._domainkey.rhone.parti.example", "TXT", [], "holds no key"),
        ("retour.rhone.parti.example", "TXT", ['"hello"'], "no SPF record"),
        ("retour.rhone.parti.example", "TXT", ['"v=spf1 -all"', '"v=spf1 a -all"'], "2 SPF records"),
        ("retour.rhone.parti.example", "TXT", ['"v=spf1 +all"'], "lets everybody send"),
        ("retour.rhone.parti.example", "MX", [], "bounces are lost"),
        ("retour.rhone.parti.example", "MX", ["10 mail.parti.example."], "not to tocsin.parti.example"),
        ("_dmarc.rhone.parti.example", "TXT", [], "no DMARC record"),
        ("rhone.parti.example", "MX", ["0 ."], "does not receive mail"),
    ],
)
async def test_each_fault_is_told(
    name_server: NameServer, name: str, kind: str, values: list[str], problem: str
) -> None:
    name_server.zone[name, kind] = values
    told = problems(await look(name_server))
    assert len(told) == 1
    assert problem in told[0]


async def test_a_parents_dmarc_record_covers_its_children(name_server: NameServer) -> None:
    del name_server.zone["_dmarc.rhone.parti.example", "TXT"]
    name_server.zone["_dmarc.parti.example", "TXT"] = ['"v=DMARC1; p=reject"']
    findings = await look(name_server)
    assert problems(findings) == []
    assert any("policy reject" in finding.what for finding in findings)


async def test_without_any_answer_there_is_one_finding(name_server: NameServer) -> None:
    name_server.silent = True
    (finding,) = await look(name_server)
    assert "could not be asked" in finding.what


async def test_a_signature_that_does_not_speak_for_the_sender_is_told(name_server: NameServer) -> None:
    stranger = IDENTITY.model_copy(update={"from_email": "contact@autre.example"})
    told = problems(await look(name_server, stranger))
    assert any("does not speak for it" in what for what in told)
    assert any("does not belong to autre.example" in what for what in told)


async def test_an_identity_for_text_messages_needs_no_dns(name_server: NameServer) -> None:
    texting = IDENTITY.model_copy(update={"from_email": None})
    assert problems(await look(name_server, texting)) == []
    assert records_to_publish(texting, []) == []


def test_every_record_says_why() -> None:
    records = records_to_publish(IDENTITY, KEYS)
    assert all(record.why for record in records)
    assert [(record.name, record.type) for record in records] == [
        ("t1._domainkey.rhone.parti.example", "TXT"),
        ("retour.rhone.parti.example", "TXT"),
        ("retour.rhone.parti.example", "MX"),
        ("_dmarc.rhone.parti.example", "TXT"),
    ]
    assert replace(records[0], why="").value.endswith(LONG_KEY)
