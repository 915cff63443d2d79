"""Administrators add webhooks, see whether what is told arrives, and have it told again."""

import re
from datetime import timedelta

import pytest

from models.access import Role
from models.states import EventKind
from models.webhook import EndpointState
from models.webhook_types import PING, TYPES
from tests.factories import KEYRING
from tests.scheduler.listeners import a_courier, an_endpoint, endpoints, happen, notices
from tests.servers.hook_taker import HookTaker
from tests.web.browsers import Browser, Site
from web.webhook_words import TYPE_NAMES

URL = "https://crm.example.org/hooks"
BROKEN = b"HTTP/1.1 500 Broken\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops"


@pytest.fixture
async def admin(site: Site) -> Browser:
    return await site.signed_in(Role.ADMIN)


async def send(admin: Browser, path: str, page: str = "/webhooks", **fields: object) -> str:
    """Send a form of a page; where it leads, or what the page says instead."""
    answer = await admin.post(path, {"csrf": await admin.csrf(page), **fields})
    return answer.headers["location"] if answer.status_code == 303 else answer.text


async def test_a_webhook_is_added_and_its_secret_shown_once(site: Site, admin: Browser) -> None:
    assert "No program hears of anything yet" in await admin.read("/webhooks")
    text = await send(admin, "/webhooks", url=URL, description="CRM", type=["message.bounced"], mode="test")
    found = re.search(r"whsec_[A-Za-z0-9+/=]+", text)
    assert found
    (made,) = await endpoints(site.database)
    assert KEYRING.decrypt(made.sealed_secret) == found.group()
    assert (made.url, made.description, made.event_types) == (URL, "CRM", ["message.bounced"])
    assert made.created_by == "Admin"
    for path in ("/webhooks", f"/webhooks/{made.id}"):
        assert "whsec_" not in await admin.read(path)


@pytest.mark.parametrize(
    "url", ["http://crm.example.org/", "https://127.0.0.1/", "https://crm.example.org:22/"]
)
async def test_an_address_nothing_may_be_posted_to_is_refused_and_the_form_stays_filled(
    site: Site, admin: Browser, url: str
) -> None:
    text = await send(admin, "/webhooks", url=url, description="mine")
    assert "Nothing can be posted there." in text
    assert "for rehearsals, TOCSIN_WEBHOOK_HTTP" in text
    assert f'value="{url}"' in text
    assert 'value="mine"' in text
    assert await endpoints(site.database) == []


async def test_the_log_says_what_was_answered_and_one_is_told_again(
    site: Site, admin: Browser, hook_taker: HookTaker
) -> None:
    hook_taker.answers = [BROKEN]
    endpoint = await an_endpoint(site.database, hook_taker.url)
    await happen(site.database, EventKind.CLICKED)
    courier = a_courier(site.database, site.clock)
    await courier.settle()
    page = f"/webhooks/{endpoint.id}"
    text = await admin.read(page)
    assert "message.clicked" in text
    assert "oops" in text
    assert "Out of reach" in text
    (notice,) = await notices(site.database)
    hook_taker.answers = [b"HTTP/1.1 204 Fine\r\nConnection: close\r\n\r\n"]
    assert "webhook-again" in await send(admin, f"{page}/notices/{notice.id}/again", page)
    await courier.settle()
    assert "Received" in await admin.read(f"{page}?state=delivered")
    assert "Nothing yet." in await admin.read(f"{page}?state=pending")
    assert "In order" in await admin.read("/webhooks")


async def test_all_that_did_not_arrive_since_a_moment_is_told_again(
    site: Site, admin: Browser, hook_taker: HookTaker
) -> None:
    hook_taker.answers = [BROKEN]
    endpoint = await an_endpoint(site.database, hook_taker.url)
    await happen(site.database)
    courier = a_courier(site.database, site.clock)
    await courier.settle()
    page = f"/webhooks/{endpoint.id}"
    # 10:00 in Paris is the moment the clock of the tests stands at.
    later = await send(admin, f"{page}/again", page, since="2026-03-10T10:01", failed_only="1")
    assert "webhook-none-again" in later
    found = await send(admin, f"{page}/again", page, since="2026-03-10T10:00", failed_only="1")
    assert "webhook-again" in found
    await courier.settle()
    assert len(hook_taker.calls) == 2
    assert "Say since when." in await send(admin, f"{page}/again", page, since="yesterday")


async def test_a_webhook_is_tested_disabled_enabled_changed_and_removed(
    site: Site, admin: Browser, hook_taker: HookTaker
) -> None:
    endpoint = await an_endpoint(site.database, hook_taker.url)
    page = f"/webhooks/{endpoint.id}"
    assert "webhook-pinged" in await send(admin, f"{page}/ping", page)
    await a_courier(site.database, site.clock).settle()
    assert len(hook_taker.calls) == 1
    assert "webhook-disabled" in await send(admin, f"{page}/disable", page)
    assert "Disabled by Admin." in await admin.read(page)
    assert "This webhook is disabled." in await send(admin, f"{page}/ping", page)
    assert "webhook-enabled" in await send(admin, f"{page}/enable", page)
    (row,) = await endpoints(site.database)
    assert (row.state, row.reason) == (EndpointState.ENABLED, "")
    changed = await send(admin, f"{page}/change", page, url=URL, type="message.clicked")
    assert "webhook-changed" in changed
    assert "Nothing can be posted there." in await send(
        admin, f"{page}/change", page, url="https://10.0.0.1/"
    )
    (row,) = await endpoints(site.database)
    assert (row.url, row.event_types) == (URL, ["message.clicked"])
    assert "webhook-removed" in await send(admin, f"{page}/remove", page)
    assert await endpoints(site.database) == []


async def test_a_new_secret_is_shown_once_and_the_one_before_signs_for_a_day(
    site: Site, admin: Browser
) -> None:
    endpoint = await an_endpoint(site.database, URL)
    page = f"/webhooks/{endpoint.id}"
    text = await send(admin, f"{page}/rotate", page)
    found = re.search(r"whsec_[A-Za-z0-9+/=]+", text)
    assert found
    (row,) = await endpoints(site.database)
    assert KEYRING.decrypt(row.sealed_secret) == found.group()
    assert row.sealed_before == endpoint.sealed_secret
    assert row.before_until == site.clock.now() + timedelta(days=1)
    assert "signs as well until" in await admin.read(page)


async def test_webhooks_are_for_administrators(site: Site) -> None:
    editor = await site.signed_in(Role.EDITOR)
    assert (await editor.get("/webhooks")).status_code == 403


def test_every_type_has_a_name() -> None:
    assert set(TYPE_NAMES) == {*TYPES, PING}
