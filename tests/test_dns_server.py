"""The tests' own DNS server goes wrong in every way it says, as a client sees it."""

import dns.asyncresolver
import dns.exception
import dns.message
import dns.rcode
import dns.resolver
import pytest

from tests.servers.dns import DnsServer, Fault, dns_server, quoted

LONG = "k" * 700


def client(server: DnsServer) -> dns.asyncresolver.Resolver:
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], server.port, 0.6
    return resolver


async def texts(server: DnsServer, name: str) -> list[tuple[bytes, ...]]:
    return [record.strings for record in await client(server).resolve(name, "TXT")]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.SERVFAIL, dns.resolver.NoNameservers),
        (Fault.REFUSED, dns.resolver.NoNameservers),
        (Fault.NXDOMAIN, dns.resolver.NXDOMAIN),
        (Fault.NODATA, dns.resolver.NoAnswer),
        (Fault.LAME, dns.resolver.NoAnswer),
        (Fault.SILENT, dns.resolver.LifetimeTimeout),
        (Fault.GARBAGE, dns.exception.DNSException),
    ],
)
async def test_each_fault_reaches_the_client(fault: Fault, error: type[Exception]) -> None:
    async with dns_server() as server:
        server.publish_text("a.example", "here")
        server.fail("a.example", fault)
        with pytest.raises(error):
            await texts(server, "a.example")
        server.heal()
        assert await texts(server, "a.example") == [(b"here",)]


async def test_long_texts_come_in_strings_and_too_long_answers_over_tcp() -> None:
    async with dns_server() as server:
        server.publish_text("a.example", LONG, "second")
        found = await texts(server, "a.example")
        assert sorted(len(each) for each in found) == [1, 3]
        assert LONG.encode() in [b"".join(each) for each in found]
        server.publish_text("b.example", LONG, LONG + "x")
        assert len(await texts(server, "b.example")) == 2
        assert [each.way for each in server.asked if each.name == "b.example"] == ["udp", "tcp"]


async def test_names_without_such_records_exist_and_others_do_not() -> None:
    async with dns_server() as server:
        server.publish("a.b.example", "A", "192.0.2.1")
        server.publish_zone("example")
        for name in ("a.b.example", "b.example"):
            with pytest.raises(dns.resolver.NoAnswer):
                await texts(server, name)
        with pytest.raises(dns.resolver.NXDOMAIN):
            await texts(server, "c.example")


async def test_wildcards_answer_for_what_is_not_there_only() -> None:
    async with dns_server() as server:
        server.publish_text("*.w.example", "any")
        server.publish("here.w.example", "A", "192.0.2.1")
        assert await texts(server, "x.y.w.example") == [(b"any",)]
        with pytest.raises(dns.resolver.NoAnswer):
            await texts(server, "here.w.example")


async def test_aliases_are_chased_and_circles_end() -> None:
    async with dns_server() as server:
        server.publish("a.example", "CNAME", "b.example.")
        server.publish("b.example", "CNAME", "c.example.")
        server.publish_text("c.example", "there")
        assert await texts(server, "a.example") == [(b"there",)]
        server.publish("c.example", "CNAME", "a.example.")
        with pytest.raises(dns.exception.DNSException):
            await texts(server, "a.example")


async def test_a_cache_answers_what_it_heard_first() -> None:
    async with dns_server() as authority, dns_server(behind=authority) as cache:
        authority.publish_zone("example")
        with pytest.raises(dns.resolver.NXDOMAIN):
            await texts(cache, "a.example")
        authority.publish_text("a.example", "now")
        assert await texts(authority, "a.example") == [(b"now",)]
        with pytest.raises(dns.resolver.NXDOMAIN):
            await texts(cache, "a.example")


async def test_a_slow_answer_comes_in_the_end() -> None:
    async with dns_server() as server:
        server.publish_text("a.example", "late")
        server.fail("a.example", Fault.SLOW, "TXT")
        assert await texts(server, "a.example") == [(b"late",)]


def test_any_text_is_quoted_as_a_zone_file_has_it() -> None:
    assert quoted('say "é\\"') == '"say \\"\\195\\169\\\\\\""'
    assert quoted("") == '""'
