"""What counts against a person's cap, on both databases."""

from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.delivery import Delivery
from models.states import CampaignState, Channel, DeliveryState
from store import Database, touches
from tests.clocks import START
from tests.factories import a_campaign, a_contact, an_identity

DAY = timedelta(days=1)
WEEK_AGO = START - 7 * DAY


async def _campaign(
    session: AsyncSession, key: str, state: CampaignState = CampaignState.SENDING
) -> Campaign:
    identity = await an_identity(session, key=key, domain=f"{key}.fr")
    campaign = await a_campaign(session, senders=[identity])
    campaign.state = state
    session.add(campaign)
    await session.flush()
    return campaign


async def _send(
    session: AsyncSession,
    campaign: Campaign,
    contact_id: int,
    state: DeliveryState = DeliveryState.ACCEPTED,
    *,
    settled_at: datetime | None = None,
    due_at: datetime = START,
    channel: Channel = Channel.EMAIL,
    exempt: bool = False,
) -> Delivery:
    delivery = Delivery(
        campaign_id=campaign.id,
        contact_id=contact_id,
        channel=channel,
        identity_id=1,
        provider="other",
        address="x@y.fr",
        state=state,
        due_at=due_at,
        settled_at=settled_at,
        exempt=exempt,
    )
    session.add(delivery)
    await session.flush()
    return delivery


async def test_what_left_and_what_is_on_the_wire_counts(database: Database) -> None:
    async with database.write() as session:
        first, second = await _campaign(session, "a"), await _campaign(session, "b")
        person, other = await a_contact(session), await a_contact(session)
        at = START - DAY
        await _send(session, first, person.id, settled_at=at)
        await _send(session, first, person.id, DeliveryState.UNCERTAIN, settled_at=at, channel=Channel.SMS)
        await _send(session, second, person.id, DeliveryState.SENDING)
        await _send(session, second, person.id, DeliveryState.QUEUED, channel=Channel.SMS)
        await _send(session, second, other.id, DeliveryState.REFUSED, settled_at=at)
    async with database.read() as session:
        found = await touches.recent(session, [person.id, other.id], since=WEEK_AGO, now=START)
    assert set(found) == {person.id}
    assert sorted(found[person.id]) == [(Channel.EMAIL, at), (Channel.EMAIL, START), (Channel.SMS, at)]
    assert all(isinstance(channel, Channel) for channel, _ in found[person.id])


async def test_what_is_long_ago_exempt_or_asked_about_does_not_count(database: Database) -> None:
    async with database.write() as session:
        first, second = await _campaign(session, "a"), await _campaign(session, "b")
        person = await a_contact(session)
        await _send(session, first, person.id, settled_at=WEEK_AGO)
        await _send(session, first, person.id, settled_at=START, channel=Channel.SMS, exempt=True)
        asked = await _send(session, second, person.id, DeliveryState.SENDING)
    async with database.read() as session:
        found = await touches.recent(session, [person.id], since=WEEK_AGO, except_ids=[asked.id], now=START)
    assert found == {}


async def test_the_freeze_sees_what_other_campaigns_have_queued(database: Database) -> None:
    async with database.write() as session:
        own, going = await _campaign(session, "a"), await _campaign(session, "b")
        paused = await _campaign(session, "c", CampaignState.PAUSED)
        person = await a_contact(session)
        await _send(session, own, person.id, DeliveryState.QUEUED)
        await _send(session, going, person.id, DeliveryState.DEFERRED, due_at=START + DAY)
        await _send(session, going, person.id, DeliveryState.QUEUED, due_at=START - DAY, channel=Channel.SMS)
        await _send(session, paused, person.id, DeliveryState.QUEUED)
    async with database.read() as session:
        found = await touches.expected(session, [person.id], since=WEEK_AGO, campaign_id=own.id, now=START)
    assert sorted(found[person.id]) == [(Channel.EMAIL, START + DAY), (Channel.SMS, START)]


async def test_busy_people_are_those_who_reached_one_of_the_caps(database: Database) -> None:
    async with database.write() as session:
        own, first, second = [await _campaign(session, key) for key in "abc"]
        idle, once, twice, late = [(await a_contact(session)).id for _ in range(4)]
        await _send(session, first, once, settled_at=START - 3 * DAY)
        await _send(session, first, twice, settled_at=START - 3 * DAY)
        await _send(session, second, twice, settled_at=START - 4 * DAY)
        await _send(session, first, late, settled_at=START - DAY / 2)
    caps = [touches.Cap(START - DAY, START + DAY, 1), touches.Cap(WEEK_AGO, START + 7 * DAY, 2)]

    async def busy(after_id: int, up_to_id: int) -> list[int]:
        async with database.read() as session:
            return sorted(
                await touches.busy_people(
                    session, caps, after_id=after_id, up_to_id=up_to_id, campaign_id=own.id, now=START
                )
            )

    assert await busy(0, late) == [twice, late]
    assert await busy(twice, late) == [late]
    assert await busy(0, once) == []
    assert idle < once < twice < late


async def test_touches_are_read_of_the_busy_among_those_asked_for_and_of_nobody_between(
    database: Database,
) -> None:
    async with database.write() as session:
        own, first = [await _campaign(session, key) for key in "ab"]
        asked, between, idle, last = [(await a_contact(session)).id for _ in range(4)]
        for number in (asked, between, last):
            await _send(session, first, number, settled_at=START - DAY / 2)
    caps = [touches.Cap(START - DAY, START + DAY, 1)]
    async with database.read() as session:
        found = await touches.of_the_busy(session, caps, [asked, idle, last], campaign_id=own.id, now=START)
        assert set(found) == {asked, last}
        assert await touches.of_the_busy(session, caps, [], campaign_id=own.id, now=START) == {}
        assert await touches.of_the_busy(session, [], [asked], campaign_id=own.id, now=START) == {}
