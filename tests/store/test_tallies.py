"""The counters always say what counting row by row says."""

import asyncio
import itertools
import random
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign, LeftOut
from models.delivery import Delivery
from models.event import Event, event_about
from models.identity import Identity
from models.states import BounceClass, DeliveryState, EventKind, Fault, LeftOutReason, Permanence
from models.tally import Tally
from models.values import Reply, Verdict
from store import Database, campaigns, tallies
from store.tally_check import differences
from store.tally_fold import advance, rebuild
from store.tally_keys import STEPS_SECONDS, step_for
from tests.clocks import START
from tests.deliverability.rows import a_contact, a_delivery, a_launched_campaign, a_seed, an_identity

PROVIDERS = ("gmail", "mx:mairie.example", "mx:asso.example")
DELIVERIES = 5
KINDS = [kind for kind in EventKind if kind is not EventKind.UNKNOWN]

Happening = tuple[int, EventKind, Permanence | None, Fault | None, dict[str, str], int]

happenings = st.tuples(
    st.integers(0, DELIVERIES - 1),
    st.sampled_from(KINDS),
    st.sampled_from([None, *Permanence]),
    st.sampled_from([None, Fault.RELAY, Fault.RECIPIENT]),
    st.sampled_from([{}, {"machine": "agent"}, {"decision": "sent"}, {"decision": "not_sent"}]),
    st.sampled_from([0, 1, 200, 90_000, 40 * 86_400]),
)
moves = st.tuples(st.integers(0, DELIVERIES - 1), st.sampled_from(list(DeliveryState)))
steps = st.lists(st.one_of(happenings, moves, st.sampled_from([1, 3, 1000])), max_size=30)


async def a_ledger(session: AsyncSession) -> tuple[Campaign, list[Delivery]]:
    """A campaign with a delivery for each of a few people, and one for a seed."""
    campaign = await a_launched_campaign(session, targeted=9, frozen=DELIVERIES - 1)
    identities = [await an_identity(session, name) for name in ("Rhône", "Loire")]
    made = []
    for number in range(DELIVERIES):
        seed = await a_seed(session) if number == DELIVERIES - 1 else None
        made.append(
            await a_delivery(
                session,
                campaign=campaign,
                identity=identities[number % 2],
                provider=PROVIDERS[number % 3],
                state=DeliveryState.QUEUED,
                seed=seed,
            )
        )
    return campaign, made


def an_event(delivery: Delivery, happening: Happening, number: int) -> Event:
    _, kind, permanence, fault, details, after = happening
    verdict = Verdict(BounceClass.BLOCK, fault or Fault.UNKNOWN, permanence, "r") if permanence else None
    event = event_about(
        delivery,
        kind,
        source="test",
        source_id=f"{delivery.id}:{number}",
        at=START + timedelta(seconds=after, microseconds=number),
        now=START,
        reply=Reply(400 + number % 3, f"4.{number % 2}.0", f"said {number}"),
        verdict=verdict,
    )
    event.details = details
    return event


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_counters_are_right_after_any_history_however_far_the_mark_is(
    migrated_sqlite_file: Path, tmp_path: Path, steps: list[object]
) -> None:
    async def check() -> None:
        file = tmp_path / "tocsin.db"
        shutil.copyfile(migrated_sqlite_file, file)
        database = Database(f"sqlite:///{file}")
        async with database.write() as session:
            campaign, made = await a_ledger(session)
        for number, step in enumerate(steps):
            if isinstance(step, int):
                await advance(database, most=step)
            else:
                async with database.write() as session:
                    await _take(session, made, step, number)
            async with database.read() as session:
                assert await differences(session, campaign.id) == []
        await database.close()
        await asyncio.to_thread(_empty, tmp_path)

    asyncio.run(check())


def _empty(folder: Path) -> None:
    for leftover in folder.iterdir():
        leftover.unlink()


async def _take(session: AsyncSession, made: list[Delivery], step: object, number: int) -> None:
    assert isinstance(step, tuple)
    delivery = made[step[0]]
    if len(step) == 2:
        change = sa.update(Delivery).where(col(Delivery.id) == delivery.id).values(state=step[1])
        await session.exec(change)
    else:
        session.add(an_event(delivery, step, number))


async def test_counters_are_right_while_many_write_and_count_at_once(database: Database) -> None:
    chance = random.Random(20)
    async with database.write() as session:
        campaign, made = await a_ledger(session)

    async def write(number: int) -> None:
        for turn in range(6):
            async with database.write() as session:
                # In the order of their numbers, as whoever moves several rows must.
                for delivery in sorted(chance.sample(made, 3), key=lambda each: each.id):
                    kind = chance.choice(KINDS)
                    happening: Happening = (0, kind, Permanence.HARD, None, {}, chance.randrange(10_000))
                    session.add(an_event(delivery, happening, number * 1000 + turn * 10 + delivery.id))
                    await session.flush()
                    await asyncio.sleep(chance.random() / 200)
                    await _take(session, [delivery], (0, chance.choice(list(DeliveryState))), 0)

    async def count() -> None:
        for _ in range(10):
            await advance(database, most=4)
            await asyncio.sleep(chance.random() / 100)

    await asyncio.gather(*(write(number) for number in range(5)), count(), count())
    async with database.read() as session:
        assert await differences(session, campaign.id) == []
    await advance(database)
    async with database.read() as session:
        assert await differences(session, campaign.id) == []
        assert await tallies.behind(session) == 0


# SQLite has one writer: numbers appear in their order.
@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
async def test_an_event_that_appears_late_with_a_small_number_is_not_missed(database: Database) -> None:
    async with database.write() as session:
        campaign, made = await a_ledger(session)
    happening: Happening = (0, EventKind.ACCEPTED, None, None, {}, 0)
    async with database.write() as slow:
        slow.add(an_event(made[0], happening, 1))
        await slow.flush()
        async with database.write() as quick:
            quick.add(an_event(made[1], happening, 2))
        await advance(database)
        async with database.read() as session:
            assert (await tallies.ledger(session, campaign.id)).counts.lanes != ()
            assert await differences(session, campaign.id) == []
    async with database.read() as session:
        assert await differences(session, campaign.id) == []
    await advance(database)
    async with database.read() as session:
        assert await differences(session, campaign.id) == []
        assert await tallies.behind(session) == 0


async def test_one_statement_that_moves_many_is_counted(database: Database) -> None:
    async with database.write() as session:
        campaign, _ = await a_ledger(session)
        every = sa.update(Delivery).where(col(Delivery.campaign_id) == campaign.id)
        await session.exec(every.values(state=DeliveryState.CLAIMED))
        states = await campaigns.progress(session, campaign.id)
        assert states == {DeliveryState.CLAIMED: DELIVERIES - 1}, "seeds count nowhere"
        assert await campaigns.progress_of(session, [campaign.id, 999]) == {campaign.id: states, 999: {}}
        await session.exec(every.values(state=DeliveryState.HELD))
        assert await campaigns.progress(session, campaign.id) == {DeliveryState.HELD: DELIVERIES - 1}
        await session.exec(sa.delete(Delivery).where(col(Delivery.campaign_id) == campaign.id))
        assert await campaigns.progress(session, campaign.id) == {}


async def test_what_is_rolled_back_was_never_counted(database: Database) -> None:
    async with database.write() as session:
        campaign, made = await a_ledger(session)
    async with database.write() as session:
        await _take(session, made, (0, DeliveryState.REFUSED), 0)
        await session.rollback()
    async with database.read() as session:
        assert await campaigns.progress(session, campaign.id) == {DeliveryState.QUEUED: DELIVERIES - 1}


async def test_people_left_out_are_counted_by_reason(database: Database) -> None:
    async with database.write() as session:
        campaign, _ = await a_ledger(session)
        for reason in (LeftOutReason.CAPPED, LeftOutReason.CAPPED, LeftOutReason.NO_CONSENT):
            contact = await a_contact(session)
            session.add(LeftOut(campaign_id=campaign.id, contact_id=contact.id, reason=reason))
    async with database.read() as session:
        told = await campaigns.left_out(session, campaign.id)
    assert told == {LeftOutReason.CAPPED: 2, LeftOutReason.NO_CONSENT: 1}


async def test_counters_that_were_spoilt_are_found_and_counted_anew(database: Database) -> None:
    async with database.write() as session:
        campaign, made = await a_ledger(session)
        for number, kind in enumerate((EventKind.ACCEPTED, EventKind.CLICKED, EventKind.CLICKED)):
            session.add(an_event(made[0], (0, kind, None, None, {}, 0), number))
    await advance(database)
    async with database.write() as session:
        spoil = sa.update(Tally).where(col(Tally.account) == "news").values(count=7)
        await session.exec(spoil)
    async with database.read() as session:
        assert len(await differences(session, campaign.id)) == 2
    await rebuild(database)
    async with database.read() as session:
        assert await differences(session, campaign.id) == []
        assert (await session.exec(select(Tally.shard).where(col(Tally.account) == "news"))).all() == [0, 0]


async def test_an_older_database_is_counted_when_it_is_migrated(database: Database) -> None:
    async with database.write() as session:
        campaign, _ = await a_ledger(session)
        suffix = "" if database.is_sqlite else " ON delivery"
        await session.exec(sa.text(f"DROP TRIGGER tally_delivery_insert{suffix}"))  # type: ignore[call-overload]
        await session.exec(sa.text("DELETE FROM tally"))  # type: ignore[call-overload]
    await database.migrate()
    async with database.write() as session:
        assert (await campaigns.progress(session, campaign.id)) == {DeliveryState.QUEUED: DELIVERIES - 1}
        identity = await session.get(Identity, (await _lanes(session))[0])
        await a_delivery(session, campaign=campaign, identity=identity, state=DeliveryState.QUEUED)
        assert (await campaigns.progress(session, campaign.id)) == {DeliveryState.QUEUED: DELIVERIES}


async def _lanes(session: AsyncSession) -> list[int]:
    return list((await session.exec(select(Delivery.identity_id))).all())


def test_fine_steps_of_the_chart_make_up_coarse_ones() -> None:
    for fine, coarse in itertools.pairwise(STEPS_SECONDS):
        assert coarse % fine == 0
    assert step_for(0, 119 * 1_000_000) == 1
    assert step_for(0, 120 * 1_000_000) == 5
