"""Would DMARC pass for a message of this From, this return path and this d=?"""

import pytest

from deliverability.health import FindingLevel, HealthCode, HealthFinding, SendingSetup
from tests.deliverability.health.houses import (
    DMARC,
    FROM_DOMAIN,
    IP,
    KEY_NAME,
    KEYS,
    RETURN_PATH,
    RSA_KEY,
    SETUP,
    House,
    an_identity,
)
from tests.servers.dns import Fault

STRICT = "v=DMARC1; p=reject; adkim=s; aspf=s; rua=mailto:dmarc@parti.example"


async def simulated(house: House, **names: str) -> HealthFinding:
    found = await house.look(an_identity(**names))
    (finding,) = [each for each in found if each.part == "alignment"]
    return finding


def sign_with(house: House, domain: str) -> None:
    house.server.publish_text(f"t1._domainkey.{domain}", f"v=DKIM1; p={RSA_KEY.public_base64}")


async def test_what_is_in_order_passes_both_ways(house: House) -> None:
    finding = await simulated(house)
    assert (finding.code, finding.values["dkim"], finding.values["spf"]) == (
        HealthCode.ALIGNMENT_FINE,
        "pass",
        "pass",
    )


async def test_a_parent_speaks_for_its_children_unless_strictness_is_asked(house: House) -> None:
    sign_with(house, "parti.example")
    house.server.withdraw(f"t2._domainkey.{FROM_DOMAIN}", "TXT")
    relaxed = await simulated(house, dkim_domain="parti.example")
    assert relaxed.code is HealthCode.ALIGNMENT_FINE
    house.server.publish_text(DMARC, STRICT)
    strict = await simulated(house, dkim_domain="parti.example")
    assert strict.code is HealthCode.ALIGNMENT_FAILS
    assert (strict.values["dkim"], strict.values["spf"]) == ("not_aligned", "not_aligned")
    assert strict.record is not None
    house.mend([strict])
    assert (await simulated(house, dkim_domain="parti.example")).code is HealthCode.ALIGNMENT_FINE


async def test_strictness_for_one_leaves_the_other_relaxed(house: House) -> None:
    house.server.publish_text(DMARC, STRICT.replace("adkim=s; ", ""))
    finding = await simulated(house)
    assert finding.code is HealthCode.ALIGNMENT_DKIM_ONLY
    assert finding.values["spf"] == "not_aligned"


async def test_a_return_path_of_the_relay_leaves_the_signature_alone(house: House) -> None:
    house.server.publish_text("bounces.relay.example", f"v=spf1 ip4:{IP} -all")
    finding = await simulated(house, return_path="bounces.relay.example")
    assert (finding.code, finding.level) == (HealthCode.ALIGNMENT_DKIM_ONLY, FindingLevel.WARNING)


async def test_a_signature_of_somebody_else_leaves_spf_alone(house: House) -> None:
    sign_with(house, "relay.example")
    finding = await simulated(house, dkim_domain="relay.example")
    assert (finding.code, finding.values["dkim"]) == (HealthCode.ALIGNMENT_SPF_ONLY, "not_aligned")


@pytest.mark.parametrize("spf", ["v=spf1 -all", "v=spf1 foo"])
async def test_without_either_it_fails_and_says_why(house: House, spf: str) -> None:
    house.server.publish_text(KEY_NAME, "v=DKIM1; p=")
    house.server.withdraw(f"t2._domainkey.{FROM_DOMAIN}", "TXT")
    house.server.publish_text(RETURN_PATH, spf)
    finding = await simulated(house)
    assert (finding.code, finding.level) == (HealthCode.ALIGNMENT_FAILS, FindingLevel.PROBLEM)
    assert (finding.values["dkim"], finding.values["spf"]) == ("broken", "broken")


async def test_one_key_that_verifies_is_enough(house: House) -> None:
    house.server.publish_text(KEY_NAME, "v=DKIM1; p=")
    assert (await simulated(house)).values["dkim"] == "pass"


async def test_without_a_key_only_spf_is_left(house: House) -> None:
    found = await house.look(keys=[])
    (finding,) = [each for each in found if each.part == "alignment"]
    assert (finding.code, finding.values["dkim"]) == (HealthCode.ALIGNMENT_SPF_ONLY, "no_key")


async def test_older_and_newer_receivers_may_disagree(house: House) -> None:
    """psd=n makes the subdomain an organisation of its own, which the list of suffixes knows nothing of."""
    house.server.publish_text(DMARC, "v=DMARC1; p=reject; psd=n; rua=mailto:dmarc@parti.example")
    sign_with(house, "parti.example")
    house.server.publish_text("retour.parti.example", f"v=spf1 ip4:{IP} -all")
    finding = await simulated(house, dkim_domain="parti.example", return_path="retour.parti.example")
    assert (finding.code, finding.level) == (HealthCode.ALIGNMENT_DEPENDS, FindingLevel.WARNING)


async def test_what_could_not_be_asked_is_not_called_a_failure(house: House) -> None:
    house.server.fail(RETURN_PATH, Fault.SERVFAIL, "TXT")
    for key in KEYS:
        house.server.fail(f"{key.selector}._domainkey.{FROM_DOMAIN}", Fault.SILENT)
    assert (await simulated(house)).code is HealthCode.ALIGNMENT_UNKNOWN


async def test_not_knowing_our_addresses_is_not_held_against_spf(house: House) -> None:
    found = await house.look(setup=SendingSetup(inbound_host=SETUP.inbound_host))
    (finding,) = [each for each in found if each.part == "alignment"]
    assert (finding.code, finding.values["spf"]) == (HealthCode.ALIGNMENT_FINE, "likely")
