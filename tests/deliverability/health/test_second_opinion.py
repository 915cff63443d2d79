"""checkdmarc, asked about the same zones, counts the same look-ups and finds the same records broken."""

import asyncio
from itertools import count
from typing import Any

import dns.resolver
import pytest
from checkdmarc.dmarc import query_dmarc_record
from checkdmarc.spf import SPFError, get_spf_record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deliverability.health.dmarc_walk import walk_up
from deliverability.health.spf_survey import Survey, survey_spf
from tests.deliverability.health.houses import House
from tests.servers.dns import dns_server

NAMES = [f"n{number}.example" for number in range(5)]
ROUNDS = count()
OTHERS = ["a:host.example", "mx:mail.example", "ip4:192.0.2.0/24", "ip6:2001:db8::/32", "a:gone.example"]


TERMS = st.sampled_from([*(f"include:{name}" for name in NAMES), *OTHERS])
RECORDS = st.lists(TERMS, max_size=3, unique=True).map(lambda found: " ".join(["v=spf1", *found, "-all"]))


def theirs(port: int, domain: str) -> tuple[int, int] | None:
    """Counts of look-ups and void look-ups by checkdmarc, None where it calls the record broken."""
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], port, 2.0
    try:
        found: Any = get_spf_record(domain, resolver=resolver)
    except SPFError:
        return None
    return found["dns_lookups"], found["void_dns_lookups"]


def ours(survey: Survey) -> tuple[int, int] | None:
    faults = any(each.fault for each in survey.all_below())
    if faults or survey.lookups > 10 or len(survey.voids) > 2:
        return None
    return survey.lookups, len(survey.voids)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(RECORDS, min_size=len(NAMES), max_size=len(NAMES)))
def test_lookups_are_counted_alike(records: list[str]) -> None:
    # Names of this round only: checkdmarc remembers answers across calls.
    salt = next(ROUNDS)

    async def compare() -> None:
        async with dns_server() as server:
            for name, record in zip(NAMES, records, strict=True):
                server.publish_text(salted(name), salted(record))
            server.publish(salted("host.example"), "A", "192.0.2.1")
            server.publish(salted("host.example"), "AAAA", "2001:db8::1")
            server.publish(salted("mail.example"), "MX", f"10 {salted('host.example')}.")
            house = House(server)
            inquiry = house.inquiry()
            survey = await survey_spf(salted(NAMES[0]), inquiry)
            await inquiry.close()
            assert ours(survey) == await asyncio.to_thread(theirs, server.port, salted(NAMES[0])), records

    def salted(text: str) -> str:
        return text.replace(".example", f".x{salt}.example")

    asyncio.run(compare())


@pytest.mark.parametrize(
    "records",
    [
        {"a.b.c": ""},
        {"c": ""},
        {"a.b.c": "", "c": ""},
        {"b.c": "psd=n", "c": ""},
        {"a.b.c": "psd=n", "c": ""},
    ],
)
async def test_the_same_record_governs(
    house: House, records: dict[str, str], request: pytest.FixtureRequest
) -> None:
    # Another top for each case: checkdmarc remembers answers across calls.
    top = f"t{abs(hash(request.node.name))}.example"
    domain = f"a.b.c.{top}"
    house.server.publish(domain, "A", "192.0.2.1")
    for name, more in records.items():
        house.server.publish_text(f"_dmarc.{name}.{top}", f"v=DMARC1; p=none; {more}")
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], house.server.port
    found: Any = await asyncio.to_thread(query_dmarc_record, domain, resolver=resolver)
    walk = await walk_up(domain, house.inquiry())
    assert walk.policy is not None
    assert walk.policy.domain == found["location"]
