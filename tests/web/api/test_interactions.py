"""What people did elsewhere, over HTTP: told once a name, listed, chosen by in segments, seen on the page."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from audience.segments import count, parse_segment
from models.access import Role
from models.api import Scope
from store import interactions
from tests.web.browsers import Site
from tests.web.programs import Program, a_program


@pytest.fixture
async def program(site: Site) -> Program:
    program = await a_program(site, furnished=False)
    said = {"email": "camille@gmail.com", "phone": "0612345678"}
    await program.call("PUT", "/contacts/by-external-id/A1", said)
    return program


async def tell(program: Program, **said: Any) -> httpx.Response:
    body = {"contact": {"external_id": "A1"}, "kind": "Meeting attended"} | said
    return await program.call("POST", "/interactions", body)


async def fitting(program: Program, rule: str) -> int:
    async with program.site.database.read() as session:
        return await count(session, parse_segment(rule), program.site.clock.now())


@pytest.mark.parametrize(
    "contact",
    [{"external_id": "A1"}, {"email": "CAMILLE@gmail.com"}, {"phone": "06 12 34 56 78"}, {"id": "?"}],
)
async def test_a_person_is_named_in_four_ways(program: Program, contact: dict[str, str]) -> None:
    number = (await program.call("GET", "/contacts/by-external-id/A1")).json()["id"]
    answer = await tell(program, contact={"id": number} if "id" in contact else contact)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["contact"], told["kind"], told["key"]) == (number, "Meeting attended", "meeting attended")
    assert (await program.call("GET", f"/interactions/{told['id']}")).json() == told


async def test_what_was_told_is_chosen_by_in_segments(program: Program) -> None:
    long_ago = (program.site.clock.now() - timedelta(days=90)).isoformat()
    await tell(program, kind="Réunion publique", at=long_ago)
    assert await fitting(program, 'interaction:"reunion publique"') == 1
    assert await fitting(program, "interaction.réunion_publique<100d") == 1
    assert await fitting(program, "interaction.réunion_publique<30d") == 0
    assert await fitting(program, "interaction:reunion* and not interaction:petition") == 1


async def test_told_again_under_its_name_it_is_the_same_as_told_last(program: Program) -> None:
    first = await tell(program, source="field", external_id="7")
    again = await tell(program, source="field", external_id="7", kind="Door knocked", details={"n": "2"})
    other = await tell(program, source="site", external_id="7")
    assert [answer.status_code for answer in (first, again, other)] == [201, 200, 201]
    assert again.json()["id"] == first.json()["id"] != other.json()["id"]
    found = (await program.call("GET", "/interactions?source=field&external_id=7")).json()["data"]
    assert [(one["kind"], one["details"]) for one in found] == [("Door knocked", {"n": "2"})]


async def test_fifty_who_tell_the_same_at_once_make_one(program: Program) -> None:
    answers = await asyncio.gather(*(tell(program, source="field", external_id="7") for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    assert len((await program.call("GET", "/interactions")).json()["data"]) == 1


async def test_without_a_name_a_repeat_under_a_key_counts_once(program: Program) -> None:
    body = {"contact": {"external_id": "A1"}, "kind": "petition"}
    for _ in range(2):
        assert (await program.call("POST", "/interactions", body, idempotency_key="k")).status_code == 201
    assert len((await program.call("GET", "/interactions")).json()["data"]) == 1


async def test_a_batch_gives_one_result_each_and_one_bad_one_keeps_no_other(program: Program) -> None:
    one = {"contact": {"external_id": "A1"}, "kind": "petition", "source": "site", "external_id": "1"}
    batch = [
        one,
        one | {"contact": {"email": "nobody@gmail.com"}, "external_id": "2"},
        one | {"contact": {"email": "no address"}, "external_id": "3"},
        one | {"external_id": "4"},
        one | {"kind": "signed up"},
        one | {"at": "today"},
    ]
    answer = await program.call("POST", "/interactions/batch", {"interactions": batch})
    assert answer.status_code == 207, answer.text
    told = answer.json()
    assert (told["written"], told["refused"]) == (3, 3)
    assert [result["status"] for result in told["results"]] == [201, 404, 422, 201, 200, 422]
    assert told["results"][5]["problem"]["errors"][0]["field"] == "interactions.5.at"
    assert told["results"][1]["problem"]["errors"][0]["field"] == "interactions.1.contact.email"
    assert told["results"][4]["id"] == told["results"][0]["id"]
    assert (await program.call("GET", f"/interactions/{told['results'][0]['id']}")).json()[
        "kind"
    ] == "signed up"


@pytest.mark.parametrize(
    ("said", "status", "field"),
    [
        ({"contact": {"external_id": "B2"}}, 404, "contact.external_id"),
        ({"contact": {"id": "ctc_x"}}, 404, "contact.id"),
        ({"contact": {"phone": "12"}}, 422, "contact.phone"),
        ({"contact": {}}, 422, "contact"),
        ({"kind": "…"}, 422, ""),
        ({"external_id": "7"}, 422, ""),
    ],
)
async def test_what_cannot_be_told_so_is_refused_with_the_part(
    program: Program, said: dict[str, Any], status: int, field: str
) -> None:
    answer = await tell(program, **said)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field), answer.text


async def test_the_list_is_of_one_person_page_by_page_and_what_was_wrong_is_taken_back(
    program: Program,
) -> None:
    await program.call("PUT", "/contacts/by-external-id/B2", {})
    mine = [(await tell(program, kind=f"kind {n}")).json() for n in range(3)]
    await tell(program, contact={"external_id": "B2"})
    path = f"/interactions?contact={mine[0]['contact']}&limit=2&fields=kind"
    page = (await program.call("GET", path)).json()
    assert [one["kind"] for one in page["data"]] == ["kind 2", "kind 1"]
    rest = (await program.call("GET", f"{path}&cursor={page['next_cursor']}")).json()
    assert rest == {"data": [{"id": mine[0]["id"], "kind": "kind 0"}], "has_more": False, "next_cursor": None}
    assert len((await program.call("GET", "/interactions?kind=KIND%201")).json()["data"]) == 1
    assert (await program.call("DELETE", f"/interactions/{mine[0]['id']}")).status_code == 204
    assert (await program.call("GET", f"/interactions/{mine[0]['id']}")).status_code == 404


async def test_the_record_of_a_person_shows_it_and_erasure_takes_it_along(program: Program) -> None:
    told = (await tell(program, details={"place": "Salle des fêtes"}, source="field app")).json()
    browser = await program.site.signed_in(Role.READER)
    page = await browser.read("/contacts/1")
    assert all(word in page for word in ("Meeting attended", "Salle des fêtes", "field app"))
    await program.call("DELETE", f"/contacts/{told['contact']}")
    assert (await program.call("GET", "/interactions")).json()["data"] == []
    async with program.site.database.read() as session:
        assert await interactions.of_contact(session, 1, limit=5) == []


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/interactions", Scope.INTERACTIONS_READ),
        ("GET", "/interactions/int_x", Scope.INTERACTIONS_READ),
        ("POST", "/interactions", Scope.INTERACTIONS_WRITE),
        ("POST", "/interactions/batch", Scope.INTERACTIONS_WRITE),
        ("DELETE", "/interactions/int_x", Scope.INTERACTIONS_WRITE),
    ],
)
async def test_each_call_opens_to_its_scope_alone(site: Site, method: str, path: str, scope: Scope) -> None:
    others = [one for one in Scope if one is not scope]
    stranger = await a_program(site, scopes=others, furnished=False)
    assert (await stranger.call(method, path, {})).json()["code"] == "missing_scope"
    friend = await a_program(site, scopes=[scope], furnished=False)
    assert (await friend.call(method, path, {})).status_code not in {401, 403}
