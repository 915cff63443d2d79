"""People over HTTP: written under a CRM's own ids as an import writes them, read page by page, erased."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import select

from models.api import Scope
from models.contact import ConsentRecord, Contact
from models.states import Channel, SuppressionReason
from models.suppression import address_hash
from store import suppressions
from tests.web.browsers import Site
from tests.web.programs import Program, a_program

CAMILLE = {"email": "Camille@Gmail.com", "phone": "06 12 34 56 78", "first_name": "Camille"}


@pytest.fixture
async def program(site: Site) -> Program:
    return await a_program(site, furnished=False)


async def put(program: Program, external_id: str, **said: Any) -> httpx.Response:
    return await program.call("PUT", f"/contacts/by-external-id/{external_id}", said)


async def everybody(program: Program) -> list[Contact]:
    async with program.site.database.read() as session:
        return list((await session.exec(select(Contact).order_by(Contact.id))).all())  # type: ignore[arg-type]


async def test_a_person_is_made_then_changed_and_what_is_not_named_stays(program: Program) -> None:
    made = await put(
        program, "A1", **CAMILLE, postcode="13001", attributes={"Métier": "prof"}, tags=["Militant"]
    )
    assert made.status_code == 201, made.text
    told = made.json()
    assert (told["email"], told["phone"], told["departement"]) == ("camille@gmail.com", "+33612345678", "13")
    assert (told["external_id"], told["attributes"], told["tags"]) == ("A1", {"metier": "prof"}, ["Militant"])
    changed = await put(program, "A1", last_name="Durand", first_name=None, attributes={"enfants": "2"})
    assert changed.status_code == 200
    after = changed.json()
    assert (after["id"], after["first_name"], after["last_name"]) == (told["id"], None, "Durand")
    assert after["email"] == "camille@gmail.com"
    assert after["attributes"] == {"metier": "prof", "enfants": "2"}
    assert after["tags"] == ["Militant"]


async def test_null_empties_tags_and_attributes(program: Program) -> None:
    await put(program, "A1", **CAMILLE, attributes={"a": "1", "b": "2"}, tags=["x", "y"], language="en")
    told = (await put(program, "A1", attributes={"a": None}, tags=None, language=None, phone=None)).json()
    assert (told["attributes"], told["tags"], told["language"]) == ({"b": "2"}, [], "fr")
    assert told["phone"] is None


async def test_writing_the_same_twice_changes_nothing(program: Program) -> None:
    first = (await put(program, "A1", **CAMILLE, tags=["x"])).json()
    program.site.clock.advance(timedelta(hours=1))
    again = await put(program, "A1", **CAMILLE, tags=["X"])
    assert again.status_code == 200
    assert again.json() == first


async def test_somebody_who_came_by_a_file_is_known_by_their_address(program: Program) -> None:
    known = (await program.call("POST", "/contacts", {"email": "camille@gmail.com"})).json()
    told = await put(program, "A1", email="CAMILLE@gmail.com")
    assert (told.status_code, told.json()["id"]) == (200, known["id"])


async def test_an_address_of_somebody_else_is_one_clear_problem(program: Program) -> None:
    first = (await put(program, "A1", **CAMILLE)).json()
    answer = await put(program, "B2", email="camille@gmail.com", first_name="Bob")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert answer.json()["errors"][0]["field"] == "email"
    assert first["id"] in answer.json()["detail"]
    assert len(await everybody(program)) == 1
    writer = await a_program(program.site, scopes=[Scope.CONTACTS_WRITE], furnished=False)
    assert first["id"] not in (await put(writer, "B2", email="camille@gmail.com")).text


async def test_a_key_that_only_writes_learns_nothing_of_who_was_there(program: Program) -> None:
    await put(program, "A1", **CAMILLE, tags=["secret"])
    writer = await a_program(program.site, scopes=[Scope.CONTACTS_WRITE], furnished=False)
    told = (await put(writer, "A1", last_name="Durand")).json()
    assert set(told) == {"id", "notes"}
    tags = await writer.call("POST", f"/contacts/{told['id']}/tags", {"add": ["mine"]})
    assert tags.json() == {"tags": ["mine"]}
    said = {"about": "email", "status": "granted", "source": "paper"}
    assert (await writer.call("POST", f"/contacts/{told['id']}/consents", said)).json()["data"] == []


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"phone": "12"}, "phone"),
        ({"departement": "Nowhere"}, "departement"),
        ({"birth_date": "1492-01-01"}, "birth_date"),
        ({"external_id": "other"}, "external_id"),
        ({"email": None, "external_id": None}, "external_id"),
        ({"tags": ["a, b"]}, "tags.0"),
        ({"surname": "Durand"}, "surname"),
        (
            {"consents": {"email": {"status": "granted", "given_at": "2099-01-01T00:00:00Z"}}},
            "consents.email",
        ),
    ],
)
async def test_what_cannot_be_read_is_refused_with_the_part(
    program: Program, said: dict[str, Any], field: str
) -> None:
    body = {"external_id": "A1"} | said if field != "external_id" else said
    answer = await program.call("PUT", "/contacts/by-external-id/A1", body)
    if said == {"email": None, "external_id": None}:
        # The address names them: nothing is wrong.
        assert answer.status_code == 201
        return
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert await everybody(program) == []


async def test_nobody_is_left_without_a_way_to_find_them(program: Program) -> None:
    told = (await program.call("POST", "/contacts", {"email": "a@b.fr"})).json()
    answer = await program.call("PATCH", f"/contacts/{told['id']}", {"email": None})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert (await program.call("POST", "/contacts", {"first_name": "Nobody"})).status_code == 422


async def test_fifty_who_write_the_same_person_at_once_make_one(program: Program) -> None:
    answers = await asyncio.gather(*(put(program, "A1", **CAMILLE, tags=["x"]) for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await everybody(program)) == 1


async def test_the_same_call_under_a_key_is_answered_as_before(program: Program) -> None:
    first = await program.call("POST", "/contacts", CAMILLE, idempotency_key="k1")
    again = await program.call("POST", "/contacts", CAMILLE, idempotency_key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.text, again.headers["idempotency-replayed"]) == (first.text, "true")
    other = await program.call("POST", "/contacts", CAMILLE)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


async def test_a_person_is_changed_by_id_even_the_address(program: Program) -> None:
    told = (await put(program, "A1", **CAMILLE)).json()
    path = f"/contacts/{told['id']}"
    changed = await program.call("PATCH", path, {"email": "c.durand@gmail.com", "external_id": "A2"})
    assert changed.json()["email"] == "c.durand@gmail.com"
    assert (await program.call("GET", "/contacts/by-external-id/A1")).status_code == 404
    assert (await program.call("GET", "/contacts/by-external-id/A2?fields=email")).json() == {
        "id": told["id"],
        "email": "c.durand@gmail.com",
    }
    assert (await program.call("GET", path + "?fields=shoe")).json()["errors"][0]["field"] == "fields"


async def test_a_list_is_read_to_its_end_whatever_comes_meanwhile(program: Program) -> None:
    made = [(await put(program, f"A{number}", tags=["x"])).json()["id"] for number in range(7)]
    seen: list[str] = []
    page = (await program.call("GET", "/contacts?limit=3&tag=X&fields=external_id")).json()
    await program.call("DELETE", f"/contacts/{made[3]}")
    while True:
        seen += [one["id"] for one in page["data"]]
        if not page["has_more"]:
            break
        path = f"/contacts?limit=3&tag=X&fields=external_id&cursor={page['next_cursor']}"
        page = (await program.call("GET", path)).json()
    assert page["next_cursor"] is None
    assert seen == [*made[:3], *made[4:]]


@pytest.mark.parametrize("change", ["forged", "other filters", "other list"])
async def test_a_cursor_of_another_question_is_refused(program: Program, change: str) -> None:
    for number in range(3):
        await put(program, f"A{number}", email=f"a{number}@b.fr")
    cursor = (await program.call("GET", "/contacts?limit=1")).json()["next_cursor"]
    swapped = "B" if cursor[-1] == "A" else "A"
    path = {
        "forged": f"/contacts?limit=1&cursor={cursor[:-2]}{swapped}{cursor[-1]}",
        "other filters": f"/contacts?limit=1&email=a1@b.fr&cursor={cursor}",
        "other list": f"/interactions?limit=1&cursor={cursor}",
    }[change]
    answer = await program.call("GET", path)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")
    assert (await program.call("GET", f"/contacts?limit=2&cursor={cursor}")).status_code == 200


async def test_people_are_found_by_what_is_known_of_them(program: Program) -> None:
    one = (await put(program, "A1", **CAMILLE, tags=["Économie"])).json()["id"]
    program.site.clock.advance(timedelta(days=1))
    two = (await put(program, "B2", email="bob@orange.fr")).json()["id"]
    since = program.site.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    for query, expected in [
        ("email=CAMILLE@gmail.com", [one]),
        ("phone=0612345678", [one]),
        ("external_id=B2", [two]),
        ("tag=economie", [one]),
        (f"updated_since={since}", [two]),
        ("email=nobody@gmail.com", []),
    ]:
        found = (await program.call("GET", f"/contacts?{query}")).json()
        assert [person["id"] for person in found["data"]] == expected, query
    assert (await program.call("GET", "/contacts?email=x")).json()["errors"][0]["field"] == "email"


async def test_tags_are_put_on_and_taken_off(program: Program) -> None:
    told = (await put(program, "A1", tags=["militant"])).json()
    path = f"/contacts/{told['id']}/tags"
    answer = await program.call("POST", path, {"add": ["Économie"], "remove": ["MILITANT", "unknown"]})
    assert answer.json() == {"tags": ["Économie"]}
    assert (await program.call("GET", path)).json() == {"tags": ["Économie"]}


async def test_consent_is_kept_as_proof_and_the_latest_word_holds(program: Program) -> None:
    told = (await put(program, "A1", **CAMILLE)).json()
    path = f"/contacts/{told['id']}/consents"
    for about, status, given_at in [
        ("email", "granted", "2026-01-02T10:00:00Z"),
        ("email", "withdrawn", "2026-01-03T10:00:00Z"),
        ("email", "granted", "2026-01-01T10:00:00Z"),
        ("targeting", "granted", "2026-01-05T10:00:00Z"),
        ("targeting", "granted", "2026-01-05T10:00:00Z"),
    ]:
        said = {"about": about, "status": status, "given_at": given_at, "source": "form"}
        assert (await program.call("POST", path, said)).status_code == 201
    found = (await program.call("GET", path)).json()
    assert found["holds"] == {"email": "withdrawn", "sms": "unknown", "targeting": "granted"}
    assert [one["about"] for one in found["data"]] == ["targeting", "email", "email", "email"]
    unsaid = await put(program, "A1", consents={"email": {"status": "granted"}})
    assert unsaid.json()["consents"]["email"] == "withdrawn"
    assert unsaid.json()["notes"][0]["field"] == "email_consent"


async def test_consent_comes_with_the_person_and_names_the_key_that_told_it(program: Program) -> None:
    told = (await put(program, "A1", **CAMILLE, consents={"email": {"status": "granted"}})).json()
    assert told["consents"]["email"] == "granted"
    async with program.site.database.read() as session:
        (proof,) = (await session.exec(select(ConsentRecord))).all()
    assert (proof.channel, proof.source) == (Channel.EMAIL, "API key CRM")


async def test_an_erased_person_is_gone_and_the_suppression_stays(program: Program) -> None:
    told = (await put(program, "A1", **CAMILLE)).json()
    fingerprint = address_hash(Channel.EMAIL, "camille@gmail.com")
    now = program.site.clock.now()
    async with program.site.database.write() as session:
        await suppressions.suppress(
            session,
            channel=Channel.EMAIL,
            address_hash=fingerprint,
            reason=SuppressionReason.UNSUBSCRIBE,
            evidence="",
            event_id=None,
            now=now,
        )
    path = f"/contacts/{told['id']}"
    assert (await program.call("DELETE", path)).status_code == 204
    assert (await program.call("GET", path)).status_code == 404
    assert (await program.call("DELETE", path)).status_code == 404
    async with program.site.database.read() as session:
        assert await suppressions.suppressed_hashes(session, Channel.EMAIL, [fingerprint], now)


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/contacts", Scope.CONTACTS_READ),
        ("GET", "/contacts/ctc_x", Scope.CONTACTS_READ),
        ("GET", "/contacts/by-external-id/x", Scope.CONTACTS_READ),
        ("GET", "/contacts/ctc_x/tags", Scope.CONTACTS_READ),
        ("GET", "/contacts/ctc_x/consents", Scope.CONTACTS_READ),
        ("PUT", "/contacts/by-external-id/x", Scope.CONTACTS_WRITE),
        ("POST", "/contacts", Scope.CONTACTS_WRITE),
        ("PATCH", "/contacts/ctc_x", Scope.CONTACTS_WRITE),
        ("DELETE", "/contacts/ctc_x", Scope.CONTACTS_WRITE),
        ("POST", "/contacts/ctc_x/tags", Scope.CONTACTS_WRITE),
        ("POST", "/contacts/ctc_x/consents", Scope.CONTACTS_WRITE),
    ],
)
async def test_each_call_opens_to_its_scope_alone(site: Site, method: str, path: str, scope: Scope) -> None:
    others = [one for one in Scope if one is not scope]
    stranger = await a_program(site, scopes=others, furnished=False)
    assert (await stranger.call(method, path, {})).json()["code"] == "missing_scope"
    friend = await a_program(site, scopes=[scope], furnished=False)
    assert (await friend.call(method, path, {})).status_code not in {401, 403}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/contacts/by-external-id/%00", {}),
        ("GET", "/contacts/by-external-id/a%00b", None),
        ("GET", "/contacts?tag=%00", None),
        ("GET", "/contacts?external_id=%00", None),
        ("GET", "/contacts?cursor=é", None),
        ("GET", "/contacts?cursor=AAAA", None),
        ("PUT", "/contacts/by-external-id/A1", {"attributes": {"…": "1"}}),
        ("PUT", "/contacts/by-external-id/A1", {"tags": ["_"]}),
        ("PUT", "/contacts/by-external-id/A1", {"tags": ["ﷺ" * 60]}),
        ("PUT", "/contacts/by-external-id/A1", {"first_name": "a\0b"}),
        ("POST", "/contacts/ctc_x/tags", {"add": ["-"]}),
    ],
)
async def test_what_no_ledger_takes_is_refused_and_breaks_nothing(
    program: Program, method: str, path: str, body: Any
) -> None:
    answer = await program.call(method, path, body)
    assert answer.status_code == 422, answer.text


async def test_ids_of_a_crm_are_found_as_they_are_written(program: Program) -> None:
    assert (await put(program, " 12  3 ")).status_code == 201
    assert (await put(program, "12 3")).status_code == 200
    assert (await program.call("GET", "/contacts/by-external-id/12  3")).status_code == 200


async def test_half_a_character_is_refused(program: Program) -> None:
    told = {"authorization": f"Bearer {program.secret}", "content-type": "application/json"}
    for body in (
        b'{"first_name": "\\ud800"}',
        b'{"attributes": {"a\\ud800": "x"}}',
        b'{"tags": ["\\ud800x"]}',
    ):
        answer = await program.client.put("/v1/contacts/by-external-id/A1", content=body, headers=told)
        assert answer.status_code == 422, answer.text
