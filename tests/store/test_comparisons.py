"""Campaigns alike are found, and what they came to is read from counters."""

from datetime import timedelta

from models.states import CampaignState, Channel, DeliveryState, EventKind, Purpose
from models.tally import Account, Tally
from store import Database
from store.comparisons import Reactions, Sent, comparable, mailings, reactions, sent_by, states
from tests.clocks import START
from tests.deliverability.rows import an_identity
from tests.deliverability.sent_campaigns import (
    a_segment,
    a_sent_campaign,
    count_more,
    more_lanes,
    seeds_seen,
)

DAY = timedelta(days=1)
LANES = {"gmail": (1000, 20)}


async def test_reactions_are_counted_by_lane_and_bounces_are_not_delivered(database: Database) -> None:
    async with database.write() as session:
        first, second = await an_identity(session), await an_identity(session)
        campaign = await a_sent_campaign(session, first, {"gmail": (1000, 20), "orange": (500, 5)})
        await more_lanes(session, campaign, second, {"gmail": (300, 3)})
        for kind, count in ((EventKind.BOUNCED, 40), (EventKind.COMPLAINED, 2), (EventKind.UNSUBSCRIBED, 7)):
            await count_more(
                session, campaign, first, "gmail", account=Account.NEWS, word=kind.value, count=count
            )
        await count_more(
            session, campaign, first, "gmail", account=Account.HARD, word=EventKind.BOUNCED.value, count=30
        )
        found = await reactions(session, [campaign.id])
        stood = await states(session, [campaign.id])
        nothing = await reactions(session, [])
    assert nothing == []
    assert found == [
        Reactions(campaign.id, first.id, "gmail", 1000, 960, 20, 2, 7),
        Reactions(campaign.id, first.id, "orange", 500, 500, 5),
        Reactions(campaign.id, second.id, "gmail", 300, 300, 3),
    ]
    assert stood[campaign.id, first.id, "orange"] == {DeliveryState.ACCEPTED: 500}


async def test_counters_that_are_being_counted_anew_do_not_count_twice(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        campaign = await a_sent_campaign(session, identity, LANES)
        row = (await reactions(session, [campaign.id]))[0]
        session.add(
            Tally(
                campaign_id=campaign.id,
                account=Account.NEWS,
                identity_id=identity.id,
                provider="gmail",
                word="accepted",
                shard=1,
                count=9,
            )
        )
        await session.flush()
        assert await reactions(session, [campaign.id]) == [row]


async def test_the_last_campaigns_of_an_identity_before_this_one_are_compared_with(
    database: Database,
) -> None:
    async with database.write() as session:
        identity, other = await an_identity(session), await an_identity(session)
        past = [
            await a_sent_campaign(session, identity, LANES, launched_at=START + number * DAY)
            for number in range(8)
        ]
        this = await a_sent_campaign(session, identity, LANES, launched_at=START + 8 * DAY)
        later = START + 9 * DAY
        before = START + 7 * DAY
        await a_sent_campaign(session, identity, LANES, launched_at=later)
        await a_sent_campaign(session, other, LANES, launched_at=before)
        await a_sent_campaign(session, identity, LANES, launched_at=before, state=CampaignState.SENDING)
        await a_sent_campaign(session, identity, LANES, launched_at=before, state=CampaignState.CANCELLED)
        await a_sent_campaign(session, identity, LANES, launched_at=before, channel=Channel.SMS)
        await a_sent_campaign(session, identity, LANES, launched_at=before, purpose=Purpose.TRANSACTIONAL)
        found = await comparable(session, this.id, identity.id, most=6, fewest=3)
    assert found == ([campaign.id for campaign in reversed(past[2:])], False)


async def test_campaigns_to_the_same_segments_come_first_where_there_are_enough(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        members, friends = await a_segment(session, "members"), await a_segment(session, "friends")
        to_members, to_friends = [], []
        for number in range(4):
            at = START + number * DAY
            to_members.append(
                await a_sent_campaign(session, identity, LANES, launched_at=at, segments=[members])
            )
            to_friends.append(
                await a_sent_campaign(session, identity, LANES, launched_at=at, segments=[friends])
            )
        this = await a_sent_campaign(
            session, identity, LANES, launched_at=START + 5 * DAY, segments=[members]
        )
        alike = await comparable(session, this.id, identity.id, most=6, fewest=3)
        whatever = await comparable(session, this.id, identity.id, most=6, fewest=5)
    assert alike == ([campaign.id for campaign in reversed(to_members)], True)
    assert whatever[1] is False
    assert len(whatever[0]) == 6
    assert set(whatever[0]) & {campaign.id for campaign in to_friends}


async def test_a_campaign_that_was_not_launched_is_like_no_other(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        await a_sent_campaign(session, identity, LANES)
        draft = await a_sent_campaign(session, identity, LANES, state=CampaignState.DRAFT)
        draft.launched_at = None
        session.add(draft)
        await session.flush()
        assert await comparable(session, draft.id, identity.id, most=6, fewest=3) == ([], False)
        assert await comparable(session, 999_999, identity.id, most=6, fewest=3) == ([], False)


async def test_what_an_identity_sent_in_a_period_is_found_newest_first(database: Database) -> None:
    async with database.write() as session:
        identity, other = await an_identity(session), await an_identity(session)
        sent = [
            await a_sent_campaign(session, identity, LANES, launched_at=START + number * DAY)
            for number in range(4)
        ]
        await a_sent_campaign(session, other, LANES, launched_at=START + DAY)
        await a_sent_campaign(session, identity, LANES, launched_at=START + DAY, channel=Channel.SMS)
        found = await sent_by(session, identity.id, START + DAY, START + 3 * DAY)
    assert found == [(sent[2].id, START + 2 * DAY), (sent[1].id, START + DAY)]


async def test_mailings_are_campaigns_by_identity_with_what_their_seeds_say(database: Database) -> None:
    async with database.write() as session:
        first, second, idle = [await an_identity(session) for _ in range(3)]
        campaign = await a_sent_campaign(session, first, {"gmail": (700, 1), "orange": (300, 1)})
        await more_lanes(session, campaign, second, {"gmail": (50, 0)})
        await more_lanes(session, campaign, idle, {"gmail": (0, 0)})
        await a_sent_campaign(session, first, LANES, launched_at=START + 9 * DAY)
        await a_sent_campaign(session, first, LANES, channel=Channel.SMS)
        await a_sent_campaign(session, first, LANES, purpose=Purpose.TRANSACTIONAL)
        inbox, tab, spam = EventKind.PLACED_INBOX, EventKind.PLACED_TAB, EventKind.PLACED_SPAM
        await seeds_seen(session, campaign, first, "gmail", inbox, tab, spam, EventKind.PLACED_MISSING)
        await seeds_seen(session, campaign, second, "gmail", inbox)
        found = await mailings(session, START, START + DAY)
    assert found == [
        Sent(campaign.id, first.id, START, 1000, tested=4, in_spam=1),
        Sent(campaign.id, second.id, START, 50, tested=1, in_spam=0),
    ]
