"""Addresses that are not written to: added, looked up, lifted; who may not read is told nothing."""

from datetime import timedelta

import pytest

from models.api import Scope
from tests.web.browsers import Site
from tests.web.programs import Program, a_program

CAMILLE = {"email": "Camille@Gmail.com", "why": "asked by telephone"}


@pytest.fixture
async def program(site: Site) -> Program:
    return await a_program(site)


async def test_who_is_suppressed_gets_no_message_until_it_is_lifted(program: Program) -> None:
    added = await program.call("POST", "/suppressions", CAMILLE)
    assert (added.status_code, added.json()) == (200, {"suppressed": True, "changed": True})
    assert (await program.send()).json()["status"] == "suppressed"
    again = await program.call("POST", "/suppressions", CAMILLE)
    assert again.json() == {"suppressed": True, "changed": False}
    found = (await program.call("POST", "/suppressions:look", {"email": "camille@gmail.com"})).json()
    assert found["suppressed"] is True
    assert [(row["reason"], row["evidence"]) for row in found["history"]] == [
        ("manual", "API key CRM: asked by telephone")
    ]
    lifted = await program.call("POST", "/suppressions:lift", CAMILLE | {"why": "asked for it again"})
    assert lifted.json() == {"suppressed": False, "changed": True, "consent_withdrawn": False}
    assert (await program.send()).json()["status"] == "accepted"
    found = (await program.call("POST", "/suppressions:look", {"email": "camille@gmail.com"})).json()
    assert (found["suppressed"], found["history"][0]["lifted_why"]) == (
        False,
        "API key CRM: asked for it again",
    )


async def test_lifting_gives_no_consent_back(program: Program) -> None:
    said = {"email": "camille@gmail.com", "consents": {"email": {"status": "withdrawn"}}}
    await program.call("PUT", "/contacts/by-external-id/A1", said)
    told = (await program.call("POST", "/suppressions:lift", CAMILLE)).json()
    assert told == {"suppressed": False, "changed": False, "consent_withdrawn": True}


async def test_the_list_tells_no_address_and_is_read_page_by_page(program: Program) -> None:
    for number in range(3):
        await program.call("POST", "/suppressions", {"email": f"a{number}@b.fr", "why": "x"})
    await program.call("POST", "/suppressions", {"phone": "0612345678", "why": "x"})
    page = (await program.call("GET", "/suppressions?limit=2&channel=email")).json()
    assert len(page["data"]) == 2
    assert "@" not in str(page["data"])
    rest = await program.call("GET", f"/suppressions?limit=2&channel=email&cursor={page['next_cursor']}")
    ids = [row["id"] for row in page["data"] + rest.json()["data"]]
    assert len(set(ids)) == 3
    assert (await program.call("GET", "/suppressions?reason=complaint")).json()["data"] == []
    lift = f"/suppressions/{ids[0]}:lift"
    assert (await program.call("POST", lift, {"why": "a slip"})).status_code == 200
    assert (await program.call("POST", lift, {"why": "a slip"})).status_code == 404
    assert len((await program.call("GET", "/suppressions?channel=email")).json()["data"]) == 2


async def test_what_is_new_is_asked_for_by_its_moment(site: Site, program: Program) -> None:
    ids, moments = [], []
    for number in range(4):
        site.clock.advance(timedelta(hours=1))
        moments.append(site.clock.now())
        await program.call("POST", "/suppressions", {"email": f"a{number}@b.fr", "why": "x"})
        (newest, *_) = (await program.call("GET", "/suppressions?limit=1")).json()["data"]
        ids.append(newest["id"])
    for place, moment in enumerate(moments):
        since = moment.isoformat().replace("+", "%2B")
        found = (await program.call("GET", f"/suppressions?since={since}")).json()["data"]
        assert [row["id"] for row in found] == ids[place:][::-1]
        page = (await program.call("GET", f"/suppressions?limit=1&since={since}")).json()
        assert page["has_more"] is (place < 3)


async def test_who_may_only_write_cannot_tell_who_was_on_the_list(site: Site, program: Program) -> None:
    await program.call("POST", "/suppressions", CAMILLE)
    writer = await a_program(site, scopes=[Scope.SUPPRESSIONS_WRITE], furnished=False)
    other = CAMILLE | {"email": "other@gmail.com"}
    for path in ("/suppressions", "/suppressions:lift"):
        answers = [await writer.call("POST", path, body) for body in (CAMILLE, other)]
        assert answers[0].text == answers[1].text
        assert answers[0].status_code == answers[1].status_code == 200
    stranger = await a_program(site, scopes=[Scope.CONTACTS_READ], furnished=False)
    problems = []
    for body in (CAMILLE, other):
        address = {"email": body["email"]}
        problem = (await stranger.call("POST", "/suppressions:look", address)).json()
        problems.append({name: value for name, value in problem.items() if name != "request_id"})
    assert problems[0] == problems[1]
    assert problems[0]["code"] == "missing_scope"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "no address", "why": "x"}, "email"),
        ({"phone": "12", "why": "x"}, "phone"),
        ({"email": "a@b.fr"}, "why"),
        ({"email": "a@b.fr", "why": " "}, "why"),
        ({"why": "x"}, ""),
    ],
)
async def test_what_cannot_be_decided_is_refused_with_the_part(
    program: Program, body: dict[str, str], field: str
) -> None:
    for path in ("/suppressions", "/suppressions:lift"):
        answer = await program.call("POST", path, body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/suppressions", Scope.SUPPRESSIONS_READ),
        ("POST", "/suppressions:look", Scope.SUPPRESSIONS_READ),
        ("POST", "/suppressions", Scope.SUPPRESSIONS_WRITE),
        ("POST", "/suppressions:lift", Scope.SUPPRESSIONS_WRITE),
        ("POST", "/suppressions/sup_x:lift", Scope.SUPPRESSIONS_WRITE),
    ],
)
async def test_each_call_opens_to_its_scope_alone(site: Site, method: str, path: str, scope: Scope) -> None:
    others = [one for one in Scope if one is not scope]
    stranger = await a_program(site, scopes=others, furnished=False)
    assert (await stranger.call(method, path, {})).json()["code"] == "missing_scope"
    friend = await a_program(site, scopes=[scope], furnished=False)
    assert (await friend.call(method, path, {})).status_code not in {401, 403}
