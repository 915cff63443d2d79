"""The job that applies what providers told, by heaps."""

import pytest
from sqlmodel import col, select

from models.delivery import Delivery
from models.event import Event, Incoming
from models.news import News, NewsState
from models.states import EventKind
from scheduler import news as job
from store import Database, news
from tests.clocks import ManualClock
from tests.deliverability.rows import a_delivery, heard


async def told_of(database: Database, clock: ManualClock, count: int) -> list[Delivery]:
    """Deliveries, of each of which it was told that it arrived."""
    async with database.write() as session:
        found = [await a_delivery(session) for _ in range(count)]
        signals = [
            heard(EventKind.DELIVERED, "sendgrid", f"event-{one.id}", delivery_id=one.id) for one in found
        ]
        await news.keep(session, signals, clock.now())
    return found


async def about(database: Database) -> set[int | None]:
    async with database.read() as session:
        return set((await session.exec(select(Event.delivery_id))).all())


async def test_one_piece_of_news_that_cannot_be_applied_holds_up_no_other(
    database: Database, clock: ManualClock
) -> None:
    found = await told_of(database, clock, 7)
    async with database.write() as session:
        broken = (await session.exec(select(News).where(News.source_id == f"event-{found[2].id}"))).one()
        broken.signal = {"kind": "of another version"}
    assert not await job.apply_news(database, clock)
    assert await about(database) == {one.id for one in found} - {found[2].id}
    async with database.read() as session:
        kept = (await session.exec(select(News).order_by(col(News.id)))).all()
    waiting = [(one.id, one.tries) for one in kept if one.state is NewsState.WAITING]
    assert waiting == [(broken.id, 1)]


async def test_what_cannot_be_applied_keeps_its_original(database: Database, clock: ManualClock) -> None:
    (one,) = await told_of(database, clock, 1)
    async with database.write() as session:
        broken = (await session.exec(select(News))).one()
        broken.signal, broken.raw = {"kind": "of another version"}, b"what was told"
    await job.apply_news(database, clock)
    clock.advance(job.PATIENCE)
    await job.apply_news(database, clock)
    async with database.read() as session:
        given_up = (await session.exec(select(News))).one()
        kept = (await session.exec(select(Incoming))).one()
    assert (given_up.state, given_up.raw) == (NewsState.UNMATCHED, b"")
    assert (kept.source, kept.raw, kept.matched) == ("sendgrid", b"what was told", False)
    assert await about(database) == set()
    assert one.id


async def test_what_is_more_than_a_heap_is_asked_for_again(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "AT_ONCE", 3)
    found = await told_of(database, clock, 7)
    assert [await job.apply_news(database, clock) for _ in range(4)] == [True, True, False, False]
    assert await about(database) == {one.id for one in found}


async def test_news_of_a_message_with_another_number_is_not_held_against_ours(
    database: Database, clock: ManualClock
) -> None:
    """A provider tells of everything its account sends, also of what others sent to the same address."""
    async with database.write() as session:
        numbered = await a_delivery(session, provider_message_id="ours")
        unnumbered = await a_delivery(session)
        signals = [
            heard(
                EventKind.DELIVERED,
                "amazon_ses",
                f"event-{one.id}",
                recipient=one.address,
                provider_message_id=f"theirs-{one.id}",
            )
            for one in (numbered, unnumbered)
        ]
        await news.keep(session, signals, clock.now())
    await job.apply_news(database, clock)
    assert await about(database) == {unnumbered.id}
