"""What came back, counted by who can do something about it; originals found again; the list in pages.

On both databases.
"""

from datetime import datetime, timedelta

from deliverability.replay import record_reading
from models.event import Event, event_about
from models.states import BounceClass, Channel, EventKind, Fault, Permanence, SuppressionReason
from models.values import Verdict
from store import Database, bounces, originals, suppression_pages, suppressions
from store.bounces import CameBack
from store.originals import Kept, originals_of
from tests.clocks import START
from tests.deliverability.rows import a_delivery, a_launched_campaign, a_seed, an_identity

BLOCK = Verdict(BounceClass.BLOCK, Fault.IDENTITY, Permanence.HARD, "block")
GONE = Verdict(BounceClass.NO_SUCH_ADDRESS, Fault.RECIPIENT, Permanence.HARD, "gone")


async def test_what_came_back_is_counted_by_sender_provider_class_and_fault_as_it_is_read_now(
    database: Database,
) -> None:
    async with database.write() as session:
        campaign, sender = await a_launched_campaign(session), await an_identity(session)
        seed = await a_seed(session)
        numbers = []
        for place, provider in enumerate(("gmail", "gmail", "gmail", "mx:small.example", "seeds")):
            delivery = await a_delivery(
                session,
                campaign=campaign,
                identity=sender,
                provider=provider,
                seed=seed if provider == "seeds" else None,
            )
            for again in range(2 if place == 0 else 1):
                event = event_about(
                    delivery,
                    EventKind.BOUNCED,
                    source="dsn",
                    source_id=f"{delivery.id}/{again}",
                    at=START,
                    now=START,
                    verdict=BLOCK,
                )
                session.add(event)
                await session.flush()
                numbers.append(event.id)
        session.add(event_about(delivery, EventKind.OPENED, source="x", source_id="x", at=START, now=START))
    async with database.write() as session:
        assert await record_reading(session, numbers[2], GONE, START)
        assert await record_reading(session, numbers[3], BLOCK, START) is False
    lane = CameBack(sender.id, "gmail", EventKind.BOUNCED)
    blocked = (BounceClass.BLOCK, Fault.IDENTITY, Permanence.HARD)
    async with database.read() as session:
        counts = await bounces.came_back(session, campaign.id)
    assert counts == {
        read_as(lane, *blocked): 2,
        read_as(lane, BounceClass.NO_SUCH_ADDRESS, Fault.RECIPIENT, Permanence.HARD): 1,
        read_as(CameBack(sender.id, "other", EventKind.BOUNCED), *blocked): 1,
    }


async def test_a_message_with_news_of_several_classes_counts_once_by_the_latest(database: Database) -> None:
    async with database.write() as session:
        campaign, sender = await a_launched_campaign(session), await an_identity(session)
        delivery = await a_delivery(session, campaign=campaign, identity=sender, provider="gmail")
        told = ((EventKind.BOUNCED, BLOCK), (EventKind.COMPLAINED, None), (EventKind.BOUNCED, GONE))
        for place, (kind, verdict) in enumerate(told):
            event = event_about(
                delivery, kind, source="dsn", source_id=str(place), at=START, now=START, verdict=verdict
            )
            session.add(event)
            await session.flush()
            if place == 0:
                first = event.id
        # What is decided again about the earlier one changes nothing: it is not counted.
        assert await record_reading(session, first, GONE, START)
    async with database.read() as session:
        counts = await bounces.came_back(session, campaign.id)
    assert counts == {
        read_as(
            CameBack(sender.id, "gmail", EventKind.BOUNCED),
            BounceClass.NO_SUCH_ADDRESS,
            Fault.RECIPIENT,
            Permanence.HARD,
        ): 1,
        CameBack(sender.id, "gmail", EventKind.COMPLAINED): 1,
    }


def read_as(lane: CameBack, bounce_class: BounceClass, fault: Fault, permanence: Permanence) -> CameBack:
    return CameBack(lane.identity_id, lane.provider, lane.kind, bounce_class, fault, permanence)


def an_event(number: int, at: datetime, source: str = "dsn") -> Event:
    return Event(
        id=number, kind=EventKind.BOUNCED, source=source, source_id=str(number), at=at, recorded_at=at
    )


def kept(number: int, at: datetime, source: str = "dsn") -> Kept:
    return Kept(number, source, at, 1, matched=True, contact_id=1)


def test_an_original_is_that_of_its_own_moment_or_the_last_one_nobody_else_was_read_from() -> None:
    hour = timedelta(hours=1)
    at_once, waited = an_event(1, START), an_event(2, START + hour)
    too_late, elsewhere = an_event(3, START + timedelta(days=9)), an_event(4, START, "arf")
    own, early = kept(10, START), kept(11, START - hour)
    found = originals_of([waited, too_late, elsewhere, at_once], [own, early])
    assert found == {1: own, 2: early}
    assert originals_of([waited], [kept(12, START + 2 * hour)]) == {}, "it came after the event"


async def test_an_original_without_content_is_gone(database: Database) -> None:
    async with database.read() as session:
        assert await originals.about(session, 1) == []
        assert await originals.unmatched(session) == []


async def test_the_list_is_leafed_through_and_what_ended_is_apart(database: Database) -> None:
    async with database.write() as session:
        for number in range(5):
            await suppressions.suppress(
                session,
                channel=Channel.SMS if number == 4 else Channel.EMAIL,
                address_hash=f"{number:064x}",
                reason=SuppressionReason.HARD_BOUNCE if number == 0 else SuppressionReason.MANUAL,
                evidence="no_such_address, policy p, rule r",
                event_id=None,
                now=START,
                until=START + timedelta(days=1) if number == 3 else None,
            )
        await suppressions.lift(
            session, channel=Channel.EMAIL, address_hash=f"{1:064x}", why="came back", now=START
        )
    later = START + timedelta(days=2)
    async with database.read() as session:
        first = await suppression_pages.in_force(session, later, limit=2)
        rest = await suppression_pages.in_force(session, later, limit=2, before_id=first[-1].row.id)
        hard = await suppression_pages.in_force(session, later, reason=SuppressionReason.HARD_BOUNCE)
        texts = await suppression_pages.in_force(session, later, channel=Channel.SMS)
        ended = await suppression_pages.ended(session)
        assert await suppression_pages.evidence_counts(session, later) == [], "none names its event"
    numbers = [int(line.row.address_hash, 16) for line in (*first, *rest)]
    assert numbers == [4, 2, 0]
    assert [int(line.row.address_hash, 16) for line in (*hard, *texts, *ended)] == [0, 4, 1]
    assert (ended[0].event, ended[0].contact) == (None, None)


async def test_a_complaint_counts_beside_the_last_of_several_bounces(database: Database) -> None:
    async with database.write() as session:
        campaign, sender = await a_launched_campaign(session), await an_identity(session)
        delivery = await a_delivery(session, campaign=campaign, identity=sender, provider="gmail")
        news = (
            (EventKind.REFUSED, BLOCK),
            (EventKind.COMPLAINED, None),
            (EventKind.BOUNCED, GONE),
            (EventKind.COMPLAINED, None),
        )
        for place, (kind, verdict) in enumerate(news):
            session.add(
                event_about(
                    delivery, kind, source="dsn", source_id=str(place), at=START, now=START, verdict=verdict
                )
            )
            await session.flush()
    async with database.read() as session:
        counts = await bounces.came_back(session, campaign.id)
    assert counts == {
        CameBack(sender.id, "gmail", EventKind.COMPLAINED): 1,
        read_as(
            CameBack(sender.id, "gmail", EventKind.BOUNCED),
            BounceClass.NO_SUCH_ADDRESS,
            Fault.RECIPIENT,
            Permanence.HARD,
        ): 1,
    }
