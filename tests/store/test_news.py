"""News of providers on its way: whose it is, how it is counted, what an erasure leaves of it."""

import sqlalchemy as sa
from sqlmodel import col, select

from models.contact import Contact
from models.delivery import Delivery
from models.news import News, NewsState
from models.states import Channel, EventKind
from models.values import Reply, Signal
from store import Database, news
from store.news import Called
from tests.clocks import START
from tests.deliverability import rows
from tests.factories import a_contact

ANA, BOB = "ana.durand@gmail.com", "bob@orange.fr"


def told(kind: EventKind, recipient: str, number: str) -> Signal:
    return Signal(
        kind=kind,
        channel=Channel.EMAIL,
        source="brevo",
        source_id=number,
        at=START,
        provider_message_id="its-number",
        recipient=recipient,
        reply=Reply(550, "5.1.1", f"<{recipient}> is unknown"),
        details={"reason": f"{recipient} is gone"},
        raw=f'{{"email": "{recipient}"}}'.encode(),
    )


async def erase(database: Database, number: int) -> None:
    async with database.write() as session:
        await session.exec(sa.delete(Contact).where(col(Contact.id) == number))


async def all_news(database: Database) -> list[News]:
    async with database.read() as session:
        return list((await session.exec(select(News).order_by(col(News.source_id)))).all())


async def test_news_that_waits_says_nothing_of_an_erased_person(database: Database) -> None:
    async with database.write() as session:
        ana = await a_contact(session, email=ANA)
        await news.keep(
            session, [told(EventKind.BOUNCED, ANA, "1"), told(EventKind.BOUNCED, BOB, "2")], START
        )
    await erase(database, ana.id)
    hers, his = await all_news(database)
    assert "durand" not in repr(hers)
    assert (hers.raw, hers.recipient, hers.signal["recipient"]) == (b"", None, None)
    assert hers.signal["provider_message_id"] == "its-number"
    assert (his.recipient, his.signal["recipient"]) == (BOB, BOB)
    assert BOB.encode() in his.raw


async def test_news_to_an_address_the_person_had_before_is_erased_too(database: Database) -> None:
    async with database.write() as session:
        sent = await rows.a_delivery(session)
        before = sent.address
        await session.exec(
            sa.update(Contact).where(col(Contact.id) == sent.contact_id).values(email="new@exemple.fr")
        )
        await news.keep(session, [told(EventKind.DEFERRED, before, "1")], START)
    assert sent.contact_id is not None
    await erase(database, sent.contact_id)
    (left,) = await all_news(database)
    assert before not in repr(left)
    async with database.read() as session:
        assert (await session.exec(select(Delivery.address))).one() == ""


async def test_a_complaint_that_waits_keeps_the_address_it_is_to_be_heard_for(database: Database) -> None:
    async with database.write() as session:
        ana = await a_contact(session, email=ANA)
        await news.keep(session, [told(EventKind.COMPLAINED, ANA, "1")], START)
    await erase(database, ana.id)
    (left,) = await all_news(database)
    assert (left.raw, left.recipient, left.signal["recipient"]) == (b"", None, ANA)
    assert (left.signal["reply"], left.signal["details"]) == (None, {})


async def test_what_is_settled_has_no_content(database: Database) -> None:
    async with database.write() as session:
        await news.keep(session, [told(EventKind.BOUNCED, ANA, "1")], START)
        (one,) = await news.due(session, START, limit=1)
        await news.settle(session, [one.id], NewsState.UNMATCHED)
    (left,) = await all_news(database)
    assert (left.signal, left.raw, left.recipient) == ({}, b"", None)


async def test_calls_are_counted_by_provider_and_who_only_forged_has_told_nothing(database: Database) -> None:
    later = START.replace(hour=12)
    async with database.write() as session:
        await news.count(session, "brevo", Called(told=3, told_at=START))
        await news.count(session, "brevo", Called(told=2, forged=1, told_at=later, refused_at=START))
        await news.count(session, "resend", Called(forged=1, stale=2, refused_at=START))
        await news.keep(session, [told(EventKind.BOUNCED, ANA, "1")], START)
    async with database.write() as session:
        await news.count(session, "brevo", Called(stale=1, refused_at=later))
        brevo, resend = await news.heard(session)
    assert (brevo.source, brevo.told, brevo.last_at, brevo.waiting, brevo.due_at) == (
        "brevo",
        5,
        later,
        1,
        START,
    )
    assert (brevo.forged, brevo.stale, brevo.refused_at) == (1, 1, later)
    assert (resend.last_at, resend.forged, resend.stale, resend.waiting) == (None, 1, 2, 0)
