"""The records an identity publishes, as a DNS host's form wants them."""

from dataclasses import replace

from deliverability.dns_records import DnsRecord, records_to_publish
from tests.deliverability.health.houses import FROM_DOMAIN, KEYS, RSA_KEY, House, an_identity


def test_every_record_says_why() -> None:
    records = records_to_publish(an_identity(), KEYS)
    assert all(record.why for record in records)
    assert [(record.name, record.type) for record in records] == [
        ("t1._domainkey.rhone.parti.example", "TXT"),
        ("t2._domainkey.rhone.parti.example", "TXT"),
        ("retour.rhone.parti.example", "TXT"),
        ("retour.rhone.parti.example", "MX"),
        ("_dmarc.rhone.parti.example", "TXT"),
    ]
    assert records[0].value.endswith(RSA_KEY.public_base64)


def test_an_identity_for_text_messages_publishes_nothing() -> None:
    texting = an_identity()
    texting.from_email = None
    assert records_to_publish(texting, []) == []


def test_a_name_is_written_without_its_zone() -> None:
    record = DnsRecord("t1._domainkey.rhone.parti.example", "TXT", "v=DKIM1", "", "parti.example")
    assert record.host == "t1._domainkey.rhone"
    assert replace(record, name="parti.example").host == "@"
    assert replace(record, zone="").host == record.name


def test_a_long_text_is_cut_into_strings_of_255_octets() -> None:
    strings = records_to_publish(an_identity(), KEYS)[0].strings
    assert [len(each) for each in strings][:-1] == [255] * (len(strings) - 1)
    assert len(strings) > 1
    assert "".join(strings).endswith(RSA_KEY.public_base64)
    assert DnsRecord("a", "MX", "10 b", "").strings == ("10 b",)


async def test_the_zone_is_found_by_asking(house: House) -> None:
    house.server.withdraw(f"t1._domainkey.{FROM_DOMAIN}", "TXT")
    (missing,) = [each for each in await house.look() if each.level == "problem"]
    assert missing.record is not None
    assert missing.record.zone == "parti.example"
    assert missing.record.host == "t1._domainkey.rhone"
