"""Seed mailboxes, and what became of what was sent to them."""

from datetime import datetime, timedelta

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from models.delivery import Delivery
from models.errors import ConflictError, NotFoundError
from models.event import event_about
from models.states import DeliveryState, EventKind
from store import Database, events, seeds
from store.seeds import Outcome
from tests.clocks import START
from tests.deliverability.rows import a_delivery, a_launched_campaign, a_seed, an_identity

MINUTE = timedelta(minutes=1)


async def happen(
    session: AsyncSession, delivery: Delivery, kind: EventKind, at: datetime = START, **details: str
) -> None:
    event = event_about(delivery, kind, source="test", source_id=f"{delivery.id}:{kind}:{at}", at=at, now=at)
    event.details = details
    await events.append(session, event)


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        ([], Outcome.AWAITED),
        ([EventKind.PLACED_INBOX], Outcome.INBOX),
        ([EventKind.PLACED_TAB], Outcome.TAB),
        ([EventKind.PLACED_SPAM], Outcome.SPAM),
        ([EventKind.PLACED_MISSING], Outcome.MISSING),
        ([EventKind.PLACED_INBOX, EventKind.PLACED_SPAM], Outcome.SPAM),
        ([EventKind.PLACED_SPAM, EventKind.PLACED_INBOX], Outcome.INBOX),
        ([EventKind.PLACED_MISSING, EventKind.PLACED_TAB], Outcome.TAB),
        ([EventKind.BOUNCED], Outcome.REJECTED),
        ([EventKind.PLACED_MISSING, EventKind.BOUNCED], Outcome.REJECTED),
        # A bounce of a copy that was forwarded: it is in the mailbox all the same.
        ([EventKind.PLACED_INBOX, EventKind.BOUNCED], Outcome.INBOX),
    ],
)
async def test_what_was_seen_last_is_the_outcome(
    database: Database, seen: list[EventKind], outcome: Outcome
) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session, seed=await a_seed(session))
        for minute, kind in enumerate(seen, 1):
            await happen(session, delivery, kind, START + minute * MINUTE)
        (found,) = await seeds.outcomes(session, campaign_id=delivery.campaign_id)
    assert (found.outcome, found.seed_id) == (outcome, delivery.seed_id)
    told_by = seen.index(EventKind.PLACED_INBOX) + 1 if outcome is Outcome.INBOX else len(seen)
    assert found.at == START + told_by * MINUTE


@pytest.mark.parametrize(
    ("state", "outcomes"),
    [
        (DeliveryState.QUEUED, [Outcome.AWAITED]),
        (DeliveryState.ACCEPTED, [Outcome.AWAITED]),
        (DeliveryState.REFUSED, [Outcome.REJECTED]),
        (DeliveryState.CANCELLED, []),
        (DeliveryState.EXPIRED, []),
    ],
)
async def test_what_the_server_refused_is_rejected_and_what_we_stopped_is_nothing(
    database: Database, state: DeliveryState, outcomes: list[Outcome]
) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session, seed=await a_seed(session), state=state)
        found = await seeds.outcomes(session, campaign_id=delivery.campaign_id)
    assert [each.outcome for each in found] == outcomes


async def test_outcomes_are_asked_by_campaign_identity_and_time_and_hold_no_people(
    database: Database,
) -> None:
    async with database.write() as session:
        campaign, one, other = (
            await a_launched_campaign(session),
            await an_identity(session),
            await an_identity(session),
        )
        seed = await a_seed(session)
        first = await a_delivery(session, campaign=campaign, identity=one, seed=seed)
        second = await a_delivery(session, campaign=campaign, identity=other, seed=seed)
        later = await a_delivery(session, identity=one, seed=seed)
        later.due_at = START + 60 * MINUTE
        session.add(later)
        person = await a_delivery(session, campaign=campaign, identity=one)
        await happen(session, first, EventKind.PLACED_INBOX, latency_seconds="7")
        await happen(session, person, EventKind.BOUNCED)

        def numbers(found: list[seeds.SeedOutcome]) -> list[tuple[int, int]]:
            return [(each.campaign_id, each.identity_id) for each in found]

        by_campaign = await seeds.outcomes(session, campaign_id=campaign.id)
        by_identity = await seeds.outcomes(session, identity_id=one.id)
        lately = await seeds.outcomes(session, since=START + MINUTE)
    assert numbers(by_campaign) == [(campaign.id, one.id), (campaign.id, other.id)]
    assert numbers(by_identity) == [(campaign.id, one.id), (later.campaign_id, one.id)]
    assert numbers(lately) == [(later.campaign_id, one.id)]
    assert [each.latency_seconds for each in by_campaign] == [7, None]
    assert second.identity_id == other.id


async def test_a_removed_seed_is_gone_with_its_secrets_and_comes_back_when_it_is_added_again(
    database: Database,
) -> None:
    async with database.write() as session:
        seed = await a_seed(session)
        number, address, sealed = seed.id, seed.address, seed.sealed_password
        await a_delivery(session, seed=seed)
        with pytest.raises(ConflictError):
            await seeds.add_seed(session, type(seed)(**seed.model_dump(exclude={"id"})))
        await seeds.remove_seed(session, number, START)
        assert (seed.sealed_password, seed.sealed_client_secret, seed.active) == ("", "", False)
        assert await seeds.list_seeds(session) == []
        with pytest.raises(NotFoundError):
            await seeds.get_seed(session, number)
        new = type(seed)(
            address=address, provider="gmail", imap_host="h", username="u", sealed_password=sealed
        )
        back = await seeds.add_seed(session, new)
        assert (back.id, back.removed_at, back.active, back.sealed_password) == (number, None, True, sealed)
        assert len(await seeds.outcomes(session)) == 1


async def test_only_a_look_that_came_through_counts_as_read(database: Database) -> None:
    async with database.write() as session:
        seed = await a_seed(session)
        await seeds.note_check(session, seed.id, at=START, problem="")
        await seeds.note_check(session, seed.id, at=START + MINUTE, problem="The line broke.")
        await session.refresh(seed)
    assert (seed.last_read_at, seed.last_checked_at) == (START, START + MINUTE)
    assert seed.last_problem == "The line broke."
