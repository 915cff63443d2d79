"""When each feed last had a word; on both databases."""

from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from models.authentication import DmarcReport
from models.declared import DeclaredFeed, DeclaredSource
from models.news import HookTally
from models.seed import PolledMailbox
from store import Database
from store.feed_news import FeedWord, last_words
from tests.clocks import START
from tests.deliverability.rows import a_seed

DAY = timedelta(days=1)
SINCE, QUIET = START - 30 * DAY, START - DAY


def a_report(org: str, day: int, domain: str = "parti.example") -> DmarcReport:
    at = START - day * DAY
    return DmarcReport(
        org=org,
        report_key=f"{org}{day}{domain}",
        domain=domain,
        begins_at=at - DAY,
        ends_at=at,
        received_at=at,
    )


async def heard(session: AsyncSession) -> list[FeedWord]:
    return await last_words(session, {"parti.example"}, SINCE, QUIET)


async def test_hooks_and_declared_figures_are_told_by_their_last_word(database: Database) -> None:
    async with database.write() as session:
        for source, told_at in (("sendgrid", START), ("brevo", START - 40 * DAY), ("ses", None)):
            session.add(HookTally(source=source, told_at=told_at))
        session.add(DeclaredFeed(source=DeclaredSource.MICROSOFT_SNDS, news_at=START - 2 * DAY))
        session.add(DeclaredFeed(source=DeclaredSource.SIGNAL_SPAM, checked_at=START))
    async with database.read() as session:
        found = await heard(session)
    assert {(one.kind, one.name, one.last_at, one.waits) for one in found} == {
        ("hook", "sendgrid", START, True),
        ("declared", "microsoft_snds", START - 2 * DAY, True),
    }


async def test_a_receiver_is_a_feed_once_it_reported_several_times(database: Database) -> None:
    async with database.write() as session:
        session.add_all(a_report("orange.fr", day) for day in (5, 6, 7))
        session.add_all(a_report("example.net", day) for day in (5, 6))
        session.add_all(a_report("free.fr", day, "autre.example") for day in (5, 6, 7))
    async with database.read() as session:
        found = await heard(session)
    assert [(one.kind, one.name, one.last_at) for one in found] == [("dmarc", "orange.fr", START - 5 * DAY)]


async def test_a_mailbox_is_told_only_when_it_cannot_be_read(database: Database) -> None:
    async with database.write() as session:
        for place, problem in (("a@mx/INBOX", "refused"), ("b@mx/INBOX", "")):
            session.add(PolledMailbox(place=place, problem=problem, news_at=START, checked_at=START))
    async with database.read() as session:
        found = await heard(session)
    assert [(one.kind, one.name, one.waits) for one in found] == [("mailbox", "a@mx/INBOX", False)]


async def test_seeds_are_told_that_were_read_once_and_are_tried_in_vain(database: Database) -> None:
    async def seed(read_at: datetime, checked_at: datetime, *, active: bool = True) -> None:
        one = await a_seed(session, provider="orange")
        one.last_read_at, one.last_checked_at, one.active = read_at, checked_at, active
        session.add(one)

    async with database.write() as session:
        await seed(START - 3 * DAY, START)
        await seed(START - 2 * DAY, START)
        # Read today; not tried since; long lost; put aside.
        await seed(START, START)
        await seed(START - 3 * DAY, START - 3 * DAY)
        await seed(START - 60 * DAY, START)
        await seed(START - 3 * DAY, START, active=False)
    async with database.read() as session:
        found = await heard(session)
    assert found == [FeedWord("seeds", "orange", START - 2 * DAY, waits=False, number=2)]
