"""Looks at identities: what suspends and what lifts, what is only a question without an answer, and when."""

from dataclasses import replace
from datetime import timedelta

import pytest

from deliverability.exchangers import AsksTheDns
from deliverability.resolver import Answer
from models.health import HealthLevel, ProofKind
from models.incident import IncidentKind
from models.states import IdentityState
from scheduler import lifecycle
from scheduler.lookout import DAY, HOUR, look_after_identities, look_at, next_look
from scheduler.ownership import MISSING_FOR
from store import Database, health, identities, incidents
from tests.clocks import ManualClock
from tests.factories import an_identity
from tests.scheduler.sender_houses import (
    DOMAIN,
    PROOF_NAME,
    RSA_NAME,
    House,
    PatientResolver,
    sender_house,
)
from tests.servers.dns import Fault, dns_server

S = IdentityState
ED_NAME = f"t-ed25519._domainkey.{DOMAIN}"


async def hide_keys(house: House) -> None:
    for name in (RSA_NAME, ED_NAME):
        house.server.withdraw(name, "TXT")


async def test_an_identity_whose_records_are_right_is_found_so(
    database: Database, clock: ManualClock
) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        look = await house.look()
        identity = await house.identity()
        assert [key.verified_at for key in await house.keys()] == [clock.now()] * 2
    assert look.level in {HealthLevel.FINE, HealthLevel.WARNING}
    assert "dkim_fine" in [found["code"] for found in look.findings]
    assert (identity.health, identity.health_at) == (look.level, clock.now())
    assert identity.state is S.ACTIVE


async def test_missing_keys_suspend_after_two_looks_and_their_return_lifts_it(
    database: Database, clock: ManualClock
) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        await house.look()
        await hide_keys(house)
        clock.advance(HOUR)
        await house.look()
        assert (await house.identity()).state is S.ACTIVE
        # Pressed again at once it says no more than before.
        clock.advance(timedelta(minutes=5))
        await house.look()
        assert (await house.identity()).state is S.ACTIVE
        clock.advance(HOUR)
        await house.look()
        identity = await house.identity()
        assert (identity.state, identity.state_by) == (S.SUSPENDED, "")
        assert "dkim_missing" in identity.state_reason
        async with database.read() as session:
            (incident,) = await incidents.list_incidents(session, identity_id=identity.id, open_only=True)
        assert incident.kind is IncidentKind.HEALTH
        await house.publish()
        clock.advance(HOUR)
        await house.look()
        assert (await house.identity()).state is S.ACTIVE
        async with database.read() as session:
            assert not await incidents.list_incidents(session, identity_id=identity.id, open_only=True)
            steps = [(step.origin, step.state) for step in await identities.changes_of(session, identity.id)]
        assert steps == [("suspended", "active"), ("active", "suspended")]


async def test_a_resolver_that_remembers_the_absence_of_a_record_suspends_nobody(
    database: Database, clock: ManualClock
) -> None:
    async with sender_house(database, clock) as house, dns_server() as memory:
        memory.publish_zone(DOMAIN)
        itself = house.lookout.resolver
        assert itself is not None
        remembering = replace(
            house.lookout,
            resolver=PatientResolver(memory),
            past_memory=lambda _: itself,
        )
        await house.publish()
        await house.show_record()
        for _ in range(4):
            await look_at(database, clock, remembering, house.identity_id)
            clock.advance(HOUR)
        assert (await house.identity()).state is S.ACTIVE
        assert (await house.proofs())[ProofKind.DNS].proven_at is not None


async def test_one_good_key_of_two_is_enough(database: Database, clock: ManualClock) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        house.server.withdraw(ED_NAME, "TXT")
        for _ in range(3):
            await house.look()
            clock.advance(HOUR)
        assert (await house.identity()).state is S.ACTIVE


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.REFUSED, Fault.SILENT])
async def test_name_servers_that_do_not_answer_suspend_nobody_and_lift_nothing(
    database: Database, clock: ManualClock, fault: Fault
) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        await house.show_record()
        await house.look()
        for name in (RSA_NAME, ED_NAME, PROOF_NAME):
            house.server.fail(name, fault)
        for _ in range(4):
            clock.advance(DAY)
            await house.look()
        assert (await house.identity()).state is S.ACTIVE
        assert (await house.proofs())[ProofKind.DNS].misses == 0
        house.server.heal()
        await hide_keys(house)
        for _ in range(3):
            clock.advance(HOUR)
            await house.look()
        assert (await house.identity()).state is S.SUSPENDED
        await house.publish()
        for name in (RSA_NAME, ED_NAME):
            house.server.fail(name, fault)
        clock.advance(HOUR)
        await house.look()
        assert (await house.identity()).state is S.SUSPENDED


async def test_where_nothing_is_suspended_by_itself_a_problem_only_warns(
    database: Database, clock: ManualClock
) -> None:
    async with sender_house(database, clock, suspends=False) as house:
        await house.publish()
        await hide_keys(house)
        for _ in range(3):
            await house.look()
            clock.advance(HOUR)
        identity = await house.identity()
    assert (identity.state, identity.health) == (S.ACTIVE, HealthLevel.PROBLEM)


async def test_a_suspension_made_by_a_person_is_ended_by_a_person(
    database: Database, clock: ManualClock
) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        async with database.write() as session:
            identity = await identities.get_identity(session, house.identity_id)
            await lifecycle.suspend(session, identity, by="a@b.fr", reason="mandat fini", now=clock.now())
        for _ in range(3):
            clock.advance(HOUR)
            await house.look()
        assert (await house.identity()).state is S.SUSPENDED
        async with database.write() as session:
            identity = await identities.get_identity(session, house.identity_id)
            await lifecycle.resume(session, identity, by="a@b.fr", reason="réélue", now=clock.now())
        found = await house.identity()
    assert (found.state, found.state_by, found.state_reason) == (S.ACTIVE, "a@b.fr", "réélue")


async def test_who_resumes_a_sender_is_overruled_by_two_new_looks_only(
    database: Database, clock: ManualClock
) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        await hide_keys(house)
        for _ in range(2):
            await house.look()
            clock.advance(HOUR)
        async with database.write() as session:
            identity = await identities.get_identity(session, house.identity_id)
            assert identity.state is S.SUSPENDED
            await lifecycle.resume(session, identity, by="a@b.fr", reason="le relais signe", now=clock.now())
        clock.advance(HOUR)
        await house.look()
        assert (await house.identity()).state is S.ACTIVE
        clock.advance(HOUR)
        await house.look()
        assert (await house.identity()).state is S.SUSPENDED


async def test_a_person_takes_over_what_was_suspended_by_itself(
    database: Database, clock: ManualClock
) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        await hide_keys(house)
        for _ in range(2):
            await house.look()
            clock.advance(HOUR)
        async with database.write() as session:
            identity = await identities.get_identity(session, house.identity_id)
            assert identity.state is S.SUSPENDED
            await lifecycle.suspend(session, identity, by="a@b.fr", reason="laissons", now=clock.now())
        await house.publish()
        await house.look()
        assert (await house.identity()).state is S.SUSPENDED


async def test_the_record_of_a_domain_is_lost_after_a_day_of_looks_and_found_again(
    database: Database, clock: ManualClock
) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        await house.show_record()
        await house.look()
        assert (await house.proofs())[ProofKind.DNS].proven_at == clock.now()
        house.server.withdraw(PROOF_NAME, "TXT")
        for _ in range(5):
            clock.advance(HOUR)
            await house.look()
        assert (await house.proofs())[ProofKind.DNS].misses == 5
        assert (await house.identity()).state is S.ACTIVE
        clock.advance(MISSING_FOR)
        await house.look()
        identity = await house.identity()
        assert (identity.state, identity.state_reason) == (S.SUSPENDED, lifecycle.PROOF_LOST)
        await house.show_record()
        clock.advance(HOUR)
        await house.look()
        assert (await house.identity()).state is S.ACTIVE


async def test_two_looks_a_day_apart_do_not_lose_a_record(database: Database, clock: ManualClock) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        await house.show_record()
        await house.look()
        house.server.withdraw(PROOF_NAME, "TXT")
        for _ in range(2):
            clock.advance(2 * DAY)
            await house.look()
        assert (await house.proofs())[ProofKind.DNS].lost_at is None
        assert (await house.identity()).state is S.ACTIVE


async def test_a_new_identity_is_confirmed_once_everything_is_shown(
    database: Database, clock: ManualClock
) -> None:
    async with sender_house(database, clock, state=S.DNS_PENDING) as house:
        await house.publish()
        await house.look()
        assert (await house.identity()).state is S.DNS_PENDING
        await house.show_record()
        await house.look()
        assert (await house.identity()).state is S.DNS_PENDING
        async with database.write() as session:
            proof = (await health.proofs_of(session, house.identity_id))[ProofKind.MAILBOX]
            assert await health.prove_once(session, proof, clock.now())
        await hide_keys(house)
        await house.look()
        assert (await house.identity()).state is S.DNS_PENDING
        await house.publish()
        await house.look()
        identity = await house.identity()
    assert (identity.state, identity.state_reason) == (S.CONFIRMED, lifecycle.SHOWN)


async def test_looks_are_hourly_while_something_is_wrong_and_daily_at_its_own_time_otherwise(
    database: Database, clock: ManualClock
) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        await house.look()
        identity = await house.identity()
        assert identity.look_at is not None
        assert DAY / 2 <= identity.look_at - clock.now() <= 3 * DAY / 2
        assert await look_after_identities(database, clock, house.lookout) == 0
        clock.advance(identity.look_at - clock.now())
        await hide_keys(house)
        assert await look_after_identities(database, clock, house.lookout) == 1
        identity = await house.identity()
        assert identity.look_at == clock.now() + HOUR


async def test_looks_are_spread_over_the_day(database: Database, clock: ManualClock) -> None:
    hours = set()
    async with database.write() as session:
        for number in range(40):
            identity = await an_identity(session, key=f"i{number}")
            identity.health = HealthLevel.FINE
            hours.add(next_look(identity, clock.now()).hour)
    assert len(hours) > 12


async def test_of_looks_that_found_the_same_one_in_twenty_hours_is_kept(
    database: Database, clock: ManualClock
) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        await hide_keys(house)
        for _ in range(30):
            await house.look()
            clock.advance(HOUR)
        async with database.read() as session:
            looks = await health.looks_at(session, house.identity_id)
    assert 3 <= len(looks) <= 4


async def test_a_record_seen_for_the_former_address_is_no_proof_for_the_next(
    database: Database, clock: ManualClock
) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        await house.show_record()
        assert house.lookout.resolver is not None
        asked: AsksTheDns = house.lookout.resolver

        class Overtaken:
            """While it is asked, somebody gives the identity another address."""

            async def ask(self, name: str, kind: str) -> Answer:
                if name == PROOF_NAME:
                    async with database.write() as session:
                        identity = await identities.get_identity(session, house.identity_id)
                        identity.from_email = "contact@autre.fr"
                        session.add(identity)
                return await asked.ask(name, kind)

        await look_at(database, clock, replace(house.lookout, resolver=Overtaken()), house.identity_id)
        proof = (await house.proofs())[ProofKind.DNS]
    assert (proof.subject, proof.proven_at) == ("autre.fr", None)
