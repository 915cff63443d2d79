"""The look at a campaign before it is sent, on its page: found, mended, gone past with a reason."""

import re
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import delete

from models.access import Role
from models.preflight import LintLevel, Preflight, PreflightOverride
from models.states import CampaignState, Channel
from scheduler.preflight.findings import HEALTH, LintFinding
from scheduler.preflight.table import CHECKS
from store import campaigns, preflights
from store.election_calendar import enter_day
from tests.factories import a_campaign, a_contact, a_seed, a_segment, a_template, an_identity
from tests.scheduler.voting import a_vote
from tests.web.browsers import Browser, Site, parse_strictly
from web.i18n import Tongue
from web.lint_words import LINT_WORDS, UNSPOKEN, say_advice, say_fine, say_what

FORM = {"name": "Réunion", "version": "1", "include": "1", "identity": "1", "basis": "consent", "rule": "one"}
NOW = {"moment": "now"}
REFUSED = "The campaign is not scheduled: 1 check stood in its way."


async def prepare(site: Site, role: Role, *, whole: bool = False) -> Browser:
    """A draft to somebody without a first name, which the message says, unless it is `whole`."""
    async with site.database.write() as session:
        await a_contact(session, first_name="Camille" if whole else None)
        segment, version = await a_segment(session), await a_template(session)
        identity = await an_identity(session)
        await a_campaign(session, version=version, include=[segment], senders=[identity])
    return await site.signed_in(role)


async def state_of(site: Site, number: int = 1) -> CampaignState:
    async with site.database.read() as session:
        return (await campaigns.get_campaign(session, number)).state


async def looked(site: Site, browser: Browser, number: int = 1) -> str:
    answer = await browser.send_form(f"/campaigns/{number}/checks", page=f"/campaigns/{number}/checks")
    assert answer.headers["location"] == f"/campaigns/{number}/checks"
    await site.context.lint.wait(number)
    return await browser.read(f"/campaigns/{number}/checks")


async def test_before_anybody_looked_the_page_says_so(site: Site) -> None:
    browser = await prepare(site, Role.EDITOR)
    assert "Nobody has looked yet." in await browser.read("/campaigns/1/checks")
    assert 'data-part="/campaigns/1/checks"' in await browser.read("/campaigns/1")


async def test_of_what_has_left_nothing_is_said_as_if_it_were_still_to_come(site: Site) -> None:
    browser = await prepare(site, Role.EDITOR)
    await looked(site, browser)
    async with site.database.write() as session:
        one = await campaigns.get_campaign(session, 1)
        await campaigns.move(session, 1, origin=one.state, to=CampaignState.CANCELLED, now=site.clock.now())
    text = await browser.read("/campaigns/1/checks")
    parse_strictly(text)
    assert "1 thing stood in its way:" in text
    assert "stands in the way" not in text
    assert "Look again" not in text
    async with site.database.write() as session:
        await session.exec(delete(Preflight))
    text = await browser.read("/campaigns/1/checks")
    assert "Nobody looked at it before." in text
    assert "Nobody has looked yet." not in text


async def test_what_stands_in_the_way_comes_first_with_what_to_do_and_what_is_fine_is_folded(
    site: Site,
) -> None:
    browser = await prepare(site, Role.EDITOR)
    text = await looked(site, browser)
    parse_strictly(text)
    assert "1 thing stands in the way of scheduling it:" in text
    assert "People whose message would show a blank: 1. What they lack: first_name." in text
    assert "Give the template a fallback, complete the contacts or exclude them." in text
    places = [text.index(word) for word in ("would show a blank", "things to look at:", "<summary>")]
    assert places == sorted(places)
    assert "Looked at on 10 Mar 2026, 10:00." in text
    assert "has changed since" not in text
    assert "Look again" in text


async def test_it_is_told_in_french_with_french_numbers(site: Site) -> None:
    browser = await prepare(site, Role.EDITOR)
    await looked(site, browser)
    await browser.send_form("/language", {"language": "fr"}, page="/campaigns/1")
    text = await browser.read("/campaigns/1/checks")
    assert "Personnes dont le message aurait un blanc" in text
    assert "point empêche de la programmer" in text


async def test_a_change_since_is_told(site: Site) -> None:
    browser = await prepare(site, Role.EDITOR)
    await looked(site, browser)
    async with site.database.write() as session:
        campaign = await campaigns.get_campaign(session, 1)
        campaign.urgent = True
        session.add(campaign)
    assert "The campaign has changed since: look again." in await browser.read("/campaigns/1/checks")


async def test_while_it_is_looked_at_the_page_says_so_and_looks_again_by_itself(site: Site) -> None:
    browser = await prepare(site, Role.EDITOR)
    token = await browser.csrf("/campaigns/1/checks")
    await browser.post("/campaigns/1/checks", {"csrf": token})
    text = await browser.read("/campaigns/1/checks") if site.context.lint.busy(1) else ""
    if text:
        assert "It is being looked at" in text
        assert "data-again" in text
        assert 'http-equiv="refresh"' in text
    await site.context.lint.wait(1)
    assert "It is being looked at" not in await browser.read("/campaigns/1/checks")


async def test_a_look_that_fails_says_so_and_can_be_had_again(site: Site) -> None:
    browser = await prepare(site, Role.EDITOR)

    async def fail() -> None:
        raise RuntimeError("no")

    site.context.lint.begin(1, fail)
    await site.context.lint.wait(1)
    assert "It failed; the reason is in the log of the service." in await browser.read("/campaigns/1/checks")
    assert "stands in the way" in await looked(site, browser)
    assert "It failed" not in await browser.read("/campaigns/1/checks")


async def test_a_draft_with_blockers_is_not_scheduled_and_its_page_names_them(site: Site) -> None:
    browser = await prepare(site, Role.EDITOR)
    answer = await browser.send_form("/campaigns/1/schedule", NOW, page="/campaigns/1")
    assert answer.status_code == 400
    assert REFUSED in answer.text
    assert "ask an administrator" in answer.text
    assert 'name="past_reason"' not in answer.text
    assert await state_of(site) is CampaignState.DRAFT
    assert "would show a blank" in await browser.read("/campaigns/1/checks")


async def test_the_form_keeps_a_campaign_with_blockers_as_a_draft(site: Site) -> None:
    browser = await prepare(site, Role.EDITOR)
    answer = await browser.send_form("/campaigns", {**FORM, **NOW}, page="/campaigns/new")
    assert answer.headers["location"] == "/campaigns/2?said=campaign-in-the-way"
    assert await state_of(site, 2) is CampaignState.DRAFT
    assert site.woken == 0


async def test_a_start_within_election_silence_stands_in_the_way(site: Site) -> None:
    browser = await prepare(site, Role.EDITOR, whole=True)
    async with site.database.write() as session:
        await enter_day(session, a_vote(), by="ana", now=site.context.clock.now())
    fields = {"moment": "at", "day": "2026-03-14", "time": "12:00", "zone": "Europe/Paris"}
    answer = await browser.send_form("/campaigns/1/schedule", fields, page="/campaigns/1")
    assert answer.status_code == 400
    text = await browser.read("/campaigns/1/checks")
    assert "Everybody it would go to is in election silence then: 1 (Municipales)." in text
    assert "Silence lasts until 15 Mar 2026, " in text
    answer = await browser.send_form(
        "/campaigns/1/schedule", {**fields, "day": "2026-03-13"}, page="/campaigns/1"
    )
    assert answer.status_code == 303


async def test_warnings_stop_nobody(site: Site) -> None:
    browser = await prepare(site, Role.EDITOR, whole=True)
    answer = await browser.send_form("/campaigns/1/schedule", NOW, page="/campaigns/1")
    assert answer.status_code == 303
    assert await state_of(site) is CampaignState.SCHEDULED
    text = await browser.read("/campaigns/1/checks")
    assert "The DNS was not asked about parti.fr" in text
    assert "stands in the way" not in text


async def test_an_administrator_goes_past_with_a_reason_that_stays_with_the_campaign(site: Site) -> None:
    browser = await prepare(site, Role.ADMIN)
    await browser.send_form("/campaigns/1/schedule", NOW, page="/campaigns/1")
    assert 'name="past_reason"' in await browser.read("/campaigns/1")
    fields = {**NOW, "past_reason": "Ils sont trois, je les appelle <tous>"}
    answer = await browser.send_form("/campaigns/1/schedule", fields, page="/campaigns/1")
    assert answer.status_code == 303
    assert await state_of(site) is CampaignState.SCHEDULED
    text = await browser.read("/campaigns/1/checks")
    assert re.search(r"On 10 Mar 2026, 10:00 admin@parti.example went past: Nobody would see a blank", text)
    assert "Ils sont trois, je les appelle &lt;tous&gt;" in text


async def test_what_was_gone_past_in_the_dns_is_told_by_its_parts_once(site: Site) -> None:
    """The names that were found are not kept: a sentence about them would have holes."""
    browser = await prepare(site, Role.ADMIN)
    codes = [HEALTH + code for code in ("dkim_missing", "dkim_no_key", "dmarc_missing")]
    async with site.database.write() as session:
        override = PreflightOverride(
            campaign_id=1, at=site.clock.now(), by="eva (command line)", reason="Demain", codes=codes
        )
        await preflights.add_override(session, override)
    text = await browser.read("/campaigns/1/checks")
    assert (
        "eva (command line) went past: Signature (DKIM), What receivers do with forgeries (DMARC). The reason"
        in text
    )


async def test_an_editor_s_reason_goes_past_nothing(site: Site) -> None:
    browser = await prepare(site, Role.EDITOR)
    fields = {**NOW, "past_reason": "Parce que"}
    answer = await browser.send_form("/campaigns/1/schedule", fields, page="/campaigns/1")
    assert answer.status_code == 400
    assert await state_of(site) is CampaignState.DRAFT
    async with site.database.read() as session:
        assert await preflights.overrides_of(session, 1) == []


async def test_a_test_to_the_seeds_is_offered_where_there_are_any(site: Site) -> None:
    browser = await prepare(site, Role.EDITOR, whole=True)
    assert "There are no seeds:" in await browser.read("/campaigns/1/checks")
    async with site.database.write() as session:
        await a_seed(session)
    assert "Send a test to the seeds" in await browser.read("/campaigns/1/checks")


async def test_what_the_seeds_found_is_shown_with_its_own_moment(site: Site) -> None:
    browser = await prepare(site, Role.EDITOR, whole=True)
    answer = await browser.send_form("/campaigns/1/checks/seeds", page="/campaigns/1/checks")
    assert answer.status_code == 303
    await site.context.lint.wait(1)
    text = await browser.read("/campaigns/1/checks")
    assert "There are no seeds to send a test to." in text
    assert "Sent on 10 Mar 2026, 10:00." in text


async def test_a_text_campaign_is_not_offered_seeds(site: Site) -> None:
    async with site.database.write() as session:
        await a_contact(session, phone="+33612345678")
        await a_seed(session)
        await a_campaign(session, version=await a_template(session, channel=Channel.SMS))
    browser = await site.signed_in(Role.EDITOR)
    assert "Send a test to the seeds" not in await looked(site, browser)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_finding_can_be_said(language: str) -> None:
    tongue = Tongue(language, ZoneInfo("Europe/Paris"))
    for code, words in LINT_WORDS.items():
        names = re.findall(r"%\((\w+)\)s", words.fine + words.what + words.advice)
        finding = LintFinding(LintLevel.WARN, code, dict.fromkeys(names, "12345"))
        said = [
            say(tongue, finding)
            for say, text in ((say_fine, words.fine), (say_what, words.what), (say_advice, words.advice))
            if text
        ]
        assert all(said)
        assert not any("%(" in text for text in said)
    assert {check.code for check in CHECKS} <= set(LINT_WORDS)


def test_moments_are_said_as_the_language_does_and_not_moved() -> None:
    cut = LintFinding(LintLevel.WARN, "silence.cuts", {"people": "1240", "cut_off": "2026-03-13 22:00"})
    for zone in ("Europe/Paris", "Asia/Tokyo"):
        assert "13 Mar 2026, 22:00: 1,240." in say_what(Tongue("en", ZoneInfo(zone)), cut)
        assert "13 mars 2026, 22:00" in say_what(Tongue("fr", ZoneInfo(zone)), cut)


def test_what_the_dns_told_is_said_in_its_own_words_and_a_strange_code_is_named() -> None:
    tongue = Tongue("en", ZoneInfo("UTC"))
    missing = LintFinding(LintLevel.BLOCK, f"{HEALTH}spf_missing", {"name": "parti.fr"})
    assert "parti.fr" in say_what(tongue, missing)
    assert say_advice(tongue, missing)
    strange = LintFinding(LintLevel.WARN, "what.ever")
    assert say_what(tongue, strange) == UNSPOKEN % {"code": "what.ever"}
