"""A sender with everything published on a DNS server of the test's own, looked at by the product."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from deliverability.dns_records import records_to_publish
from deliverability.resolver import Answer, DnsResolver
from models.health import HealthCheck, IdentityProof, ProofKind
from models.identity import DkimKey, Identity
from models.signing import DkimAlgorithm
from models.states import IdentityState
from scheduler.lookout import Lookout, look_at
from scheduler.ownership import ensure_proofs
from store import Database, health, identities
from tests.clocks import ManualClock
from tests.factories import an_identity
from tests.servers.dns import DnsServer, Fault, dns_server

BOTH = (DkimAlgorithm.RSA, DkimAlgorithm.ED25519)
DOMAIN = "parti.fr"
RSA_NAME = f"t-rsa._domainkey.{DOMAIN}"
PROOF_NAME = f"_send-verify.{DOMAIN}"


@dataclass(frozen=True)
class PatientResolver:
    """Waits long for a server that answers, on a busy machine too, and not for one that is silent."""

    server: DnsServer

    async def records(self, name: str, kind: str) -> list[str]:
        """As the product asks."""
        return list((await self.ask(name, kind)).values)

    async def ask(self, name: str, kind: str) -> Answer:
        """As the product asks."""
        seconds = 0.2 if Fault.SILENT in self.server.faults.values() else 20.0
        return await DnsResolver(["127.0.0.1"], self.server.port, timeout_seconds=seconds).ask(name, kind)


@dataclass(frozen=True)
class House:
    """One identity, its DNS, and the look at it."""

    database: Database
    clock: ManualClock
    server: DnsServer
    lookout: Lookout
    identity_id: int

    async def look(self) -> HealthCheck:
        """Look at it now."""
        return await look_at(self.database, self.clock, self.lookout, self.identity_id)

    async def identity(self) -> Identity:
        """As its row is."""
        async with self.database.read() as session:
            return await identities.get_identity(session, self.identity_id)

    async def keys(self) -> list[DkimKey]:
        """Every key it has or had."""
        async with self.database.read() as session:
            return await identities.all_keys_of(session, self.identity_id)

    async def proofs(self) -> dict[ProofKind, IdentityProof]:
        """What its owner was asked."""
        async with self.database.read() as session:
            return await health.proofs_of(session, self.identity_id)

    async def publish(self, keys: list[DkimKey] | None = None) -> None:
        """Everything that receivers want, for the keys given or all there are."""
        identity, keys = await self.identity(), keys or await self.keys()
        self.server.publish_zone(DOMAIN)
        self.server.publish_records(
            records_to_publish(
                identity, keys, inbound_host=f"mail.{DOMAIN}", relay_spf="include:spf.relay.example"
            )
        )
        self.server.publish(DOMAIN, "MX", f"10 mail.{DOMAIN}.")
        self.server.publish(f"mail.{DOMAIN}", "A", "192.0.2.10")
        self.server.publish_text("spf.relay.example", "v=spf1 ip4:198.51.100.0/24 -all")

    async def show_record(self) -> None:
        """Publish the record that shows whose domain it is."""
        async with self.database.write() as session:
            identity = await identities.get_identity(session, self.identity_id)
            proofs = await ensure_proofs(session, identity, self.clock.now())
            token = proofs[ProofKind.DNS].token
        self.server.publish_text(PROOF_NAME, "something else", f"tocsin-verify={token}")


@asynccontextmanager
async def sender_house(
    database: Database,
    clock: ManualClock,
    *,
    state: IdentityState = IdentityState.ACTIVE,
    required: frozenset[ProofKind] = frozenset(ProofKind),
    suspends: bool = True,
) -> AsyncIterator[House]:
    """An identity in that state; nothing is published yet."""
    async with dns_server() as server:
        # A server that denies what a domain stands under is not believed.
        server.publish(DOMAIN.rpartition(".")[2], "NS", "ns.nic.example.")
        async with database.write() as session:
            identity = await an_identity(session, domain=DOMAIN, state=state, algorithms=BOTH)
        lookout = Lookout(resolver=PatientResolver(server), required=required, suspends=suspends)
        yield House(database, clock, server, lookout, identity.id)
