"""What programs write gets lanes by mail exchanger, like what campaigns write."""

from collections.abc import AsyncIterator

import pytest

from deliverability.resolver import DnsResolver
from models.providers import OTHER
from models.states import Purpose
from scheduler.destinations import use_resolver
from scheduler.new_domains import NewDomains
from store import Database
from tests.clocks import ManualClock
from tests.scheduler.program_desks import Desk
from tests.servers.names import NameServer, name_server

TOWN = "mairie-exemple.fr"


@pytest.fixture
async def names() -> AsyncIterator[NameServer]:
    async with name_server() as server:
        use_resolver(DnsResolver(["127.0.0.1"], server.port, timeout_seconds=20))
        yield server
        use_resolver(None)


async def test_the_second_message_to_a_domain_nobody_knew_has_its_providers_lane(
    database: Database, clock: ManualClock, names: NameServer
) -> None:
    names.zone[TOWN, "MX"] = ["10 aspmx.l.google.com."]
    desk = await Desk(database, clock).open()
    look = NewDomains(database, clock).look
    await look()
    await desk.ask(desk.wish(f"maire@{TOWN}", purpose=Purpose.TRANSACTIONAL))
    await look()
    await desk.ask(desk.wish(f"accueil@{TOWN}", purpose=Purpose.TRANSACTIONAL))
    assert [row.provider for row in await desk.rows()] == [OTHER, "gmail"]
    asked = len(names.asked)
    await look()
    await look()
    assert len(names.asked) == asked  # a domain that is known is not asked about again


async def test_after_a_start_the_last_messages_are_looked_through(
    database: Database, clock: ManualClock, names: NameServer
) -> None:
    names.zone[TOWN, "MX"] = ["5 mx1.mail.ovh.net."]
    desk = await Desk(database, clock).open()
    await desk.ask(desk.wish(f"maire@{TOWN}", purpose=Purpose.TRANSACTIONAL))
    await NewDomains(database, clock).look()
    await desk.ask(desk.wish(f"accueil@{TOWN}", purpose=Purpose.TRANSACTIONAL))
    assert [row.provider for row in await desk.rows()] == [OTHER, "ovh"]
