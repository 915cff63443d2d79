"""Looks that ask more than the identity's own zone: block lists, and the zone's servers themselves."""

from dataclasses import replace
from datetime import timedelta

import pytest

from deliverability.health import HealthCode, SendingSetup
from models.errors import ConflictError
from models.health import HealthLevel
from scheduler.lookout import findings_of, look_after_identities, look_at
from store import Database
from tests.clocks import ManualClock
from tests.scheduler.sender_houses import DOMAIN, House, sender_house

LIST = "bl.spamcop.net"
IP = "198.51.100.7"


async def look(house: House, *, fresh: bool = False) -> tuple[HealthLevel, set[HealthCode]]:
    setup = SendingSetup(sending_ips=(IP,), hello_name=f"mail.{DOMAIN}")
    lookout = replace(house.lookout, setup=setup, blocklists=(LIST,))
    seen = await look_at(house.database, house.clock, lookout, house.identity_id, fresh=fresh)
    return seen.level, {finding.code for finding in findings_of(seen)}


async def test_an_address_on_a_block_list_is_part_of_what_a_look_says(
    database: Database, clock: ManualClock
) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        house.server.publish(f"mail.{DOMAIN}", "A", IP)
        house.server.publish("7.100.51.198.in-addr.arpa", "PTR", f"mail.{DOMAIN}.")
        house.server.publish(f"2.0.0.127.{LIST}", "A", "127.0.0.2")
        level, found = await look(house)
        assert HealthCode.BLOCKLIST_CLEAR in found
        assert level is HealthLevel.FINE
        house.server.publish(f"7.100.51.198.{LIST}", "A", "127.0.0.2")
        assert HealthCode.BLOCKLIST_CLEAR in (await look(house))[1]
        clock.advance(timedelta(hours=13))
        level, found = await look(house)
        assert HealthCode.BLOCKLIST_LISTED in found
        assert level is HealthLevel.WARNING


async def test_a_look_of_a_persons_takes_the_usual_way_where_no_server_of_the_zone_is_known(
    database: Database, clock: ManualClock
) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        assert HealthCode.DKIM_FINE in (await look(house, fresh=True))[1]
        assert house.server.count(DOMAIN, "NS") == 1


async def test_name_servers_that_deny_everything_are_not_believed(
    database: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        await look(house)
        house.server.publish(DOMAIN.rpartition(".")[2], "NS", "ns.nic.example.")
        before = await house.identity()
        house.server.forget_everything()
        with pytest.raises(ConflictError, match=r"there is no \.fr"):
            await look(house)
        async with database.write() as session:
            identity = await house.identity()
            identity.look_at = None
            session.add(identity)
        assert await look_after_identities(database, clock, house.lookout) == 1
        assert "there is no .fr" in str(vars(caplog.records[-1])["problem"])
        after = await house.identity()
        assert (after.state, after.health) == (before.state, before.health)
        assert after.look_at == clock.now() + timedelta(hours=1)


async def test_a_domain_that_is_gone_from_a_zone_that_answers_counts(
    database: Database, clock: ManualClock
) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        house.server.forget_everything()
        house.server.publish(DOMAIN.rpartition(".")[2], "NS", "ns.nic.example.")
        assert HealthCode.FROM_DOMAIN_NOWHERE in (await look(house))[1]
