"""Which provider a domain's mail goes to, asked of a real name server on the loopback."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from deliverability.resolver import DnsResolver
from models.providers import NOWHERE, OTHER, provider_by_exchangers, provider_name
from scheduler.destinations import providers_for
from store import Database, mail_domains
from tests.clocks import ManualClock
from tests.servers.names import NameServer, name_server

TOWN = "mairie-exemple.fr"


@pytest.fixture
async def names() -> AsyncIterator[NameServer]:
    async with name_server() as server:
        yield server


def resolver(server: NameServer) -> DnsResolver:
    return DnsResolver(["127.0.0.1"], server.port, timeout_seconds=0.2 if server.silent else 20)


@pytest.mark.parametrize(
    ("exchangers", "provider"),
    [
        (["10 aspmx.l.google.com.", "20 alt1.aspmx.l.google.com."], "gmail"),
        (["0 exemple-fr.mail.protection.outlook.com."], "microsoft365"),
        (["0 outlook-com.olc.protection.outlook.com."], "outlook"),
        (["10 smtp-in.orange.fr."], "orange"),
        (["5 mx1.mail.ovh.net.", "1 mx0.mail.ovh.net."], "ovh"),
        (["10 spool.mail.gandi.net."], "gandi"),
        (["10 mx00.ionos.fr."], "ionos"),
        (["10 mta-gw.infomaniak.ch."], "infomaniak"),
        (["10 mx2.ma-ville.fr.", "5 mx1.ma-ville.fr."], "mx:ma-ville.fr"),
        (["10 mx.exemple.asso.fr."], "mx:exemple.asso.fr"),
        (["0 ."], NOWHERE),
    ],
)
async def test_a_domain_belongs_to_the_provider_its_exchangers_name(
    database: Database, clock: ManualClock, names: NameServer, exchangers: list[str], provider: str
) -> None:
    names.zone[TOWN, "MX"] = exchangers
    assert await providers_for(database, [TOWN], clock, resolver(names)) == {TOWN: provider}


async def test_a_domain_without_exchangers_receives_its_mail_itself(
    database: Database, clock: ManualClock, names: NameServer
) -> None:
    names.zone["small.fr", "A"] = ["192.0.2.1"]
    names.zone["six.fr", "AAAA"] = ["2001:db8::1"]
    names.zone["empty.fr", "TXT"] = ['"nothing here"']
    found = await providers_for(
        database, ["small.fr", "six.fr", "empty.fr", "gone.fr"], clock, resolver(names)
    )
    assert found == {
        "small.fr": "mx:small.fr",
        "six.fr": "mx:six.fr",
        "empty.fr": NOWHERE,
        "gone.fr": NOWHERE,
    }


async def test_a_domain_is_looked_up_once_until_its_answer_expires(
    database: Database, clock: ManualClock, names: NameServer
) -> None:
    names.zone[TOWN, "MX"] = ["10 smtp-in.orange.fr."]
    for _ in range(3):
        await providers_for(database, [TOWN.upper()], clock, resolver(names))
    assert names.asked == [(TOWN, "MX")]
    # Its records live a minute; they are kept an hour all the same.
    clock.advance(timedelta(minutes=59))
    await providers_for(database, [TOWN], clock, resolver(names))
    assert len(names.asked) == 1
    names.zone[TOWN, "MX"] = ["10 mx1.mail.ovh.net."]
    clock.advance(timedelta(minutes=2))
    assert await providers_for(database, [TOWN], clock, resolver(names)) == {TOWN: "ovh"}


async def test_an_answer_is_not_believed_for_more_than_a_week(
    database: Database, clock: ManualClock, names: NameServer
) -> None:
    names.zone[TOWN, "MX"] = ["10 smtp-in.orange.fr."]
    names.ttl = 90 * 86_400
    await providers_for(database, [TOWN], clock, resolver(names))
    async with database.read() as session:
        row = (await mail_domains.known(session, [TOWN]))[TOWN]
    assert row.expires_at - row.looked_up_at == timedelta(days=7)


async def test_when_no_name_server_answers_what_was_known_holds_and_it_is_asked_again_soon(
    database: Database, clock: ManualClock, names: NameServer
) -> None:
    names.zone[TOWN, "MX"] = ["10 smtp-in.orange.fr."]
    await providers_for(database, [TOWN], clock, resolver(names))
    clock.advance(timedelta(hours=2))
    names.silent = True
    assert await providers_for(database, [TOWN, "new.fr"], clock, resolver(names)) == {
        TOWN: "orange",
        "new.fr": OTHER,
    }
    names.silent = False
    names.zone["new.fr", "MX"] = ["10 mx.new.fr."]
    clock.advance(timedelta(minutes=16))
    found = await providers_for(database, [TOWN, "new.fr"], clock, resolver(names))
    assert found == {TOWN: "orange", "new.fr": "mx:new.fr"}


async def test_many_domains_are_asked_about_side_by_side_but_not_all_at_once(
    database: Database, clock: ManualClock, names: NameServer
) -> None:
    domains = [f"town{number}.fr" for number in range(200)]
    names.delay = 0.02
    for domain in domains:
        names.zone[domain, "MX"] = ["10 smtp-in.sfr.fr."]
    found = await providers_for(database, domains, clock, DnsResolver(["127.0.0.1"], names.port))
    assert set(found.values()) == {"sfr"}
    assert 10 < names.most_at_once <= 50


async def test_a_launch_does_not_wait_for_name_servers_beyond_its_budget(
    database: Database, clock: ManualClock, names: NameServer
) -> None:
    names.zone["quick.fr", "MX"] = ["10 smtp-in.sfr.fr."]
    names.silent = True
    found = await providers_for(
        database,
        ["quick.fr"],
        clock,
        DnsResolver(["127.0.0.1"], names.port, timeout_seconds=30),
        budget=timedelta(milliseconds=50),
    )
    assert found == {"quick.fr": OTHER}


async def test_listed_reserved_and_unasked_domains_need_no_name_server(
    database: Database, clock: ManualClock, names: NameServer
) -> None:
    listed = ["gmail.com", "Wanadoo.fr", "demo.example", "localhost"]
    assert await providers_for(database, listed, clock, resolver(names)) == {
        "gmail.com": "gmail",
        "Wanadoo.fr": "orange",
        "demo.example": OTHER,
        "localhost": OTHER,
    }
    assert await providers_for(database, [TOWN], clock) == {TOWN: OTHER}
    assert names.asked == []


def test_a_spare_exchanger_elsewhere_changes_nothing() -> None:
    assert provider_by_exchangers(["mx.small-filter.fr", "aspmx.l.google.com"]) == "gmail"
    assert provider_by_exchangers([]) == OTHER


def test_buckets_have_names_for_people() -> None:
    assert [provider_name(key) for key in ("mx:ma-ville.fr", NOWHERE, "ovh")] == [
        "ma-ville.fr",
        "No mail server found",
        "OVHcloud",
    ]
