"""Messages that may have left: never resent by themselves, settled by who knows or decides."""

import pytest
import sqlalchemy as sa
from sqlmodel import select

from deliverability.feedback import Applied, apply
from models.campaign import Campaign
from models.delivery import Delivery
from models.event import Event
from models.states import CampaignState, Channel, DeliveryState, EventKind
from models.values import Reply, Signal, Uncertain
from scheduler.uncertain import Decision, resolve_uncertain
from scheduler.upkeep import finish_if_done, reconcile, reconcile_ended
from store import Database, campaigns
from tests.clocks import ManualClock
from tests.factories import a_campaign, a_contact
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all, launched
from tests.scheduler.ledgers import states

S = DeliveryState
LOST = Uncertain(Reply(None, None, "connection lost"))


async def an_ended_campaign(database: Database, clock: ManualClock) -> tuple[int, ScriptedTransport]:
    """Three messages, two of them uncertain."""
    async with database.write() as session:
        for name in "abc":
            await a_contact(session, email=f"{name}@gmail.com")
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    transport = ScriptedTransport(answers={"a@gmail.com": LOST, "b@gmail.com": LOST})
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    await finish_if_done(database, campaign.id, clock)
    return campaign.id, transport


async def campaign_of(database: Database, campaign_id: int) -> Campaign:
    async with database.read() as session:
        return await campaigns.get_campaign(session, campaign_id)


@pytest.mark.parametrize(
    ("decision", "expected"),
    [(Decision.SENT, S.ACCEPTED), (Decision.NOT_SENT, S.REFUSED), (Decision.SEND_AGAIN, S.QUEUED)],
)
async def test_a_persons_decision_settles_them_and_says_whose_it_was(
    database: Database, clock: ManualClock, decision: Decision, expected: DeliveryState
) -> None:
    campaign_id, _ = await an_ended_campaign(database, clock)
    async with database.write() as session:
        assert await resolve_uncertain(session, campaign_id, decision, "ana@parti.fr", clock.now()) == 2
        assert await resolve_uncertain(session, campaign_id, decision, "ana@parti.fr", clock.now()) == 0
    assert await states(database) == {
        "a@gmail.com": expected,
        "b@gmail.com": expected,
        "c@gmail.com": S.ACCEPTED,
    }
    async with database.read() as session:
        told = (await session.exec(select(Event).where(Event.kind == EventKind.RESOLVED))).all()
    assert [event.details for event in told] == [{"by": "ana@parti.fr", "decision": decision.value}] * 2
    again = decision is Decision.SEND_AGAIN
    campaign = await campaign_of(database, campaign_id)
    assert campaign.state is (CampaignState.SENDING if again else CampaignState.FINISHED)


async def test_what_is_sent_again_on_a_persons_word_goes_once_more_and_the_campaign_ends_again(
    database: Database, clock: ManualClock
) -> None:
    campaign_id, transport = await an_ended_campaign(database, clock)
    async with database.write() as session:
        await resolve_uncertain(session, campaign_id, Decision.SEND_AGAIN, "ana", clock.now())
    transport.answers.clear()
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    await finish_if_done(database, campaign_id, clock)
    assert sorted(transport.recipients) == [
        "a@gmail.com",
        "a@gmail.com",
        "b@gmail.com",
        "b@gmail.com",
        "c@gmail.com",
    ]
    campaign = await campaign_of(database, campaign_id)
    assert (campaign.state, campaign.reconciled_at) == (CampaignState.FINISHED, clock.now())


async def test_the_proof_counts_everybody_and_a_missing_row_is_found_and_forgiven_once_it_is_back(
    database: Database, clock: ManualClock
) -> None:
    campaign_id, _ = await an_ended_campaign(database, clock)
    proof = await reconcile(database, campaign_id, clock)
    assert (proof.frozen, proof.by_state) == (3, {S.ACCEPTED: 1, S.UNCERTAIN: 2})
    assert proof.equal
    async with database.write() as session:
        await session.exec(sa.update(Campaign).values(frozen=4))
    assert not (await reconcile(database, campaign_id, clock)).equal
    campaign = await campaign_of(database, campaign_id)
    assert (campaign.state, campaign.reconciled_at) == (CampaignState.INCOMPLETE, None)
    assert "Frozen at the launch: 4, with an end: 3, waiting: 0." in campaign.problem
    assert await reconcile_ended(database, clock) == 0
    async with database.write() as session:
        await session.exec(sa.update(Campaign).values(frozen=3))
    assert await reconcile_ended(database, clock) == 1
    campaign = await campaign_of(database, campaign_id)
    assert (campaign.state, campaign.problem) == (CampaignState.FINISHED, "")
    assert campaign.reconciled_at == clock.now()


@pytest.mark.parametrize("late", [False, True])
async def test_who_proves_to_have_got_it_is_not_sent_it_again_whatever_was_decided(
    database: Database, clock: ManualClock, *, late: bool
) -> None:
    campaign_id, transport = await an_ended_campaign(database, clock)
    async with database.write() as session:
        row = (await session.exec(select(Delivery).where(Delivery.address == "a@gmail.com"))).one()
        await resolve_uncertain(session, campaign_id, Decision.SEND_AGAIN, "ana@parti.fr", clock.now())
    transport.answers.clear()
    dispatcher = a_dispatcher(database, transport, clock)
    if late:
        await drain_all(database, dispatcher, clock.now())
    clicked = Signal(
        kind=EventKind.CLICKED,
        channel=Channel.EMAIL,
        source="pages",
        source_id="click",
        at=clock.now(),
        delivery_id=row.id,
    )
    async with database.write() as session:
        assert await apply(session, clicked, clock.now()) is Applied.NEW
    await drain_all(database, dispatcher, clock.now())
    assert (await states(database))["a@gmail.com"] is S.ACCEPTED
    assert transport.recipients.count("a@gmail.com") == 1 + late
    assert transport.recipients.count("b@gmail.com") == 2
