"""Who comes in, how, and who does not."""

from datetime import timedelta

import pytest
from sqlmodel import select

from models.access import Role, WebSession
from store import users
from tests.web.browsers import PASSWORD, SETUP_CODE, Site
from web.access import SESSION_LIFETIME, token_hash
from web.door import FAILED_SIGN_INS_AN_ACCOUNT

ADMINISTRATOR = {"email": "Camille@Parti.example", "name": "Camille", "password": PASSWORD}


async def test_while_nobody_may_sign_in_every_page_leads_to_the_setup(site: Site) -> None:
    browser = site.browser()
    for path in ("/", "/campaigns", "/campaigns/7", "/sign-in", "/accounts"):
        answer = await browser.get(path)
        assert answer.headers["location"] == "/setup", path


async def test_the_setup_code_makes_the_first_administrator_and_signs_them_in(site: Site) -> None:
    browser = site.browser()
    answer = await browser.send_form(
        "/setup", {"code": SETUP_CODE.upper().replace("-", " "), **ADMINISTRATOR}
    )
    assert answer.headers["location"] == "/"
    assert "Camille" in await browser.read("/campaigns")
    async with site.database.read() as session:
        (user,) = await users.list_users(session)
    assert (user.email, user.role) == ("camille@parti.example", Role.ADMIN)
    assert user.password_hash.startswith("$argon2id$")


async def test_without_the_setup_code_nobody_becomes_administrator(site: Site) -> None:
    answer = await site.browser().send_form("/setup", {"code": "guess", **ADMINISTRATOR})
    assert answer.status_code == 403
    async with site.database.read() as session:
        assert not await users.any_user(session)


async def test_the_setup_closes_behind_the_first_administrator(site: Site) -> None:
    browser = site.browser()
    token = await browser.csrf("/setup")
    await site.someone(Role.ADMIN)
    answer = await browser.post("/setup", {"csrf": token, "code": SETUP_CODE, **ADMINISTRATOR})
    assert answer.headers["location"] == "/sign-in"
    assert (await browser.get("/setup")).headers["location"] == "/sign-in"
    async with site.database.read() as session:
        assert len(await users.list_users(session)) == 1


async def test_a_short_password_is_refused(site: Site) -> None:
    answer = await site.browser().send_form(
        "/setup", {"code": SETUP_CODE, **ADMINISTRATOR, "password": "short"}
    )
    assert answer.status_code == 400
    assert "at least 12 characters" in answer.text


async def test_signing_in_leads_back_to_the_page_that_was_asked_for(site: Site) -> None:
    user = await site.someone(Role.READER)
    browser = site.browser()
    assert (await browser.get("/segments")).headers["location"] == "/sign-in?next=%2Fsegments"
    answer = await browser.send_form(
        "/sign-in", {"email": user.email, "password": PASSWORD, "next": "/segments"}
    )
    assert answer.headers["location"] == "/segments"


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"]
)
async def test_signing_in_never_leads_to_another_site(site: Site, target: str) -> None:
    user = await site.someone(Role.READER)
    answer = await site.browser().send_form(
        "/sign-in", {"email": user.email, "password": PASSWORD, "next": target}
    )
    assert answer.headers["location"] == "/"


async def test_the_database_holds_no_token_that_opens_a_session(site: Site) -> None:
    browser = await site.signed_in(Role.READER)
    token = browser.client.cookies["tocsin_session"]
    async with site.database.read() as session:
        (kept,) = (await session.exec(select(WebSession))).all()
    assert kept.token_hash == token_hash(token)
    assert token not in (kept.token_hash, kept.csrf_token)


async def test_cookies_are_closed_to_scripts_and_other_sites_and_secure_over_https(site: Site) -> None:
    https = Site(site.database, site.clock, site.folder, public_url="https://tocsin.test")
    user = await https.someone(Role.READER)
    answer = await https.browser().send_form("/sign-in", {"email": user.email, "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-tocsin_session=")
    for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert word in cookie
    assert "max-age" in answer.headers["strict-transport-security"]


async def test_a_session_ends_by_itself_after_a_week(site: Site) -> None:
    browser = await site.signed_in(Role.READER)
    site.clock.advance(SESSION_LIFETIME - timedelta(seconds=1))
    await browser.read("/campaigns")
    site.clock.advance(timedelta(seconds=1))
    assert (await browser.get("/campaigns")).status_code == 303


async def test_signing_out_closes_the_session_for_whoever_kept_the_cookie(site: Site) -> None:
    browser = await site.signed_in(Role.READER)
    stolen = dict(browser.client.cookies)
    await browser.send_form("/sign-out", page="/account")
    thief = site.browser()
    thief.client.cookies.update(stolen)
    assert (await thief.get("/campaigns")).status_code == 303


async def test_guessing_a_password_is_stopped_even_when_the_right_one_comes_at_last(site: Site) -> None:
    user = await site.someone(Role.ADMIN)
    browser = site.browser()
    for _ in range(FAILED_SIGN_INS_AN_ACCOUNT):
        answer = await browser.send_form("/sign-in", {"email": user.email, "password": "wrong"})
        assert answer.status_code == 403
    answer = await browser.send_form("/sign-in", {"email": user.email, "password": PASSWORD})
    assert answer.status_code == 429
    site.clock.advance(timedelta(minutes=15))
    answer = await browser.send_form("/sign-in", {"email": user.email, "password": PASSWORD})
    assert answer.status_code == 303


async def test_an_unknown_account_and_a_wrong_password_read_the_same(site: Site) -> None:
    await site.someone(Role.ADMIN, "known@parti.example")
    answers = [
        await site.browser().send_form("/sign-in", {"email": email, "password": "wrong"})
        for email in ("known@parti.example", "unknown@parti.example")
    ]
    assert answers[0].status_code == answers[1].status_code == 403
    assert "The address or the password is wrong." in answers[0].text
    assert "The address or the password is wrong." in answers[1].text


async def test_a_new_password_closes_every_other_session(site: Site) -> None:
    browser = await site.signed_in(Role.READER)
    other = site.browser()
    await other.send_form("/sign-in", {"email": "reader@parti.example", "password": PASSWORD})
    fields = {"present": PASSWORD, "password": "une autre phrase, longue"}
    answer = await browser.send_form("/account/password", fields, page="/account")
    assert answer.headers["location"] == "/account?said=password-changed"
    await browser.read("/campaigns")
    assert (await other.get("/campaigns")).status_code == 303
    answer = await site.browser().send_form(
        "/sign-in", {"email": "reader@parti.example", "password": PASSWORD}
    )
    assert answer.status_code == 403


async def test_the_last_administrator_can_neither_step_down_nor_leave(site: Site) -> None:
    browser = await site.signed_in(Role.ADMIN)
    async with site.database.read() as session:
        (administrator,) = await users.list_users(session)
    answer = await browser.send_form(
        f"/accounts/{administrator.id}/role", {"role": "reader"}, page="/accounts"
    )
    assert answer.status_code == 400
    assert "last administrator" in answer.text
    answer = await browser.send_form(f"/accounts/{administrator.id}/remove", page="/accounts")
    assert answer.status_code == 400
    async with site.database.read() as session:
        assert (await users.get_user(session, administrator.id)).role is Role.ADMIN


async def test_an_administrator_opens_changes_and_closes_an_account(site: Site) -> None:
    browser = await site.signed_in(Role.ADMIN)
    fields = {"email": "new@parti.example", "name": "New", "password": PASSWORD, "role": "reader"}
    assert (await browser.send_form("/accounts", fields)).status_code == 303
    assert "already has an account" in (await browser.send_form("/accounts", fields)).text
    async with site.database.read() as session:
        added = await users.find_user(session, "new@parti.example")
    assert added is not None
    newcomer = site.browser()
    await newcomer.send_form("/sign-in", {"email": added.email, "password": PASSWORD})
    assert (await newcomer.get("/campaigns/new")).status_code == 403
    await browser.send_form(f"/accounts/{added.id}/role", {"role": "editor"}, page="/accounts")
    await newcomer.read("/campaigns/new")
    await browser.send_form(f"/accounts/{added.id}/remove", page="/accounts")
    assert (await newcomer.get("/campaigns")).status_code == 303


async def test_a_number_larger_than_any_leads_to_nothing(site: Site) -> None:
    browser = await site.signed_in(Role.ADMIN)
    for number in (2**62 + 1, 10**19, -(10**30), "9" * 5000):
        for path in ("/deliveries/{}", "/incoming/originals/{}", "/incoming/originals/{}/file"):
            assert (await browser.get(path.format(number))).status_code == 404


async def test_the_language_chosen_by_a_person_outlives_the_browser(site: Site) -> None:
    browser = await site.signed_in(Role.READER)
    await browser.send_form("/language", {"language": "fr"}, page="/account")
    elsewhere = site.browser("en")
    await elsewhere.send_form("/sign-in", {"email": "reader@parti.example", "password": PASSWORD})
    assert '<html lang="fr">' in await elsewhere.read("/account")


async def test_before_the_sign_in_the_cookie_then_the_browser_choose_the_language(site: Site) -> None:
    await site.someone(Role.READER)
    assert '<html lang="fr">' in await site.browser("fr-CA,fr;q=0.9").read("/sign-in")
    assert '<html lang="en">' in await site.browser("de;q=0.9,en;q=0.4").read("/sign-in")
    assert '<html lang="fr">' in await site.browser("de").read("/sign-in"), "the setting's language"
    browser = site.browser("fr")
    await browser.send_form("/language", {"language": "en"}, page="/sign-in")
    assert '<html lang="en">' in await browser.read("/sign-in")
