"""A campaign's first messages on its page: asked for in the form, followed, and the rest let go."""

from datetime import timedelta

import pytest

from models.access import Role
from models.canary import CanaryDeed, CanaryPlan, CanaryStage
from models.states import ConsentStatus
from scheduler.canary import watch_canaries
from scheduler.expansion import launch
from store import campaigns, canaries
from tests.factories import a_contact, a_seed, a_segment, a_template, an_identity
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all
from tests.web.browsers import Browser, Site

FORM = {
    "name": "Réunion",
    "version": "1",
    "include": "1",
    "identity": "1",
    "basis": "consent",
    "rule": "one",
    "with_seeds": "1",
    "moment": "now",
    "canary": "1",
    "first": "5",
    "first_wait": "20",
    "if_bad": "hold",
    "if_unknown": "hold",
}


async def prepare(site: Site, **changes: str) -> Browser:
    async with site.database.write() as session:
        for number in range(40):
            await a_contact(session, email=f"p{number}@gmail.com", email_consent=ConsentStatus.GRANTED)
        await a_seed(session)
        await a_segment(session, name="Everybody")
        await a_template(session, name="Letter")
        await an_identity(session)
    browser = await site.signed_in(Role.EDITOR)
    await browser.send_form("/campaigns", {**FORM, **changes}, page="/campaigns/new")
    return browser


async def send_the_first(site: Site) -> None:
    await launch(site.database, 1, site.clock.now(), language="fr")
    dispatcher = a_dispatcher(site.database, ScriptedTransport(), site.clock)
    await drain_all(site.database, dispatcher, site.clock.now())
    await dispatcher.close()
    await watch_canaries(site.database, site.clock)


async def stage(site: Site) -> CanaryStage:
    async with site.database.read() as session:
        gate = await canaries.find(session, 1)
    assert gate is not None
    return gate.stage


async def test_the_form_asks_for_it_and_shows_it_again(site: Site) -> None:
    browser = await prepare(site, moment="draft")
    async with site.database.read() as session:
        gate = await canaries.find(session, 1)
    assert gate is not None
    assert gate.plan == CanaryPlan(5, timedelta(minutes=20), CanaryDeed.HOLD, CanaryDeed.HOLD)
    form = await browser.read("/campaigns/1/edit")
    assert 'name="first" type="number" min="1" max="100000" value="5"' in form
    assert 'name="canary" value="1" checked' in form


async def test_without_the_tick_there_is_none(site: Site) -> None:
    await prepare(site, moment="draft", canary="")
    async with site.database.read() as session:
        assert await canaries.find(session, 1) is None


async def test_the_page_follows_the_first_messages_and_lets_the_rest_go(site: Site) -> None:
    browser = await prepare(site)
    assert "the rest waits for what they show" in await browser.read("/campaigns/1")
    await send_the_first(site)
    page = await browser.read("/campaigns/1")
    assert "The seed mailboxes are read." in page
    assert "messages of the rest wait." in page
    # The button for what is held for a reason would not help.
    assert "Try them again" not in page
    answer = await browser.send_form("/campaigns/1/canary/release", page="/campaigns/1")
    assert answer.headers["location"] == "/campaigns/1?said=canary-released"
    assert "let the rest go." in await browser.read("/campaigns/1")
    assert await stage(site) is CanaryStage.RELEASED


@pytest.mark.parametrize(
    ("language", "words"), [("en", "it waits for you"), ("fr", "il vous attend")], ids=["en", "fr"]
)
async def test_a_held_campaign_says_why_in_the_readers_language(
    site: Site, language: str, words: str
) -> None:
    browser = await prepare(site)
    await send_the_first(site)
    site.clock.advance(timedelta(minutes=20))
    await watch_canaries(site.database, site.clock)
    await browser.send_form("/language", {"language": language}, page="/campaigns/1")
    page = await browser.read("/campaigns/1")
    assert words in page
    await browser.send_form("/campaigns/1/resume", page="/campaigns/1")
    assert await stage(site) is CanaryStage.RELEASED
    async with site.database.read() as session:
        assert (await campaigns.get_campaign(session, 1)).state.value == "sending"


async def test_a_cancelled_campaign_offers_nothing_to_let_go(site: Site) -> None:
    browser = await prepare(site)
    await send_the_first(site)
    await browser.send_form("/campaigns/1/cancel", page="/campaigns/1/cancel")
    page = await browser.read("/campaigns/1")
    assert "cancelled before the rest left" in page
    assert "Send the rest now" not in page


async def test_readers_cannot_let_the_rest_go(site: Site) -> None:
    await prepare(site)
    await send_the_first(site)
    reader = await site.signed_in(Role.READER)
    page = await reader.read("/campaigns/1")
    assert "Send the rest now" not in page
