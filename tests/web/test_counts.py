"""Counts of nought and one: French takes the singular for both, English for one alone."""

import pytest
import sqlalchemy as sa

from models.access import Role, User
from models.campaign import Campaign
from models.delivery import Delivery
from models.pace import LimitScope, Measure, PaceLimit
from models.states import CampaignState, DeliveryState
from scheduler.expansion import launch
from store import limits
from tests.clocks import START
from tests.factories import a_campaign, a_contact, a_segment, a_template, an_identity
from tests.web.browsers import Browser, Site
from tests.web.test_languages import ENGLISH, FRENCH
from web.borrowed import say_borrowed
from web.i18n import LANGUAGES
from web.words import COUNTED, LEFT_OUT, MEASURED, MESSAGES, TARGETED


async def an_ended(site: Site, *emails: str) -> int:
    """A campaign that is over, refused by everybody."""
    async with site.database.write() as session:
        for email in emails:
            await a_contact(session, email=email)
        campaign = await a_campaign(
            session,
            version=await a_template(session),
            include=[await a_segment(session)],
            senders=[await an_identity(session)],
        )
        campaign.state, campaign.starts_at = CampaignState.SCHEDULED, START
        session.add(campaign)
    await launch(site.database, campaign.id, START, language="fr")
    async with site.database.write() as session:
        await session.exec(sa.update(Delivery).values(state=DeliveryState.REFUSED, settled_at=START))
        await session.exec(sa.update(Campaign).values(state=CampaignState.FINISHED, finished_at=START))
    return campaign.id


async def a_browser(site: Site, language: str) -> Browser:
    browser = await site.signed_in(Role.READER)
    async with site.database.write() as session:
        await session.exec(sa.update(User).values(language=language))
    return browser


@pytest.mark.parametrize(
    ("language", "one", "two"),
    [
        ("fr", "1 message = 1 refusé<", "2 messages = 2 refusés<"),
        ("en", "1 message = 1 refused<", "2 messages = 2 refused<"),
    ],
)
@pytest.mark.parametrize("people", [1, 2])
async def test_a_campaign_of_one_is_counted_in_the_singular(
    site: Site, language: str, one: str, two: str, people: int
) -> None:
    browser = await a_browser(site, language)
    number = await an_ended(site, *["camille@gmail.com", "sacha@orange.fr"][:people])
    assert (one if people == 1 else two) in await browser.read(f"/campaigns/{number}")


async def test_the_report_of_one_message_is_written_in_the_singular(site: Site) -> None:
    browser = await a_browser(site, "fr")
    number = await an_ended(site, "camille@gmail.com")
    page = await browser.read(f"/campaigns/{number}/report")
    assert "1 personne visée = 0 écartée + 1 message<" in page


async def test_a_limit_of_one_is_written_in_the_singular(site: Site) -> None:
    async with site.database.write() as session:
        await limits.set_limit(
            session,
            PaceLimit(
                scope=LimitScope.PROVIDER,
                subject="orange",
                measure=Measure.PER_HOUR,
                amount=1,
                changed_at=START,
            ),
        )
    assert "1 message par heure" in await (await a_browser(site, "fr")).read("/pace")


def test_every_term_of_a_sum_and_every_measure_is_there_in_both_numbers() -> None:
    assert set(MEASURED) == {measure.value for measure in Measure}
    forms = [*COUNTED.values(), *MEASURED.values(), MESSAGES, TARGETED, LEFT_OUT]
    for form in forms:
        assert FRENCH.count(form, 0).removeprefix("0") == FRENCH.count(form, 1).removeprefix("1")
        assert ENGLISH.count(form, 0).removeprefix("0") == ENGLISH.count(form, 2).removeprefix("2")
    assert FRENCH.count(COUNTED["expired"], 1) == "1 expiré"
    assert FRENCH.count(COUNTED["expired"], 1200) == "1\u202f200 expirés"
    assert FRENCH.count(MEASURED["per_second"], 1.5) == "1,5 message par seconde"
    assert FRENCH.count(MESSAGES, 1_000_000) == "1\u202f000\u202f000 messages"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_other_rooms_count_is_told_in_the_number_it_has(language: str) -> None:
    tongue = FRENCH if language == "fr" else ENGLISH
    expected = {
        "1 image has no description.": "1 image n’a pas de description.",
        "3 images have no description.": "3 images n’ont pas de description.",
        "1 sent: too few for more": "1 envoyé\u00a0: trop peu pour augmenter",
        "1,200 sent: too few for more": "1\u202f200 envoyés\u00a0: trop peu pour augmenter",
        "shut out once": "bloqué une fois",
        "shut out 3 times": "bloqué 3 fois",
        "2.50% put off": "2,50\u00a0% de reports",
    }
    for text, french in expected.items():
        shown = say_borrowed(tongue, text)
        assert shown == (french if language == "fr" else text)


def test_one_message_held_back_is_told_as_one() -> None:
    text = "1 message is held back and waits for a person. The reason: no name"
    assert say_borrowed(FRENCH, text) == (
        "1 message est retenu et attend une décision. Le motif\u00a0: no name"
    )
