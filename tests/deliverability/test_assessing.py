"""A campaign, and an identity, judged by everything on record; on both databases."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.assessing import assess_campaign, assess_identities, assess_identity, study
from deliverability.assessment.facts import ClickReason
from deliverability.assessment.values import Basis, Status, Word
from models.authentication import DmarcReport, DmarcRow
from models.campaign import Campaign
from models.declared import DeclaredFigure, DeclaredSource
from models.errors import NotFoundError
from models.health import HealthLevel
from models.identity import Identity
from models.incident import Incident, IncidentDeed, IncidentKind, IncidentLevel
from models.states import CampaignState, EventKind
from models.tally import Account
from store import Database
from tests.clocks import START
from tests.deliverability.rows import an_identity
from tests.deliverability.sent_campaigns import a_sent_campaign, count_more, more_lanes, seeds_seen

DAY = timedelta(days=1)
NOW = START + 10 * DAY
INBOX, SPAM = EventKind.PLACED_INBOX, EventKind.PLACED_SPAM
LANES = {"gmail": (16_000, 320), "orange": (6_000, 120), "free": (2_000, 40)}


async def a_past(session: AsyncSession, identity: Identity) -> None:
    for number in range(6):
        await a_sent_campaign(session, identity, LANES, launched_at=START + number * DAY)


async def a_campaign_foldered_at_orange(session: AsyncSession, identity: Identity) -> Campaign:
    lanes = LANES | {"orange": (6_000, 30)}
    campaign = await a_sent_campaign(session, identity, lanes, launched_at=START + 8 * DAY)
    await seeds_seen(session, campaign, identity, "gmail", *[INBOX] * 9, *[EventKind.PLACED_TAB] * 3)
    await seeds_seen(session, campaign, identity, "orange", INBOX, SPAM, SPAM, SPAM)
    return campaign


async def test_the_sketch_of_the_report_comes_out_of_the_ledger(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        await a_past(session, identity)
        campaign = await a_campaign_foldered_at_orange(session, identity)
    async with database.read() as session:
        found = await assess_campaign(session, campaign.id, NOW)
    verdicts = [(lane.provider, lane.assessment.status, lane.assessment.word) for lane in found.lanes]
    assert verdicts == [
        ("orange", Status.RED, Word.SPAM),
        ("free", Status.GREY, Word.NOT_TESTED),
        ("gmail", Status.GREEN, Word.INBOX),
    ]
    # A quarter of the list goes there: the rest is normal.
    assert found.status is Status.RED
    orange = found.lane(identity.id, "orange")
    assert orange is not None
    assert orange.list_share == pytest.approx(0.25)
    assert [reason.code for reason in orange.assessment.reasons] == ["seeds_mostly_spam", "spam_signature"]
    change = orange.facts.clicks
    assert change is not None
    assert change.ratio == pytest.approx(0.25, abs=0.01)
    assert found.estimate.unknown_share == pytest.approx(2 / 24)
    assert found.estimate.low < found.estimate.high < 1
    (sender,) = found.senders
    assert (len(sender.base), sender.same_segments, sender.estimate) == (6, False, found.estimate)
    # All of it has left: there is nothing to hold any more.
    assert "hold_rest" not in {step.code for step in found.advice}
    assert found.advice[0].code == "look_in_a_mailbox"
    assert found.advice[0].provider == "orange"
    assert {"add_seeds", "look_in_a_mailbox"} <= {advice.code for advice in found.advice}
    gaps = {gap.code: gap.values for gap in found.gaps}
    assert gaps["untested"]["providers"] == "Free"
    assert gaps["untested"]["share"] == pytest.approx(2 / 24)
    assert {"nothing_declared", "no_complaint_feed", "no_authentication_reports"} <= set(gaps)


async def test_a_dull_subject_is_no_providers_doing(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        await a_past(session, identity)
        dull = {"gmail": (16_000, 80), "orange": (6_000, 30), "free": (2_000, 11)}
        campaign = await a_sent_campaign(session, identity, dull, launched_at=START + 8 * DAY)
    async with database.read() as session:
        found = await assess_campaign(session, campaign.id, NOW)
    assert {lane.assessment.word for lane in found.lanes} == {Word.NOT_TESTED}
    assert "look_at_subject" in {advice.code for advice in found.advice}
    (sender,) = found.senders
    assert sender.clicks is not None
    assert sender.clicks.collapsed


async def test_clicks_are_not_compared_while_people_still_click(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        await a_past(session, identity)
        campaign = await a_campaign_foldered_at_orange(session, identity)
        sending = await a_sent_campaign(
            session, identity, LANES, launched_at=START + 7 * DAY, state=CampaignState.SENDING
        )
    async with database.read() as session:
        early = await assess_campaign(session, campaign.id, START + 8 * DAY + timedelta(hours=6))
        late = await assess_campaign(session, campaign.id, START + 8 * DAY + timedelta(hours=7))
        under_way = await assess_campaign(session, sending.id, NOW)
    for found, reason in (
        (early, ClickReason.TOO_EARLY),
        (late, ClickReason.ASSESSED),
        (under_way, ClickReason.TOO_EARLY),
    ):
        lane = found.lane(identity.id, "orange")
        assert lane is not None
        assert lane.facts.clicks is not None
        assert lane.facts.clicks.reason is reason
    assert "clicks_too_early" in {gap.code for gap in early.gaps}


async def test_a_first_campaign_has_nothing_to_be_compared_with_and_says_so(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        campaign = await a_sent_campaign(session, identity, LANES)
    async with database.read() as session:
        found = await assess_campaign(session, campaign.id, NOW)
    assert (found.status, found.estimate.low, found.estimate.high) == (Status.GREY, 0, 1)
    gaps = {gap.code: gap.values for gap in found.gaps}
    assert gaps["clicks_few_campaigns"] == {"campaigns": 0, "needed": 3}


async def test_every_identity_of_a_campaign_is_judged_by_itself(database: Database) -> None:
    async with database.write() as session:
        first, second = await an_identity(session, "Rhône"), await an_identity(session, "Loire")
        campaign = await a_sent_campaign(session, first, {"gmail": (900, 9)})
        await more_lanes(session, campaign, second, {"gmail": (100, 1)})
        await seeds_seen(session, campaign, first, "gmail", *[INBOX] * 6)
        await seeds_seen(session, campaign, second, "gmail", *[SPAM] * 6)
    async with database.read() as session:
        found = await assess_campaign(session, campaign.id, NOW)
    words = {lane.identity_name: (lane.assessment.word, lane.list_share) for lane in found.lanes}
    assert words == {"Rhône": (Word.INBOX, 0.9), "Loire": (Word.SPAM, 0.1)}
    # A tenth of the list in spam makes the whole amber, not red.
    assert found.status is Status.AMBER
    assert [sender.identity_name for sender in found.senders] == ["Rhône", "Loire"]


async def test_what_the_provider_said_and_who_heard_it(database: Database) -> None:
    async with database.write() as session:
        first, second = await an_identity(session, "Rhône"), await an_identity(session, "Loire")
        campaign = await a_sent_campaign(session, first, {"orange": (900, 9)})
        await more_lanes(session, campaign, second, {"orange": (900, 9)})
        refused, word = EventKind.REFUSED.value, "refused|block|provider|550|5.7.1"
        await count_more(session, campaign, first, "orange", account=Account.NEWS, word=refused, count=300)
        await count_more(session, campaign, first, "orange", account=Account.HARD, word=refused, count=300)
        await _said(session, campaign, "orange", word, 300)
    async with database.read() as session:
        found = await assess_campaign(session, campaign.id, NOW)
        alone = await assess_identity(session, first.id, START - DAY, NOW)
    rhone, loire = found.lane(first.id, "orange"), found.lane(second.id, "orange")
    assert rhone is not None
    assert loire is not None
    assert (rhone.assessment.status, rhone.assessment.word) == (Status.RED, Word.REFUSED)
    assert rhone.assessment.reason_values["part"] == 300
    assert loire.assessment.word is Word.NOT_TESTED
    assert found.advice[0].code == "read_refusals"
    assert found.advice[0].values["class"] == "block"
    assert alone.lanes[0].assessment.word is Word.REFUSED


async def _said(session: AsyncSession, campaign: Campaign, provider: str, word: str, count: int) -> None:
    from models.tally import Tally

    row = Tally(
        campaign_id=campaign.id,
        account=Account.SAID,
        identity_id=0,
        provider=provider,
        word=word,
        shard=0,
        count=count,
        text="blocked for ada@example.org",
    )
    session.add(row)
    await session.flush()


async def test_incidents_health_reports_and_declared_figures_reach_the_verdict(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        identity.health = HealthLevel.PROBLEM
        session.add(identity)
        campaign = await a_sent_campaign(session, identity, LANES, launched_at=NOW - 2 * DAY)
        await seeds_seen(session, campaign, identity, "gmail", *[INBOX] * 6)
        session.add(
            Incident(
                scope="test",
                kind=IncidentKind.DEFERRALS,
                level=IncidentLevel.AMBER,
                identity_id=identity.id,
                provider="free",
                began_at=NOW,
                seen_at=NOW,
                deed=IncidentDeed.SLOWED,
            )
        )
        _declare(session)
        await _dmarc(session, "parti.example", passed=900, failed=100)
    async with database.read() as session:
        found = await assess_campaign(session, campaign.id, NOW)
    codes = {lane.provider: [reason.code for reason in lane.assessment.reasons] for lane in found.lanes}
    assert codes["gmail"][0] == "declared_bad"
    assert "open_incident" in codes["free"]
    assert "open_incident" not in codes["gmail"]
    # What Signal Spam says is of SFR alone, though it speaks of Orange on other days.
    assert "declared_bad" not in codes["orange"]
    assert all("identity_problem" in reasons for reasons in codes.values())
    gmail = found.lane(identity.id, "gmail")
    assert gmail is not None
    assert (gmail.assessment.status, gmail.assessment.basis) == (Status.RED, Basis.DECLARED)
    assert gmail.assessment.reason_values["value"] == 0.004
    assert gmail.facts.authentication is not None
    assert gmail.facts.authentication.messages >= 900


def _declare(session: AsyncSession) -> None:
    """What Gmail says of our domain and of another's, and Signal Spam of an address."""
    for subject, value in (("parti.example", 0.004), ("autre.example", 0.9)):
        session.add(
            DeclaredFigure(
                source=DeclaredSource.GMAIL_POSTMASTER,
                subject=subject,
                provider="gmail",
                metric="spam_rate",
                day=(NOW - DAY).date(),
                value=value,
                imported_at=NOW,
            )
        )
    session.add(
        DeclaredFigure(
            source=DeclaredSource.SIGNAL_SPAM,
            subject="192.0.2.1",
            provider="sfr",
            metric="complaint_rate",
            day=(NOW - DAY).date(),
            value=0.5,
            imported_at=NOW,
        )
    )


async def _dmarc(session: AsyncSession, domain: str, *, passed: int, failed: int) -> None:
    report = DmarcReport(
        org="google.com",
        report_key="1",
        domain=domain,
        begins_at=NOW - 2 * DAY,
        ends_at=NOW - DAY,
        received_at=NOW,
    )
    session.add(report)
    await session.flush()
    for ok, messages in ((True, passed), (False, failed)):
        row = DmarcRow(
            report_id=report.id, source_ip="192.0.2.1", messages=messages, dkim=ok, header_from=domain
        )
        session.add(row)
    await session.flush()


async def test_an_identity_is_judged_by_everything_it_sent_since(database: Database) -> None:
    async with database.write() as session:
        identity, other = await an_identity(session), await an_identity(session)
        await a_past(session, identity)
        campaign = await a_campaign_foldered_at_orange(session, identity)
        await more_lanes(session, campaign, other, {"gmail": (5_000, 5)})
        await seeds_seen(session, campaign, other, "gmail", *[SPAM] * 6)
    async with database.read() as session:
        found = await assess_identity(session, identity.id, START + 4 * DAY, NOW)
        nothing = await assess_identity(session, identity.id, NOW - timedelta(seconds=1), NOW)
        with pytest.raises(NotFoundError):
            await assess_identity(session, 999_999, START, NOW)
    assert found.campaigns == 3
    gmail, orange = found.lane("gmail"), found.lane("orange")
    assert gmail is not None
    assert orange is not None
    assert gmail.facts.counts.accepted == 3 * 16_000
    assert (gmail.facts.seeds.inbox, gmail.facts.seeds.tab, gmail.facts.seeds.spam) == (9, 3, 0)
    assert (gmail.assessment.word, orange.assessment.word) == (Word.INBOX, Word.SPAM)
    assert orange.facts.clicks is not None
    assert orange.facts.clicks.collapsed
    assert (nothing.campaigns, nothing.lanes, nothing.status) == (0, (), Status.GREY)


async def test_while_a_campaign_is_under_way_the_one_before_tells_of_clicks(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        await a_past(session, identity)
        await a_campaign_foldered_at_orange(session, identity)
        under_way = NOW - timedelta(hours=1)
        await a_sent_campaign(session, identity, LANES, launched_at=under_way, state=CampaignState.SENDING)
    async with database.read() as session:
        found = await assess_identity(session, identity.id, START, NOW)
    orange = found.lane("orange")
    assert orange is not None
    assert orange.facts.clicks is not None
    assert orange.facts.clicks.collapsed


async def test_the_study_is_read_from_the_ledger(database: Database) -> None:
    async with database.write() as session:
        first, second = await an_identity(session), await an_identity(session)
        for number in range(6):
            campaign = await a_sent_campaign(session, first, LANES, launched_at=START + number * DAY)
            await seeds_seen(session, campaign, first, "gmail", SPAM if number < 2 else INBOX)
        await a_sent_campaign(session, second, LANES, launched_at=START)
    async with database.read() as session:
        table = await study(session, START, START + 14 * DAY, ZoneInfo("Europe/Paris"))
    assert (table.total.identities, table.total.mailings, table.total.a_week) == (2, 7, 3.5)
    assert [(row.in_spam.part, row.in_spam.whole) for row in table.rows] == [(2, 6), (0, 0)]


async def test_a_campaign_that_does_not_exist_is_not_judged(database: Database) -> None:
    async with database.read() as session:
        with pytest.raises(NotFoundError):
            await assess_campaign(session, 999_999, NOW)


async def test_several_identities_are_judged_together_as_each_alone(database: Database) -> None:
    async with database.write() as session:
        first, second, idle = [await an_identity(session) for _ in range(3)]
        await a_past(session, first)
        shared = await a_campaign_foldered_at_orange(session, first)
        await more_lanes(session, shared, second, {"gmail": (900, 40)})
        await a_sent_campaign(session, second, LANES, launched_at=START + 2 * DAY)
        await seeds_seen(session, shared, second, "gmail", SPAM)
        session.add(
            Incident(
                scope="health:2",
                kind=IncidentKind.HEALTH,
                level=IncidentLevel.RED,
                identity_id=second.id,
                began_at=START,
                seen_at=START,
            )
        )
    async with database.read() as session:
        together = await assess_identities(session, [first, second, idle], START, NOW)
        alone = [await assess_identity(session, one.id, START, NOW) for one in (first, second, idle)]
    assert together == alone
    assert [one.campaigns for one in together] == [7, 2, 0]
    assert together[0].lanes[0].facts.incidents == ()
    assert together[1].lanes[0].facts.incidents != ()


async def test_a_further_identity_costs_few_statements(database: Database) -> None:
    async with database.write() as session:
        senders = [await an_identity(session) for _ in range(6)]
        for number in range(3):
            campaign = await a_sent_campaign(session, senders[0], LANES, launched_at=START + number * DAY)
            for one in senders[1:]:
                await more_lanes(session, campaign, one, LANES)

    async def cost(wanted: list[Identity]) -> int:
        said: list[str] = []

        def note(*told: object) -> None:
            said.append(str(told[2]))

        sa.event.listen(Engine, "before_cursor_execute", note)
        try:
            async with database.read() as session:
                await assess_identities(session, wanted, START, NOW)
        finally:
            sa.event.remove(Engine, "before_cursor_execute", note)
        return len(said)

    few, many = await cost(senders[:1]), await cost(senders)
    # What clicks are compared with: the campaigns before, and their segments, for each of three campaigns.
    assert many - few <= 6 * 5
    assert few < 25
