"""A campaign in plain words: every question of a candidate, and no word of the trade."""

import re
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.assessing import assess_report
from deliverability.assessment.values import Status, Word
from deliverability.changes import Change, Changes, Turn, campaign_changes
from deliverability.changes.values import ChangeCode
from deliverability.report import campaign_report
from models.access import Role
from models.campaign import Campaign, LeftOut
from models.identity import Identity
from models.states import CampaignState, Channel, EventKind, LeftOutReason
from models.tally import Account
from store import Database
from tests.clocks import START
from tests.deliverability.rows import an_identity
from tests.deliverability.sent_campaigns import a_sent_campaign, count_more, seeds_seen
from tests.web.browsers import Site
from web import summary_words as words
from web.compliance_view import Line
from web.i18n import Tongue
from web.summary import Known, summary_of

ENGLISH, FRENCH = (Tongue(language, ZoneInfo("Europe/Paris")) for language in ("en", "fr"))
DAY = timedelta(days=1)
NOW = START + 5 * DAY
LANES = {"gmail": (8_000, 160), "orange": (2_000, 10)}
JARGON = re.compile(
    r"(?i)\b(DNS|DKIM|SPF|DMARC|bounce|hard|soft|seed|deferr|suppress|provider|opt-?out|segment|identity|témoin)"
)


async def a_campaign(session: AsyncSession, **counted: int) -> tuple[Campaign, Identity]:
    """Ten thousand people, some left out, in spam at Orange."""
    identity = await an_identity(session)
    campaign = await a_sent_campaign(session, identity, LANES)
    for word, count in counted.items():
        await count_more(
            *(session, campaign, identity, "orange"), account=Account.NEWS, word=word, count=count
        )
    return campaign, identity


async def known_of(session: AsyncSession, campaign: Campaign, *law: Line) -> Known:
    report = await campaign_report(session, campaign.id, NOW)
    assessment = await assess_report(session, report)
    changes = await campaign_changes(session, report, assessment)
    return Known(report, ended=True, law=law, assessment=assessment, changes=changes)


def read(known: Known, tongue: Tongue = ENGLISH) -> str:
    return "\n".join(
        f"{part.title}: {line.tone}: {line.text}" for part in summary_of(known, tongue) for line in part.lines
    )


async def test_a_candidate_reads_whom_it_reached_and_where_it_landed(database: Database) -> None:
    async with database.write() as session:
        campaign, identity = await a_campaign(session, unsubscribed=12, complained=3, bounced=40)
        await seeds_seen(session, campaign, identity, "orange", *[EventKind.PLACED_SPAM] * 5)
        await seeds_seen(session, campaign, identity, "gmail", *[EventKind.PLACED_INBOX] * 9)
        campaign.targeted = 10_004
        session.add(campaign)
        for number, reason in enumerate([LeftOutReason.NO_CONSENT] * 3 + [LeftOutReason.CAPPED]):
            session.add(LeftOut(campaign_id=campaign.id, contact_id=number, reason=reason))
    async with database.read() as session:
        known = await known_of(session, campaign, Line("good", "All was kept to."))
    text = read(known)
    for sentence in (
        "The message was meant for 10,004 people.",
        "4 of them were not written to: they have not agreed to be written to (3); they had enough from us ",
        "Of 10,000 messages that were sent, 9,960 arrived (99.6%).",
        "40 messages came back.",
        "of the messages are in the inbox, where people see them",
        "bad: At Orange it is in the junk folder.",
        "170 people followed a link (1.7% of those it reached).",
        "12 people asked for no more messages; they get none.",
        "3 people reported it as junk.",
        "Whether all was in order: good: All was kept to.",
        "What to do now: warn: Have your team look at it before the next message: Orange.",
    ):
        assert sentence in text
    assert not JARGON.search(text), text
    assert not JARGON.search(read(known, FRENCH)), read(known, FRENCH)


async def test_what_nobody_looked_at_is_said_to_be_unknown(database: Database) -> None:
    async with database.write() as session:
        campaign, _ = await a_campaign(session)
    async with database.read() as session:
        text = read(await known_of(session, campaign))
    assert "whether people could see it is not known" in text
    assert "Nobody asked for no more messages, and nobody complained, as far as we are told." in text
    assert "What to do now: quiet: Nothing for now: too little is known" in text


async def test_dead_addresses_are_named_as_the_cause_where_they_are(database: Database) -> None:
    async with database.write() as session:
        campaign, identity = await a_campaign(session, refused=30)
        await count_more(
            *(session, campaign, identity, "orange"),
            account=Account.HARD,
            word=EventKind.REFUSED,
            count=30,
        )
    async with database.read() as session:
        text = read(await known_of(session, campaign))
    assert "30 messages came back, mostly because the addresses do not exist any more." in text


async def test_what_could_not_leave_in_time_is_no_gap_in_the_account(database: Database) -> None:
    async with database.write() as session:
        campaign, _ = await a_campaign(session, expired=4)
    async with database.read() as session:
        text = read(await known_of(session, campaign))
    assert "4 messages could not leave in time." in text


async def test_text_messages_have_no_folder_and_nothing_to_do_about_it(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        campaign = await a_sent_campaign(session, identity, {"sms": (500, 0)}, channel=Channel.SMS)
    async with database.read() as session:
        text = read(await known_of(session, campaign))
    assert "who got one could read it" in text
    assert "followed a link" not in text
    assert "if something is wrong, your team is told" in text


async def test_a_campaign_under_way_says_that_its_figures_will_change(database: Database) -> None:
    async with database.write() as session:
        campaign, _ = await a_campaign(session)
    async with database.read() as session:
        known = await known_of(session, campaign)
    assert "What to do now: quiet: The campaign is still under way" in read(replace(known, ended=False))


@pytest.mark.parametrize(
    ("key", "now", "turn", "said"),
    [
        ("click", 0.01, Turn.WORSE, "warn: Fewer people followed a link than the last time."),
        ("click", 0.05, Turn.BETTER, "good: More people followed a link than the last time."),
        ("complaint", 0.05, Turn.WORSE, "warn: More people reported it as junk than the last time."),
        ("unsubscribe", 0.01, Turn.BETTER, "good: Fewer people left than the last time."),
    ],
)
async def test_what_moved_since_the_last_time_is_told_in_a_sentence(
    database: Database, key: str, now: float, turn: Turn, said: str
) -> None:
    async with database.write() as session:
        campaign, _ = await a_campaign(session)
    async with database.read() as session:
        known = await known_of(session, campaign)
    moved = Change(ChangeCode.SHARE, turn, {"key": key, "before": 0.03, "now": now})
    there = replace(moved, provider="orange")
    changes = Changes(START, NOW, comparable=True, listed=(moved, there))
    assert read(replace(known, changes=changes)).count(said) == 1


def test_every_reason_and_every_bad_word_has_a_plain_sentence() -> None:
    assert set(words.WHY) == set(LeftOutReason)
    assert set(words.STEPS) == set(Status)
    told = {*words.AT_PROVIDER}
    # What these say is not of a folder, and the step sends the team there.
    silent = {Word.INBOX, Word.NOTHING_SENT, Word.NOT_TESTED, Word.NOT_ASSESSABLE, Word.DECLARED}
    assert set(Word) - told - silent == {Word.UNAUTHENTICATED}


async def test_the_page_is_read_and_printed(site: Site) -> None:
    async with site.database.write() as session:
        campaign, _ = await a_campaign(session)
        draft = await a_sent_campaign(session, await an_identity(session, "second"), LANES)
        draft.launched_at, draft.state, draft.targeted = None, CampaignState.DRAFT, 0
        session.add(draft)
    site.clock.advance(DAY)
    browser = await site.signed_in(Role.READER)
    page = await browser.read(f"/campaigns/{campaign.id}/summary")
    assert "The message was meant for 10,000 people." in page
    assert "Whether all was in order" in page
    made = await browser.get(f"/campaigns/{campaign.id}/summary.pdf")
    assert made.content.startswith(b"%PDF-")
    assert f"/campaigns/{campaign.id}/summary" in await browser.read(f"/campaigns/{campaign.id}/report")
    assert (await browser.get(f"/campaigns/{draft.id}/summary")).status_code == 200
