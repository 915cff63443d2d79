"""Several workers hear of the same addresses at once: nothing they hear is lost, and none waits for ever."""

import asyncio
import itertools
import random
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from deliverability.feedback import apply, apply_all
from models.contact import Contact
from models.delivery import Delivery
from models.states import (
    BounceClass,
    Channel,
    ConsentStatus,
    DeliveryState,
    EventKind,
    Fault,
    Permanence,
    SuppressionReason,
)
from models.suppression import Suppression, address_hash
from models.values import Signal, Verdict
from store import Database, consents, suppressions
from tests.clocks import START
from tests.deliverability.rows import a_contact, a_delivery

NOW = START + timedelta(days=60)
WORKERS = 6
_numbers = itertools.count(1)


def news(delivery: Delivery, kind: EventKind, day: float) -> Signal:
    soft = Verdict(BounceClass.INACTIVE, Fault.RECIPIENT, Permanence.HARD, "a rule")
    return Signal(
        kind=kind,
        channel=Channel.EMAIL,
        source="test",
        source_id=str(next(_numbers)),
        at=START + timedelta(days=day),
        delivery_id=delivery.id,
        verdict=soft if kind is EventKind.BOUNCED else None,
    )


async def people(database: Database, count: int) -> list[list[Delivery]]:
    """Each with the messages that were sent there."""
    async with database.write() as session:
        contacts = [await a_contact(session) for _ in range(count)]
        return [[await a_delivery(session, contact=one) for _ in range(3)] for one in contacts]


async def standing(database: Database, address: str) -> list[SuppressionReason]:
    fingerprint = address_hash(Channel.EMAIL, address)
    async with database.read() as session:
        wanted = select(Suppression.reason).where(
            Suppression.address_hash == fingerprint,
            Suppression.lifted_at.is_(None),  # type: ignore[union-attr]
        )
        return sorted(SuppressionReason(reason) for reason in (await session.exec(wanted)).all())


async def all_at_once(database: Database, heaps: list[list[Signal]]) -> None:
    """Each heap in a transaction of its own, all of them begun together."""
    begin = asyncio.Barrier(len(heaps))

    async def one(heap: list[Signal]) -> None:
        await begin.wait()
        async with database.write() as session:
            await apply_all(session, heap, NOW)
            await asyncio.sleep(0.01)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        for heap in heaps:
            group.create_task(one(heap))


async def test_two_failures_heard_at_once_are_two(database: Database) -> None:
    """Each alone is not enough, and neither sees the other before it is committed."""
    for first, second, _ in await people(database, 10):
        heaps = [[news(first, EventKind.BOUNCED, 0)], [news(second, EventKind.BOUNCED, 10)]]
        await all_at_once(database, heaps)
        assert await standing(database, first.address) == [SuppressionReason.HARD_BOUNCE]


async def test_a_sign_of_life_heard_at_once_with_the_last_failure_counts(database: Database) -> None:
    for first, second, third in await people(database, 10):
        async with database.write() as session:
            await apply(session, news(first, EventKind.BOUNCED, 0), NOW)
        heaps = [[news(second, EventKind.BOUNCED, 10)], [news(third, EventKind.DELIVERED, 5)]]
        await all_at_once(database, heaps)
        assert await standing(database, first.address) == []


async def test_one_failure_more_suppresses_no_second_time(database: Database) -> None:
    ((first, second, third),) = await people(database, 1)
    for day, one in enumerate((first, second, third)):
        async with database.write() as session:
            await apply(session, news(one, EventKind.BOUNCED, 10 * day), NOW)
    assert await standing(database, first.address) == [SuppressionReason.HARD_BOUNCE]


async def test_complaints_heard_at_once_suppress_once(database: Database) -> None:
    for deliveries in await people(database, 10):
        await all_at_once(database, [[news(one, EventKind.COMPLAINED, 0)] for one in deliveries])
        assert await standing(database, deliveries[0].address) == [SuppressionReason.COMPLAINT]


async def test_heaps_about_the_same_people_in_any_order_wait_for_each_other_and_end(
    database: Database,
) -> None:
    chance = random.Random(3)
    everybody = await people(database, 25)
    told = [news(some[n], EventKind.BOUNCED, 10 * n) for some in everybody for n in range(3)]
    heaps = [chance.sample(told, len(told)) for _ in range(WORKERS)]
    for heap in heaps:
        heap.sort(key=lambda signal: signal.source_id)  # events are written in the order of their names
    await all_at_once(database, heaps)
    for some in everybody:
        assert await standing(database, some[0].address) == [SuppressionReason.HARD_BOUNCE]


async def test_news_of_the_same_uncertain_messages_in_opposite_orders_settles_them(
    database: Database,
) -> None:
    async with database.write() as session:
        found = [await a_delivery(session, state=DeliveryState.UNCERTAIN) for _ in range(40)]
    heaps = [[news(one, EventKind.DELIVERED, 0) for one in some] for some in (found, found[::-1])]
    await all_at_once(database, heaps)
    async with database.read() as session:
        states = set((await session.exec(select(Delivery.state))).all())
    assert states == {DeliveryState.ACCEPTED}


KINDS = st.sampled_from(
    [EventKind.BOUNCED, EventKind.DELIVERED, EventKind.CLICKED, EventKind.COMPLAINED, EventKind.UNSUBSCRIBED]
)
TOLD = st.lists(
    st.tuples(KINDS, st.integers(0, 1), st.integers(0, 2), st.integers(0, 40)), min_size=2, max_size=10
)


@given(TOLD, st.randoms())
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whoever_hears_it_and_whenever_the_end_is_that_of_hearing_it_in_order(
    database: Database, drawn: list[tuple[EventKind, int, int, int]], chance: random.Random
) -> None:
    ends = []
    for at_once in (False, True):
        everybody = await people(database, 2)
        told = [news(everybody[who][message], kind, day) for kind, who, message, day in drawn]
        if at_once:
            chance.shuffle(told)
            heaps = [heap for n in range(WORKERS) if (heap := told[n::WORKERS])]
            await all_at_once(database, heaps)
        else:
            for signal in told:
                async with database.write() as session:
                    await apply(session, signal, NOW)
        ends.append([await standing(database, some[0].address) for some in everybody])
    assert ends[0] == ends[1]


WORDS = st.sampled_from([EventKind.COMPLAINED, EventKind.UNSUBSCRIBED, EventKind.RESUBSCRIBED])
SAID = st.lists(
    st.tuples(WORDS, st.integers(0, 2), st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=6
)


@given(SAID)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_words_of_several_people_heard_together_mean_what_they_mean_one_by_one(
    database: Database, drawn: list[tuple[EventKind, int, int, int]]
) -> None:
    ends = []
    for together in (False, True):
        everybody = await people(database, 3)
        told = [news(everybody[who][message], kind, day) for kind, who, message, day in drawn]
        async with database.write() as session:
            if together:
                await apply_all(session, told, NOW)
            else:
                for signal in told:
                    await apply(session, signal, NOW)
        async with database.read() as session:
            numbers = [some[0].contact_id for some in everybody]
            contacts = [await session.get_one(Contact, number) for number in numbers]
            said = [
                sorted(
                    (one.status, one.source, one.given_at)
                    for one in await consents.statements_of(session, number or 0, limit=20)
                )
                for number in numbers
            ]
        ends.append(
            (
                [await standing(database, some[0].address) for some in everybody],
                [(one.email_consent, one.sms_consent) for one in contacts],
                said,
            )
        )
    assert ends[0] == ends[1]


async def test_an_objection_that_was_taken_back_since_is_not_acted_on_when_it_comes_late(
    database: Database,
) -> None:
    everybody = await people(database, 2)
    async with database.write() as session:
        await apply(session, news(everybody[0][0], EventKind.RESUBSCRIBED, 2), NOW)
        late = [news(some[0], EventKind.UNSUBSCRIBED, 1) for some in everybody]
        await apply_all(session, late, NOW)
    assert await standing(database, everybody[0][0].address) == []
    assert await standing(database, everybody[1][0].address) == [SuppressionReason.UNSUBSCRIBE]
    async with database.read() as session:
        contacts = [await session.get_one(Contact, some[0].contact_id) for some in everybody]
    assert [one.email_consent for one in contacts] == [ConsentStatus.GRANTED, ConsentStatus.WITHDRAWN]


async def test_an_address_is_held_again_in_the_next_transaction(database: Database) -> None:
    """What one transaction holds is remembered; it ends with it, and so must the memory."""
    if database.is_sqlite:
        return

    async def hold_too(seconds: float = 60) -> None:
        async with asyncio.timeout(seconds), database.write() as other:
            await suppressions.hold(other, ["a" * 64])

    async with database.write() as session:
        await suppressions.hold(session, ["a" * 64])
        await session.commit()
        await hold_too()
        for _ in range(2):
            await suppressions.hold(session, ["a" * 64, "b" * 64])
            with pytest.raises(TimeoutError):
                await hold_too(0.3)


async def test_whoever_holds_an_address_keeps_others_from_it(database: Database) -> None:
    """On SQLite each transaction that writes keeps every other one out: there is nothing to hold."""
    if database.is_sqlite:
        return

    async def hold_too() -> None:
        async with asyncio.timeout(0.3), database.write() as other:
            await suppressions.hold(other, ["b" * 64])
            await suppressions.hold(other, ["a" * 64])

    async with database.write() as session:
        await suppressions.hold(session, ["a" * 64])
        with pytest.raises(TimeoutError):
            await hold_too()
    await hold_too()
