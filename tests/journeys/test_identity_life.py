"""An identity from its first day on: made, shown, sending, in trouble with what is queued waiting, mended."""

from datetime import timedelta

from models.health import HealthLevel, ProofKind
from models.states import CampaignState, DeliveryState, IdentityState
from scheduler.campaigns import schedule
from scheduler.dispatch import Dispatcher
from scheduler.expansion import launch
from scheduler.lookout import HOUR
from scheduler.waiting import WAITS, waits_for_sender
from store import Database, campaigns, health, identities
from tests.clocks import ManualClock
from tests.factories import a_campaign, a_contact
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all
from tests.scheduler.ledgers import states
from tests.scheduler.sender_houses import DOMAIN, RSA_NAME, House, sender_house

S, D = IdentityState, DeliveryState


async def a_campaign_to(house: House, *addresses: str) -> int:
    async with house.database.write() as session:
        for address in addresses:
            await a_contact(session, email=address)
        sender = await identities.get_identity(session, house.identity_id)
        campaign = await a_campaign(session, senders=[sender])
        moment = house.clock.now().replace(tzinfo=None)
        await schedule(session, campaign.id, moment, "UTC", house.clock.now())
    return campaign.id


async def started(house: House, campaign_id: int) -> bool:
    """What the conductor does when the moment has come; whether it began."""
    async with house.database.read() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
    if await waits_for_sender(house.database, campaign):
        return False
    await launch(house.database, campaign_id, house.clock.now(), language="fr")
    return True


async def send(house: House, dispatcher: Dispatcher) -> None:
    await drain_all(house.database, dispatcher, house.clock.now())


async def show(house: House) -> None:
    """Everything an owner shows: the records, the mailbox."""
    await house.publish()
    await house.show_record()
    await house.look()
    async with house.database.write() as session:
        proof = (await health.proofs_of(session, house.identity_id))[ProofKind.MAILBOX]
        assert await health.prove_once(session, proof, house.clock.now())
    await house.look()


async def test_from_the_first_record_to_a_suspension_and_back(database: Database, clock: ManualClock) -> None:
    postman = ScriptedTransport()
    dispatcher = a_dispatcher(database, postman, clock)
    async with sender_house(database, clock, state=S.DNS_PENDING) as house:
        await show(house)
        assert (await house.identity()).state is S.CONFIRMED
        # It sends, and is active from then on.
        assert await started(house, await a_campaign_to(house, "a@gmail.com"))
        await send(house, dispatcher)
        assert await states(database) == {"a@gmail.com": D.ACCEPTED}
        clock.advance(HOUR)
        await house.look()
        assert (await house.identity()).state is S.ACTIVE
        # Two campaigns: one under way, one due later; the keys go.
        clock.advance(timedelta(days=2))
        assert await started(house, await a_campaign_to(house, "b@gmail.com"))
        later = await a_campaign_to(house, "c@gmail.com")
        for name in (RSA_NAME, f"t-ed25519._domainkey.{DOMAIN}"):
            house.server.withdraw(name, "TXT")
        await house.look()
        assert (await house.identity()).state is S.ACTIVE
        assert (await house.identity()).health is HealthLevel.PROBLEM
        clock.advance(HOUR)
        await house.look()
        assert (await house.identity()).state is S.SUSPENDED
        # What is queued waits and says for whom; what is due does not begin.
        await send(house, dispatcher)
        assert (await states(database))["b@gmail.com"] is D.QUEUED
        assert "is suspended" in " ".join(dispatcher.obstacles.values())
        assert not await started(house, later)
        async with database.read() as session:
            waiting = await campaigns.get_campaign(session, later)
        assert waiting.state is CampaignState.SCHEDULED
        assert waiting.problem.startswith(WAITS)
        # The records are back: everything goes on by itself.
        await house.publish()
        clock.advance(HOUR)
        await house.look()
        assert (await house.identity()).state is S.ACTIVE
        assert await started(house, later)
        await send(house, dispatcher)
        async with database.read() as session:
            assert (await campaigns.get_campaign(session, later)).problem == ""
    found = await states(database)
    assert {found["b@gmail.com"], found["c@gmail.com"]} == {D.ACCEPTED}


async def test_a_suspension_holds_for_the_next_chunk(database: Database, clock: ManualClock) -> None:
    async with sender_house(database, clock) as house:
        await started(house, await a_campaign_to(house, *(f"p{n}@gmail.com" for n in range(40))))

        async def suspend(_: str) -> None:
            async with database.write() as session:
                identity = await identities.get_identity(session, house.identity_id)
                if identity.state is S.ACTIVE:
                    await identities.move(
                        session, identity, S.SUSPENDED, by="a@b.fr", reason="x", now=clock.now()
                    )

        postman = ScriptedTransport(before=suspend)
        # The desk still believes for ten seconds that it may send.
        await send(house, a_dispatcher(database, postman, clock, chunk=5))
    assert 5 <= len(postman.sent) <= 15


async def test_a_launch_that_meets_a_suspended_sender_leaves_nobody_out(
    database: Database, clock: ManualClock
) -> None:
    async with sender_house(database, clock) as house:
        campaign_id = await a_campaign_to(house, "a@gmail.com")

        async def become(state: IdentityState) -> None:
            async with database.write() as session:
                identity = await identities.get_identity(session, house.identity_id)
                await identities.move(session, identity, state, by="", reason="", now=clock.now())

        await become(S.SUSPENDED)
        # Suspended in the very moment in which the launch had been asked for.
        await launch(database, campaign_id, clock.now(), language="fr")
        assert await states(database) == {}
        assert not await started(house, campaign_id)
        await become(S.ACTIVE)
        assert await started(house, campaign_id)
        assert await states(database) == {"a@gmail.com": D.QUEUED}
        async with database.read() as session:
            campaign = await campaigns.get_campaign(session, campaign_id)
    assert (campaign.state, campaign.problem) == (CampaignState.SENDING, "")
