"""A record just published is seen, although everybody's memory says that it is not there."""

from collections.abc import AsyncIterator

import pytest

from deliverability.authorities import AuthoritativeResolver
from deliverability.health import HealthCode, check_identity
from deliverability.resolver import CannotAskError, DnsResolver
from tests.deliverability.health.houses import (
    FROM_DOMAIN,
    KEY_NAME,
    KEYS,
    SETUP,
    House,
    an_identity,
    codes,
    patience_with,
)
from tests.servers.dns import DnsServer, Fault, dns_server


@pytest.fixture
async def memory(house: House) -> AsyncIterator[DnsServer]:
    """A resolver that remembers for ever, in front of the zone's own server."""
    house.server.publish("parti.example", "NS", "ns.parti.example.")
    house.server.publish("ns.parti.example", "A", "127.0.0.1")
    async with dns_server(behind=house.server) as server:
        yield server


def usual(memory: DnsServer) -> DnsResolver:
    return DnsResolver(["127.0.0.1"], memory.port, timeout_seconds=5.0)


def fresh(memory: DnsServer, house: House) -> AuthoritativeResolver:
    patience = patience_with(house.server)
    return AuthoritativeResolver(
        usual(memory), port=house.server.port, timeout_seconds=patience, anywhere=True
    )


async def test_a_record_just_published_is_seen_past_the_memory_of_its_absence(
    house: House, memory: DnsServer
) -> None:
    published = house.server.records[KEY_NAME, "TXT"]
    house.server.withdraw(KEY_NAME, "TXT")
    before = await check_identity(an_identity(), KEYS, usual(memory), setup=SETUP)
    assert HealthCode.DKIM_MISSING in codes(before)
    house.server.publish(KEY_NAME, "TXT", *published)
    assert HealthCode.DKIM_MISSING in codes(
        await check_identity(an_identity(), KEYS, usual(memory), setup=SETUP)
    )
    assert codes(await check_identity(an_identity(), KEYS, fresh(memory, house), setup=SETUP)) == []


async def test_an_alias_into_another_zone_is_followed_there(house: House, memory: DnsServer) -> None:
    house.server.follows = False
    house.server.publish("relay.example", "NS", "ns.parti.example.")
    house.server.publish("k.relay.example", "TXT", '"hello"')
    house.server.publish(f"alias.{FROM_DOMAIN}", "CNAME", "k.relay.example.")
    assert await fresh(memory, house).records(f"alias.{FROM_DOMAIN}", "TXT") == ["hello"]


async def test_where_the_zones_servers_do_not_answer_the_usual_way_is_taken(
    house: House, memory: DnsServer
) -> None:
    assert await usual(memory).records(KEY_NAME, "TXT")
    house.server.fail(KEY_NAME, Fault.SILENT, "TXT")
    resolver = fresh(memory, house)
    for _ in range(3):
        assert (await resolver.ask(KEY_NAME, "TXT")).values
    # Once is enough to know it: the zone's servers are not waited for again.
    assert [each.way for each in house.server.asked if each.name == KEY_NAME].count("udp") == 1


async def test_a_network_that_lets_no_question_out_is_found_out_soon(house: House, memory: DnsServer) -> None:
    names = []
    for zone in ("one.example", "two.example", "three.example"):
        house.server.publish(zone, "NS", "ns.parti.example.")
        house.server.publish_text(f"a.{zone}", "here")
        assert await usual(memory).records(f"a.{zone}", "TXT") == ["here"]
        house.server.fail(f"a.{zone}", Fault.SILENT, "TXT")
        names.append(f"a.{zone}")
    resolver = fresh(memory, house)
    house.server.asked.clear()
    for name in names:
        assert await resolver.records(name, "TXT") == ["here"]
    assert {each.name for each in house.server.asked if each.kind == "TXT"} == {
        "a.one.example",
        "a.two.example",
    }


async def test_name_servers_at_private_addresses_are_left_alone(house: House, memory: DnsServer) -> None:
    careful = AuthoritativeResolver(usual(memory), port=house.server.port)
    await careful.ask(KEY_NAME, "TXT")
    assert memory.count(KEY_NAME, "TXT") > 0


async def test_aliases_in_a_circle_end(house: House, memory: DnsServer) -> None:
    house.server.publish(f"a.{FROM_DOMAIN}", "CNAME", f"b.{FROM_DOMAIN}.")
    house.server.publish(f"b.{FROM_DOMAIN}", "CNAME", f"a.{FROM_DOMAIN}.")
    with pytest.raises(CannotAskError):
        await fresh(memory, house).ask(f"a.{FROM_DOMAIN}", "TXT")
