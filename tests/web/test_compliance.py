"""Whether the law was kept to: one page, paper and a file that say the same; a block in each report."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from models.access import Role
from models.campaign import Campaign, CampaignIdentity, LeftOut
from models.delivery import Delivery
from models.election import ElectionDay, SilenceWaiver
from models.preflight import PreflightOverride
from models.states import ConsentStatus, DeliveryState, LeftOutReason, LegalBasis, Nature
from scheduler.compliance import Compliance, compliance_of
from scheduler.preflight.findings import HEALTH
from store import Database
from store.compliance import Consents, Coverage
from store.compliance_log import Breach, Honoured
from store.elections import CUT_OFF
from tests.clocks import START
from tests.deliverability.rows import a_contact, a_delivery, an_identity
from tests.deliverability.sent_campaigns import a_sent_campaign
from tests.web.browsers import Site
from web.compliance_view import Section, sections_of
from web.i18n import Tongue
from web.paper import Document, Words

ENGLISH, FRENCH = (Tongue(language, ZoneInfo("Europe/Paris")) for language in ("en", "fr"))
DAY = timedelta(days=1)
NOTICE = "https://tocsin.example/notice/"
NOBODY = Coverage(0, Consents(), Consents(), Consents(), 0)
COVERED = Coverage(
    1000, Consents(900, 800, 20, 790), Consents(400, 100, 5, 100), Consents(1000, 0, 3, 0), 990
)
LANES = {"gmail": (1_000, 30), "orange": (500, 5)}


def entries_about(session: AsyncSession, campaign: Campaign) -> None:
    """Two votes, of which one was called off, a waiver, and a check that was gone past."""
    session.add(
        ElectionDay(
            name="Municipales", day=date(2026, 3, 15), created_by="ana@parti.example", created_at=START
        )
    )
    session.add(
        ElectionDay(
            name="Partielle",
            day=date(2026, 3, 22),
            created_by="ana@parti.example",
            created_at=START,
            removed_by="bob@parti.example",
            removed_at=START,
            removed_reason="called off",
        )
    )
    session.add(
        SilenceWaiver(
            campaign_id=campaign.id,
            reason="court order",
            asked_by="ana@parti.example",
            asked_at=START,
            agreed_by="bob@parti.example",
            agreed_at=START,
        )
    )
    session.add(
        PreflightOverride(
            campaign_id=campaign.id,
            at=START,
            by="ana@parti.example",
            reason="a short message",
            codes=["ad.unlabelled", f"{HEALTH}return_path_no_mx"],
        )
    )


async def a_log(session: AsyncSession) -> Campaign:
    """A political campaign about a vote, with everything that can be said of one."""
    identity = await an_identity(session)
    identity.organisation = "Parti du Rhône"
    campaign = await a_sent_campaign(session, identity, LANES, launched_at=START)
    values = {"nature": Nature.POLITICAL, "vote": "Municipales", "name": "Samedi à Lyon"}
    campaign.sqlmodel_update(values)
    session.add_all([identity, campaign])
    session.add(CampaignIdentity(campaign_id=campaign.id, identity_id=identity.id))
    reasons = (
        *[LeftOutReason.NO_CONSENT] * 3,
        *[LeftOutReason.ELECTION] * 2,
        LeftOutReason.SUPPRESSED,
        LeftOutReason.TOO_YOUNG,
    )
    for number, reason in enumerate(reasons):
        session.add(LeftOut(campaign_id=campaign.id, contact_id=number, reason=reason))
    stopped: Delivery = await a_delivery(
        session, campaign=campaign, identity=identity, state=DeliveryState.EXPIRED
    )
    stopped.reason = CUT_OFF
    session.add(stopped)
    entries_about(session, campaign)
    await session.flush()
    return campaign


@pytest.fixture
async def found(database: Database) -> Compliance:
    async with database.write() as session:
        await a_log(session)
    async with database.read() as session:
        return await compliance_of(session, START - DAY, START + DAY)


def noting(printed: list[Document]) -> Callable[[Document], bytes]:
    """In the place of the press: what was to be printed."""

    def note(document: Document) -> bytes:
        printed.append(document)
        return b"%PDF-"

    return note


def told(sections: list[Section], key: str) -> str:
    """All of a section as one text."""
    section = next(one for one in sections if one.key == key)
    lines = [f"{line.tone}: {line.text}" for line in section.lines]
    rows = [" | ".join(row) for table in section.tables for row in table.rows]
    return "\n".join((*lines, *rows))


def in_english(found: Compliance, covered: Coverage = COVERED) -> list[Section]:
    return sections_of(found, covered, lambda number: f"{NOTICE}{number}", ENGLISH)


async def test_consent_is_told_with_what_cannot_be_shown(found: Compliance) -> None:
    text = told(in_english(found), "consent")
    assert "warn: 10 consents are not on record" in text
    assert "warn: Where their data come from is on record for 990 (99%) of all people." in text
    assert "quiet: Nobody has agreed to be chosen by their data" in text
    assert "To be written to by e-mail | 900 | 800 (89%) | 20 | 80 | 790 (99%)" in text
    assert "To be written to by SMS | 400 | 100 (25%) | 5 | 295 | 100 (100%)" in text


async def test_a_share_that_is_not_all_never_reads_as_all(found: Compliance) -> None:
    nearly = Coverage(10_000, Consents(10_000, 9_999, 0, 9_998), Consents(), Consents(), 9_999)
    assert "9,999 (99.99%)" in told(in_english(found, nearly), "consent")
    whole = Coverage(10, Consents(10, 10, 0, 10), Consents(), Consents(10, 1, 0, 1), 10)
    text = told(in_english(found, whole), "consent")
    assert "warn" not in text
    assert "Of every consent it is on record" in text


async def test_what_is_not_said_or_has_to_be_weighed_is_told(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_sent_campaign(session, await an_identity(session), LANES, launched_at=START)
        campaign.basis = LegalBasis.LEGITIMATE_INTEREST
        session.add(campaign)
    async with database.read() as session:
        log = await compliance_of(session, START - DAY, START + DAY)
        nothing = await compliance_of(session, START + DAY, START + 2 * DAY)
    text = told(in_english(log), "campaigns")
    assert "warn: Of 1 campaign nobody has said whether it is political" in text
    assert "warn: 1 campaign went to people who never agreed" in text
    assert "| 1 | 1,500" in text
    assert told(in_english(nothing), "campaigns") == "quiet: Nothing was sent in this period."


async def test_who_was_left_out_by_right_is_counted(found: Compliance) -> None:
    text = told(in_english(found), "kept")
    assert "No consent on record | 3" in text
    assert "On the suppression list | 1" in text


async def test_a_message_in_spite_of_a_suppression_is_the_worst_of_it(found: Compliance) -> None:
    honoured = Honoured(40, (Breach(7, 1, START, START + DAY),))
    for given, wanted in (
        (honoured, "bad: A message was sent on 11 Mar 2026, 10:00 to an address"),
        (Honoured(40, ()), "good: 40 suppressions of this period were looked at"),
        (Honoured(0, ()), "quiet: No address was suppressed"),
    ):
        assert wanted in told(in_english(replace(found, honoured=given)), "kept")


async def test_political_campaigns_are_registered_with_their_notice(found: Compliance) -> None:
    text = told(in_english(found), "register")
    assert "good: Each carries its label" in text
    assert "Samedi à Lyon | " in text
    assert f"Parti du Rhône | Municipales | 1,500 | {NOTICE}1" in text


async def test_silence_is_told_with_who_entered_removed_and_waived_what(found: Compliance) -> None:
    text = told(in_english(found), "silence")
    assert "good: 2 people were left out at the launch" in text
    assert "good: 1 message that was queued was stopped" in text
    assert "warn: bob@parti.example took “Partielle” out of the calendar. The reason: “called off”" in text
    assert "court order | bob@parti.example agreed" in text


async def test_a_vote_is_told_with_the_silence_of_its_people(database: Database) -> None:
    async with database.write() as session:
        await a_log(session)
    async with database.read() as session:
        until = START.replace(year=2026, month=3, day=1)
        found = await compliance_of(session, until - DAY, until)
    text = told(in_english(found), "silence")
    assert (
        "Municipales, round 1 | 15 Mar 2026 | National | 14 Mar 2026, 00:00 – 15 Mar 2026, 20:00 | ana@"
        in text
    )
    assert "Partielle" not in text


async def test_who_went_past_a_check_is_named_with_the_reason(found: Compliance) -> None:
    text = told(in_english(found), "overrides")
    assert "warn: 1 time somebody went past a check" in text
    assert "Samedi à Lyon | ana@parti.example, " in text
    assert "Where bounces return | a short message" in text


async def test_every_section_is_there_in_french_and_with_nothing_on_record(database: Database) -> None:
    async with database.read() as session:
        empty = await compliance_of(session, START - DAY, START)
    keys = ["consent", "campaigns", "kept", "register", "silence", "overrides"]
    french = sections_of(empty, NOBODY, str, FRENCH)
    assert [section.key for section in french] == keys
    assert all(section.lines for section in french)
    assert "%(" not in str(french)
    assert {section.title for section in french}.isdisjoint({one.title for one in in_english(empty)})


async def test_the_page_the_file_and_the_register_say_the_same(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site.database.write() as session:
        contact = await a_contact(session, email="p@parti.example")
        contact.email_consent = ConsentStatus.GRANTED
        session.add(contact)
        campaign = await a_log(session)
    printed: list[Document] = []
    monkeypatch.setattr("web.compliance_paper.print_document", noting(printed))
    site.clock.advance(DAY)
    browser = await site.signed_in(Role.READER)
    page = await browser.read("/compliance")
    assert "Samedi à Lyon" in page
    assert "took “Partielle” out of the calendar" in page
    assert "/notice/" in page
    await browser.read("/compliance.pdf?days=30")
    assert any(isinstance(one, Words) and "consents are not" in one.text for one in printed[0].blocks)
    document = json.loads((await browser.get("/compliance.json")).text)
    assert document["consent"]["email"] == {
        "people": 2,
        "granted": 2,
        "withdrawn": 0,
        "proven": 0,
        "unknown": 0,
    }
    (one,) = document["campaigns"]
    assert (one["id"], one["stopped_by_vote"], one["left_out"]["election"]) == (campaign.id, 1, 2)
    assert document["waivers"][0]["agreed_by"] == "bob@parti.example"
    assert document["overrides"][0]["codes"] == ["ad.unlabelled", f"{HEALTH}return_path_no_mx"]
    assert "Samedi à Lyon" in (await browser.get("/compliance/register.csv")).text
    assert "Municipales" in (await browser.get("/compliance/register.json")).text


async def test_a_report_tells_what_its_campaign_kept_to(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async with site.database.write() as session:
        campaign = await a_log(session)
    printed: list[Document] = []
    monkeypatch.setattr("web.report_paper.print_document", noting(printed))
    browser = await site.signed_in(Role.READER)
    page = await browser.read(f"/campaigns/{campaign.id}/report")
    sentences = (
        "A political message about “Municipales”, paid by Parti du Rhône.",
        "It went only to people who agreed to be written to.",
        "3 people were left out: they had not agreed",
        "1 person was left out: they had not agreed to be chosen by their data, or are too young.",
        "2 people were left out at the launch because silence held",
        "1 message that was queued was stopped",
        "In spite of silence: asked by ana@parti.example. The reason: “court order”.",
        "The reason: “a short message”",
    )
    assert [one for one in sentences if one not in page] == []
    await browser.read(f"/campaigns/{campaign.id}/report.pdf")
    on_paper = "\n".join(block.text for block in printed[0].blocks if isinstance(block, Words))
    assert [one for one in sentences if one not in on_paper] == []
    assert "Its notice is public. http" in on_paper


async def test_a_candidate_is_told_the_same_in_a_few_words(site: Site) -> None:
    async with site.database.write() as session:
        campaign = await a_log(session)
    browser = await site.signed_in(Role.READER)
    page = await browser.read(f"/campaigns/{campaign.id}/summary")
    for sentence in (
        "A political message about “Municipales”, paid by Parti du Rhône.",
        "It went only to people who agreed to be written to.",
        "1 message that was queued was stopped",
        "In spite of silence: asked by ana@parti.example.",
        "ana@parti.example had it sent although a check advised against it. The reason: “a short message”",
    ):
        assert sentence in page
    assert "Where bounces return" not in page
    assert "they had not agreed, or had taken it back" not in page


async def test_what_took_long_to_count_is_not_counted_at_each_look(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.compliance_desk.WORTH_KEEPING_S", 0.0)
    monkeypatch.setattr("web.compliance_desk.FOR_SO_MANY", 1e5)
    browser = await site.signed_in(Role.READER)
    assert "Nobody is on the list yet." in await browser.read("/compliance")
    async with site.database.write() as session:
        await a_contact(session, email="p@parti.example")
    assert "Nobody is on the list yet." in await browser.read("/compliance")
    site.clock.advance(3 * DAY)
    assert "Nobody is on the list yet." not in await browser.read("/compliance")
