"""A domain with ten faults at once: each is named, and publishing what is told mends every one."""

import pytest

from deliverability.health import HealthCode, HealthFinding, level_of
from deliverability.health.findings import FindingLevel
from models.health import HealthLevel
from tests.deliverability.health.houses import (
    DMARC,
    ED_KEY,
    FROM_DOMAIN,
    HELLO,
    IP,
    KEY_NAME,
    RETURN_PATH,
    REVERSE,
    House,
    a_key,
    codes,
)

OTHER_ED = a_key("t2", ED_KEY.algorithm)
TEN = {
    HealthCode.DKIM_REVOKED,
    HealthCode.DKIM_OTHER_KEY,
    HealthCode.SPF_TOO_MANY_LOOKUPS,
    HealthCode.SPF_LEAVES_US_OUT,
    HealthCode.DMARC_SEVERAL,
    HealthCode.RETURN_PATH_NO_MX,
    HealthCode.FROM_DOMAIN_NULL_MX,
    HealthCode.HOST_NO_PTR,
    HealthCode.HOST_HELLO_NOWHERE,
    HealthCode.DMARC_REPORTS_UNAUTHORISED,
}


def spoil(house: House) -> None:
    """Ten faults, each its own."""
    server = house.server
    server.publish_text(KEY_NAME, "v=DKIM1; k=rsa; p=")
    server.publish_text(f"t2._domainkey.{FROM_DOMAIN}", f"v=DKIM1; k=ed25519; p={OTHER_ED.public_base64}")
    server.publish_text(
        RETURN_PATH, "v=spf1 " + " ".join(f"include:s{n}.example" for n in range(11)) + " -all"
    )
    for number in range(11):
        server.publish_text(f"s{number}.example", f"v=spf1 ip4:198.51.100.{number} -all")
    server.publish_text(DMARC, "v=DMARC1; p=none", "v=DMARC1; p=reject; rua=mailto:d@parti.example")
    # With two records at its own name, that of the organisation is what counts.
    server.publish_text("_dmarc.parti.example", "v=DMARC1; p=reject; rua=mailto:d@collector.example")
    server.publish_zone("collector.example")
    server.withdraw(RETURN_PATH, "MX")
    server.publish(FROM_DOMAIN, "MX", "0 .")
    server.withdraw(REVERSE, "PTR")
    server.withdraw(HELLO, "A")


@pytest.fixture
def spoilt(house: House) -> House:
    spoil(house)
    return house


def grave(findings: list[HealthFinding]) -> set[HealthCode]:
    return set(codes(findings, FindingLevel.WARNING, FindingLevel.PROBLEM))


async def test_ten_faults_are_all_named_each_with_the_record_that_mends_it(spoilt: House) -> None:
    findings = await spoilt.look()
    # Nothing passes any more, so that DMARC fails too: that follows from the ten.
    assert grave(findings) == TEN | {HealthCode.ALIGNMENT_FAILS}
    assert all(each.record is not None for each in findings if each.code in TEN)
    assert level_of(findings) is HealthLevel.PROBLEM


async def test_publishing_what_is_told_mends_all_ten(spoilt: House) -> None:
    spoilt.mend(await spoilt.look())
    findings = await spoilt.look()
    assert grave(findings) == set()
    assert level_of(findings) is HealthLevel.FINE


async def test_the_mended_spf_record_keeps_who_was_in_it(spoilt: House) -> None:
    spoilt.mend(await spoilt.look())
    (text,) = spoilt.server.records[RETURN_PATH, "TXT"]
    assert f"ip4:{IP}" in text
    for number in range(11):
        assert f"ip4:198.51.100.{number}" in text or f"include:s{number}.example" in text or "/" in text


@pytest.mark.parametrize("code", sorted(TEN))
async def test_each_of_the_ten_is_mended_by_its_own_record(spoilt: House, code: HealthCode) -> None:
    findings = await spoilt.look()
    spoilt.mend([each for each in findings if each.code is code])
    left = grave(await spoilt.look())
    assert code not in left
