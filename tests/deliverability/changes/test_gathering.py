"""What changed, told from the ledger; on both databases."""

import json
from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.assessing import assess_identity, assess_report
from deliverability.changes import Changes, Turn, campaign_changes, changes_document, identity_changes
from deliverability.changes.values import Change, ChangeCode
from deliverability.report import campaign_report
from models.campaign import Campaign
from models.event import event_about
from models.health import HealthCheck, HealthLevel
from models.identity import Identity
from models.incident import Incident, IncidentDeed, IncidentKind, IncidentLevel
from models.states import CampaignState, Channel, EventKind, SuppressionReason
from models.suppression import Suppression
from models.tally import Account
from store import Database, events
from tests.clocks import START
from tests.deliverability.rows import a_contact, a_delivery, an_identity
from tests.deliverability.sent_campaigns import a_segment, a_sent_campaign, count_more, more_lanes, seeds_seen

DAY = timedelta(days=1)
NOW = START + 10 * DAY
LANES = {"gmail": (16_000, 320), "orange": (6_000, 120), "free": (2_000, 40)}
INBOX, SPAM = EventKind.PLACED_INBOX, EventKind.PLACED_SPAM


async def changed(session: AsyncSession, campaign: Campaign) -> Changes:
    report = await campaign_report(session, campaign.id, NOW)
    found = await campaign_changes(session, report, await assess_report(session, report))
    assert found is not None
    return found


def told(changes: Changes) -> list[tuple[ChangeCode, str, object]]:
    return [(one.code, one.provider, one.values.get("key", one.values.get("now"))) for one in changes.listed]


def of(changes: Changes, code: ChangeCode) -> list[Change]:
    return [one for one in changes.listed if one.code is code]


def an_incident(identity: Identity, began: int, ended: int | None = None) -> Incident:
    began_at = START + began * DAY
    ended_at = None if ended is None else START + ended * DAY
    return Incident(
        scope=f"{identity.id}:{began}:{ended}",
        provider="orange",
        kind=IncidentKind.BLOCKED,
        level=IncidentLevel.RED,
        identity_id=identity.id,
        began_at=began_at,
        seen_at=began_at,
        ended_at=ended_at,
        deed=IncidentDeed.PAUSED,
    )


async def test_a_campaign_is_held_against_the_one_before_it_from_the_same_sender(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        first = await a_sent_campaign(session, identity, LANES, launched_at=START)
        await seeds_seen(session, first, identity, "orange", *[INBOX] * 6)
        second = await a_sent_campaign(
            session, identity, LANES | {"orange": (6_000, 30)}, launched_at=START + 5 * DAY
        )
        await seeds_seen(session, second, identity, "orange", *[SPAM] * 6)
    async with database.read() as session:
        found = await changed(session, second)
    assert found.earlier is not None
    assert (found.earlier.campaign_id, found.comparable, found.early) == (first.id, True, 0)
    assert (ChangeCode.VERDICT, "orange", "spam") in told(found)
    (verdict,) = of(found, ChangeCode.VERDICT)
    assert (verdict.turn, verdict.values["before"]) == (Turn.WORSE, "inbox")
    assert of(found, ChangeCode.STATUS)[0].turn is Turn.WORSE
    assert [(one.provider, one.turn) for one in of(found, ChangeCode.SHARE)] == [("orange", Turn.WORSE)]


async def test_the_first_campaign_has_nothing_to_be_compared_with(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_sent_campaign(session, await an_identity(session), LANES)
        other = await an_identity(session, "Rhône")
        await a_sent_campaign(session, other, LANES, launched_at=START - DAY)
        unsent = await a_sent_campaign(session, other, LANES)
        unsent.launched_at, unsent.state = None, CampaignState.DRAFT
    async with database.read() as session:
        found = await changed(session, campaign)
        report = await campaign_report(session, unsent.id, NOW)
        assert await campaign_changes(session, report, None) is None
    assert (found.comparable, found.listed, found.earlier) == (False, (), None)


async def test_a_campaign_to_the_same_segments_goes_before_a_later_one_to_others(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        members = await a_segment(session, "members")
        same = await a_sent_campaign(session, identity, LANES, launched_at=START, segments=[members])
        await a_sent_campaign(session, identity, LANES, launched_at=START + DAY)
        campaign = await a_sent_campaign(
            session, identity, LANES, launched_at=START + 2 * DAY, segments=[members]
        )
    async with database.read() as session:
        found = await changed(session, campaign)
    assert found.earlier is not None
    assert (found.earlier.campaign_id, found.earlier.same_segments) == (same.id, True)


async def test_of_two_senders_those_that_sent_both_campaigns_are_compared(database: Database) -> None:
    async with database.write() as session:
        identity, new = await an_identity(session), await an_identity(session, "Rhône")
        await a_sent_campaign(session, identity, {"gmail": (10_000, 300)}, launched_at=START)
        campaign = await a_sent_campaign(
            session, identity, {"gmail": (10_000, 300)}, launched_at=START + 2 * DAY
        )
        await more_lanes(session, campaign, new, {"gmail": (9_000, 2)})
    async with database.read() as session:
        found = await changed(session, campaign)
    assert of(found, ChangeCode.SHARE) == []


async def test_a_sender_that_is_new_changes_no_verdict(database: Database) -> None:
    async with database.write() as session:
        identity, new = await an_identity(session), await an_identity(session, "Rhône")
        first = await a_sent_campaign(session, identity, LANES, launched_at=START)
        await seeds_seen(session, first, identity, "gmail", *[INBOX] * 6)
        campaign = await a_sent_campaign(session, identity, LANES, launched_at=START + 2 * DAY)
        await seeds_seen(session, campaign, identity, "gmail", *[INBOX] * 6)
        await more_lanes(session, campaign, new, {"gmail": (9_000, 270)})
        await seeds_seen(session, campaign, new, "gmail", *[SPAM] * 6)
    async with database.read() as session:
        found = await changed(session, campaign)
    assert found.listed == ()


async def test_what_people_did_is_not_compared_before_they_had_the_time(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        await a_sent_campaign(session, identity, {"gmail": (10_000, 500)}, launched_at=START)
        sms = {"sms": (10_000, 0)}
        await a_sent_campaign(session, identity, sms, launched_at=START, channel=Channel.SMS)
        late = NOW - timedelta(hours=3)
        campaign = await a_sent_campaign(session, identity, {"gmail": (10_000, 5)}, launched_at=late)
        await count_more(
            session,
            campaign,
            identity,
            "gmail",
            account=Account.NEWS,
            word=EventKind.DEFERRED.value,
            count=4_000,
        )
    async with database.read() as session:
        found = await changed(session, campaign)
    assert found.early > 0
    assert [one.values["key"] for one in of(found, ChangeCode.SHARE)] == ["deferral"]


async def test_text_messages_are_compared_with_text_messages(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        first = await a_sent_campaign(
            session, identity, {"sms": (10_000, 0)}, launched_at=START, channel=Channel.SMS
        )
        await a_sent_campaign(session, identity, LANES, launched_at=START + DAY)
        campaign = await a_sent_campaign(
            session, identity, {"sms": (10_000, 0)}, launched_at=START + 2 * DAY, channel=Channel.SMS
        )
        await count_more(
            session,
            campaign,
            identity,
            "sms",
            account=Account.NEWS,
            word=EventKind.UNSUBSCRIBED.value,
            count=400,
        )
    async with database.read() as session:
        found = await changed(session, campaign)
    assert found.earlier is not None
    assert found.earlier.campaign_id == first.id
    assert told(found) == [(ChangeCode.SHARE, "", "unsubscribe")]


async def test_incidents_of_the_time_between_are_told_and_others_are_not(database: Database) -> None:
    async with database.write() as session:
        identity, other = await an_identity(session), await an_identity(session, "Rhône")
        await a_sent_campaign(session, identity, LANES, launched_at=START)
        campaign = await a_sent_campaign(session, identity, LANES, launched_at=START + 5 * DAY)
        began, ended = an_incident(identity, 4), an_incident(identity, -2, 3)
        for row in (
            began,
            ended,
            an_incident(identity, -5, -4),
            an_incident(other, 4),
            an_incident(identity, -3),
        ):
            session.add(row)
    async with database.read() as session:
        found = await changed(session, campaign)
    assert [(one.reference, one.turn) for one in of(found, ChangeCode.INCIDENT_BEGAN)] == [
        (str(began.id), Turn.WORSE)
    ]
    assert [(one.reference, one.turn) for one in of(found, ChangeCode.INCIDENT_ENDED)] == [
        (str(ended.id), Turn.BETTER)
    ]
    # Open on both sides of the comparison: that one is no change of the verdict.
    assert [one.provider for one in of(found, ChangeCode.VERDICT)] == []


async def test_an_incident_that_was_over_then_is_no_part_of_the_verdict_of_before(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        await a_sent_campaign(session, identity, LANES, launched_at=START)
        campaign = await a_sent_campaign(session, identity, LANES, launched_at=START + 5 * DAY)
        session.add(an_incident(identity, 1, 3))
    async with database.read() as session:
        found = await changed(session, campaign)
    assert [(one.code, one.turn) for one in found.listed] == [(ChangeCode.INCIDENT_ENDED, Turn.NEWS)]


async def test_an_incident_that_lasts_longer_than_the_period_is_no_news_in_it(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        session.add(an_incident(identity, -3, 11))
    async with database.read() as session:
        found = await assess_identity(session, identity.id, START, NOW)
        changes = await identity_changes(session, found)
    assert changes.listed == ()


async def test_the_verdict_of_before_knows_only_what_was_known_then(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        await a_sent_campaign(session, identity, LANES, launched_at=START)
        campaign = await a_sent_campaign(session, identity, LANES, launched_at=START + 5 * DAY)
        session.add(an_incident(identity, 6))
    async with database.read() as session:
        found = await changed(session, campaign)
    assert [(one.provider, one.turn) for one in of(found, ChangeCode.VERDICT)] == [("orange", Turn.WORSE)]


async def test_looks_at_the_dns_before_and_after_are_compared(database: Database) -> None:
    finding = {"code": "return_path_no_mx", "level": "problem", "values": {"name": "bounce.parti.example"}}
    async with database.write() as session:
        identity = await an_identity(session)
        await a_sent_campaign(session, identity, LANES, launched_at=START)
        campaign = await a_sent_campaign(session, identity, LANES, launched_at=START + 5 * DAY)
        for day, findings in ((-1, []), (5, [finding])):
            level = HealthLevel.PROBLEM if findings else HealthLevel.FINE
            session.add(
                HealthCheck(
                    identity_id=identity.id, checked_at=START + day * DAY, level=level, findings=findings
                )
            )
    async with database.read() as session:
        found = await changed(session, campaign)
    (one,) = of(found, ChangeCode.FINDING_NEW)
    assert one.finding is not None
    assert (one.identity_id, one.finding.values["name"]) == (identity.id, "bounce.parti.example")


async def a_suppression(session: AsyncSession, campaign: Campaign, identity: Identity, at: int) -> None:
    contact = await a_contact(session, email=f"p{campaign.id}{at}@orange.fr")
    delivery = await a_delivery(session, campaign=campaign, identity=identity, contact=contact)
    moment = START + at * DAY
    event = event_about(
        delivery, EventKind.BOUNCED, source="t", source_id=f"{delivery.id}", at=moment, now=moment
    )
    assert await events.append(session, event)
    session.add(
        Suppression(
            channel=Channel.EMAIL,
            address_hash=f"{delivery.id:064}",
            reason=SuppressionReason.HARD_BOUNCE,
            event_id=event.id,
            created_at=moment,
        )
    )
    await session.flush()


async def test_suppressions_are_counted_where_they_come_from(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        first = await a_sent_campaign(session, identity, LANES, launched_at=START)
        campaign = await a_sent_campaign(session, identity, LANES, launched_at=START + 5 * DAY)
        await a_suppression(session, first, identity, 1)
        # Of the campaign before, after this one had begun.
        await a_suppression(session, first, identity, 6)
        await a_suppression(session, campaign, identity, 7)
        await a_suppression(session, campaign, identity, 8)
    async with database.read() as session:
        found = await changed(session, campaign)
        since = START + 5 * DAY
        period = await identity_changes(session, await assess_identity(session, identity.id, since, NOW))
    assert [one.values["number"] for one in of(found, ChangeCode.SUPPRESSED)] == [2]
    assert [one.values["number"] for one in of(period, ChangeCode.SUPPRESSED)] == [3]


async def test_a_sender_is_held_against_the_period_before(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        for day in range(4):
            await a_sent_campaign(session, identity, {"gmail": (10_000, 400)}, launched_at=START + day * DAY)
        for day in range(5, 9):
            lanes = {"gmail": (10_000, 150)}
            await a_sent_campaign(session, identity, lanes, launched_at=START + day * DAY)
        # People had no time to click: it takes no part.
        await a_sent_campaign(
            session, identity, {"gmail": (90_000, 20_000)}, launched_at=NOW - timedelta(hours=2)
        )
    async with database.read() as session:
        found = await assess_identity(session, identity.id, START + 5 * DAY, NOW)
        changes = await identity_changes(session, found)
        alone = await identity_changes(session, await assess_identity(session, identity.id, START, NOW))
    (click,) = of(changes, ChangeCode.SHARE)
    assert (click.values["key"], click.turn) == ("click", Turn.WORSE)
    assert (click.values["whole"], click.values["before_whole"]) == (40_000, 40_000)
    assert (changes.days, changes.comparable, alone.comparable) == (5, True, False)


async def test_the_list_is_taken_away_as_codes_and_values(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        first = await a_sent_campaign(session, identity, {"gmail": (10_000, 400)}, launched_at=START)
        campaign = await a_sent_campaign(session, identity, {"gmail": (10_000, 100)}, launched_at=START + DAY)
        session.add(an_incident(identity, 2))
    async with database.read() as session:
        document = changes_document(await changed(session, campaign))
    assert document is not None
    assert json.loads(json.dumps(document)) == document
    assert document["compared_with"]["campaign_id"] == first.id
    assert {one["code"]: one["turn"] for one in document["list"]}["share"] == "worse"
    assert changes_document(None) is None
