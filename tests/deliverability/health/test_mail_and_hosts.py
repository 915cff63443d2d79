"""Mail that comes back, mail that is answered, the names of our own server, and courtesies."""

import pytest

from deliverability.health import FindingLevel, HealthCode, SendingSetup, level_of
from deliverability.health.fetching import TextFetcher
from deliverability.health.setup import CannotFetchError
from models.health import HealthLevel
from tests.deliverability.health.houses import (
    DMARC,
    FROM_DOMAIN,
    HELLO,
    IP,
    RELAYED,
    RETURN_PATH,
    REVERSE,
    House,
    an_identity,
    codes,
    the,
)
from tests.servers.dns import Fault
from tests.servers.web_peer import StartWebPeer, answer

STS, TLS, BIMI = f"_mta-sts.{FROM_DOMAIN}", f"_smtp._tls.{FROM_DOMAIN}", f"default._bimi.{FROM_DOMAIN}"
POLICY = "version: STSv1\nmode: enforce\nmx: mail.parti.example\nmax_age: 604800\n"


@pytest.mark.parametrize(
    ("name", "values", "code", "level"),
    [
        (RETURN_PATH, [], HealthCode.RETURN_PATH_NO_MX, FindingLevel.PROBLEM),
        (RETURN_PATH, ["0 ."], HealthCode.RETURN_PATH_NULL_MX, FindingLevel.PROBLEM),
        (RETURN_PATH, ["10 gone.parti.example."], HealthCode.RETURN_PATH_HOST_NOWHERE, FindingLevel.PROBLEM),
        (RETURN_PATH, ["10 mail.parti.example."], HealthCode.RETURN_PATH_ELSEWHERE, FindingLevel.WARNING),
        (FROM_DOMAIN, ["0 ."], HealthCode.FROM_DOMAIN_NULL_MX, FindingLevel.PROBLEM),
        (FROM_DOMAIN, ["10 gone.parti.example."], HealthCode.FROM_DOMAIN_HOST_NOWHERE, FindingLevel.PROBLEM),
        (FROM_DOMAIN, [], HealthCode.FROM_DOMAIN_NOWHERE, FindingLevel.PROBLEM),
    ],
)
async def test_each_fault_of_a_mail_server_is_told_and_mended(
    house: House, name: str, values: list[str], code: HealthCode, level: FindingLevel
) -> None:
    house.server.publish(name, "MX", *values) if values else house.server.withdraw(name, "MX")
    findings = await house.look()
    finding = the(findings, code)
    assert finding.level is level
    assert codes(findings) == [code]
    assert finding.record is not None
    assert finding.replaces == tuple(value if value == "0 ." else value.removesuffix(".") for value in values)
    house.mend(findings)
    assert codes(await house.look()) == []


async def test_one_of_two_servers_that_is_ours_is_enough(house: House) -> None:
    house.server.publish(RETURN_PATH, "MX", "20 mail.parti.example.", f"10 {HELLO}.")
    assert codes(await house.look()) == []


async def test_a_domain_with_an_address_alone_is_a_warning(house: House) -> None:
    house.server.withdraw(FROM_DOMAIN, "MX")
    house.server.publish(FROM_DOMAIN, "AAAA", "2001:db8::1")
    assert codes(await house.look(), FindingLevel.WARNING) == [HealthCode.FROM_DOMAIN_NO_MX]


async def test_a_domain_beyond_ascii_is_asked_for_as_the_dns_has_it(house: House) -> None:
    house.server.publish("xn--rhne-parti-t7a.example", "MX", "10 mail.parti.example.")
    findings = await house.look(an_identity(from_domain="Rhône-parti.example"))
    assert the(findings, HealthCode.FROM_DOMAIN_NO_SOA).values["name"].startswith("xn--rhne-parti-")
    assert all(each.name.isascii() for each in house.server.asked)


async def test_a_domain_in_no_zone_is_told(house: House) -> None:
    house.server.withdraw("parti.example", "SOA")
    assert set(codes(await house.look())) == {
        HealthCode.FROM_DOMAIN_NO_SOA,
        HealthCode.RETURN_PATH_NO_SOA,
    }


async def test_a_domain_of_a_mailbox_provider_is_nobodys_own(house: House) -> None:
    findings = await house.look(an_identity(from_domain="gmail.com"))
    assert HealthCode.FROM_DOMAIN_FREE_MAIL in codes(findings, FindingLevel.PROBLEM)


@pytest.mark.parametrize(
    ("spoil", "code", "level"),
    [
        ("no ptr", HealthCode.HOST_NO_PTR, FindingLevel.PROBLEM),
        ("ptr astray", HealthCode.HOST_PTR_ASTRAY, FindingLevel.PROBLEM),
        ("hello nowhere", HealthCode.HOST_HELLO_NOWHERE, FindingLevel.PROBLEM),
        ("hello astray", HealthCode.HOST_HELLO_ASTRAY, FindingLevel.WARNING),
    ],
)
async def test_each_fault_of_our_own_host_is_told(
    house: House, spoil: str, code: HealthCode, level: FindingLevel
) -> None:
    server = house.server
    match spoil:
        case "no ptr":
            server.withdraw(REVERSE, "PTR")
        case "ptr astray":
            server.publish(REVERSE, "PTR", "mail.parti.example.")
        case "hello nowhere":
            server.withdraw(HELLO, "A")
            server.publish(REVERSE, "PTR", "out.parti.example.")
            server.publish("out.parti.example", "A", IP)
            server.publish(RETURN_PATH, "MX", "10 mail.parti.example.")
        case _:
            server.publish(HELLO, "A", "192.0.2.99")
            server.publish(REVERSE, "PTR", "out.parti.example.")
            server.publish("out.parti.example", "A", IP)
    setup = SendingSetup(sending_ips=(IP,), hello_name=HELLO)
    findings = await house.look(setup=setup)
    finding = the(findings, code)
    assert finding.level is level
    assert codes(findings) == [code]
    house.mend(findings)
    assert codes(await house.look(setup=setup)) == []


async def test_a_greeting_that_is_no_name_is_told(house: House) -> None:
    for name in ("", "localhost", "192.0.2.25", "[192.0.2.25]"):
        setup = SendingSetup(sending_ips=(IP,), hello_name=name)
        assert codes(await house.look(setup=setup)) == [HealthCode.HOST_HELLO_NO_NAME]


async def test_where_a_relay_sends_its_host_is_not_ours_to_judge(house: House) -> None:
    house.server.withdraw(REVERSE, "PTR")
    house.server.publish_text(RETURN_PATH, "v=spf1 include:spf.relay.example -all")
    findings = await house.look(setup=RELAYED)
    assert codes(findings) == []
    assert not any(each.part == "host" for each in findings)
    assert house.server.count(REVERSE, "PTR") == 0


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        (STS, None, HealthCode.MTA_STS_MISSING),
        (STS, "v=STSv1; id=", HealthCode.MTA_STS_SYNTAX),
        (TLS, None, HealthCode.TLS_RPT_MISSING),
        (TLS, "v=TLSRPTv1; rua=tls@parti.example", HealthCode.TLS_RPT_SYNTAX),
        (BIMI, None, HealthCode.BIMI_MISSING),
        (BIMI, "v=BIMI1; l=http://parti.example/logo.svg", HealthCode.BIMI_SYNTAX),
        (BIMI, "v=BIMI1; l=https://parti.example/logo.png", HealthCode.BIMI_SYNTAX),
        (BIMI, "v=BIMI1; l=https://parti.example/logo.svg", HealthCode.BIMI_NO_CERTIFICATE),
        (BIMI, "v=BIMI1; l=; a=", None),
    ],
)
async def test_courtesies_are_advice_and_no_more(
    house: House, name: str, text: str | None, code: HealthCode | None
) -> None:
    house.server.publish_text(name, text) if text else house.server.withdraw(name, "TXT")
    findings = await house.look()
    assert codes(findings) == ([code] if code else [])
    assert codes(findings, FindingLevel.ADVICE) == ([code] if code else [])
    assert level_of(findings) is HealthLevel.FINE


async def test_a_logo_needs_a_policy_that_is_enforced(house: House) -> None:
    house.server.publish_text(DMARC, "v=DMARC1; p=none; rua=mailto:dmarc@parti.example")
    assert HealthCode.BIMI_POLICY in codes(await house.look(), FindingLevel.ADVICE)


@pytest.mark.parametrize(
    ("policy", "code", "level"),
    [
        (POLICY, None, None),
        (POLICY.replace("mail.", "*."), None, None),
        (POLICY.replace("mail.", "other."), HealthCode.MTA_STS_POLICY_LEAVES_OUT, FindingLevel.WARNING),
        (
            POLICY.replace("mail.", "other.").replace("enforce", "testing"),
            HealthCode.MTA_STS_POLICY_LEAVES_OUT,
            FindingLevel.ADVICE,
        ),
        ("<html>", HealthCode.MTA_STS_POLICY_SYNTAX, FindingLevel.ADVICE),
        (None, HealthCode.MTA_STS_POLICY_UNREACHABLE, FindingLevel.ADVICE),
    ],
)
async def test_the_policy_behind_the_record_is_read(
    house: House, policy: str | None, code: HealthCode | None, level: FindingLevel | None
) -> None:
    async def fetch(url: str) -> str:
        assert url == f"https://mta-sts.{FROM_DOMAIN}/.well-known/mta-sts.txt"
        if policy is None:
            raise CannotFetchError("answered 404")
        return policy

    findings = await house.look(fetch=fetch)
    assert [(each.code, each.level) for each in findings if each.level is not FindingLevel.FINE] == (
        [(code, level)] if code else []
    )


async def test_texts_are_read_over_tls_small_and_from_public_hosts_only(web_peer: StartWebPeer) -> None:
    peer = await web_peer()
    peer.answers["/.well-known/mta-sts.txt"] = answer(POLICY.encode())
    peer.answers["/large"] = answer(b"x" * (64 * 1024 + 1))
    peer.answers["/moved"] = answer(b"", "302 Found", f"Location: {peer.url('/large')}")
    peer.mute = frozenset({"/mute"})
    fetch = TextFetcher(seconds=0.5, trusted=peer.trusted, anywhere=True)
    assert await fetch(peer.url("/.well-known/mta-sts.txt")) == POLICY
    for path in ("/large", "/moved", "/none", "/mute"):
        with pytest.raises(CannotFetchError):
            await fetch(peer.url(path))
    with pytest.raises(CannotFetchError, match="public internet"):
        await TextFetcher(trusted=peer.trusted)(peer.url("/.well-known/mta-sts.txt"))
    with pytest.raises(CannotFetchError, match="HTTPS"):
        await TextFetcher()("http://parti.example/")


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        (RETURN_PATH, "MX", HealthCode.RETURN_PATH_UNKNOWN),
        (FROM_DOMAIN, "MX", HealthCode.FROM_DOMAIN_UNKNOWN),
        (REVERSE, "PTR", HealthCode.HOST_UNKNOWN),
        (RETURN_PATH, "TXT", HealthCode.SPF_UNKNOWN),
        (STS, "TXT", HealthCode.MTA_STS_UNKNOWN),
        (TLS, "TXT", HealthCode.TLS_RPT_UNKNOWN),
        (BIMI, "TXT", HealthCode.BIMI_UNKNOWN),
    ],
)
@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.SILENT])
async def test_what_could_not_be_asked_is_never_called_missing(
    house: House, name: str, kind: str, code: HealthCode, fault: Fault
) -> None:
    house.server.fail(name, fault, kind)
    findings = await house.look()
    assert code in codes(findings, FindingLevel.UNKNOWN)
    assert codes(findings, FindingLevel.WARNING, FindingLevel.PROBLEM) == []
    optional = code in {HealthCode.MTA_STS_UNKNOWN, HealthCode.TLS_RPT_UNKNOWN, HealthCode.BIMI_UNKNOWN}
    assert level_of(findings) is (HealthLevel.FINE if optional else HealthLevel.UNKNOWN)
