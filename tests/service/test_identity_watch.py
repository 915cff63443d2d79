"""The service looks at identities by itself, as its settings say."""

import pytest
from pydantic import ValidationError

from models.health import HealthLevel, ProofKind
from scheduler.jobs import Chore
from service.chores import watch_chores
from service.identity_watch import lookout_of, setup_of
from service.settings import GivenSettings
from store import Database, identities
from tests.clocks import ManualClock
from tests.factories import KEYRING, an_identity
from tests.servers.dns import dns_server


def looks(chores: list[Chore]) -> list[Chore]:
    return [chore for chore in chores if chore.name == "look_after_identities"]


async def test_identities_are_looked_at_by_itself_where_name_servers_are_asked(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
    async with dns_server() as server:
        server.publish("fr", "NS", "d.nic.fr.")  # who denies what a domain stands under is not believed
        settings = GivenSettings(dns_servers=f"127.0.0.1:{server.port}")
        (look,) = looks([*watch_chores(settings, database, clock, transports={}, keyring=KEYRING)])
        await look.work()
    async with database.read() as session:
        found = await identities.get_identity(session, identity.id)
    assert (found.health, found.health_at) == (HealthLevel.PROBLEM, clock.now())
    off = watch_chores(GivenSettings(dns_servers="off"), database, clock, transports={}, keyring=KEYRING)
    assert not looks([*off])


def test_what_is_asked_of_owners_is_a_setting() -> None:
    assert lookout_of(GivenSettings(dns_servers="192.0.2.1")).required == set(ProofKind)
    assert lookout_of(GivenSettings(dns_servers="192.0.2.1", identity_proofs="off")).required == set()
    # A record cannot be asked for where nobody is asked.
    silent = lookout_of(GivenSettings(dns_servers="off"))
    assert silent.required == {ProofKind.MAILBOX}
    assert not silent.suspends
    assert not lookout_of(GivenSettings(dns_servers="192.0.2.1", identity_suspend=False)).suspends
    with pytest.raises(ValidationError, match="dns,mailbox"):
        GivenSettings(identity_proofs="telephone")
    with pytest.raises(ValidationError, match="IP addresses"):
        GivenSettings(sending_ips="mail.example.org")


def test_how_mail_leaves_is_taken_from_the_settings() -> None:
    settings = GivenSettings(
        sending_ips="192.0.2.1, 2001:db8::1", hello_name="mail.example.org", inbound_port=25, relay_spf="a"
    )
    setup = setup_of(settings)
    assert setup.sending_ips == ("192.0.2.1", "2001:db8::1")
    assert (setup.hello_name, setup.inbound_host, setup.relay_spf) == ("mail.example.org",) * 2 + ("a",)
    assert setup_of(GivenSettings(hello_name="localhost")).hello_name == ""
