"""Who may call what: every endpoint with every scope, and with keys that open nothing."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from models.api import KeyMode, Scope
from models.api_grants import GRANTS
from store import api_keys
from tests.web.browsers import Site
from tests.web.programs import Program, a_program
from web.api.description import all_routes, operation_name, scope_of
from web.api.problems import CODES

ANYBODY, ANY_KEY = "anybody", "any key"
TABLE: dict[str, dict[str, str]] = {
    ANY_KEY: {
        "GET": """/key""",
    },
    Scope.MESSAGES_SEND: {
        "POST": """/messages /messages/batch /messages/{message_id}:cancel""",
    },
    Scope.MESSAGES_READ: {
        "GET": """/messages /messages/{message_id} /messages/{message_id}/events""",
    },
    Scope.EVENTS_READ: {
        "GET": """/events""",
    },
    Scope.CAMPAIGNS_READ: {
        "GET": """/campaigns /campaigns/{campaign_id} /campaigns/{campaign_id}/report""",
    },
    Scope.CAMPAIGNS_WRITE: {
        "POST": """/campaigns /campaigns/{campaign_id}:schedule /campaigns/{campaign_id}:check
            /campaigns/{campaign_id}:unschedule /campaigns/{campaign_id}:pause
            /campaigns/{campaign_id}:resume /campaigns/{campaign_id}:approve
            /campaigns/{campaign_id}:release /campaigns/{campaign_id}:cancel""",
        "PATCH": """/campaigns/{campaign_id}""",
    },
    Scope.SEGMENTS_READ: {
        "GET": """/segments /segments/{segment_id} /segments/{segment_id}/count
            /segments/{segment_id}/explanation""",
        "POST": """/segments:explain""",
    },
    Scope.SEGMENTS_WRITE: {
        "POST": """/segments""",
        "PATCH": """/segments/{segment_id}""",
        "DELETE": """/segments/{segment_id}""",
    },
    Scope.TEMPLATES_READ: {
        "GET": """/templates /templates/{template_id} /templates/{template_id}/versions
            /templates/{template_id}/versions/{number}""",
    },
    Scope.IDENTITIES_READ: {
        "GET": """/identities /identities/{identity_id}""",
    },
    Scope.CONTACTS_WRITE: {
        "PUT": """/contacts/by-external-id/{external_id}""",
        "POST": """/contacts /contacts/imports /contacts/{contact_id}/tags /contacts/{contact_id}/consents""",
        "PATCH": """/contacts/{contact_id}""",
        "DELETE": """/contacts/{contact_id}""",
        "GET": """/contacts/imports /contacts/imports/{import_id} /contacts/imports/{import_id}/report""",
    },
    Scope.CONTACTS_READ: {
        "GET": """/contacts/by-external-id/{external_id} /contacts/{contact_id} /contacts
            /contacts/{contact_id}/tags /contacts/{contact_id}/consents""",
    },
    Scope.WEBHOOKS_WRITE: {
        "POST": """/webhooks /webhooks/{webhook_id}:rotate-secret /webhooks/{webhook_id}:ping
            /webhooks/{webhook_id}/deliveries/{delivery_id}:redeliver /webhooks/{webhook_id}:redeliver""",
        "PATCH": """/webhooks/{webhook_id}""",
        "DELETE": """/webhooks/{webhook_id}""",
    },
    Scope.WEBHOOKS_READ: {
        "GET": """/webhooks /webhooks/{webhook_id} /webhooks/{webhook_id}/deliveries
            /webhooks/{webhook_id}/deliveries/{delivery_id}""",
    },
    Scope.INTERACTIONS_WRITE: {
        "POST": """/interactions /interactions/batch""",
        "DELETE": """/interactions/{interaction_id}""",
    },
    Scope.INTERACTIONS_READ: {
        "GET": """/interactions /interactions/{interaction_id}""",
    },
    Scope.SUPPRESSIONS_READ: {
        "GET": """/suppressions""",
        "POST": """/suppressions:look""",
    },
    Scope.SUPPRESSIONS_WRITE: {
        "POST": """/suppressions /suppressions:lift /suppressions/{suppression_id}:lift""",
    },
    ANYBODY: {
        "GET": """/errors /errors/{code} /docs /docs/start.js /docs/{name}""",
    },
}
"""What a key needs for each endpoint. One that is in no line, or in two, is a mistake."""


def api_of(site: Site) -> FastAPI:
    mounted = [getattr(route, "app", None) for route in site.app.routes]
    (api,) = [app for app in mounted if isinstance(app, FastAPI)]
    return api


def table() -> Iterator[tuple[str, str, str]]:
    """What is needed, method and path, as the table has them."""
    for needed, methods in TABLE.items():
        for method, paths in methods.items():
            yield from ((needed, method, path) for path in paths.split())


def guarded() -> list[tuple[str, str, str]]:
    return [line for line in table() if line[0] != ANYBODY]


def filled(path: str) -> str:
    """A path whose parts name nothing there is."""
    return re.sub(r"\{\w+\}", "nothing", path)


async def refusal(program: Program, method: str, path: str, **headers: str) -> str:
    """The code with which the door refuses a call, or what lies behind it: the code, else the status."""
    body: Any = {} if method in {"POST", "PUT", "PATCH"} else None
    answer = await program.call(method, filled(path), body, **headers)
    assert answer.status_code < 500, f"{method} {path}: {answer.text}"
    kind = answer.headers.get("content-type", "")
    told = answer.json() if kind == "application/problem+json" else {}
    if told:
        assert CODES[told["code"]][0] == answer.status_code
        assert told["request_id"] == answer.headers["request-id"]
    return str(told.get("code", answer.status_code))


AT_THE_DOOR = {"unauthenticated", "missing_scope", "key_not_allowed_here", "rate_limited"}


def test_every_endpoint_is_in_the_table_with_what_it_needs(site: Site) -> None:
    found = []
    for route in all_routes(api_of(site)):
        try:
            scope = scope_of(route)
            needed = ANY_KEY if scope is None else scope
        except LookupError:
            needed = ANYBODY
        found += [(needed, method, route.path) for method in sorted((route.methods or set()) - {"HEAD"})]
    assert sorted(found) == sorted(table())


def test_every_endpoint_has_a_name_of_its_own(site: Site) -> None:
    names = [operation_name(route) for route in all_routes(api_of(site)) if route.include_in_schema]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in names), names


def test_what_changes_something_never_takes_the_scope_to_read() -> None:
    reading = {"POST /segments:explain", "POST /suppressions:look"}
    for needed, method, path in guarded():
        if method != "GET" and f"{method} {path}" not in reading:
            assert not needed.endswith(":read"), f"{method} {path}"
        # Whoever hands a list over reads what became of it.
        if method == "GET" and needed != ANY_KEY and not path.startswith("/contacts/imports"):
            assert needed.endswith(":read"), f"{method} {path}"


@pytest.mark.parametrize("scope", list(Scope))
async def test_a_scope_opens_its_endpoints_and_no_other(site: Site, scope: Scope) -> None:
    program = await a_program(site, scopes=[scope], furnished=False)
    for needed, method, path in guarded():
        code = await refusal(program, method, path)
        expected = needed in {scope, ANY_KEY}
        assert (code not in AT_THE_DOOR) == expected, f"{scope}: {method} {path}: {code}"
        assert expected or code == "missing_scope"


async def test_a_key_for_tests_opens_what_a_live_one_does_or_is_told_why_not(site: Site) -> None:
    program = await a_program(site, mode=KeyMode.TEST, furnished=False)
    for _, method, path in guarded():
        assert await refusal(program, method, path) not in AT_THE_DOOR, f"{method} {path}"


NO_KEYS = {
    "no header": "",
    "another way": "Basic dXNlcjpwYXNz",
    "no secret": "Bearer ",
    "a slip": "Bearer tcn_live_" + "0" * 38,
    "a session": "Bearer 6f1b",
}


@pytest.mark.parametrize("header", NO_KEYS.values(), ids=NO_KEYS.keys())
async def test_without_a_key_no_endpoint_opens(site: Site, header: str) -> None:
    program = await a_program(site, furnished=False)
    for _, method, path in guarded():
        assert await refusal(program, method, path, authorization=header) == "unauthenticated", path


@pytest.mark.parametrize("end", ["revoked", "over", "replaced"])
async def test_a_key_that_has_ended_opens_no_endpoint(site: Site, end: str) -> None:
    now = site.clock.now()
    program = await a_program(
        site, furnished=False, expires_at=now + timedelta(hours=1) if end == "over" else None
    )
    for _, method, path in guarded():
        assert await refusal(program, method, path) != "unauthenticated", path
    async with site.database.write() as session:
        if end == "revoked":
            await api_keys.revoke_key(session, program.key_id, by="test", now=now)
        if end == "replaced":
            await api_keys.rotate_key(session, program.key_id, by="test", now=now, overlap=timedelta(hours=1))
    site.clock.advance(timedelta(hours=1))
    for _, method, path in guarded():
        assert await refusal(program, method, path) == "unauthenticated", path


async def test_a_key_of_another_network_opens_no_endpoint(site: Site) -> None:
    away = await a_program(site, furnished=False, networks=["203.0.113.0/24", "2001:db8::/32"])
    near = await a_program(site, furnished=False, networks=["203.0.113.0/24", "127.0.0.0/8"])
    for _, method, path in guarded():
        assert await refusal(away, method, path) == "key_not_allowed_here", path
        assert await refusal(near, method, path) not in AT_THE_DOOR, path


async def test_no_endpoint_is_outside_the_limit_of_the_key(site: Site) -> None:
    program = await a_program(site, furnished=False, per_minute=1)
    await refusal(program, "GET", "/key")
    for _, method, path in guarded():
        assert await refusal(program, method, path) == "rate_limited", path


async def test_a_session_of_the_pages_opens_no_endpoint(site: Site) -> None:
    from models.access import Role

    admin = await site.signed_in(Role.ADMIN)
    for _, method, path in guarded():
        answer = await admin.client.request(method, f"/v1{filled(path)}")
        assert answer.status_code == 401, path


def test_what_looks_only_cannot_change_anything() -> None:
    for needed, method, path in guarded():
        if needed in GRANTS["reading"] and method != "GET":
            assert path in {"/segments:explain", "/suppressions:look"}
