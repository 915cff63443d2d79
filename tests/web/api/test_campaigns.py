"""Campaigns over HTTP: made, changed, scheduled past the same checks as on the pages, stopped, reported."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from models.api import KeyMode, Scope
from models.states import CampaignState, Channel
from scheduler.expansion import launch
from store import campaigns
from tests.factories import a_contact, a_segment, a_template, an_identity
from tests.web.browsers import Site
from tests.web.programs import EVERYTHING, Program, a_program
from web.api.ids import Ids, Kind

STOP = "Bonjour {{ first_name }}, réunion samedi à 18 h. STOP au 36000"


@pytest.fixture
async def program(site: Site) -> Program:
    async with site.database.write() as session:
        await a_contact(session, email="camille@gmail.com", phone="+33612345678")
        await a_contact(session, email="sacha@orange.fr")
        await a_segment(session, name="Tous")
        await an_identity(session)
        await a_template(session, name="Lettre")
        await a_template(session, name="Texte", channel=Channel.SMS, body=STOP)
    return await a_program(site, furnished=False)


async def make(program: Program, **changes: Any) -> dict[str, Any]:
    body = {
        "name": "Réunion",
        "template": {"id": "Lettre"},
        "include": ["Tous"],
        "identities": ["national"],
        "with_seeds": False,
        "nature": "civic",
    }
    answer = await program.call("POST", "/campaigns", body | changes)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def do(program: Program, campaign: dict[str, Any], action: str, **body: Any) -> httpx.Response:
    path = f"/campaigns/{campaign['id']}:{action}"
    return await program.call("POST", path, body if action == "schedule" else None)


async def scheduled(program: Program, campaign: dict[str, Any], **body: Any) -> dict[str, Any]:
    answer = await do(program, campaign, "schedule", override_reason="Vu", **body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_campaign_is_made_of_names_and_told_with_its_parts(program: Program) -> None:
    made = await make(program, windows="mon-fri 09:00-20:00", canary={"people": 10})
    told = (await program.call("GET", f"/campaigns/{made['id']}")).json()
    assert told == made
    assert (told["state"], told["channel"], told["test"]) == ("draft", "email", False)
    assert [one["name"] for one in told["include"]] == ["Tous"]
    assert [one["key"] for one in told["identities"]] == ["national"]
    assert (told["template"]["name"], told["template"]["version"]) == ("Lettre", 1)
    assert (told["windows"], told["canary"]["people"]) == ("mon-fri 09:00-20:00", 10)
    again = await make(
        program,
        include=[one["id"] for one in told["include"]],
        identities=[one["id"] for one in told["identities"]],
        template={"id": told["template"]["id"], "version": 1},
    )
    assert again["include"] == told["include"]


async def test_what_is_not_given_stays_as_it_was(program: Program) -> None:
    made = await make(program, canary={"people": 10}, not_after="2030-01-01T00:00:00Z")
    path = f"/campaigns/{made['id']}"
    told = (await program.call("PATCH", path, {"name": "Autre"})).json()
    assert (told["name"], told["canary"]["people"], told["not_after"]) == ("Autre", 10, made["not_after"])
    told = (await program.call("PATCH", path, {"canary": None, "not_after": None})).json()
    assert (told["name"], told["canary"], told["not_after"]) == ("Autre", None, None)


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"template": {"id": "Rien"}}, 404, "template"),
        ({"include": ["Personne"]}, 404, "include.0"),
        ({"identities": ["nobody"]}, 404, "identities.0"),
        ({"include": []}, 422, "include"),
        ({"windows": "someday"}, 422, "windows"),
        ({"surprise": 1}, 422, "surprise"),
    ],
)
async def test_parts_that_are_not_there_are_named(
    program: Program, changes: dict[str, Any], status: int, field: str
) -> None:
    body = {"name": "a", "template": {"id": "Lettre"}, "include": ["Tous"], "identities": ["national"]}
    answer = await program.call("POST", "/campaigns", body | changes)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["field"] == field


async def test_a_campaign_goes_its_way_from_draft_to_report(program: Program) -> None:
    made = await make(program)
    site = program.site
    moment = (site.clock.now() + timedelta(days=1)).isoformat()
    told = await scheduled(program, made, starts_at=moment, zone="Europe/Paris")
    assert (told["state"], told["starts_at"]) == ("scheduled", moment.replace("+00:00", "Z"))
    assert (await do(program, made, "unschedule")).json()["state"] == "draft"
    assert (await scheduled(program, made))["state"] == "scheduled"
    assert (await do(program, made, "pause")).json()["state"] == "paused"
    assert (await do(program, made, "resume")).json()["state"] == "scheduled"
    number = made_number(program, made)
    await launch(site.database, number, site.clock.now(), language="fr")
    told = (await program.call("GET", f"/campaigns/{made['id']}")).json()
    assert (told["figures"]["frozen"], told["figures"]["states"]) == (2, {"queued": 2})
    assert sorted(await program.drain()) == ["camille@gmail.com", "sacha@orange.fr"]
    told = (await program.call("GET", f"/campaigns/{made['id']}")).json()
    assert told["figures"]["states"] == {"accepted": 2}
    assert (told["figures"]["done"], told["figures"]["adds_up"]) == (2, True)
    report = (await program.call("GET", f"/campaigns/{made['id']}/report")).json()
    assert (report["campaign"]["id"], report["total"]["accepted"]) == (made["id"], 2)
    events = (await program.call("GET", f"/events?campaign={made['id']}")).json()["data"]
    assert {(one["type"], one["message"], one["campaign"]) for one in events} == {
        ("message.sent", None, made["id"])
    }


def made_number(program: Program, campaign: dict[str, Any]) -> int:
    return Ids(program.site.context.tokens).read(Kind.CAMPAIGN, campaign["id"])


async def test_a_campaign_is_stopped_for_good(program: Program) -> None:
    made = await make(program)
    await scheduled(program, made)
    assert (await do(program, made, "cancel")).json()["state"] == "cancelled"
    answer = await do(program, made, "resume")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_what_stands_in_the_way_comes_back_with_every_finding(program: Program) -> None:
    made = await make(program, template={"id": "Texte"}, name="SMS")
    async with program.site.database.write() as session:
        await a_template(session, name="Sans stop", channel=Channel.SMS, body="Bonjour à tous")
    await program.call("PATCH", f"/campaigns/{made['id']}", {"template": {"id": "Sans stop"}})
    answer = await do(program, made, "schedule")
    assert (answer.status_code, answer.json()["code"]) == (409, "checks_in_the_way")
    problem = answer.json()
    assert "sms.stop" in [one["code"] for one in problem["errors"]]
    found = {one["code"]: one for one in problem["findings"]}
    assert (found["sms.stop"]["level"], found["sms.stop"]["message"]) != ("fine", "")
    assert any(one["level"] != "block" for one in problem["findings"])
    checked = (await do(program, made, "check")).json()
    assert (checked["clear"], "sms.stop" in [one["code"] for one in checked["findings"]]) == (False, True)
    told = (await program.call("GET", f"/campaigns/{made['id']}")).json()
    assert told["state"] == "draft"


async def test_going_past_the_checks_needs_a_reason_and_the_scope(site: Site, program: Program) -> None:
    made = await make(program, template={"id": "Texte"})
    ordinary = [scope for scope in EVERYTHING if scope is not Scope.CAMPAIGNS_OVERRIDE]
    other = await a_program(site, scopes=ordinary, furnished=False)
    answer = await do(other, made, "schedule", override_reason="Parce que")
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    body = {"name": "a", "template": {"id": "Lettre"}, "include": ["Tous"], "identities": ["national"]}
    answer = await other.call("POST", "/campaigns", body | {"purpose": "transactional"})
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert (await make(program, purpose="transactional"))["purpose"] == "transactional"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"starts_at": "2020-01-01T00:00:00Z"}, "starts_at"),
        ({"zone": "Europe/Nowhere"}, "zone"),
        ({"starts_at": "2030-01-01T00:00:00"}, "starts_at"),
    ],
)
async def test_a_start_that_is_past_or_nowhere_is_refused(
    program: Program, body: dict[str, Any], field: str
) -> None:
    answer = await do(program, await make(program), "schedule", **body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_a_campaign_of_a_test_key_is_never_sent_and_seen_by_tests_alone(
    site: Site, program: Program
) -> None:
    live = await make(program)
    tester = await a_program(site, mode=KeyMode.TEST, furnished=False)
    tried = await make(tester, name="Essai")
    assert tried["test"] is True
    assert (await do(tester, tried, "check")).status_code == 200
    answer = await do(tester, tried, "schedule", override_reason="Essai")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    for one, own, other in ((program, live, tried), (tester, tried, live)):
        listed = (await one.call("GET", "/campaigns")).json()["data"]
        assert [campaign["id"] for campaign in listed] == [own["id"]]
        assert (await one.call("GET", f"/campaigns/{other['id']}")).status_code == 404
        assert (await do(one, other, "cancel")).status_code == 404
    async with site.database.read() as session:
        assert [one.name for one in await campaigns.list_campaigns(session)] == ["Réunion"]


async def test_streams_are_no_campaigns(program: Program) -> None:
    await program.send(template={"id": "Lettre"})
    assert (await program.call("GET", "/campaigns")).json()["data"] == []
    stream = Ids(program.site.context.tokens).write(Kind.CAMPAIGN, 1)
    assert (await program.call("GET", f"/campaigns/{stream}")).status_code == 404
    assert (await program.call("POST", f"/campaigns/{stream}:cancel")).status_code == 404


async def test_campaigns_are_listed_by_state_and_name(program: Program) -> None:
    for name in ("a", "b", "c"):
        await make(program, name=name)
    listed = (await program.call("GET", "/campaigns?limit=2&fields=name")).json()
    path = f"/campaigns?limit=2&fields=name&cursor={listed['next_cursor']}"
    rest = (await program.call("GET", path)).json()
    assert [one["name"] for one in listed["data"] + rest["data"]] == ["c", "b", "a"]
    named = (await program.call("GET", "/campaigns?name=b&state=draft")).json()["data"]
    assert [one["name"] for one in named] == ["b"]
    assert (await program.call("GET", "/campaigns?state=sending")).json()["data"] == []


async def test_a_key_bound_to_identities_touches_no_campaign_of_others(site: Site, program: Program) -> None:
    made = await make(program)
    bound = await a_program(site, furnished=False, identity_ids=[999])
    body = {"name": "a", "template": {"id": "Lettre"}, "include": ["Tous"], "identities": ["national"]}
    for answer in (
        await bound.call("POST", "/campaigns", body),
        await bound.call("PATCH", f"/campaigns/{made['id']}", {"name": "b"}),
        await do(bound, made, "cancel"),
        await do(bound, made, "schedule"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "identity_not_allowed")
    told = (await program.call("GET", f"/campaigns/{made['id']}")).json()
    assert (told["name"], told["state"]) == ("Réunion", CampaignState.DRAFT)


ACTIONS = ("schedule", "unschedule", "pause", "resume", "approve", "release", "cancel", "check")


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", "/campaigns", Scope.CAMPAIGNS_READ),
        ("GET", "/campaigns/cmp_a", Scope.CAMPAIGNS_READ),
        ("GET", "/campaigns/cmp_a/report", Scope.CAMPAIGNS_READ),
        ("POST", "/campaigns", Scope.CAMPAIGNS_WRITE),
        ("PATCH", "/campaigns/cmp_a", Scope.CAMPAIGNS_WRITE),
        *(("POST", f"/campaigns/cmp_a:{action}", Scope.CAMPAIGNS_WRITE) for action in ACTIONS),
    ],
)
async def test_each_call_needs_its_scope_and_no_other(
    site: Site, method: str, path: str, needed: Scope
) -> None:
    body: dict[str, Any] = {}
    if path == "/campaigns":
        body = {"name": "a", "template": {"id": "x"}, "include": ["x"], "identities": ["x"]}
    others = await a_program(site, scopes=[one for one in Scope if one is not needed], furnished=False)
    assert (await others.call(method, path, body)).json()["code"] == "missing_scope"
    own = await a_program(site, scopes=[needed], furnished=False)
    assert (await own.call(method, path, body)).status_code in {200, 404}
