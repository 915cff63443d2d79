"""The transparency notice: anybody reads who paid and to whom it went, and nothing of anybody."""

import html
import itertools
import re
from datetime import timedelta
from typing import Any

import pytest

from models.access import Role
from models.campaign import Campaign, CampaignIdentity
from models.states import CampaignState, Channel, LegalBasis, Nature
from models.tokens import TOKEN_LENGTH, TokenPurpose
from tests.clocks import START
from tests.factories import a_campaign, a_segment, a_template, an_identity
from tests.web.browsers import Site, parse_strictly
from web.door import FORGED_TOKENS_AN_ADDRESS

_numbers = itertools.count(1)
RULE = "(departement:(69, 38) or commune:Annecy) and age>=18 and tag:cégétiste and not attr.religion:x"


async def _a_campaign(
    site: Site, rule: str = "everyone", *, exclude: str = "", subject: str = "Samedi à Lyon", **columns: Any
) -> Campaign:
    """Sent an hour ago."""
    async with site.database.write() as session:
        sender = await an_identity(session, key=f"rhone-{next(_numbers)}")
        sender.organisation, sender.reply_to = "Parti du Rhône", "rhone@parti.example"
        session.add(sender)
        kept_out = [await a_segment(session, exclude, name="dehors")] if exclude else []
        campaign = await a_campaign(
            session,
            version=await a_template(session, subject=subject),
            include=[await a_segment(session, rule)],
            exclude=kept_out,
            senders=[sender],
        )
        sent = {"state": CampaignState.FINISHED, "frozen": 36204, "launched_at": START, "finished_at": START}
        campaign.sqlmodel_update({"nature": Nature.POLITICAL, **sent, **columns})
        session.add(campaign)
    return campaign


def address(site: Site, campaign: Campaign) -> str:
    return f"/notice/{site.context.tokens.make(TokenPurpose.NOTICE, campaign.id)}"


async def _read(site: Site, campaign: Campaign, language: str = "en", query: str = "") -> str:
    """The words of the page."""
    text = await site.browser(language).read(address(site, campaign) + query)
    assert parse_strictly(text).get("lang") == (query[-2:] if query[-2:] in {"fr", "en"} else language)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


async def test_it_says_who_paid_for_which_vote_and_what_was_spent(site: Site) -> None:
    campaign = await _a_campaign(
        site, sponsor="Comité <Durand>", vote="Municipales 2026", spent="120 €, dons"
    )
    page = await _read(site, campaign)
    assert "On behalf of Comité <Durand>" in page
    assert "Sent by Parti du Rhône 1 rue de la Paix" in page
    assert "Election or referendum Municipales 2026" in page
    assert "120 €, dons" in page
    assert "36,204 people" in page
    assert "About the message “Samedi à Lyon”" in page
    assert "rhone@parti.example" in page


async def test_an_organisation_with_several_identities_is_named_once(site: Site) -> None:
    campaign = await _a_campaign(site)
    async with site.database.write() as session:
        other = await an_identity(session, key="isere")
        other.organisation, other.reply_to = "Parti du Rhône", "isere@parti.example"
        session.add_all([other, CampaignIdentity(campaign_id=campaign.id, identity_id=other.id, position=1)])
    page = await _read(site, campaign)
    assert page.count("Parti du Rhône 1 rue de la Paix") == 1
    assert "isere@parti.example" in page


async def test_what_was_not_told_is_said_to_be_missing(site: Site) -> None:
    page = await _read(site, await _a_campaign(site))
    assert "On behalf of Parti du Rhône" in page
    assert "None was named." in page
    assert "Not told yet." in page


@pytest.mark.parametrize(
    ("language", "words"), [("fr", "Annonce à caractère politique"), ("en", "Political advertisement")]
)
async def test_it_speaks_the_reader_s_language_or_the_one_asked_for(
    site: Site, language: str, words: str
) -> None:
    campaign = await _a_campaign(site)
    other = {"fr": "en", "en": "fr"}[language]
    assert words in await _read(site, campaign, language)
    assert words in await _read(site, campaign, other, f"?lang={language}")
    assert words in await _read(site, campaign, language, "?lang=de")


@pytest.mark.parametrize("rule", ["everyone", "everyone or commune:Lyon"])
async def test_the_same_message_to_the_whole_list_says_that_nobody_was_chosen(site: Site, rule: str) -> None:
    page = await _read(site, await _a_campaign(site, rule))
    assert "nobody was chosen" in page
    assert "besides and expressly" not in page


async def test_criteria_are_told_and_what_tells_something_of_people_is_not(site: Site) -> None:
    page = await _read(site, await _a_campaign(site, RULE, exclude="tag:élue and consent.email:granted"))
    kept, left_out = page.split("People were left out by:")
    assert "The département they live in: Rhône (69), Isère (38)" in kept
    assert "The municipality they live in: Annecy" in kept
    assert "Their age: ≥ 18" in kept
    assert "Labels that the sender gave them (not published)" in kept
    assert "Other information that the sender holds about them" in left_out
    assert "Labels that the sender gave them (not published)" in left_out
    assert "besides and expressly" in left_out
    for secret in ("cégétiste", "religion", "élue", "dehors", "consent.email"):
        assert secret not in page


async def test_the_audience_is_told_as_it_was_when_the_message_left(site: Site) -> None:
    campaign = await _a_campaign(site, "departement:69")
    async with site.database.write() as session:
        from store.campaigns import audience_of

        ((segment, tie),) = await audience_of(session, campaign.id)
        tie.frozen_text, segment.text = segment.text, "departement:13"
        session.add_all([tie, segment])
    page = await _read(site, campaign)
    assert "Rhône (69)" in page
    assert "Bouches" not in page


async def test_a_long_list_of_places_is_cut_short(site: Site) -> None:
    places = ", ".join(f"{number:05}" for number in range(1000, 1025))
    page = await _read(site, await _a_campaign(site, f"postcode:({places})"))
    assert "01019 and 5 more" in page
    assert "01020" not in page


async def test_where_place_needs_no_consent_it_is_told_and_no_consent_is_claimed(site: Site) -> None:
    campaign = await _a_campaign(site, "departement:69")
    assert "besides and expressly" in await _read(site, campaign)
    rhythm = site.context.outlook.rhythm
    object.__setattr__(rhythm, "place_is_free", True)
    try:
        page = await _read(site, campaign)
    finally:
        object.__setattr__(rhythm, "place_is_free", False)
    assert "Rhône (69)" in page
    assert "besides and expressly" not in page


async def test_who_was_written_to_without_consent_is_told_the_ground(site: Site) -> None:
    assert "who agreed to receive" in await _read(site, await _a_campaign(site))
    interest = await _a_campaign(site, basis=LegalBasis.LEGITIMATE_INTEREST)
    assert "legitimate interest" in await _read(site, interest)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, "When On 10 March 2026"),
        ({"finished_at": START + timedelta(days=2)}, "From 10 March 2026 to 12 March 2026"),
        (
            {"state": CampaignState.SENDING, "finished_at": None},
            "Since 10 March 2026; it is still being sent",
        ),
        ({"state": CampaignState.DRAFT, "launched_at": None, "frozen": 0}, "Not sent yet"),
    ],
)
async def test_it_says_when(site: Site, columns: dict[str, Any], words: str) -> None:
    assert words in await _read(site, await _a_campaign(site, **columns))


async def test_a_handful_of_people_is_not_counted_out(site: Site) -> None:
    page = await _read(site, await _a_campaign(site, frozen=9))
    assert "Fewer than 10 people" in page
    page = await _read(site, await _a_campaign(site, frozen=10))
    assert "To how many 10 people" in page


async def test_what_the_subject_says_of_each_person_is_left_out(site: Site) -> None:
    page = await _read(
        site, await _a_campaign(site, subject="{{ first_name }}, {% if commune %}à {{ commune }}{% endif %}")
    )
    assert "“…, …à ……”" in page
    assert "first_name" not in page


@pytest.mark.parametrize("nature", [Nature.CIVIC, Nature.UNSAID])
async def test_what_is_not_political_has_no_notice(site: Site, nature: Nature) -> None:
    campaign = await _a_campaign(site, nature=nature)
    assert (await site.browser().get(address(site, campaign))).status_code == 404


async def test_tokens_of_messages_open_no_notice_and_guessing_ends_soon(site: Site) -> None:
    campaign = await _a_campaign(site)
    for purpose in TokenPurpose:
        token = site.context.tokens.make(purpose, campaign.id)
        status = (await site.browser().get(f"/notice/{token}")).status_code
        assert status == (200 if purpose is TokenPurpose.NOTICE else 404)
    for _ in range(FORGED_TOKENS_AN_ADDRESS):
        await site.browser().get("/notice/" + "a" * TOKEN_LENGTH)
    assert (await site.browser().get(address(site, campaign))).status_code == 429


async def test_it_sets_no_cookie_and_leads_to_who_answers_for_it(site: Site) -> None:
    campaign = await _a_campaign(site, channel=Channel.EMAIL)
    answer = await site.browser().get(address(site, campaign))
    assert "set-cookie" not in answer.headers
    assert "no-store" in answer.headers["cache-control"]
    (letter,) = [
        one.get("href", "")
        for one in parse_strictly(answer.text).iter("a")
        if "mailto:" in one.get("href", "")
    ]
    assert letter.startswith("mailto:rhone@parti.example?subject=About%20a%20political%20message&body=http")
    assert address(site, campaign).replace("/", "%2F") in letter
    assert (await site.browser().client.head(address(site, campaign))).status_code == 200


async def test_the_page_of_a_political_campaign_shows_its_label_and_leads_to_its_notice(site: Site) -> None:
    campaign = await _a_campaign(site, "departement:69", sponsor="Comité Durand", vote="Municipales")
    reader = await site.signed_in(Role.READER)
    page = parse_strictly(await reader.read(f"/campaigns/{campaign.id}"))
    assert f"{site.public_url}{address(site, campaign)}" in [one.get("href") for one in page.iter("a")]
    (frame,) = [one.get("src", "") for one in page.iter("iframe")]
    shown = " ".join((await reader.read(frame)).split())
    for part in ("politique", "Comit&#233; Durand", "Municipales", "choisies selon les crit"):
        assert part in shown


async def test_the_page_of_any_other_campaign_has_neither(site: Site) -> None:
    campaign = await _a_campaign(site, nature=Nature.CIVIC, sponsor="Comité Durand")
    reader = await site.signed_in(Role.READER)
    text = await reader.read(f"/campaigns/{campaign.id}")
    assert "/notice/" not in text
    (frame,) = [one.get("src", "") for one in parse_strictly(text).iter("iframe")]
    assert "Durand" not in await reader.read(frame)


async def test_the_form_shows_the_label_of_what_is_being_written(site: Site) -> None:
    campaign = await _a_campaign(site)
    editor = await site.signed_in(Role.EDITOR)
    chosen = {"version": campaign.template_version_id, "nature": "political", "vote": "Municipales 2026"}
    for nature, labelled in (("political", True), ("civic", False)):
        answer = await editor.get("/campaigns/count", params={**chosen, "nature": nature})
        shown = await editor.read(answer.json()["preview"])
        assert ("Municipales 2026" in shown) is labelled


async def test_what_it_cost_is_told_on_its_page_after_it_was_sent(site: Site) -> None:
    campaign = await _a_campaign(site)
    editor = await site.signed_in(Role.EDITOR)
    token = await editor.csrf(f"/campaigns/{campaign.id}")
    answer = await editor.post(f"/campaigns/{campaign.id}/spent", {"csrf": token, "spent": "120 €, dons"})
    assert answer.status_code == 303
    assert "tells it from now on" in await editor.read(answer.headers["location"])
    assert "120 €, dons" in await _read(site, campaign)


@pytest.mark.parametrize(
    "columns", [{"nature": Nature.CIVIC}, {"state": CampaignState.DRAFT, "launched_at": None}]
)
async def test_what_costs_nothing_to_tell_elsewhere_is_not_asked_here(
    site: Site, columns: dict[str, Any]
) -> None:
    campaign = await _a_campaign(site, **columns)
    editor = await site.signed_in(Role.EDITOR)
    assert "/spent" not in await editor.read(f"/campaigns/{campaign.id}")
