"""What a preview says of those who have had enough, and of those who sleep."""

import random
from datetime import timedelta

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.delivery import Delivery
from models.segment import Segment
from models.states import CampaignState, Channel, DeliveryState, LegalBasis, Purpose
from scheduler.calendar import AS_INSTALLED, SendingWindows, UsualWindows, read_sending_windows
from scheduler.campaigns import schedule
from scheduler.expansion import launch
from scheduler.frequency import USUAL, next_eligible
from scheduler.preview import AudiencePreview, preview_audience
from scheduler.rhythm import Rhythm
from store import Database, campaigns, touches
from tests.clocks import START
from tests.factories import a_campaign, a_contact, a_segment, a_template, an_identity
from tests.scheduler.desks import launched

RHYTHM = Rhythm(USUAL, UsualWindows(), "Europe/Paris")
DAY = timedelta(days=1)


async def seen(
    session: AsyncSession,
    everyone: Segment,
    *,
    channel: Channel = Channel.EMAIL,
    rhythm: Rhythm | None = RHYTHM,
    purpose: Purpose = Purpose.CAMPAIGN,
    windows: SendingWindows = AS_INSTALLED,
) -> AudiencePreview:
    return await preview_audience(
        session,
        include=[everyone.id],
        exclude=[],
        channel=channel,
        basis=LegalBasis.CONSENT,
        now=START,
        rhythm=rhythm,
        purpose=purpose,
        windows=windows,
    )


async def test_who_has_had_enough_is_counted_as_they_would_be_one_by_one(database: Database) -> None:
    draw = random.Random(7)
    async with database.write() as session:
        everyone = await a_segment(session)
        identity = await an_identity(session)
        past = [await a_campaign(session, senders=[identity]) for _ in range(9)]
        for campaign in past:
            campaign.state = CampaignState.SENDING
        numbers = []
        for person in range(60):
            contact = await a_contact(session, phone=f"+3361234{person:04}")
            numbers.append(contact.id)
            for campaign in past[: draw.choice((0, 0, 1, 2, 3, 9))]:
                state = draw.choice((DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN, DeliveryState.REFUSED))
                session.add(
                    Delivery(
                        campaign_id=campaign.id,
                        contact_id=contact.id,
                        channel=draw.choice(list(Channel)),
                        identity_id=identity.id,
                        provider="other",
                        address="x",
                        state=state,
                        due_at=START,
                        settled_at=START - draw.choice((0.5, 2, 6, 20, 29, 40)) * DAY,
                        exempt=draw.random() < 0.1,
                    )
                )
    async with database.read() as session:
        known = await touches.expected(session, numbers, since=START - 30 * DAY, campaign_id=0, now=START)
        for channel in Channel:
            told = await seen(session, everyone, channel=channel)
            one_by_one = [
                number
                for number in numbers
                if next_eligible(known.get(number, []), channel, START, USUAL) is not None
            ]
            assert 0 < told.capped == len(one_by_one) < 60
            assert told.deliveries == 60 - told.capped
            exempt = await seen(session, everyone, channel=channel, purpose=Purpose.TRANSACTIONAL)
            assert (exempt.capped, exempt.deliveries) == (0, 60)
            unlimited = await seen(session, everyone, channel=channel, rhythm=None)
            assert (unlimited.capped, unlimited.deliveries) == (0, 60)


async def test_who_waits_for_the_morning_is_counted(database: Database) -> None:
    async with database.write() as session:
        everyone = await a_segment(session)
        # Ten in Paris, six in Cayenne, ten at night in Wallis, by telephone alone, and somebody unknown.
        await a_contact(session, phone="+33612340001", departement="75")
        await a_contact(session, phone="+33612340002", departement="973")
        wallis = await a_contact(session, phone="+681821234")
        unknown = await a_contact(session, phone="+33612340004")
        for contact in (wallis, unknown):
            contact.departement = None
            session.add(contact)
    async with database.read() as session:
        told = await seen(session, everyone, channel=Channel.SMS)
        assert (told.deliveries, told.outside_hours) == (4, 2)
        assert (await seen(session, everyone)).outside_hours == 0
        evening = read_sending_windows("daily 18:00-20:00")
        assert (await seen(session, everyone, windows=evening)).outside_hours == 4
        always = read_sending_windows("always")
        assert (await seen(session, everyone, channel=Channel.SMS, windows=always)).outside_hours == 0


async def test_what_the_preview_says_is_what_the_launch_does(database: Database) -> None:
    async with database.write() as session:
        everyone = await a_segment(session)
        identity = await an_identity(session)
        before = await a_campaign(session, senders=[identity], include=[everyone], with_seeds=False)
        for number in range(20):
            await a_contact(
                session,
                email=f"p{number}@gmail.com" if number % 2 else None,
                phone=f"+3361234{number:04}",
                departement="973" if number % 3 else "75",
            )
        version = await a_template(session, channel=Channel.SMS)
        reminder = await a_campaign(session, version=version, senders=[identity], include=[everyone])
    await launched(database, before.id)
    async with database.read() as session:
        told = await seen(session, everyone, channel=Channel.SMS)
    assert (told.capped, told.deliveries) == (10, 10)
    assert 0 < told.outside_hours < 10
    async with database.write() as session:
        await schedule(session, reminder.id, START.replace(tzinfo=None), "UTC", START)
    await launch(database, reminder.id, START, language="fr", rhythm=RHYTHM)
    async with database.read() as session:
        assert await campaigns.left_out(session, reminder.id) == told.left_out
        rows = await session.exec(select(Delivery).where(col(Delivery.campaign_id) == reminder.id))
        due = [row.due_at for row in rows]
    assert (len(due), sum(at > START for at in due)) == (told.deliveries, told.outside_hours)
