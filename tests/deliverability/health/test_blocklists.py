"""Block lists: a listing is told as one, and nothing else ever is."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.health import FindingLevel, HealthCode
from deliverability.health.blocklists import Blocklist, Subjects, blocklists, judge, name_to_ask
from deliverability.health.findings import HealthFinding
from deliverability.health.listings import BlocklistDesk, subjects_of
from deliverability.resolver import DnsResolver
from store import Database, listings
from tests.clocks import START
from tests.deliverability.health.houses import IP, SETUP, an_identity, patience_with, require_words
from tests.servers.dns import DnsServer, Fault, dns_server

ZEN, DBL, SURBL, SPAMCOP = "zen.spamhaus.org", "dbl.spamhaus.org", "multi.surbl.org", "bl.spamcop.net"
ABOUT_US = f"25.2.0.192.{ZEN}"
DOMAIN = "parti.example"


@pytest.fixture
async def lists() -> AsyncIterator[DnsServer]:
    """Lists that work, and have nothing against us."""
    async with dns_server() as server:
        for zone in (ZEN, SPAMCOP):
            server.publish(f"2.0.0.127.{zone}", "A", "127.0.0.2")
        server.publish(f"dbltest.com.{DBL}", "A", "127.0.1.2")
        server.publish(f"surbl-org-permanent-test-point.com.{SURBL}", "A", "127.0.0.254")
        yield server


def desk(database: Database, server: DnsServer, *zones: str) -> BlocklistDesk:
    resolver = DnsResolver(["127.0.0.1"], server.port, timeout_seconds=patience_with(server))
    return BlocklistDesk(database, resolver, zones)


def only(findings: list[HealthFinding]) -> HealthFinding:
    (finding,) = findings
    require_words(finding)
    return finding


async def test_a_listing_says_what_it_means_and_where_to_ask(lists: DnsServer, database: Database) -> None:
    lists.publish(ABOUT_US, "A", "127.0.0.3")
    finding = only(await desk(database, lists, ZEN).look([IP], START))
    assert (finding.code, finding.level) == (HealthCode.BLOCKLIST_LISTED, FindingLevel.PROBLEM)
    assert finding.values["subject"] == IP
    assert finding.values["meaning"] == "snowshoe"
    assert finding.values["delist"] == "https://check.spamhaus.org/"


async def test_who_is_on_no_list_is_told_so_once(lists: DnsServer, database: Database) -> None:
    finding = only(await desk(database, lists, ZEN, DBL, SURBL, SPAMCOP).look([IP, DOMAIN], START))
    assert finding.code is HealthCode.BLOCKLIST_CLEAR
    assert finding.values["subjects"] == f"{IP}, {DOMAIN}"
    assert finding.values["lists"] == "SURBL, SpamCop, Spamhaus DBL, Spamhaus ZEN"


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        ("127.255.255.254", "public_resolver"),
        ("127.255.255.255", "too_many"),
        ("127.255.255.252", "mistyped"),
    ],
)
async def test_a_refusal_of_public_name_servers_is_never_a_listing(
    lists: DnsServer, database: Database, refusal: str, why: str
) -> None:
    lists.publish(f"*.{ZEN}", "A", refusal)
    lists.publish(f"2.0.0.127.{ZEN}", "A", refusal)
    finding = only(await desk(database, lists, ZEN).look([IP], START))
    assert (finding.code, finding.level) == (HealthCode.BLOCKLIST_UNKNOWN, FindingLevel.UNKNOWN)
    assert finding.values["why"] == why


async def test_a_refusal_only_about_us_is_no_listing_either(lists: DnsServer, database: Database) -> None:
    lists.publish(ABOUT_US, "A", "127.255.255.254")
    assert only(await desk(database, lists, ZEN).look([IP], START)).code is HealthCode.BLOCKLIST_UNKNOWN


async def test_a_list_that_closed_down_and_names_everybody_is_not_believed(
    lists: DnsServer, database: Database
) -> None:
    lists.withdraw(f"2.0.0.127.{SPAMCOP}", "A")
    lists.publish(f"*.{SPAMCOP}", "A", "127.0.0.2")
    finding = only(await desk(database, lists, SPAMCOP).look([IP], START))
    assert (finding.code, finding.values["why"]) == (HealthCode.BLOCKLIST_UNKNOWN, "says_all")


async def test_a_name_server_that_hides_the_list_does_not_make_us_clear(
    lists: DnsServer, database: Database
) -> None:
    lists.withdraw(f"2.0.0.127.{SPAMCOP}", "A")
    finding = only(await desk(database, lists, SPAMCOP).look([IP], START))
    assert (finding.code, finding.values["why"]) == (HealthCode.BLOCKLIST_UNKNOWN, "deaf")


async def test_an_address_put_in_by_a_name_server_is_no_listing(lists: DnsServer, database: Database) -> None:
    lists.publish(ABOUT_US, "A", "203.0.113.80")
    assert only(await desk(database, lists, ZEN).look([IP], START)).values["why"] == "strange"


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.SILENT, Fault.REFUSED])
async def test_a_list_that_does_not_answer_says_nothing(
    lists: DnsServer, database: Database, fault: Fault
) -> None:
    lists.fail(ABOUT_US, fault)
    finding = only(await desk(database, lists, ZEN).look([IP], START))
    assert (finding.code, finding.values["why"]) == (HealthCode.BLOCKLIST_UNKNOWN, "no_answer")


async def test_a_domain_is_asked_of_lists_of_domains_only(lists: DnsServer, database: Database) -> None:
    lists.publish(f"{DOMAIN}.{SURBL}", "A", "127.0.0.72")
    findings = await desk(database, lists, ZEN, SURBL).look([DOMAIN], START)
    assert [each.code for each in findings] == [HealthCode.BLOCKLIST_LISTED]
    assert findings[0].values["meaning"] == "phishing"
    assert not any(ZEN in each.name for each in lists.asked)


async def test_answers_are_kept_for_half_a_day_and_failures_for_an_hour(
    lists: DnsServer, database: Database
) -> None:
    lists.publish(ABOUT_US, "A", "127.0.0.2")
    lists.fail(f"25.2.0.192.{SPAMCOP}", Fault.SERVFAIL)
    house = desk(database, lists, ZEN, SPAMCOP)
    first = await house.look([IP], START)
    lists.heal()
    lists.withdraw(ABOUT_US, "A")
    asked = len(lists.asked)
    assert await house.look([IP], START + timedelta(minutes=59)) == first
    assert len(lists.asked) == asked
    later = await house.look([IP], START + timedelta(hours=2))
    assert {each.code for each in later} == {HealthCode.BLOCKLIST_LISTED, HealthCode.BLOCKLIST_CLEAR}
    last = only(await house.look([IP], START + timedelta(hours=13)))
    assert last.code is HealthCode.BLOCKLIST_CLEAR
    async with database.write() as session:
        assert [each.listed for each in await listings.listings_of(session, [IP])] == [False, False]
        await listings.forget_listings_before(session, START + timedelta(hours=12))
        assert [each.zone for each in await listings.listings_of(session, [IP])] == [ZEN]


async def test_without_lists_nobody_is_asked(lists: DnsServer, database: Database) -> None:
    assert await desk(database, lists).look([IP, DOMAIN], START) == []
    assert lists.asked == []


def test_what_is_asked_about_an_identity_is_its_addresses_and_registered_domains() -> None:
    assert subjects_of(an_identity(), SETUP) == (IP, DOMAIN)
    linked = replace(SETUP, link_host="clics.Agence.example")
    assert subjects_of(an_identity(), linked) == (IP, "agence.example", DOMAIN)


def test_addresses_are_asked_backwards() -> None:
    assert name_to_ask("2001:db8::1", ZEN).endswith(f"8.b.d.0.1.0.0.2.{ZEN}")
    assert name_to_ask(IP, ZEN) == ABOUT_US
    assert not blocklists()[SPAMCOP].knows("2001:db8::1")
    assert blocklists()[ZEN].knows("2001:db8::1")


@pytest.mark.parametrize("blocklist", blocklists().values(), ids=lambda each: each.zone)
def test_every_list_says_all_that_is_needed(blocklist: Blocklist) -> None:
    assert blocklist.codes or blocklist.bits
    assert not set(blocklist.codes) & set(blocklist.refusals)
    assert blocklist.delist.startswith("https://")
    assert blocklist.terms.startswith("https://")
    assert blocklist.level in {FindingLevel.WARNING, FindingLevel.PROBLEM}
    assert blocklist.knows(blocklist.probe)
    assert blocklist.lists in set(Subjects)


@given(st.lists(st.ip_addresses(v=4).map(str), max_size=4), st.sampled_from(sorted(blocklists())))
def test_only_published_codes_are_listings(values: list[str], zone: str) -> None:
    answer = judge(blocklists()[zone], "192.0.2.1", values)
    assert not (answer.listed and answer.problem)
    if answer.listed:
        assert answer.answer.startswith("127.0.")
    if not values:
        assert not answer.listed
