"""The doctor asks the name servers of the settings about each sender, and tells what to publish."""

import asyncio

from deliverability.dns_records import records_to_publish
from service.findings import Finding, Level
from store import Database, identities
from tests.servers.dns import DnsServer, Fault, dns_server
from tests.service.conftest import Tocsin, Typed
from tests.service.test_doctor import findings_of, worst


async def add_sender(ready: Tocsin, typed: Typed) -> None:
    await asyncio.to_thread(
        typed.must, "identity", "add", "nat", "--name", "N", "--email", "nat@parti.example"
    )


async def dns_findings(ready: Tocsin, server: DnsServer) -> list[Finding]:
    found = await findings_of("Senders", ready.folder, dns_servers=f"127.0.0.1:{server.port}")
    return [finding for finding in found if finding.what.startswith("nat: ")]


async def publish(ready: Tocsin, server: DnsServer) -> None:
    database = Database(f"sqlite:///{ready.folder / 'tocsin-data' / 'tocsin.db'}")
    async with database.read() as session:
        (identity,) = await identities.list_identities(session)
        keys = await identities.keys_of(session, identity.id)
    await database.close()
    server.publish_zone("parti.example")
    server.publish_records(
        records_to_publish(identity, keys, inbound_host="in.parti.example", relay_spf="ip4:192.0.2.1")
    )
    server.publish("parti.example", "MX", "10 in.parti.example.")
    server.publish("in.parti.example", "A", "192.0.2.9")


async def test_what_a_sender_lacks_blocks_and_comes_with_the_record(ready: Tocsin, typed: Typed) -> None:
    await add_sender(ready, typed)
    async with dns_server() as server:
        server.publish_zone("parti.example")
        found = await dns_findings(ready, server)
    assert worst(found).level is Level.BLOCKING
    (missing, *_) = [each for each in found if "holds no key" in each.what]
    assert "`tocsin identity check nat` prints it: TXT" in missing.advice


async def test_what_was_published_stands_in_nobodys_way(ready: Tocsin, typed: Typed) -> None:
    await add_sender(ready, typed)
    async with dns_server() as server:
        await publish(ready, server)
        found = await dns_findings(ready, server)
    assert found
    assert {each.level for each in found} == {Level.FINE}


async def test_a_name_server_in_trouble_is_no_fault_of_the_sender(ready: Tocsin, typed: Typed) -> None:
    await add_sender(ready, typed)
    async with dns_server() as server:
        await publish(ready, server)
        for name in {name for name, _ in server.records}:
            server.fail(name, Fault.SERVFAIL)
        found = await dns_findings(ready, server)
    assert worst(found).level is Level.WARNING
    assert "could not be asked" in worst(found).what
