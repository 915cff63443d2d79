"""Segments over HTTP: kept, changed, counted, explained; what cannot be read says where."""

import pytest

from models.api import KeyMode, Scope
from store import segments
from tests.factories import a_campaign, a_contact, a_template, an_identity
from tests.web.browsers import Site
from tests.web.programs import Program, a_program


@pytest.fixture
async def program(site: Site) -> Program:
    async with site.database.write() as session:
        await a_contact(session)
        await a_contact(session, commune="Aubagne")
    return await a_program(site, furnished=False)


async def make(program: Program, name: str = "Marseille", rule: str = "commune:Marseille") -> str:
    answer = await program.call("POST", "/segments", {"name": name, "rule": rule})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_segment_is_made_read_changed_and_taken_away(program: Program) -> None:
    own = await make(program)
    told = (await program.call("GET", f"/segments/{own}")).json()
    assert (told["name"], told["rule"]) == ("Marseille", "commune:Marseille")
    answer = await program.call("PATCH", f"/segments/{own}", {"rule": "everyone"})
    assert (answer.json()["name"], answer.json()["rule"]) == ("Marseille", "everyone")
    answer = await program.call("PATCH", f"/segments/{own}", {"name": "Tout le monde"})
    assert (answer.json()["name"], answer.json()["rule"]) == ("Tout le monde", "everyone")
    assert (await program.call("GET", f"/segments/{own}/count")).json()["people"] == 2
    assert (await program.call("DELETE", f"/segments/{own}")).status_code == 204
    assert (await program.call("GET", f"/segments/{own}")).status_code == 404


async def test_a_name_is_had_once(program: Program) -> None:
    await make(program)
    other = await make(program, "Aubagne")
    again = await program.call("POST", "/segments", {"name": "Marseille", "rule": "everyone"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    renamed = await program.call("PATCH", f"/segments/{other}", {"name": "Marseille"})
    assert renamed.status_code == 409


async def test_made_twice_under_one_key_it_is_made_once(program: Program) -> None:
    body = {"name": "Marseille", "rule": "everyone"}
    answers = [await program.call("POST", "/segments", body, idempotency_key="s-1") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].text == answers[1].text


async def test_a_rule_that_cannot_be_read_says_where(program: Program) -> None:
    for path, body in (
        ("/segments", {"name": "a", "rule": "tag:x and and"}),
        ("/segments:explain", {"rule": "tag:x and and"}),
    ):
        answer = await program.call("POST", path, body)
        assert answer.status_code == 422, answer.text
        (fault,) = answer.json()["errors"]
        assert (fault["field"], fault["code"], fault["position"]) == ("rule", "segment_syntax", 10)


async def test_a_rule_is_explained_part_by_part(program: Program) -> None:
    answer = await program.call("POST", "/segments:explain", {"rule": "commune:Marseille ou commune:Aubagne"})
    told = answer.json()
    assert (told["people"], told["canonical"]) == (2, "commune:Marseille or commune:Aubagne")
    assert [(part["depth"], part["people"]) for part in told["parts"]] == [(0, 2), (1, 1), (1, 1)]
    own = await make(program)
    assert (await program.call("GET", f"/segments/{own}/explanation")).json()["people"] == 1


async def test_segments_are_listed_a_page_at_a_time(program: Program) -> None:
    for name in ("a", "b", "c"):
        await make(program, name)
    first = (await program.call("GET", "/segments?limit=2&fields=name")).json()
    rest = (await program.call("GET", f"/segments?limit=2&fields=name&cursor={first['next_cursor']}")).json()
    assert [one["name"] for one in first["data"] + rest["data"]] == ["a", "b", "c"]
    assert [one["name"] for one in (await program.call("GET", "/segments?name=b")).json()["data"]] == ["b"]


async def test_a_segment_that_a_campaign_holds_stays(program: Program) -> None:
    own = await make(program)
    async with program.site.database.write() as session:
        segment = await segments.find_segment(session, "Marseille")
        assert segment is not None
        sender, version = await an_identity(session), await a_template(session)
        await a_campaign(session, version=version, include=[segment], senders=[sender])
    answer = await program.call("DELETE", f"/segments/{own}")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "Campagne" in answer.json()["detail"]


async def test_a_test_key_reads_segments_and_changes_none(site: Site, program: Program) -> None:
    own = await make(program)
    tester = await a_program(site, mode=KeyMode.TEST, furnished=False)
    assert (await tester.call("GET", f"/segments/{own}/count")).json()["people"] == 1
    for method, path, body in (
        ("POST", "/segments", {"name": "x", "rule": "everyone"}),
        ("PATCH", f"/segments/{own}", {"rule": "everyone"}),
        ("DELETE", f"/segments/{own}", None),
    ):
        assert (await tester.call(method, path, body)).json()["code"] == "live_key_needed"


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", "/segments", Scope.SEGMENTS_READ),
        ("GET", "/segments/seg_a", Scope.SEGMENTS_READ),
        ("GET", "/segments/seg_a/count", Scope.SEGMENTS_READ),
        ("GET", "/segments/seg_a/explanation", Scope.SEGMENTS_READ),
        ("POST", "/segments:explain", Scope.SEGMENTS_READ),
        ("POST", "/segments", Scope.SEGMENTS_WRITE),
        ("PATCH", "/segments/seg_a", Scope.SEGMENTS_WRITE),
        ("DELETE", "/segments/seg_a", Scope.SEGMENTS_WRITE),
    ],
)
async def test_each_call_needs_its_scope_and_no_other(
    site: Site, method: str, path: str, needed: Scope
) -> None:
    body = {"name": "x", "rule": "everyone"} if path == "/segments" else {"rule": "everyone"}
    others = await a_program(site, scopes=[one for one in Scope if one is not needed], furnished=False)
    assert (await others.call(method, path, body)).json()["code"] == "missing_scope"
    own = await a_program(site, scopes=[needed], furnished=False)
    assert (await own.call(method, path, body)).status_code in {200, 201, 404}
