"""The key record of each selector: ours, whole, alone, and strong enough."""

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from deliverability.health import FindingLevel, HealthCode
from deliverability.health.dkim import check_key
from models.identity import DkimKey
from models.signing import DkimAlgorithm
from tests.deliverability.health.houses import (
    ED_KEY,
    FROM_DOMAIN,
    KEY_NAME,
    RSA_KEY,
    House,
    a_key,
    codes,
    the,
)
from tests.servers.dns import Fault

PUBLIC = RSA_KEY.public_base64
OTHER = a_key().public_base64


def short_key(bits: int) -> DkimKey:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return a_key("t1", DkimAlgorithm.RSA, base64.b64encode(der).decode())


async def look(house: House, key: DkimKey = RSA_KEY) -> tuple[set[HealthCode], bool | None]:
    inquiry = house.inquiry()
    try:
        seen = await check_key(key, FROM_DOMAIN, inquiry)
    finally:
        await inquiry.close()
    return set(codes(list(seen.findings))), seen.verifies


@pytest.mark.parametrize(
    ("text", "code", "verifies"),
    [
        (f"v=DKIM1; k=rsa; p={PUBLIC}", None, True),
        (f"p={PUBLIC}", None, True),
        (f"k=rsa; p={PUBLIC};", None, True),
        (f"v=DKIM1; k=rsa; h=sha1:sha256; s=email; n=note; x=y; p={PUBLIC[:90]} {PUBLIC[90:]}", None, True),
        ("v=DKIM1; k=rsa; p=", HealthCode.DKIM_REVOKED, False),
        (f"v=DKIM1; k=rsa; p={OTHER}", HealthCode.DKIM_OTHER_KEY, False),
        (f"v=DKIM1; k=ed25519; p={PUBLIC}", HealthCode.DKIM_SYNTAX, False),
        (f"v=dkim1; k=rsa; p={PUBLIC}", HealthCode.DKIM_SYNTAX, False),
        (f"k=rsa; v=DKIM1; p={PUBLIC}", HealthCode.DKIM_SYNTAX, False),
        ("v=DKIM1; k=rsa", HealthCode.DKIM_SYNTAX, False),
        (f'"v=DKIM1; k=rsa; p={PUBLIC}"', HealthCode.DKIM_SYNTAX, False),
        (f"v=DKIM1; k=rsa; p={PUBLIC[:-7]}…", HealthCode.DKIM_SYNTAX, False),
        (f"v=DKIM1; k=rsa; p={PUBLIC}; p={OTHER}", HealthCode.DKIM_SYNTAX, False),
        (f"v=DKIM1; k=rsa; t=y; p={PUBLIC}", HealthCode.DKIM_TESTING, True),
        (f"v=DKIM1; k=rsa; t=s:y; p={PUBLIC}", HealthCode.DKIM_TESTING, True),
        (f"v=DKIM1; k=rsa; t=s; p={PUBLIC}", None, True),
        (f"v=DKIM1; k=rsa; s=tlsrpt; p={PUBLIC}", HealthCode.DKIM_NOT_FOR_MAIL, False),
        (f"v=DKIM1; k=rsa; h=sha1; p={PUBLIC}", HealthCode.DKIM_NOT_FOR_MAIL, False),
    ],
)
async def test_each_record_is_judged_as_receivers_do(
    house: House, text: str, code: HealthCode | None, *, verifies: bool
) -> None:
    house.server.publish_text(KEY_NAME, text)
    assert await look(house) == ({code} if code else set(), verifies)


async def test_a_key_cut_into_strings_is_joined_without_blanks(house: House) -> None:
    text = f"v=DKIM1; k=rsa; p={PUBLIC}"
    pieces = " ".join(f'"{text[at : at + 40]}"' for at in range(0, len(text), 40))
    house.server.publish(KEY_NAME, "TXT", pieces)
    assert await look(house) == (set(), True)


async def test_a_key_published_without_its_wrapping_is_ours_all_the_same(house: House) -> None:
    """RFC 6376 section 3.6.1 names RSAPublicKey, everybody publishes SubjectPublicKeyInfo: both are read."""
    public = serialization.load_der_public_key(base64.b64decode(PUBLIC))
    bare = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    house.server.publish_text(KEY_NAME, f"v=DKIM1; p={base64.b64encode(bare).decode()}")
    assert await look(house) == (set(), True)


async def test_an_alias_is_followed_to_the_key(house: House) -> None:
    house.server.withdraw(KEY_NAME, "TXT")
    house.server.publish(KEY_NAME, "CNAME", "k1.relay.example.")
    house.server.publish("k1.relay.example", "CNAME", "k2.relay.example.")
    house.server.publish_text("k2.relay.example", f"v=DKIM1; p={PUBLIC}")
    assert await look(house) == (set(), True)


async def test_an_alias_that_leads_nowhere_is_named(house: House) -> None:
    house.server.withdraw(KEY_NAME, "TXT")
    house.server.publish(KEY_NAME, "CNAME", "gone.relay.example.")
    finding = the(await house.look(), HealthCode.DKIM_MISSING)
    assert finding.values["alias"] == "gone.relay.example"
    assert finding.record is not None
    assert finding.record.value.endswith(PUBLIC)


async def test_two_records_at_a_selector_are_one_too_many(house: House) -> None:
    house.server.publish_text(KEY_NAME, f"v=DKIM1; p={OTHER}", f"v=DKIM1; p={PUBLIC}")
    assert await look(house) == ({HealthCode.DKIM_SEVERAL}, False)


@pytest.mark.parametrize(
    ("bits", "code", "level"),
    [
        (1024, HealthCode.DKIM_SHORT, FindingLevel.ADVICE),
        (2048, None, None),
    ],
)
async def test_short_keys_are_advised_against(
    house: House, bits: int, code: HealthCode | None, level: FindingLevel | None
) -> None:
    key = short_key(bits)
    house.server.publish_text(KEY_NAME, f"v=DKIM1; p={key.public_base64}")
    inquiry = house.inquiry()
    seen = await check_key(key, FROM_DOMAIN, inquiry)
    assert [(each.code, each.level) for each in seen.findings if each.level is not FindingLevel.FINE] == (
        [(code, level)] if code else []
    )
    assert seen.verifies


async def test_a_key_of_fewer_than_1024_bits_counts_as_none(house: House) -> None:
    # A 512-bit key that somebody else made: nobody makes them any more.
    weak = (
        "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALP6AeZkXCbeAiq8XjaL3FYCqjhNh6rjPeGGRLKkf7HjqK4mI9Vxq0rUWIUM"
        "xqA3gdJVmWSkBqcFRjIF0AO0kU8CAwEAAQ=="
    )
    house.server.publish_text(KEY_NAME, f"v=DKIM1; p={weak}")
    assert await look(house, a_key("t1", DkimAlgorithm.RSA, weak)) == ({HealthCode.DKIM_WEAK}, False)


async def test_an_ed25519_key_is_compared_as_32_octets(house: House) -> None:
    name = f"t2._domainkey.{FROM_DOMAIN}"
    house.server.publish_text(name, f"v=DKIM1; k=ed25519; p={ED_KEY.public_base64}")
    assert await look(house, ED_KEY) == (set(), True)
    other = a_key("t2", DkimAlgorithm.ED25519).public_base64
    house.server.publish_text(name, f"v=DKIM1; k=ed25519; p={other}")
    assert await look(house, ED_KEY) == ({HealthCode.DKIM_OTHER_KEY}, False)


async def test_ed25519_alone_is_not_enough(house: House) -> None:
    assert HealthCode.DKIM_NO_RSA in codes(await house.look(keys=[ED_KEY]))
    assert HealthCode.DKIM_NO_KEY in codes(await house.look(keys=[]))


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.REFUSED, Fault.SILENT, Fault.GARBAGE])
async def test_what_could_not_be_asked_is_never_called_missing(house: House, fault: Fault) -> None:
    house.server.fail(KEY_NAME, fault)
    assert await look(house) == ({HealthCode.DKIM_UNKNOWN}, None)
