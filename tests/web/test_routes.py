"""Every route: who may use it, that looking changes nothing, that pages are whole."""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import date, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.routing import APIRoute
from html5lib.html5parser import ParseError
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from models.access import Role
from models.api import KeyMode
from models.contact import Contact
from models.election import ElectionDay
from models.incident import IncidentKind, IncidentLevel
from models.states import Channel
from scheduler import endpoints
from scheduler.campaigns import schedule
from scheduler.expansion import launch
from scheduler.incidents import open_incident
from store import Database, api_keys, incoming
from tests.clocks import START
from tests.factories import KEYRING, a_campaign, a_contact, a_segment, a_template, an_identity
from tests.web.browsers import Browser, Site, parse_strictly
from web.pages import ROUTERS as PAGE_ROUTERS
from web.public import ROUTERS as PUBLIC_ROUTERS

ANYONE, READER, EDITOR, ADMIN = "anyone", "reader", "editor", "admin"
TABLE: dict[str, dict[str, str]] = {
    ANYONE: {
        "GET": """/static/{name} /favicon.ico /robots.txt /healthz /readyz /metrics /setup /sign-in
            /u/{token} /c/{token}/{index} /mailbox/{token} /notice/{token}""",
        "POST": """/setup /sign-in /sign-out /language /u/{token} /u/{token}/undo /mailbox/{token}
            /u/{token}/targeting /hooks/twilio/status /hooks/twilio/inbound /hooks/{provider}""",
    },
    READER: {
        "GET": """/ /account /campaigns /campaigns/preview /campaigns/{campaign_id}
            /campaigns/{campaign_id}/live /campaigns/{campaign_id}/forecast /campaigns/{campaign_id}/checks
            /campaigns/{campaign_id}/uncertain /campaigns/{campaign_id}/capped
            /campaigns/{campaign_id}/report /campaigns/{campaign_id}/report.json
            /campaigns/{campaign_id}/report.csv /campaigns/{campaign_id}/report.pdf /contacts /api-messages
            /contacts/{contact_id} /segments /segments/count
            /segments/{segment_id} /templates /templates/versions/{version_id} /templates/{template_id}
            /identities /identities/{identity_id} /suppressions /suppressions/lifted /pace /pace/answers
            /deliveries/{delivery_id} /incoming /incoming/unmatched
            /deliverability /deliverability/identities/{identity_id} /deliverability/study
            /deliverability/identities/{identity_id}/report.json
            /deliverability/identities/{identity_id}/report.csv
            /deliverability/identities/{identity_id}/report.pdf
            /deliverability/identities/{identity_id}/volume.csv
            /deliverability/identities/{identity_id}/pressure.csv
            /deliverability/study.csv /deliverability/authentication /deliverability/authentication/{domain}
            /deliverability/map /deliverability/map.csv /deliverability/map.json
            /campaigns/{campaign_id}/places.csv /campaigns/{campaign_id}/places.json
            /deliverability/declared /incidents /incidents/{incident_id} /elections /compliance
            /compliance.pdf /compliance.json /compliance/register.csv /compliance/register.json
            /campaigns/{campaign_id}/summary /campaigns/{campaign_id}/summary.pdf""",
        "POST": "/account/password /contacts/find /suppressions/look",
    },
    EDITOR: {
        "GET": """/campaigns/new /campaigns/count /campaigns/{campaign_id}/cancel
            /campaigns/{campaign_id}/edit /contacts/import /elections/new
            /contacts/import/{run_id}/report /segments/new /templates/new /templates/starters/{name}
            /templates/{template_id}/edit /suppressions/lists /suppressions/export.csv
            /incoming/originals/{number} /incoming/originals/{number}/file""",
        "POST": """/campaigns /campaigns/{campaign_id}/schedule /campaigns/{campaign_id}/draft
            /campaigns/{campaign_id}/spent
            /campaigns/{campaign_id}/pause /campaigns/{campaign_id}/resume /campaigns/{campaign_id}/cancel
            /campaigns/{campaign_id}/release /campaigns/{campaign_id}/test /campaigns/{campaign_id}/edit
            /campaigns/{campaign_id}/uncertain /campaigns/{campaign_id}/prove /pace/reset
            /campaigns/{campaign_id}/canary/release /campaigns/{campaign_id}/checks
            /campaigns/{campaign_id}/checks/seeds
            /contacts/import /contacts/{contact_id}/targeting /segments /templates /templates/preview
            /identities/{identity_id}/check /identities/{identity_id}/letter /identities/{identity_id}/suspend
            /suppressions/add /suppressions/lift /suppressions/lists /deliverability/authentication
            /deliverability/declared /incidents/{incident_id}/close /incidents/{incident_id}/go-on
            /elections /elections/known/{key}""",
    },
    ADMIN: {
        "GET": """/webhooks /webhooks/{endpoint_id}
            /api-keys /api-keys/{key_id}/rotate /api-keys/{key_id}/revoke
            /accounts /incoming/replay /suppressions/undo /seeds /elections/{day_id}/edit
            /elections/{day_id}/remove""",
        "POST": """/webhooks /webhooks/{endpoint_id}/change /webhooks/{endpoint_id}/ping
            /webhooks/{endpoint_id}/enable /webhooks/{endpoint_id}/disable /webhooks/{endpoint_id}/rotate
            /webhooks/{endpoint_id}/remove /webhooks/{endpoint_id}/again
            /webhooks/{endpoint_id}/notices/{notice_id}/again
            /identities/{identity_id}/keys /identities/{identity_id}/keys/cancel
            /identities/{identity_id}/keys/switch /identities/{identity_id}/resume
            /identities/{identity_id}/retire /seeds /seeds/{seed_id}/test /seeds/{seed_id}/pause
            /seeds/{seed_id}/resume
            /seeds/{seed_id}/remove /accounts /accounts/{user_id}/role /accounts/{user_id}/remove
            /api-keys /api-keys/{key_id}/rotate /api-keys/{key_id}/revoke
            /pace/limits /pace/limits/remove /pace/warmup/stop /suppressions/undo
            /suppressions/undo/confirm /incoming/replay /incoming/replay/apply
            /campaigns/{campaign_id}/waivers /campaigns/{campaign_id}/waivers/{waiver_id}/agree
            /campaigns/{campaign_id}/waivers/{waiver_id}/refuse /elections/{day_id}/edit
            /elections/{day_id}/remove""",
    },
}
"""Who may use which route. A route that is in no line, or in two, is a mistake."""
RANKED = [READER, EDITOR, ADMIN]


def routes() -> Iterator[tuple[str, str]]:
    """Method and path of every route of the application."""
    for router in (*PAGE_ROUTERS, *PUBLIC_ROUTERS):
        for route in router.routes:
            assert isinstance(route, APIRoute)
            yield from ((method, route.path) for method in sorted((route.methods or set()) - {"HEAD"}))


def table() -> Iterator[tuple[str, str, str]]:
    """Role, method and path, as the table has them."""
    for role, methods in TABLE.items():
        for method, paths in methods.items():
            yield from ((role, method, path) for path in paths.split())


def filled(path: str) -> str:
    """A path whose numbers are those of the first rows, and whose domain is an identity's."""
    return re.sub(r"\{\w+\}", "1", path.replace("{domain}", "parti.fr"))


async def furnish(database: Database) -> None:
    """A first row of everything pages show, and a campaign that is being sent."""
    async with database.write() as session:
        await a_contact(session, email="camille@gmail.com")
        await a_contact(session, email="sacha@orange.fr", phone="+33612345678")
        sender = await an_identity(session)
        version = await a_template(session)
        await a_template(session, channel=Channel.SMS)
        segment = await a_segment(session)
        campaign = await a_campaign(session, version=version, include=[segment], senders=[sender])
        await open_incident(session, IncidentKind.BLOCKED, IncidentLevel.RED, provider="gmail", now=START)
        session.add(
            ElectionDay(name="Élections municipales", round=2, day=date(2026, 3, 22), created_at=START)
        )
        await furnish_webhook(session)
        await api_keys.add_key(session, name="CRM", mode=KeyMode.TEST, scopes=[], by="Ana", now=START)
        await incoming.keep(session, source="dsn", raw=b"<no> delivery", matched=False, now=START)
    async with database.write() as session:
        await schedule(
            session,
            campaign.id,
            datetime(2026, 3, 10, 9, 0),  # noqa: DTZ001 - as the wall clock shows it
            "Europe/Paris",
            START,
        )
    await launch(database, campaign.id, campaign.created_at, language="fr")


async def furnish_webhook(session: AsyncSession) -> None:
    """One that waits for its first call."""
    wanted = endpoints.Wanted("https://crm.example.org/hooks")
    made, _ = await endpoints.make_endpoint(
        session, wanted, mode=KeyMode.LIVE, keyring=KEYRING, by="Ana", now=START
    )
    await endpoints.try_out(session, made, START)


def test_every_route_is_in_the_table_of_roles() -> None:
    assert sorted(routes()) == sorted((method, path) for _, method, path in table())


async def test_each_role_reaches_what_the_table_says_and_nothing_else(site: Site) -> None:
    await furnish(site.database)
    browsers: dict[str, Browser] = {role.value: await site.signed_in(role) for role in Role}
    stranger = site.browser()
    for needed, method, path in table():
        if needed == ANYONE:
            continue
        answer = await stranger.client.request(method, filled(path))
        assert answer.headers.get("location", "").startswith("/sign-in"), f"a stranger, {method} {path}"
        for role, browser in browsers.items():
            answer = await browser.client.request(method, filled(path))
            # A form without its token is refused after the role: by another page.
            forbidden = "Your role does not reach this page." in answer.text
            assert forbidden == (RANKED.index(role) < RANKED.index(needed)), f"{role}, {method} {path}"


async def test_no_form_is_taken_without_its_token(site: Site) -> None:
    await furnish(site.database)
    browser = await site.signed_in(Role.ADMIN)
    before = await snapshot(site.database)
    for _, method, path in table():
        if method != "POST" or path.startswith(("/u/", "/mailbox/", "/hooks/")):
            continue
        for fields in ({}, {"csrf": ""}, {"csrf": "0" * 64}):
            answer = await browser.post(filled(path), fields)
            assert answer.status_code == 403, f"{path} took {fields}"
            assert "This form has gone stale" in answer.text
    assert await snapshot(site.database) == before


async def test_the_token_of_one_session_does_not_serve_another(site: Site) -> None:
    reader, editor = await site.signed_in(Role.READER), await site.signed_in(Role.EDITOR)
    token = await reader.csrf("/account")
    answer = await editor.post("/segments", {"csrf": token, "name": "a", "text": "everyone"})
    assert answer.status_code == 403


async def test_a_form_that_the_browser_says_comes_from_another_site_is_refused(site: Site) -> None:
    editor = await site.signed_in(Role.EDITOR)
    fields = {"csrf": await editor.csrf("/account"), "name": "a", "text": "everyone"}
    answer = await editor.post("/segments", fields, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403


async def snapshot(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    async with database.read() as session:
        connection = await session.connection()
        return {
            name: sorted(map(tuple, (await connection.execute(sa.select(one))).all()), key=repr)
            for name, one in SQLModel.metadata.tables.items()
        }


async def test_looking_at_every_page_changes_nothing(site: Site) -> None:
    await furnish(site.database)
    browser = await site.signed_in(Role.ADMIN)
    before = await snapshot(site.database)
    for method, path in routes():
        if method == "GET":
            answer = await browser.get(filled(path))
            assert answer.status_code < 500, f"{path}: {answer.status_code}"
    assert await snapshot(site.database) == before


PAGES = [
    filled(path)
    for role, method, path in table()
    if method == "GET"
    and role != ANYONE
    and path
    not in {
        "/",
        "/contacts/import/{run_id}/report",
        "/campaigns/preview",
        "/campaigns/{campaign_id}/edit",
        "/templates/starters/{name}",
    }
    and not path.endswith((".json", ".csv", ".pdf", "/live", "/count", "/file"))
] + [
    "/templates/new?starter=invitation",
    "/templates/new?starter=sms",
    "/templates/2",
    "/contacts?rule=commune:x",
]


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_every_page_is_valid_and_closed_to_foreign_scripts(site: Site, language: str) -> None:
    await furnish(site.database)
    browser = await site.signed_in(Role.ADMIN)
    await browser.send_form("/language", {"language": language}, page="/account")
    for path in PAGES:
        answer = await browser.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        try:
            document = parse_strictly(answer.text)
        except ParseError as error:
            pytest.fail(f"{path}: {error}")
        if path.startswith("/templates/versions/"):
            continue
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert document.get("lang") == language
        check_document(path, document)


def check_document(path: str, document: Any) -> None:
    """No style or script in the page, a label on every field, a caption on every table, one heading."""
    everything = list(document.iter())
    labelled = {one.get("for") for one in everything if one.tag == "label"}
    wrapped = {field for one in everything if one.tag == "label" for field in one.iter()}
    for one in everything:
        where = f"{path}: <{one.tag} {dict(one.attrib)}>"
        assert one.tag != "style", where
        assert "style" not in one.attrib, where
        assert not [name for name in one.attrib if str(name).startswith("on")], where
        if one.tag == "script":
            assert one.get("src", "").startswith("/static/"), where
        if one.tag == "table":
            assert one.find("caption") is not None, where
        if one.tag == "img":
            assert "alt" in one.attrib, where
        if one.tag in {"input", "select", "textarea"} and one.get("type") != "hidden":
            assert one.get("id") in labelled or one in wrapped or "aria-label" in one.attrib, where
        if one.tag == "form" and one.get("method") == "post":
            assert [field for field in one.iter("input") if field.get("name") == "csrf"], where
    assert len([one for one in everything if one.tag == "h1"]) == 1, path


async def test_a_previewed_message_is_sealed_off(site: Site) -> None:
    await furnish(site.database)
    browser = await site.signed_in(Role.READER)
    for path in ("/campaigns/preview?version=1&identity=1&contact=1", "/templates/versions/1"):
        answer = await browser.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("sandbox; default-src 'none'")
        assert "script" not in policy
        assert "Camille" in answer.text


async def test_what_people_type_is_never_taken_for_markup(site: Site) -> None:
    async with site.database.write() as session:
        contact: Contact = await a_contact(session, first_name="<script>alert(1)</script>")
        await a_segment(session, name='"><img src=x onerror=alert(1)>')
    browser = await site.signed_in(Role.EDITOR)
    for path in ("/contacts", f"/contacts/{contact.id}", "/segments", "/segments/1", "/campaigns/new"):
        text = await browser.read(path)
        assert "<script>alert" not in text
        assert "<img src=x" not in text


@pytest.mark.parametrize(
    "path", ["/nowhere", "/campaigns/999", "/campaigns/abc", "/contacts/999", "/static/../app.py"]
)
async def test_what_is_not_there_is_said_on_a_friendly_page(site: Site, path: str) -> None:
    browser = await site.signed_in(Role.READER)
    answer = await browser.get(path)
    assert answer.status_code == 404
    assert "Nothing here" in answer.text
    parse_strictly(answer.text)


async def test_a_body_that_is_too_large_is_refused_whether_announced_or_not(site: Site) -> None:
    browser = site.browser()
    assert (await browser.client.post("/sign-in", content=b"x" * 9000)).status_code == 413

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b"x" * 1024

    kind = {"content-type": "application/x-www-form-urlencoded"}
    answer = await browser.client.post("/sign-in", content=unannounced(), headers=kind)
    assert answer.status_code == 413


async def test_the_service_says_whether_its_database_answers(site: Site) -> None:
    assert (await site.browser().get("/healthz")).text == "ok\n"
