"""Who looks at the rehearsal: greeted in the language of the browser."""

import pytest

from service.demo_cast import ADMINISTRATOR, make_administrator
from store import users
from tests.web.browsers import Site


@pytest.mark.parametrize(("language", "greeting"), [("en-GB,en;q=0.9", "Campaigns"), ("fr-FR", "Campagnes")])
async def test_the_rehearsal_greets_a_browser_in_its_language(
    site: Site, language: str, greeting: str
) -> None:
    password = await make_administrator(site.database, site.clock)
    browser = site.browser(language)
    answer = await browser.send_form("/sign-in", {"email": ADMINISTRATOR, "password": password})
    assert answer.status_code == 303
    assert f"<h1>{greeting}</h1>" in await browser.read("/campaigns")
    other = "fr" if greeting == "Campaigns" else "en"
    await browser.send_form("/language", {"language": other}, page="/account")
    async with site.database.read() as session:
        user = await users.find_user(session, ADMINISTRATOR)
    assert user is not None
    assert user.language == other
