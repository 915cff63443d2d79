"""Administrators make, replace and revoke API keys; a secret is shown once."""

import html
import re
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI

from models.access import Role
from models.api import ApiKey, KeyMode, Scope
from models.api_grants import GRANTS
from store import api_keys
from tests.factories import a_template, an_identity
from tests.web.browsers import Browser, Site
from web.key_words import GROUPS, SETS


@pytest.fixture
async def admin(site: Site) -> Browser:
    return await site.signed_in(Role.ADMIN)


async def kept(site: Site) -> list[ApiKey]:
    async with site.database.read() as session:
        return await api_keys.list_keys(session)


async def make(admin: Browser, **fields: object) -> httpx.Response:
    given = {"name": "CRM", "mode": "live", "grant": "sending"} | fields
    return await admin.send_form("/api-keys", given)


def secret_of(page: str) -> str:
    found = re.search(r">(tcn_\w+)</pre>", page)
    assert found, page
    return found.group(1)


def shown_curls(page: str) -> list[list[str]]:
    """What is to be copied and typed, as a shell takes it."""
    texts = [html.unescape(text) for text in re.findall(r'data-copy="([^"]+)"', page)]
    return [shlex.split(text.replace("\\\n", " ")) for text in texts if text.startswith("curl ")]


async def type_in(app: FastAPI, words: list[str]) -> httpx.Response:
    """Do what curl would."""
    assert words[0] == "curl"
    headers = dict(words[place + 1].split(": ", 1) for place, word in enumerate(words) if word == "-H")
    body = words[words.index("-d") + 1].encode() if "-d" in words else None
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        return await client.request("POST" if body else "GET", words[1], headers=headers, content=body)


async def test_without_keys_the_page_says_what_they_are_for(admin: Browser) -> None:
    page = await admin.read("/api-keys")
    assert "No program has a key yet" in page
    assert "nobody is written to" in page


async def test_a_secret_is_shown_once_with_commands_that_work(site: Site, admin: Browser) -> None:
    async with site.database.write() as session:
        await an_identity(session)
        await a_template(session, name="Reçu", subject="Reçu de {{ amount }}, {{ first_name }}")
    answer = await make(admin)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    secret = secret_of(answer.text)
    look, send = shown_curls(answer.text)
    seen = (await type_in(site.app, look)).json()
    assert (seen["name"], seen["mode"]) == ("CRM", "live")
    assert set(seen["scopes"]) == {scope.value for scope in GRANTS["sending"]}
    told = await type_in(site.app, send)
    assert (told.status_code, told.json()["status"]) == (202, "accepted"), told.text
    (key,) = await kept(site)
    page = await admin.read("/api-keys")
    assert secret not in page
    assert f"tcn_live_…{secret[-4:]}" in page
    assert "Send messages" in page
    assert (key.created_by, key.identity_ids, key.networks) == ("Admin", [], [])
    assert key.key_hash not in page


async def test_everything_chosen_is_what_the_key_is_bound_to(site: Site, admin: Browser) -> None:
    async with site.database.write() as session:
        identity = await an_identity(session)
    await make(
        admin,
        grant="chosen",
        scope=["contacts:read", "events:read"],
        identity=[str(identity.id)],
        networks="203.0.113.7, 2001:db8::/32",
        per_minute="90",
        ends_on="2026-03-31",
        mode="test",
    )
    (key,) = await kept(site)
    assert key.scopes == ["contacts:read", "events:read"]
    assert key.identity_ids == [identity.id]
    assert key.networks == ["203.0.113.7/32", "2001:db8::/32"]
    assert (key.per_minute, key.mode) == (90, KeyMode.TEST)
    # The last day is a whole one, on the clock of Paris.
    assert key.expires_at == datetime(2026, 3, 31, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": " "}, "Give the key a name"),
        ({"grant": "chosen"}, "opens nothing"),
        ({"grant": "chosen", "scope": "moon:write"}, "There is no scope"),
        ({"networks": "the office"}, "is no address"),
        ({"per_minute": "0"}, "A limit is a number of calls"),
        ({"per_minute": "many"}, "A limit is a number of calls"),
        ({"ends_on": "2020-01-01"}, "on a day to come"),
        ({"ends_on": "9999-12-31"}, "on a day to come"),
        ({"ends_on": "soon"}, "on a day to come"),
        ({"identity": "999"}, "An identity you chose"),
        ({"identity": "all"}, "An identity you chose"),
    ],
)
async def test_what_cannot_be_is_refused_and_the_form_stays_filled(
    site: Site, admin: Browser, fields: dict[str, str], told: str
) -> None:
    answer = await make(admin, **({"name": "Bureau", "networks": "10.0.0.1"} | fields))
    assert answer.status_code == 400
    assert told in answer.text
    assert ('value="Bureau"' in answer.text) is ("name" not in fields)
    assert await kept(site) == []


async def test_a_replaced_key_opens_as_long_as_was_said_and_its_successor_from_now(
    site: Site, admin: Browser
) -> None:
    old = secret_of((await make(admin, grant="reading", networks="127.0.0.1")).text)
    (first,) = await kept(site)
    page = await admin.read(f"/api-keys/{first.id}/rotate")
    assert "one day" in page
    answer = await admin.send_form(
        f"/api-keys/{first.id}/rotate", {"overlap": "1"}, page=f"/api-keys/{first.id}/rotate"
    )
    new = secret_of(answer.text)
    second, first = await kept(site)
    assert (second.scopes, second.networks, first.successor_id) == (first.scopes, first.networks, second.id)
    assert "Being replaced" in await admin.read("/api-keys")
    assert [await opens(site, secret) for secret in (old, new)] == [True, True]
    site.clock.advance(timedelta(hours=1))
    assert [await opens(site, secret) for secret in (old, new)] == [False, True]
    again = await admin.send_form(f"/api-keys/{first.id}/rotate", page="/api-keys")
    assert (again.status_code, "has a successor" in again.text) == (400, True)
    assert "being replaced already" in await admin.read(f"/api-keys/{first.id}/rotate")


async def test_a_revoked_key_opens_nothing_and_stays_to_be_seen(site: Site, admin: Browser) -> None:
    secret = secret_of((await make(admin)).text)
    (key,) = await kept(site)
    assert await opens(site, secret)
    page = await admin.read(f"/api-keys/{key.id}/revoke")
    assert "from 127.0.0.1" in page
    answer = await admin.send_form(f"/api-keys/{key.id}/revoke", page=f"/api-keys/{key.id}/revoke")
    assert answer.headers["location"] == "/api-keys?said=key-revoked"
    site.clock.advance(timedelta(seconds=3))
    assert not await opens(site, secret)
    page = await admin.read("/api-keys")
    assert "revoked by Admin" in page
    assert "No program has a key yet" in page


async def test_a_switched_off_api_is_told_where_keys_are_made(site: Site, admin: Browser) -> None:
    assert "TOCSIN_API" not in await admin.read("/api-keys")
    site.app.state.front_door.context = replace(site.context, api=False)
    assert "TOCSIN_API" in await admin.read("/api-keys")


async def opens(site: Site, secret: str) -> bool:
    words = ["curl", f"{site.public_url}/v1/key", "-H", f"Authorization: Bearer {secret}"]
    return (await type_in(site.app, words)).status_code == 200


def test_every_scope_stands_in_one_group_and_every_set_is_named() -> None:
    grouped = [scope for group in GROUPS for scope in (group.reading, group.changing) if scope is not None]
    assert sorted(grouped) == sorted(Scope)
    assert set(GRANTS) < set(SETS)
