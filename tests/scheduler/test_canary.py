"""A first slice goes ahead; the rest follows, waits for a person, or follows with a warning, by rule."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import col, select

from models.canary import CanaryDeed, CanaryPlan, CanaryStage
from models.delivery import Delivery
from models.errors import BadInputError, ConflictError
from models.event import event_about
from models.incident import IncidentDeed, IncidentKind, IncidentLevel
from models.states import CampaignState, ConsentStatus, DeliveryState, EventKind, LatePolicy
from models.values import Refused, Reply
from scheduler.campaigns import cancel, parts_of, pause, release, resume, update_campaign
from scheduler.canary import release as let_go
from scheduler.canary import watch_canaries
from scheduler.incidents import open_incident
from scheduler.late import stop_interrupted
from scheduler.undoing import let_go_on
from store import Database, campaigns, canaries, events, incidents, queues
from tests.clocks import START, ManualClock
from tests.factories import a_campaign, a_contact, a_seed
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all, launched

PEOPLE = 60
PLAN = CanaryPlan(people=12, wait=timedelta(minutes=30))
SEEDS = ("graine1@gmail.com", "graine2@gmail.com", "graine3@gmail.com")
UNKNOWN_USER = Refused(Reply(550, "5.1.1", "user unknown"))


async def a_gated_campaign(
    database: Database, plan: CanaryPlan = PLAN, *, people: int = PEOPLE, seeds: int = 3
) -> int:
    async with database.write() as session:
        for number in range(people):
            await a_contact(session, email=f"p{number:03}@gmail.com")
        for address in SEEDS[:seeds]:
            await a_seed(session, address=address)
        campaign = await a_campaign(session)
        parts = await parts_of(session, campaign)
        await update_campaign(session, campaign.id, replace(parts, canary=plan), START)
    return campaign.id


async def stage_of(database: Database, campaign_id: int) -> CanaryStage:
    async with database.read() as session:
        found = await canaries.find(session, campaign_id)
    assert found is not None
    return found.stage


async def state_of(database: Database, campaign_id: int) -> CampaignState:
    async with database.read() as session:
        return (await campaigns.get_campaign(session, campaign_id)).state


async def send_what_is_due(database: Database, transport: ScriptedTransport, clock: ManualClock) -> None:
    dispatcher = a_dispatcher(database, transport, clock)
    await drain_all(database, dispatcher, clock.now())
    await dispatcher.close()


async def seeds_are_found(database: Database, campaign_id: int, *kinds: EventKind) -> None:
    async with database.write() as session:
        wanted = (
            select(Delivery)
            .where(Delivery.campaign_id == campaign_id, col(Delivery.seed_id).is_not(None))
            .order_by(col(Delivery.id))
        )
        for row, kind in zip((await session.exec(wanted)).all(), kinds, strict=False):
            source_id = f"{row.id}:{kind.value}"
            await events.append(
                session, event_about(row, kind, source="seed", source_id=source_id, at=START, now=START)
            )


async def waiting_for_seeds(
    database: Database, plan: CanaryPlan = PLAN, *, seeds: int = 3
) -> tuple[int, ScriptedTransport, ManualClock]:
    """A campaign whose first slice is out."""
    campaign_id = await a_gated_campaign(database, plan, seeds=seeds)
    transport, clock = ScriptedTransport(), ManualClock()
    await launched(database, campaign_id)
    await send_what_is_due(database, transport, clock)
    await watch_canaries(database, clock)
    assert await stage_of(database, campaign_id) is CanaryStage.WAITING
    return campaign_id, transport, clock


def people_in(transport: ScriptedTransport) -> list[str]:
    return [address for address in transport.recipients if address not in SEEDS]


async def test_a_first_slice_and_every_seed_go_ahead_and_the_rest_is_held(database: Database) -> None:
    _, transport, _ = await waiting_for_seeds(database)
    assert set(SEEDS) <= set(transport.recipients)
    # Drawn by chance: about twelve of sixty, and surely not all.
    assert 1 <= len(people_in(transport)) <= 40


async def test_the_slice_is_drawn_among_those_who_are_written_to(database: Database) -> None:
    """Nine of ten without consent would leave a slice too small to show anything."""
    async with database.write() as session:
        for number in range(9 * PEOPLE):
            await a_contact(session, email=f"no{number}@gmail.com", email_consent=ConsentStatus.WITHDRAWN)
    _, transport, _ = await waiting_for_seeds(database, replace(PLAN, people=PEOPLE // 2))
    assert len(people_in(transport)) > PEOPLE // 5


async def test_once_all_seeds_are_in_the_inbox_the_rest_follows_and_nobody_twice(database: Database) -> None:
    campaign_id, transport, clock = await waiting_for_seeds(database)
    assert not await watch_canaries(database, clock)
    await seeds_are_found(database, campaign_id, *[EventKind.PLACED_INBOX] * 3)
    assert await watch_canaries(database, clock)
    assert await stage_of(database, campaign_id) is CanaryStage.PASSED
    await send_what_is_due(database, transport, clock)
    assert sorted(people_in(transport)) == [f"p{number:03}@gmail.com" for number in range(PEOPLE)]
    assert len(transport.recipients) == PEOPLE + 3


async def test_seeds_in_spam_hold_the_rest_until_a_person_lets_it_go(database: Database) -> None:
    campaign_id, transport, clock = await waiting_for_seeds(database)
    before = len(transport.sent)
    await seeds_are_found(
        database, campaign_id, EventKind.PLACED_SPAM, EventKind.PLACED_SPAM, EventKind.PLACED_INBOX
    )
    assert not await watch_canaries(database, clock)
    assert await stage_of(database, campaign_id) is CanaryStage.HELD
    assert await state_of(database, campaign_id) is CampaignState.PAUSED
    async with database.read() as session:
        assert "Gmail: 2 of 3 seeds in spam." in (await campaigns.get_campaign(session, campaign_id)).problem
    clock.advance(timedelta(days=2))
    await watch_canaries(database, clock)
    await send_what_is_due(database, transport, clock)
    assert len(transport.sent) == before
    async with database.write() as session:
        await resume(session, campaign_id, clock.now(), by="ada@exemple.fr")
    await watch_canaries(database, clock)
    await send_what_is_due(database, transport, clock)
    assert len(people_in(transport)) == len(set(people_in(transport))) == PEOPLE
    async with database.read() as session:
        gate = await canaries.find(session, campaign_id)
    assert gate is not None
    assert (gate.stage, gate.decided_by) == (CanaryStage.RELEASED, "ada@exemple.fr")


async def test_what_the_first_messages_showed_is_an_incident_until_somebody_dealt_with_it(
    database: Database,
) -> None:
    campaign_id, _, clock = await waiting_for_seeds(database)
    await seeds_are_found(database, campaign_id, *[EventKind.PLACED_SPAM] * 3)
    await watch_canaries(database, clock)
    async with database.read() as session:
        (told,) = await incidents.list_incidents(session, campaign_id=campaign_id, open_only=True)
    assert (told.kind, told.part, told.whole) == (IncidentKind.CANARY, 3, 3)
    async with database.write() as session:
        await let_go_on(session, told.id, by="ada@exemple.fr", now=clock.now())
    await watch_canaries(database, clock)
    assert await stage_of(database, campaign_id) is CanaryStage.RELEASED
    assert await state_of(database, campaign_id) is CampaignState.SENDING


async def test_resuming_the_campaign_ends_its_incident(database: Database) -> None:
    campaign_id, _, clock = await waiting_for_seeds(database)
    await seeds_are_found(database, campaign_id, *[EventKind.PLACED_SPAM] * 3)
    await watch_canaries(database, clock)
    async with database.write() as session:
        await resume(session, campaign_id, clock.now(), by="ada@exemple.fr")
    await watch_canaries(database, clock)
    async with database.read() as session:
        (told,) = await incidents.list_incidents(session, campaign_id=campaign_id)
    assert told.ended_by == "ada@exemple.fr"


async def test_a_rule_may_go_on_in_spite_of_spam(database: Database) -> None:
    campaign_id, transport, clock = await waiting_for_seeds(
        database, replace(PLAN, when_bad=CanaryDeed.ALERT)
    )
    await seeds_are_found(database, campaign_id, *[EventKind.PLACED_SPAM] * 3)
    assert await watch_canaries(database, clock)
    await send_what_is_due(database, transport, clock)
    assert len(people_in(transport)) == PEOPLE


@pytest.mark.parametrize(
    ("deed", "stage"),
    [(CanaryDeed.ALERT, CanaryStage.PASSED), (CanaryDeed.HOLD, CanaryStage.HELD)],
)
async def test_seeds_that_say_nothing_are_waited_for_and_then_the_rule_decides(
    database: Database, deed: CanaryDeed, stage: CanaryStage
) -> None:
    campaign_id, _, clock = await waiting_for_seeds(database, replace(PLAN, when_unknown=deed))
    clock.advance(PLAN.wait - timedelta(seconds=1))
    await watch_canaries(database, clock)
    assert await stage_of(database, campaign_id) is CanaryStage.WAITING
    clock.advance(timedelta(seconds=1))
    await watch_canaries(database, clock)
    assert await stage_of(database, campaign_id) is stage


async def test_dead_addresses_in_the_slice_hold_the_rest(database: Database) -> None:
    campaign_id = await a_gated_campaign(database, replace(PLAN, people=40), seeds=0)
    answers = {f"p{number:03}@gmail.com": UNKNOWN_USER for number in range(PEOPLE)}
    transport, clock = ScriptedTransport(answers=dict(answers)), ManualClock()
    await launched(database, campaign_id)
    await send_what_is_due(database, transport, clock)
    await watch_canaries(database, clock)
    clock.advance(PLAN.wait)
    await watch_canaries(database, clock)
    assert await stage_of(database, campaign_id) is CanaryStage.HELD


async def test_a_person_need_not_wait_for_the_seeds(database: Database) -> None:
    campaign_id, transport, clock = await waiting_for_seeds(database)
    async with database.write() as session:
        await let_go(session, campaign_id, clock.now(), by="ada@exemple.fr")
    await watch_canaries(database, clock)
    await send_what_is_due(database, transport, clock)
    assert len(people_in(transport)) == PEOPLE
    with pytest.raises(ConflictError):
        async with database.write() as session:
            await let_go(session, campaign_id, clock.now())


async def test_letting_the_rest_go_sets_a_held_campaign_going_as_well(database: Database) -> None:
    campaign_id, transport, clock = await waiting_for_seeds(database)
    await seeds_are_found(database, campaign_id, *[EventKind.PLACED_SPAM] * 3)
    await watch_canaries(database, clock)
    assert await state_of(database, campaign_id) is CampaignState.PAUSED
    async with database.write() as session:
        await let_go(session, campaign_id, clock.now(), by="ada@exemple.fr")
    assert await state_of(database, campaign_id) is CampaignState.SENDING
    await watch_canaries(database, clock)
    await send_what_is_due(database, transport, clock)
    assert len(people_in(transport)) == PEOPLE


async def test_what_a_person_paused_is_not_set_going_with_its_rest(database: Database) -> None:
    campaign_id, _, clock = await waiting_for_seeds(database)
    async with database.write() as session:
        await pause(session, campaign_id, clock.now())
        await let_go(session, campaign_id, clock.now())
    assert await stage_of(database, campaign_id) is CanaryStage.RELEASED
    assert await state_of(database, campaign_id) is CampaignState.PAUSED


async def test_nothing_of_a_cancelled_campaign_can_be_let_go(database: Database) -> None:
    campaign_id, _, clock = await waiting_for_seeds(database)
    async with database.write() as session:
        await cancel(session, campaign_id, clock.now())
    with pytest.raises(ConflictError):
        async with database.write() as session:
            await let_go(session, campaign_id, clock.now())


async def test_another_incident_s_end_does_not_let_the_rest_go(database: Database) -> None:
    """A breaker may have paused the campaign before; that it is dealt with says nothing of the seeds."""
    campaign_id, _, clock = await waiting_for_seeds(database)
    async with database.write() as session:
        breaker = await open_incident(
            *(session, IncidentKind.HARD_BOUNCES, IncidentLevel.RED),
            now=clock.now(),
            campaign_id=campaign_id,
            evidence={"undo": [{"do": "pause", "campaign": campaign_id}]},
        )
    assert breaker is not None
    await seeds_are_found(database, campaign_id, *[EventKind.PLACED_SPAM] * 3)
    await watch_canaries(database, clock)
    async with database.write() as session:
        await let_go_on(session, breaker.id, by="ada@exemple.fr", now=clock.now())
    assert await stage_of(database, campaign_id) is CanaryStage.HELD
    assert await state_of(database, campaign_id) is CampaignState.PAUSED


async def test_where_nobody_waits_any_more_nobody_is_asked_to_let_go(database: Database) -> None:
    """Everybody was in the slice, which was bad: that is told, and ends; there is no rest to hold."""
    campaign_id = await a_gated_campaign(database, replace(PLAN, people=1000))
    transport, clock = ScriptedTransport(), ManualClock()
    await launched(database, campaign_id)
    await send_what_is_due(database, transport, clock)
    await watch_canaries(database, clock)
    await seeds_are_found(database, campaign_id, *[EventKind.PLACED_SPAM] * 3)
    await watch_canaries(database, clock)
    assert await stage_of(database, campaign_id) is CanaryStage.PASSED
    async with database.read() as session:
        (told,) = await incidents.list_incidents(session, campaign_id=campaign_id)
    assert told.deed is IncidentDeed.TOLD


async def test_a_forecast_counts_those_who_wait_for_the_gate(database: Database) -> None:
    campaign_id, transport, clock = await waiting_for_seeds(database)
    rest = PEOPLE - len(people_in(transport))
    async with database.read() as session:
        waiting = await queues.waiting(session, [campaign_id], clock.now(), by_place=False)
    assert sum(row.count for row in waiting) == rest > 0


async def test_a_campaign_without_a_gate_has_nothing_to_let_go(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
    with pytest.raises(ConflictError):
        async with database.write() as session:
            await let_go(session, campaign.id, START)


async def test_what_waits_for_the_gate_is_not_released_with_what_is_held_for_a_reason(
    database: Database,
) -> None:
    campaign_id, transport, clock = await waiting_for_seeds(database)
    before = len(transport.sent)
    async with database.write() as session:
        assert await release(session, campaign_id, clock.now()) == 0
    await send_what_is_due(database, transport, clock)
    assert len(transport.sent) == before
    async with database.read() as session:
        assert await campaigns.held(session, [campaign_id]) == {}


async def test_a_pause_while_the_gate_is_shut_is_a_pause_of_the_gate(database: Database) -> None:
    campaign_id, _, clock = await waiting_for_seeds(database)
    async with database.write() as session:
        await pause(session, campaign_id, clock.now())
    await seeds_are_found(database, campaign_id, *[EventKind.PLACED_INBOX] * 3)
    assert not await watch_canaries(database, clock)
    async with database.write() as session:
        await resume(session, campaign_id, clock.now())
    assert await watch_canaries(database, clock)
    assert await stage_of(database, campaign_id) is CanaryStage.PASSED


@pytest.mark.parametrize(("silence", "skipped"), [(45, False), (120, True)])
async def test_a_rest_that_nobody_was_there_to_let_go_is_late_as_the_campaign_says(
    database: Database, silence: int, skipped: bool
) -> None:
    """The service was down when it was to be decided: tomorrow the reminder of tonight is worth nothing."""
    campaign_id, _, clock = await waiting_for_seeds(database)
    async with database.write() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        campaign.late_policy, campaign.late_minutes = LatePolicy.SKIP, 30
        session.add(campaign)
    silent_since = clock.now()
    clock.advance(timedelta(minutes=silence))
    await stop_interrupted(database, silent_since, clock.now())
    wanted = CampaignState.CANCELLED if skipped else CampaignState.SENDING
    assert await state_of(database, campaign_id) is wanted


async def test_cancelling_ends_the_rest_as_well(database: Database) -> None:
    campaign_id, _, clock = await waiting_for_seeds(database)
    async with database.write() as session:
        await cancel(session, campaign_id, clock.now())
    async with database.read() as session:
        states = await campaigns.count_states(session, campaign_id)
    assert DeliveryState.HELD not in states
    assert sum(states.values()) == PEOPLE


async def test_a_slice_that_is_everybody_ends_with_its_campaign(database: Database) -> None:
    campaign_id = await a_gated_campaign(database, replace(PLAN, people=1000))
    transport, clock = ScriptedTransport(), ManualClock()
    await launched(database, campaign_id)
    await send_what_is_due(database, transport, clock)
    assert len(people_in(transport)) == PEOPLE
    await watch_canaries(database, clock)
    await seeds_are_found(database, campaign_id, *[EventKind.PLACED_INBOX] * 3)
    await watch_canaries(database, clock)
    async with database.read() as session:
        assert await canaries.at_work(session) == []


async def test_the_gate_is_part_of_what_a_campaign_was_asked_for(database: Database) -> None:
    campaign_id = await a_gated_campaign(database)
    async with database.write() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        parts = await parts_of(session, campaign)
        assert parts.canary == PLAN
        await update_campaign(session, campaign_id, replace(parts, canary=None), START)
        assert await canaries.find(session, campaign_id) is None


@pytest.mark.parametrize(
    "plan",
    [
        replace(PLAN, people=0),
        replace(PLAN, wait=timedelta(minutes=1)),
        replace(PLAN, wait=timedelta(days=3)),
    ],
)
async def test_a_gate_nobody_could_mean_is_refused(database: Database, plan: CanaryPlan) -> None:
    with pytest.raises(BadInputError, match="first messages"):
        await a_gated_campaign(database, plan)
