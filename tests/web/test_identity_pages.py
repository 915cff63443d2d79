"""The life of an identity on pages: what is wrong and how it is mended, the proofs, the keys, the deeds."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from httpx import Response

from models.access import Role
from models.health import HealthLevel, ProofKind
from models.states import IdentityState
from models.values import EmailEnvelope
from scheduler.lookout import HOUR
from scheduler.ownership import LINK_LIFE
from scheduler.signing_keys import SEEN_FOR
from store import Database, health
from tests.clocks import ManualClock
from tests.factories import a_campaign, a_segment, a_template, an_identity
from tests.scheduler.sender_houses import DOMAIN, RSA_NAME, House, sender_house
from tests.web.browsers import Browser, Site, parse_strictly
from web import create_app

S = IdentityState


@pytest.fixture
async def house(database: Database, clock: ManualClock, site: Site) -> AsyncIterator[House]:
    """A new identity, nothing published; the site looks with its name server."""
    async with sender_house(database, clock, state=S.DNS_PENDING) as made:
        site.context = replace(site.context, lookout=made.lookout)
        site.app = create_app(site.context)
        yield made


async def press(browser: Browser, page: str, path: str, fields: dict[str, str] | None = None) -> Response:
    """Press a button of a page."""
    return await browser.send_form(path, fields, page=page)


def link_in(site: Site) -> str:
    (letter,) = site.postman.sent[-1:]
    assert isinstance(letter, EmailEnvelope)
    found = re.search(rb"/mailbox/([a-z2-7]{24})", bytes(letter.data).replace(b"=\r\n", b""))
    assert found
    return f"/mailbox/{found[1].decode()}"


async def test_a_new_identity_is_shown_to_be_its_owner_s_and_sends(site: Site, house: House) -> None:
    browser = await site.signed_in(Role.ADMIN)
    path = f"/identities/{house.identity_id}"
    await press(browser, path, f"{path}/check")
    text = await browser.read(path)
    assert "It does not send yet." in text
    assert f"_send-verify.{DOMAIN}" in text
    assert f"Name: {RSA_NAME}" in text
    await house.publish()
    await house.show_record()
    await press(browser, path, f"{path}/letter")
    assert [each.recipient for each in site.postman.sent] == [f"national@{DOMAIN}"]
    link = link_in(site)
    await press(browser, path, f"{path}/check")
    assert (await house.identity()).state is S.DNS_PENDING
    # Looking at the page, as scanners do, shows nothing.
    outside = site.browser()
    for _ in range(2):
        assert "Is this mailbox yours?" in await outside.read(link)
    assert (await house.proofs())[ProofKind.MAILBOX].proven_at is None
    answer = await outside.post(link)
    assert "The address is confirmed" in answer.text
    assert (await house.identity()).state is S.CONFIRMED
    assert "It does not send yet." not in await browser.read(path)


async def test_a_link_is_good_for_three_days_and_until_the_next_letter(
    site: Site, house: House, clock: ManualClock
) -> None:
    browser, outside = await site.signed_in(Role.EDITOR), site.browser()
    path = f"/identities/{house.identity_id}"
    await press(browser, path, f"{path}/letter")
    first = link_in(site)
    again = await press(browser, path, f"{path}/letter")
    assert again.status_code == 409
    clock.advance(LINK_LIFE + timedelta(minutes=1))
    assert "This link is too old" in (await outside.post(first)).text
    await press(browser, path, f"{path}/letter")
    assert (await outside.get(first)).status_code == 404
    assert (await outside.post(first)).status_code == 404
    assert (await outside.post("/mailbox/" + "a" * 24)).status_code == 404
    assert "is confirmed" in (await outside.post(link_in(site))).text
    proven = (await house.proofs())[ProofKind.MAILBOX].proven_at
    clock.advance(HOUR)
    assert "is confirmed" in (await outside.post(link_in(site))).text
    assert (await house.proofs())[ProofKind.MAILBOX].proven_at == proven


async def test_another_from_address_wants_another_link(site: Site, house: House, database: Database) -> None:
    browser, outside = await site.signed_in(Role.EDITOR), site.browser()
    path = f"/identities/{house.identity_id}"
    await press(browser, path, f"{path}/letter")
    async with database.write() as session:
        identity = await house.identity()
        identity.from_email = f"autre@{DOMAIN}"
        session.add(identity)
    assert "This link is too old" in (await outside.post(link_in(site))).text
    await house.look()
    assert (await house.proofs())[ProofKind.MAILBOX].subject == f"autre@{DOMAIN}"
    assert (await outside.post(link_in(site))).status_code == 404


async def test_keys_are_changed_step_by_step(site: Site, house: House, clock: ManualClock) -> None:
    browser = await site.signed_in(Role.ADMIN)
    path = f"/identities/{house.identity_id}"
    await house.publish()
    await press(browser, path, f"{path}/keys")
    assert "Publish the records of the new keys" in await browser.read(path)
    await house.publish()
    await press(browser, path, f"{path}/check")
    assert "The new records are there" in await browser.read(path)
    clock.advance(SEEN_FOR)
    await press(browser, path, f"{path}/check")
    text = await browser.read(path)
    assert "The new keys sign; keep the old records" in text
    assert "Cancel the change" not in text


async def test_suspending_takes_a_reason_and_resuming_an_administrator(site: Site, house: House) -> None:
    editor = await site.signed_in(Role.EDITOR)
    path = f"/identities/{house.identity_id}"
    assert (await press(editor, path, f"{path}/suspend", {"reason": " "})).status_code == 400
    await press(editor, path, f"{path}/suspend", {"reason": "mandat fini"})
    text = await editor.read(path)
    assert "Nothing of it leaves." in text
    assert "mandat fini" in text
    assert (await press(editor, path, f"{path}/resume", {"reason": "x"})).status_code == 403
    admin = await site.signed_in(Role.ADMIN)
    await press(admin, path, f"{path}/resume", {"reason": "réélue"})
    assert (await house.identity()).state is S.DNS_PENDING
    await press(admin, path, f"{path}/retire", {"reason": "fini"})
    assert "It never sends again." in await admin.read(path)


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_the_page_reads_in_both_languages_whatever_a_look_found(
    site: Site, house: House, language: str
) -> None:
    browser = await site.signed_in(Role.ADMIN)
    await house.look()
    await house.look()
    browser.client.headers["accept-language"] = language
    path = f"/identities/{house.identity_id}"
    await press(browser, path, f"{path}/keys")
    await press(browser, path, f"{path}/letter")
    await press(browser, path, f"{path}/suspend", {"reason": "x"})
    for page in ("/identities", path):
        text = await browser.read(page)
        assert f"national@{DOMAIN}" in text
        parse_strictly(text)
    link = link_in(site)
    parse_strictly(await browser.read(link))
    parse_strictly((await browser.post(link)).text)


async def test_a_look_nobody_has_taken_is_said(site: Site, house: House, database: Database) -> None:
    browser = await site.signed_in(Role.READER)
    text = await browser.read(f"/identities/{house.identity_id}")
    assert "Nobody has looked at its DNS yet." in text
    assert "Look now" not in text
    async with database.read() as session:
        assert not await health.looks_at(session, house.identity_id)


@pytest.mark.parametrize(
    ("state", "health_level", "said"),
    [
        (S.SUSPENDED, HealthLevel.PROBLEM, "Suspended"),
        (S.DNS_PENDING, HealthLevel.UNKNOWN, "DNS to publish"),
        (S.ACTIVE, HealthLevel.WARNING, "Its DNS is to be mended"),
        (S.ACTIVE, HealthLevel.PROBLEM, "Its DNS has a problem"),
        (S.ACTIVE, HealthLevel.FINE, ""),
    ],
)
async def test_a_campaign_says_what_is_wrong_with_its_sender(
    site: Site, database: Database, state: S, health_level: HealthLevel, said: str
) -> None:
    browser = await site.signed_in(Role.EDITOR)
    async with database.write() as session:
        sender = await an_identity(session, state=state)
        sender.health = health_level
        campaign = await a_campaign(session, senders=[sender])
    for path in (f"/campaigns/{campaign.id}", "/campaigns/new"):
        text = await browser.read(path)
        notes = re.findall(r'class="badge (?:bad|warn)"[^>]*>([^<]+)<', text)
        assert notes == ([said] if said else []), path


async def test_a_retired_sender_is_not_offered(site: Site, database: Database) -> None:
    browser = await site.signed_in(Role.EDITOR)
    async with database.write() as session:
        await an_identity(session, key="ancien", domain="ancien.fr", state=S.RETIRED)
        await an_identity(session)
        await a_template(session)
        await a_segment(session)
    text = await browser.read("/campaigns/new")
    assert "national@parti.fr" in text
    assert "ancien@ancien.fr" not in text
